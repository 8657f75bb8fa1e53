"""What point reads found, remembered where other processes write as well.

Before anything is told from memory, the journal is asked whether it has grown since, and what its
new entries are about is forgotten. One question serves all who wait for it, and each waits for one
that began after they asked: so nobody is told what was no longer so by then. Under load that is a
small part of a question for each.

Whatever changes an answer adds an entry that names its model, in the same commit
(docs/decisions/0028).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from modelkeep.ports.work import About
from modelkeep.storage.sql.recent import Values
from modelkeep.storage.sql.work import SqlWork

FAR = 1_000  # entries of the journal, after which all is forgotten rather than looked through

Run = Callable[[object, Callable[[SqlWork], Any]], Awaitable[Any]]
Told = Callable[[Exception | None], None]
Start = Callable[[Callable[[SqlWork], Any], Callable[[Any, Exception | None], None]], bool]


class Following:
    """Of one event loop. `run` does a read that sees one moment, of a kind; `start` does one of one
    statement, and tells what came of it, unless it says that it cannot just now."""

    def __init__(self, run: Run, start: Start) -> None:
        self._run, self._start, self._values = run, start, Values()
        self._size = 0  # of the journal; what newer entries are about may be remembered still
        self._waiting: list[Told] = []
        self._is_asking = False
        self._task: asyncio.Task[None] | None = None

    async def recall(
        self, use_case: Callable[..., About[Any]], args: tuple[str | int, ...]
    ) -> tuple[Any, bool]:
        """A point read's value, as of after the call, and whether it was remembered."""
        key = use_case, args
        if self._values.get(key) is not None:
            await self._catch_up()
            value = self._values.get(key)
            if value is not None:
                return value, True

        def read(work: SqlWork) -> tuple[About[Any], int]:
            size = work.journal.size_ahead()
            return use_case(work, *args), size()

        found, size = await self._run(use_case, read)
        if not self._values:  # nothing hangs on what came before
            self._size = max(self._size, size)
        if size >= self._size:  # else entries that it does not know of have been gone through
            self._values.keep(use_case, args, found)
        return found.value, False

    def recollect(self, key: Any, tell: Callable[[Any], None]) -> None:
        """Tells the value as `recall` would, later; or None if it is not remembered. An exception
        where it could not be asked."""
        if self._values.get(key) is None:
            tell(None)
        else:
            self._once_caught_up(lambda error: tell(error or self._values.get(key)))

    async def _catch_up(self) -> None:
        """Returns after a question that was asked after the call."""
        answered = asyncio.get_running_loop().create_future()
        self._once_caught_up(partial(_settle, answered))
        await answered

    def _once_caught_up(self, tell: Told) -> None:
        self._waiting.append(tell)
        if not self._is_asking:
            self._is_asking = True
            self._ask_soon()

    def _ask_soon(self) -> None:
        """When the loop's turn is over, for all who ask within it."""
        asyncio.get_running_loop().call_soon(self._ask_for_all)

    def _ask_for_all(self) -> None:
        """Most of the time the journal has not grown: that takes one statement to see."""
        those, self._waiting = self._waiting, []
        if not self._start(_size, lambda size, error: self._heard(those, size, error)):
            self._heard(those, None, None)

    def _heard(self, those: list[Told], size: int | None, error: Exception | None) -> None:
        if size == self._size and error is None:
            self._tell(those, None)
        else:
            self._task = asyncio.get_running_loop().create_task(self._look_into(those))

    async def _look_into(self, those: list[Told]) -> None:
        failure = None
        try:
            await self._ask()
        except Exception as error:  # noqa: BLE001 - it is the callers'
            failure = error
        self._tell(those, failure)

    def _tell(self, those: list[Told], failure: Exception | None) -> None:
        loop = asyncio.get_running_loop()
        for tell in those:
            loop.call_soon(tell, failure)  # each by itself, whatever another makes of it
        self._is_asking = bool(self._waiting)
        if self._waiting:
            self._ask_soon()

    async def _ask(self) -> None:
        def changed(work: SqlWork) -> tuple[int, set[int | None]]:
            size = work.journal.size()
            if size == self._size:
                return size, set()
            is_near = self._size < size <= self._size + FAR
            return size, work.journal.models_since(self._size) if is_near else {None}

        size, models = await self._run(None, changed)
        self._size = size
        self._values.forget(models)


def _size(work: SqlWork) -> int:
    return work.journal.size_ahead()()


def _settle(answered: asyncio.Future[None], error: Exception | None) -> None:
    if answered.done():  # who asked has gone
        return
    if error is None:
        answered.set_result(None)
    else:
        answered.set_exception(error)
