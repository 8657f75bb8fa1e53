"""SQLite's write-ahead log, copied back into the database off the way of those who commit.

To flush a file that grows, the file system has to commit a journal of its own; what is overwritten
in place needs none, and takes about half as long. So the log should begin anew as often as it can:
when all of it was copied back, and nobody reads it. While changes keep coming only the writer can
get there, since it adds nothing meanwhile: SQLite lets it copy the rest once the log has
`dialects.LOG_PAGES`, as a part of a commit that somebody waits for. That is quick as long as
nearly all has been copied by then, in passing, by this thread.
"""

import logging
import threading

from modelkeep.storage.sql.dialects import Sqlite

LOOK_EVERY_S = 1.0
LOOK_SOON_S = 0.1  # while much is written
MUCH = 500  # pages in the log
QUIET_BYTES = 4 << 20  # a log that never was longer is not worth a flush

_log = logging.getLogger(__name__)


class LogCopier:
    """A thread of its own: other chores may take long."""

    def __init__(self, dialect: Sqlite) -> None:
        self._dialect = dialect
        self._file = dialect.path.with_name(f"{dialect.path.name}-wal")
        self._seen_ns = 0  # when the log was written to, as of the last look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="log-copier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leaves an empty log, if nobody else has the database open: so that a copy of the one file
        is a whole one."""
        self._stopping.set()
        self._thread.join()
        if self._file.exists():
            self._copy("TRUNCATE")

    def look(self) -> float:
        """Copies what has been written since it looked last; in how many seconds to look again."""
        if not self._file.exists():  # nobody has the database open
            return LOOK_EVERY_S
        found = self._file.stat()
        if found.st_size <= QUIET_BYTES or found.st_mtime_ns == self._seen_ns:
            return LOOK_EVERY_S
        self._seen_ns = found.st_mtime_ns
        return LOOK_SOON_S if self._copy("PASSIVE") > MUCH else LOOK_EVERY_S

    def _loop(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._stopping.wait(wait_s):
            try:
                wait_s = self.look()
            except Exception:  # noqa: BLE001 - this loop outlives one bad turn
                _log.warning("the log was not copied back; the next turn tries", exc_info=True)
                wait_s = LOOK_EVERY_S

    def _copy(self, how: str) -> int:
        """How many pages there were in the log, copied or not."""
        db = self._dialect.connect(read_only=False)
        try:
            ((_, pages, _),) = db.all(f"PRAGMA wal_checkpoint({how})")
        finally:
            db.close()
        return pages
