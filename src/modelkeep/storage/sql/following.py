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

from modelkeep.domain.errors import Unavailable
from modelkeep.ports.work import About
from modelkeep.storage.sql.recent import Values
from modelkeep.storage.sql.work import SqlWork

FAR = 1_000  # entries of the journal, after which all is forgotten rather than looked through

Read = Callable[[SqlWork], Any]
Run = Callable[[object, Read], Awaitable[Any]]
Told = Callable[[Any, Exception | None], None]
Caught = Callable[[Exception | None], None]
Start = Callable[[object, Read, Told], bool]


class Longer(Exception):
    """A read needs more trips than one, and a transaction in which they see one moment."""


class Following:
    """Of one event loop. `run` does a read that sees one moment, of a kind; `start` does one that
    is tried in one trip, and tells what came of it, unless it says that it cannot just now."""

    def __init__(self, run: Run, start: Start) -> None:
        self._run, self._start, self._values = run, start, Values()
        self._size = 0  # of the journal; what newer entries are about may be remembered still
        self._waiting: list[Caught] = []
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

        read = partial(self._find, use_case, args)
        return self._keep(use_case, args, await self._run(use_case, read)), False

    def recollect(
        self,
        use_case: Callable[..., About[Any]],
        args: tuple[str | int, ...],
        tell: Callable[[Any, bool], None],
    ) -> None:
        """Tells the value as `recall` would, or what was raised, now or later, and whether it was
        remembered; None where it cannot be told without waiting for others."""
        key = use_case, args

        def told(found: Any, error: Exception | None) -> None:
            if error is None:
                tell(self._keep(use_case, args, found), False)
            else:  # it may be the connection's alone
                tell(None if isinstance(error, (Unavailable, Longer)) else error, False)

        if self._values.get(key) is not None:
            self._once_caught_up(lambda error: tell(error or self._values.get(key), True))
        elif not self._start(use_case, partial(self._find, use_case, args), told):
            tell(None, False)

    def _find(
        self, use_case: Callable[..., About[Any]], args: tuple[str | int, ...], work: SqlWork
    ) -> tuple[About[Any], int]:
        """What a use case finds, and a size of the journal all of whose entries it has seen."""
        if self._values:
            known = self._size  # which somebody was told before
            return use_case(work, *args), known
        size = work.journal.size_ahead()
        return use_case(work, *args), size()

    def _keep(self, use_case: Any, args: Any, found: tuple[About[Any], int]) -> Any:
        """The value of what was found."""
        about, size = found
        if not self._values:  # nothing hangs on what came before
            self._size = max(self._size, size)
        if size >= self._size:  # else entries that it does not know of have been gone through
            self._values.keep(use_case, args, about)
        return about.value

    async def _catch_up(self) -> None:
        """Returns after a question that was asked after the call."""
        answered = asyncio.get_running_loop().create_future()
        self._once_caught_up(partial(_settle, answered))
        await answered

    def _once_caught_up(self, tell: Caught) -> None:
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
        if not self._start(_size, _size, lambda size, error: self._heard(those, size, error)):
            self._heard(those, None, None)

    def _heard(self, those: list[Caught], size: int | None, error: Exception | None) -> None:
        if size == self._size and error is None:
            self._tell(those, None)
        else:
            self._task = asyncio.get_running_loop().create_task(self._look_into(those))

    async def _look_into(self, those: list[Caught]) -> None:
        failure = None
        try:
            await self._ask()
        except Exception as error:  # noqa: BLE001 - it is the callers'
            failure = error
        self._tell(those, failure)

    def _tell(self, those: list[Caught], failure: Exception | None) -> None:
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
