"""What a start does first: it takes the data directory, and brings the tables to this release.

To make those of a new database keeps the database at work for as long as Python takes to read what
a server is made of. So a server begins here, where little of that is needed.
"""

import fcntl
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO

from modelkeep.domain.errors import Unavailable
from modelkeep.ports.clock import Clock
from modelkeep.settings import Settings
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import Sqlite, dialect_for

SHARING_TRIES, SHARING_WAIT_S = 100, 0.1  # for a directory that another process is preparing

UNFINISHED = "restore.unfinished"  # in a data directory: a restore broke off


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Opening:
    """A data directory that is held, and a database whose tables are being looked after.

    `is_alone`: no other process can share the database. One that does may share the directory;
    `is_first`: it does not yet. Raises Unavailable for a directory that cannot be had.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        data_dir = settings.data_dir
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_unfinished(data_dir)
        self.dialect = dialect_for(settings.database_url, data_dir)
        self.is_alone = isinstance(self.dialect, Sqlite)
        self.lock, self.is_first = lock(data_dir, is_alone=self.is_alone)
        if not self.is_alone:  # else the thread would take turns with whoever reads the rest
            import modelkeep.storage.sql.postgres  # noqa: F401
        self._now_ms, self._done = clock.now_ms(), Future[None]()
        threading.Thread(target=self._bring, name="opening", daemon=True).start()

    def _bring(self) -> None:
        try:
            schema.ensure(self.dialect, self._now_ms)
        except BaseException as error:  # noqa: BLE001 - it is whoever's who waits
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    def finish(self) -> None:
        """Returns when the tables are as this release needs them; raises as `schema.ensure`."""
        self._done.result()


def lock(data_dir: Path, *, is_alone: bool) -> tuple[IO[bytes], bool]:
    """Holds the directory for this process: two writers on one SQLite file would not be one.

    Processes over one PostgreSQL may share it; the first has it to itself until it lets them in,
    and the other value says whether this is the first. The system lets go of the lock when the
    process ends, however it ends.
    """
    file = (data_dir / "lock").open("wb")
    for _ in range(1 if is_alone else SHARING_TRIES):
        for how in (fcntl.LOCK_EX,) if is_alone else (fcntl.LOCK_EX, fcntl.LOCK_SH):
            with suppress(BlockingIOError):
                fcntl.flock(file, how | fcntl.LOCK_NB)
                return file, how == fcntl.LOCK_EX
        time.sleep(0.0 if is_alone else SHARING_WAIT_S)
    file.close()
    raise Unavailable(
        f"Another modelkeep serves {data_dir} already. Stop it, or choose another --data-dir."
    )


def _refuse_unfinished(data_dir: Path) -> None:
    if (data_dir / UNFINISHED).exists():
        raise Unavailable(
            f"A restore into {data_dir} was not finished, and what is there is not whole. Run "
            "`modelkeep restore` again, with the same backup or another."
        )
