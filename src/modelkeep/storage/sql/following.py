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

Run = Callable[[Callable[[SqlWork], Any]], Awaitable[Any]]
Told = Callable[[Exception | None], None]


class Following:
    """Of one event loop. `run` does a read in a transaction of its own."""

    def __init__(self, run: Run) -> None:
        self._run, self._values = run, Values()
        self._size = 0  # of the journal; what newer entries are about may be remembered still
        self._waiting: list[Told] = []
        self._asking: asyncio.Task[None] | None = None

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

        (value, model_id), size = await self._run(read)
        if not self._values:  # nothing hangs on what came before
            self._size = max(self._size, size)
        if size >= self._size:  # else entries that it does not know of have been gone through
            self._values.keep(key, value, model_id)
        return value, False

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
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask_for_all())

    async def _ask_for_all(self) -> None:
        while self._waiting:
            those, self._waiting = self._waiting, []
            failure = None
            try:
                await self._ask()
            except Exception as error:  # noqa: BLE001 - it is the callers'
                failure = error
            for tell in those:
                tell(failure)
        self._asking = None

    async def _ask(self) -> None:
        def changed(work: SqlWork) -> tuple[int, set[int | None]]:
            size = work.journal.size()
            if size == self._size:
                return size, set()
            is_near = self._size < size <= self._size + FAR
            return size, work.journal.models_since(self._size) if is_near else {None}

        size, models = await self._run(changed)
        self._size = size
        self._values.forget(models)


def _settle(answered: asyncio.Future[None], error: Exception | None) -> None:
    if answered.done():  # who asked has gone
        return
    if error is None:
        answered.set_result(None)
    else:
        answered.set_exception(error)
