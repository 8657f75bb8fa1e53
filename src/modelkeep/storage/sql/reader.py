"""Reads, each in a transaction of its own that sees one moment.

On SQLite a point read takes microseconds and runs where it is asked, in the event loop; every
other read runs in one of a few threads, each with a connection of its own. Searches on SQLite have
one thread, in turn: two that read rows hand Python's interpreter to and fro at each of them, and
the event loop waits for both. So a search in turn ends sooner than beside others.

A search that turns out to have to look at very many rows is stopped before it has cost much, and
begins again in a lane for such searches, which runs few at a time and has a deadline. So however
many of them there are, there are threads and a processor for everything else.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from modelkeep.domain.errors import LimitExceeded
from modelkeep.ports.clock import Clock
from modelkeep.ports.work import About
from modelkeep.storage.sql.dialects import Db, Dialect, OutOfTime
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.work import SqlWork

THREADS = 8
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
        self._local = threading.local()
        self._opened: list[SqlWork] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._searches = self._threads
        if dialect.embedded:
            self._searches = ThreadPoolExecutor(1, thread_name_prefix="searcher")
        self._lane = ThreadPoolExecutor(SCANS, thread_name_prefix="scanner")

    async def submit(
        self, use_case: Callable[..., Any], *args: Any, point: bool = False, **kwargs: Any
    ) -> Any:
        """The use case's value. `point`: it costs a few look-ups by key and nothing more."""
        if point and self._dialect.embedded:
            return self.run(use_case, *args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: self.run(use_case, *args, **kwargs)
        )

    async def recall(self, use_case: Callable[..., About[Any]], *args: str | int) -> Any:
        """As a `point` read of what hangs on one model; not looked up again until that changes."""
        key = use_case, args
        value = self._recent.get(key)
        if value is None:
            moment = self._recent.moment
            value, model_id = await self.submit(use_case, *args, point=True)
            self._recent.keep(key, value, model_id, moment)
        return value

    async def search(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The use case's value. Raises LimitExceeded when the time for a search is over."""
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self._search_timeout_s

        def quick() -> Any:
            return self._run(self._dialect.begin_quick_read, use_case, args, kwargs)

        def long() -> Any:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise OutOfTime
            begin = partial(self._dialect.begin_long_read, limit_s=left_s)
            return self._run(begin, use_case, args, kwargs)

        with suppress(OutOfTime):
            return await loop.run_in_executor(self._searches, quick)
        try:
            return await loop.run_in_executor(self._lane, long)
        except OutOfTime:
            raise LimitExceeded(
                f"The search was given up after {self._search_timeout_s:g} s (the server's "
                "--search-timeout-s): it has to look at too many rows, or to wait for others that "
                "do. Narrow it by comparing a name, a run or a tag with '='."
            ) from None

    def run(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `submit`, in the calling thread."""
        return self._run(self._dialect.begin_read, use_case, args, kwargs)

    def _run(
        self,
        begin: Callable[[Db], None],
        use_case: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        work = self._begun(begin)
        try:
            work.journal.now_ms = self._clock.now_ms()
            return use_case(work, *args, **kwargs)
        finally:
            self._end(work)

    def _begun(self, begin: Callable[[Db], None]) -> SqlWork:
        """This thread's connection, in a transaction."""
        work: SqlWork | None = getattr(self._local, "work", None)
        if work is not None:
            try:
                begin(work.db)
                return work
            except Exception:
                if self._dialect.is_usable(work.db):
                    raise
                self._forget(work)  # it died while it was idle
        work = SqlWork(self._dialect.connect(read_only=True), self._dialect)
        self._local.work = work
        self._opened.append(work)
        begin(work.db)
        return work

    def _end(self, work: SqlWork) -> None:
        try:
            work.db.run("ROLLBACK")
        except Exception:  # noqa: BLE001
            # The connection broke under the read, whose own error is the one to report.
            self._forget(work)

    def _forget(self, work: SqlWork) -> None:
        self._local.work = None
        self._opened.remove(work)
        work.db.close()

    def close(self) -> None:
        for threads in (self._threads, self._searches, self._lane):
            threads.shutdown(wait=True, cancel_futures=True)
        for work in self._opened:
            work.db.close()
        self._opened.clear()
