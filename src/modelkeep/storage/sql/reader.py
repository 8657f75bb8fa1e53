"""Reads, each in a transaction of its own that sees one moment.

On SQLite a point read takes microseconds and runs where it is asked, in the event loop; every
other read runs in one of a few threads, each with a connection of its own, so that a search that
must scan delays nobody.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from modelkeep.ports.clock import Clock
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.work import SqlWork

THREADS = 8


class Reader:
    """Runs use cases that only read."""

    def __init__(self, dialect: Dialect, clock: Clock) -> None:
        self._dialect, self._clock = dialect, clock
        self._local = threading.local()
        self._opened: list[SqlWork] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")

    async def submit(
        self, use_case: Callable[..., Any], *args: Any, point: bool = False, **kwargs: Any
    ) -> Any:
        """The use case's value. `point`: it costs a few look-ups by key and nothing more."""
        if point and self._dialect.point_reads_in_loop:
            return self.run(use_case, *args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: self.run(use_case, *args, **kwargs)
        )

    def run(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `submit`, in the calling thread."""
        work = self._begun()
        try:
            work.journal.now_ms = self._clock.now_ms()
            return use_case(work, *args, **kwargs)
        finally:
            self._end(work)

    def _begun(self) -> SqlWork:
        """This thread's connection, in a transaction."""
        work: SqlWork | None = getattr(self._local, "work", None)
        if work is not None:
            try:
                self._dialect.begin_read(work.db)
                return work
            except Exception:
                if self._dialect.is_usable(work.db):
                    raise
                self._forget(work)  # it died while it was idle
        work = SqlWork(self._dialect.connect(read_only=True), self._dialect)
        self._local.work = work
        self._opened.append(work)
        self._dialect.begin_read(work.db)
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
        self._threads.shutdown(wait=True, cancel_futures=True)
        for work in self._opened:
            work.db.close()
        self._opened.clear()
