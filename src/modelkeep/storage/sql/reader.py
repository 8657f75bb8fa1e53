"""Reads, each in a transaction of its own that sees one moment.

On SQLite a point read takes microseconds and runs where it is asked, in the event loop; on
PostgreSQL it runs there as well, among others (`lanes`); every other read runs in one of a few
threads. Searches on SQLite have one thread, in turn: two that read rows hand Python's interpreter
to and fro at each of them, and the event loop waits for both. So a search in turn ends sooner than
beside others.

A search that turns out to have to look at very many rows is stopped before it has cost much, and
begins again in a lane for such searches, which runs few at a time and has a deadline. So however
many of them there are, there are threads and a processor for everything else.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from modelkeep.domain.errors import LimitExceeded
from modelkeep.ports.clock import Clock
from modelkeep.ports.work import About
from modelkeep.storage.sql.connection import Db, OutOfTime
from modelkeep.storage.sql.dialects import Dialect, Postgres
from modelkeep.storage.sql.following import Following, Longer, Told
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.work import SqlWork
from modelkeep.telemetry.tallies import Reads

if TYPE_CHECKING:
    from modelkeep.storage.sql.lanes import Lanes
    from modelkeep.storage.sql.postgres import PostgresDb

THREADS = 8
_MORE = object()  # what came of a read that has to be done in another way
SCANS = max(1, (os.cpu_count() or 1) // 2)  # searches at once that look at very many rows


class Reader:
    """Runs use cases that only read."""

    def __init__(
        self,
        dialect: Dialect,
        clock: Clock,
        search_timeout_s: float,
        recent: Recent | None = None,
    ) -> None:
        self._dialect, self._clock, self._recent = dialect, clock, recent or Recent(0)
        self._search_timeout_s = search_timeout_s
        # Who was used last comes first: it has prepared and cached what is asked now. Those that
        # scan wait longer for an answer.
        self._idle: list[SqlWork] = []
        self._idle_scanners: list[SqlWork] = []
        self._opened: list[SqlWork] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._searches = self._threads
        if dialect.embedded:
            self._searches = ThreadPoolExecutor(1, thread_name_prefix="searcher")
        self._scans = ThreadPoolExecutor(SCANS, thread_name_prefix="scanner")
        self._lanes: Lanes | None = None
        self._longer = set[object]()  # use cases that look up more by what they have found
        self._following: Following | None = None
        self.tally = Reads()

    def serve_loop(self) -> None:
        """Called in the event loop that most point reads come from; `leave_loop` at its end."""
        if isinstance(self._dialect, Postgres):
            from modelkeep.storage.sql.lanes import Lanes  # a start on SQLite must not pay for it

            self._lanes = Lanes(self._dialect)
            self._following = Following(self._look_up, self._start)

    def leave_loop(self) -> None:
        if self._lanes:
            self._lanes.close()
            self._lanes = self._following = None

    async def submit(
        self, use_case: Callable[..., Any], *args: Any, point: bool = False, **kwargs: Any
    ) -> Any:
        """The use case's value. `point`: it costs a few look-ups by key and nothing more."""
        loop = asyncio.get_running_loop()
        if point:
            self.tally.points += 1
        else:
            self.tally.others += 1
        if point and self._dialect.embedded:
            return self.run(use_case, *args, **kwargs)
        if point and self._lanes and self._lanes.loop is loop:
            return await self._look_up(None, lambda work: use_case(work, *args, **kwargs))
        return await loop.run_in_executor(
            self._threads, lambda: self.run(use_case, *args, **kwargs)
        )

    async def recall(self, use_case: Callable[..., About[Any]], *args: str | int) -> Any:
        """As a `point` read of what hangs on one model; not looked up again until that changes."""
        if self._following and self._lanes and self._lanes.loop is asyncio.get_running_loop():
            return self._counted(*await self._following.recall(use_case, args))
        if self._dialect.embedded:
            return self._counted(*self._recall_here(use_case, args))
        return (await self.submit(use_case, *args, point=True)).value

    def recollect(
        self, tell: Callable[[Any], None], use_case: Callable[..., Any], args: tuple[str | int, ...]
    ) -> None:
        """Tells what `recall` would, in the loop that is served, at once or later, or what that
        would raise; None where `recall` itself has to be asked."""
        if self._following:
            following = self._following
            following.recollect(use_case, args, lambda *told: tell(self._counted(*told)))
            return
        try:
            value, is_remembered = self._recall_here(use_case, args)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            tell(error)
        else:
            tell(self._counted(value, is_remembered))

    def _recall_here(
        self, use_case: Callable[..., About[Any]], args: tuple[str | int, ...]
    ) -> tuple[Any, bool]:
        """A point read's value, of SQLite, and whether it was remembered."""
        value = self._recent.get((use_case, args))
        if value is not None:
            return value, True
        moment = self._recent.moment
        found: About[Any] = self.run(use_case, *args)
        self._recent.keep(use_case, args, found, moment)
        return found.value, False

    def _counted(self, value: Any, is_remembered: bool) -> Any:
        if value is not None and not isinstance(value, Exception):
            self.tally.points += not is_remembered
            self.tally.remembered += is_remembered
        return value

    async def _look_up(self, kind: object, read: Callable[[SqlWork], Any]) -> Any:
        """The value of a point read, on PostgreSQL.

        To begin and to end a transaction takes the database as long as to look up a row. Statements
        that go there together are one by themselves: so a read of a `kind` that never needed more
        than one trip is tried without, and done again in one if it does.
        """
        assert self._lanes is not None
        begin = self._dialect.begin_read
        if kind is not None and kind not in self._longer:
            value = await self._lanes.run(lambda work: self._read_at_once(work, read))
            if value is not _MORE:
                return value
            self._longer.add(kind)
        return await self._lanes.run(lambda work: self._read(work, begin, read, (), {}))

    def _start(self, kind: object, read: Callable[[SqlWork], Any], tell: Told) -> bool:
        """Begins what `_look_up` tries first, unless that is known not to do, or would have to
        wait for its turn. Whether it did; then it tells what came of it, `Longer` among that."""
        assert self._lanes is not None

        def told(value: Any, error: Exception | None) -> None:
            if value is _MORE:
                self._longer.add(kind)
                error = Longer()
            tell(value, error)

        return kind not in self._longer and self._lanes.start(
            lambda work: self._read_at_once(work, read), told
        )

    def _read_at_once(self, work: SqlWork, read: Callable[[SqlWork], Any]) -> Any:
        """`_MORE` for a read that took more trips than one, of which each saw another moment."""
        db = cast("PostgresDb", work.db)
        before = db.trips
        work.journal.now_ms = self._clock.now_ms()
        try:
            value = read(work)
        except Exception:
            if db.trips > before + 1 and db.is_usable:
                return _MORE
            raise
        finally:
            if db.is_usable:
                db.settle()  # what was sent and not asked for
        return value if db.trips <= before + 1 else _MORE

    async def search(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The use case's value. Raises LimitExceeded when the time for a search is over."""
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self._search_timeout_s

        def quick() -> Any:
            begin = self._dialect.begin_quick_read
            return self._search(self._idle, begin, use_case, args, kwargs)

        def long() -> Any:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise OutOfTime
            begin = partial(self._dialect.begin_long_read, limit_s=left_s)
            return self._search(self._idle_scanners, begin, use_case, args, kwargs)

        self.tally.searches += 1
        self.tally.searching += 1
        try:
            with suppress(OutOfTime):
                return await loop.run_in_executor(self._searches, quick)
            self.tally.long_searches += 1
            return await loop.run_in_executor(self._scans, long)
        except OutOfTime:
            self.tally.out_of_time += 1
            raise LimitExceeded(
                f"The search was given up after {self._search_timeout_s:g} s (the server's "
                "--search-timeout-s): it has to look at too many rows, or to wait for others that "
                "do. Narrow it by comparing a name, a run or a tag with '='."
            ) from None
        finally:
            self.tally.searching -= 1

    def _search(self, *read: Any) -> Any:
        self.tally.running += 1
        try:
            return self._run(*read)
        finally:
            self.tally.running -= 1

    def run(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `submit`, in the calling thread."""
        return self._run(self._idle, self._dialect.begin_read, use_case, args, kwargs)

    def _run(
        self,
        idle: list[SqlWork],
        begin: Callable[[Db], None],
        use_case: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        def read(work: SqlWork) -> Any:
            return self._read(work, begin, use_case, args, kwargs)

        known: SqlWork | None = None
        with suppress(IndexError):
            known = idle.pop()
        if known is not None:
            try:
                return self._with(known, read, idle)
            except Exception:
                if self._dialect.is_usable(known.db):
                    raise
                # It died while it was idle, or just now: reading again is safe.
        work = SqlWork(self._dialect.connect(read_only=True), self._dialect)
        self._opened.append(work)
        return self._with(work, read, idle)

    def _with(self, work: SqlWork, read: Callable[[SqlWork], Any], idle: list[SqlWork]) -> Any:
        """The value of a read, after which the connection is idle, if it is of any use."""
        try:
            return read(work)
        finally:
            if self._dialect.is_usable(work.db):
                idle.append(work)
            else:
                self._opened.remove(work)
                work.db.close()

    def _read(
        self,
        work: SqlWork,
        begin: Callable[[Db], None],
        use_case: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        begin(work.db)
        try:
            work.journal.now_ms = self._clock.now_ms()
            return use_case(work, *args, **kwargs)
        finally:
            try:
                work.db.leave("ROLLBACK")
            except Exception:  # noqa: BLE001
                # The connection broke under the read, whose own error is the one to report.
                work.db.close()

    def close(self) -> None:
        for threads in (self._threads, self._searches, self._scans):
            threads.shutdown(wait=True, cancel_futures=True)
        for work in self._opened:
            work.db.close()
        self._opened.clear()
