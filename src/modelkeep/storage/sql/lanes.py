"""Point reads of PostgreSQL in an event loop, each on one of a few connections.

A thread costs more than a look-up by key: it and the loop hand Python's interpreter to and fro at
each statement. A use case is an ordinary function and cannot await; so it runs in a greenlet,
which is left while PostgreSQL works and taken up again when the answer is there.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
from greenlet import getcurrent, greenlet

from modelkeep.domain.errors import Unavailable
from modelkeep.storage.sql.connection import away
from modelkeep.storage.sql.dialects import Postgres
from modelkeep.storage.sql.postgres import PostgresDb
from modelkeep.storage.sql.work import SqlWork

LANES = 8  # connections
PATIENCE_S = 5.0  # for one read, and before that for its turn

Read = Callable[[SqlWork], Any]
Told = Callable[[Any, Exception | None], None]


class Lanes:
    """Runs reads in the loop that it was made in, and is to be used and closed there alone."""

    def __init__(self, dialect: Postgres) -> None:
        self.loop = asyncio.get_running_loop()
        self._dialect = dialect
        self._idle: list[_Lane] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._count = 0
        self._promised = 0  # to those who were let in, and have not come yet
        # Their own: a database that does not answer keeps them waiting, and nobody else.
        self._connectors = ThreadPoolExecutor(LANES, thread_name_prefix="connector")

    def start(self, read: Read, tell: Told) -> bool:
        """Tells the value of a read, or what went wrong, later. Whether a connection was idle that
        nobody has waited for: else nothing was done."""
        if len(self._idle) <= self._promised:
            return False
        self._idle.pop().start(read, tell)
        return True

    async def run(self, read: Read) -> Any:
        """The value of a read, which begins its transaction and ends it."""
        lane, is_new = await self._take()
        try:
            return await lane.run(read)
        except Unavailable:
            if is_new or lane.is_usable:
                raise
        # It died while it was idle, and others may have. To read again is safe.
        return await (await self._open()).run(read)

    async def _take(self) -> "tuple[_Lane, bool]":
        while not self._idle and self._count >= LANES:
            turn = self.loop.create_future()
            self._waiting.append(turn)
            limit = self.loop.call_later(PATIENCE_S, _refuse, turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._let_one_in()  # in the place of who has just gone
                raise
            finally:
                limit.cancel()
                self._promised -= turn.done() and not (turn.cancelled() or turn.exception())
        if self._idle:
            return self._idle.pop(), False
        return await self._open(), True

    async def _open(self) -> "_Lane":
        self._count += 1
        try:
            db = await self.loop.run_in_executor(self._connectors, self._connect)
        except BaseException:
            self._count -= 1
            self._let_one_in()
            raise
        return _Lane(self.loop, SqlWork(db, self._dialect), db, self._give_back)

    def _connect(self) -> PostgresDb:
        return self._dialect.connect(read_only=True)

    def _give_back(self, lane: "_Lane") -> None:
        if lane.is_usable:
            self._idle.append(lane)
        else:
            self._count -= 1
        self._let_one_in()

    def _let_one_in(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._promised += 1
                return

    def close(self) -> None:
        self._connectors.shutdown(wait=False, cancel_futures=True)
        for lane in self._idle:
            lane.close()
        self._idle.clear()


def _refuse(turn: "asyncio.Future[None]") -> None:
    """Else those behind a database that hangs would wait for each other's limits, one by one."""
    if not turn.done():
        turn.set_exception(away("other reads have been waiting for it"))


def _settle(outcome: "asyncio.Future[Any]", value: Any, error: Exception | None) -> None:
    if outcome.cancelled():
        return
    if error is None:
        outcome.set_result(value)
    else:
        outcome.set_exception(error)


class _Lane:
    """One connection, and the greenlet that waits for its answer; see `postgres.Waiting`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: SqlWork,
        db: PostgresDb,
        give_back: "Callable[[_Lane], None]",
    ) -> None:
        self._loop, self._work, self._db, self._give_back = loop, work, db, give_back
        self._waiter: greenlet | None = None
        db.waiting = self
        loop.add_reader(db.socket, self._go_on)

    @property
    def is_usable(self) -> bool:
        return self._db.is_usable

    async def run(self, read: Read) -> Any:
        outcome: asyncio.Future[Any] = self._loop.create_future()
        self.start(read, partial(_settle, outcome))
        return await outcome

    def start(self, read: Read, tell: Told) -> None:
        limit = self._loop.call_later(PATIENCE_S, self._give_up)
        greenlet(self._run).switch(read, tell, limit)

    def _run(self, read: Read, tell: Told, limit: asyncio.TimerHandle) -> None:
        """Ends in the loop's time, whether or not the caller still waits."""
        value = error = None
        try:
            value = read(self._work)
        except Exception as raised:  # noqa: BLE001 - it is the caller's
            error = raised
        limit.cancel()
        self._give_back(self)
        tell(value, error)

    def close(self) -> None:
        self._db.close()

    # -- waiting ---------------------------------------------------------------------------

    def until_ready(self, socket: int, or_room: bool) -> None:
        self._waiter = getcurrent()
        loop = self._waiter.parent
        assert loop is not None
        if or_room:
            self._loop.add_writer(socket, self._go_on)
        try:
            loop.switch()
        finally:
            if or_room:
                self._loop.remove_writer(socket)

    def closing(self, socket: int) -> None:
        self._loop.remove_reader(socket)  # the number may be another connection's at once

    def _go_on(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            self._db.drain()
        else:
            waiter.switch()

    def _give_up(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.throw(psycopg.OperationalError("it did not answer in time"))
