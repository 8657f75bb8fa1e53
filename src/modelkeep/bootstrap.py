"""From settings to a running application; the only module that names concrete adapters."""

import fcntl
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from modelkeep import __version__
from modelkeep.channels.webhook import HttpSender
from modelkeep.channels.witness import HttpWitness
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import InvalidInput, Unavailable
from modelkeep.domain.notes import LOG_KIND, WITNESS_KIND, PublicKey
from modelkeep.domain.tokens import Signer
from modelkeep.ports.clock import Clock
from modelkeep.services import accounts, audit, experiments, replies
from modelkeep.services.app import App
from modelkeep.services.directory import Directory
from modelkeep.services.loads import Counter
from modelkeep.settings import Settings
from modelkeep.storage.blobs.s3 import S3Blobs
from modelkeep.storage.blobs.stores import Stores
from modelkeep.storage.files import write_durably
from modelkeep.storage.notary import FileNotary, KeyFile
from modelkeep.storage.passwords import Argon2Passwords
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import Dialect, Sqlite, dialect_for
from modelkeep.storage.sql.reader import Reader
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.work import SqlWork
from modelkeep.storage.sql.writer import Writer
from modelkeep.storage.vault import AesVault
from modelkeep.storage.witness import WitnessBook

CHORES_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0  # of what is kept for a time only
SWEEP_STORE_EVERY_S = 3600.0  # of uploads to an S3 store that broke off
CHECKPOINT_WAL_BYTES = 4 << 20  # below this a checkpoint is not worth a flush

_log = logging.getLogger(__name__)


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Running:
    """An application with its threads and connections; `close` finishes what is under way.

    `is_alone`: no other process can share the database.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(settings.data_dir)
        dialect = dialect_for(settings.database_url, settings.data_dir)
        clock = clock or SystemClock()
        self._dialect = dialect
        schema.ensure(dialect, clock.now_ms())
        self.is_alone = isinstance(dialect, Sqlite)
        recent = Recent() if self.is_alone else None
        self.writer = Writer(dialect, clock, recent)
        self.reader = Reader(dialect, clock, settings.search_timeout_s, recent)
        stores = Stores.of(settings)
        self._blobs, self._parts = stores.blobs, stores.parts
        self._sender = HttpSender(
            allow_private=settings.webhook_allow_private, user_agent=f"modelkeep/{__version__}"
        )
        self.app = App(
            self.reader,
            self.writer,
            stores.blobs,
            stores.parts,
            stores.direct,
            stores.outside,
            settings.default_artifact_root,
            Signer(_signing_key(settings.data_dir)),
            clock,
            self._sender,
            AesVault(settings.secrets_key, settings.data_dir / "secrets.key"),
            frozenset((str(settings.data_dir.absolute()), str(settings.data_dir.resolve()))),
            _notary(settings),
            tuple(HttpWitness(url, key) for url, key in settings.witness_keys),
            Counter(clock),
        )
        if settings.default_artifact_root:
            self.writer.run(experiments.place_default, settings.default_artifact_root)
        self.passwords = Argon2Passwords()
        self.directory = Directory(self.reader, self.writer, clock)
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(
            target=self._keep_house, args=(dialect, clock), name="housekeeper", daemon=True
        )
        self._housekeeper.start()

    def close(self) -> None:
        self._sender.close()
        self.directory.close()
        self._stopping.set()
        self._housekeeper.join()
        self.writer.close()
        self.reader.close()
        self._blobs.close()
        if isinstance(self._dialect, Sqlite):  # so that a copy of the one file is a whole one
            _checkpoint(self._dialect, "TRUNCATE", 0)
        self._lock.close()

    def _keep_house(self, dialect: Dialect, clock: Clock) -> None:
        blobs, parts = self._blobs, self._parts
        chores: list[Callable[[], None]] = []
        if parts:
            chores.append(lambda: parts.sweep(clock.now_ms()))
        if isinstance(blobs, S3Blobs):
            chores.append(_every(SWEEP_STORE_EVERY_S, lambda: blobs.sweep(clock.now_ms())))
        if isinstance(dialect, Sqlite):
            chores.append(lambda: _checkpoint(dialect))
        chores.append(_every(SWEEP_EVERY_S, self._sweep))
        while not self._stopping.wait(CHORES_EVERY_S):
            for chore in chores:
                try:
                    chore()
                except Exception:  # noqa: BLE001 - this loop outlives one bad turn
                    _log.warning("a chore failed; the next turn tries again", exc_info=True)

    def _sweep(self) -> None:
        while self.writer.run(replies.sweep):
            pass


def _every(seconds: float, chore: Callable[[], None]) -> Callable[[], None]:
    """The chore, done only when the last time is so long ago."""
    last_s = time.monotonic()

    def due() -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= seconds:
            last_s = time.monotonic()
            chore()

    return due


def _checkpoint(
    dialect: Sqlite, how: str = "PASSIVE", above_bytes: int = CHECKPOINT_WAL_BYTES
) -> None:
    """Copies the write-ahead log back off the hot path, so that no commit has to."""
    wal = dialect.path.with_name(dialect.path.name + "-wal")
    if not wal.exists() or wal.stat().st_size <= above_bytes:
        return
    db = dialect.connect(read_only=False)
    try:
        db.all(f"PRAGMA wal_checkpoint({how})")
    finally:
        db.close()


def _signing_key(data_dir: Path) -> bytes:
    """The key of this data directory, made at the first start; nobody else may read it."""
    path = data_dir / "signing.key"
    if not path.exists():
        write_durably(path, secrets.token_bytes(32))
    return path.read_bytes()


def _notary(settings: Settings) -> FileNotary:
    key = KeyFile(settings.journal_key or settings.data_dir / "journal.key", LOG_KIND)
    if settings.journal_key:
        key.public("journal")  # one that was named and is none must not go unseen
    return FileNotary(key, settings.data_dir / "journal.checkpoint")


def open_witness(name: str, key: Path, state: Path, logs: list[PublicKey]) -> WitnessBook:
    """A witness of these logs, with its key and what it has seen so far."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return WitnessBook(name, KeyFile(key, WITNESS_KIND), state, logs)


def _lock(data_dir: Path) -> IO[bytes]:
    """Holds the directory for this process: two writers on one SQLite file would not be one.

    The system lets go of the lock when the process ends, however it ends.
    """
    file = (data_dir / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Unavailable(
            f"Another modelkeep serves {data_dir} already. Stop it, or choose another --data-dir."
        ) from None
    return file


def recover(settings: Settings) -> str:
    """A new bootstrap token, for a registry that nobody can administer any more.

    Raises Unavailable while a server holds the data directory.
    """
    running = Running(settings)
    try:
        token = mint(TokenKind.BOOTSTRAP)
        running.writer.run(accounts.recover, token)
        return token.text
    finally:
        running.close()


def open_export(data_dir: Path, database_url: str = "") -> Iterator[dict[str, Any]]:
    """The journal's export straight from a database, read-only, without a server.

    Raises InvalidInput when there is none in the directory.
    """
    dialect = dialect_for(database_url, data_dir)
    if isinstance(dialect, Sqlite) and not dialect.path.exists():
        raise InvalidInput(f"There is no modelkeep database in {data_dir}.")
    db = dialect.connect(read_only=True)
    try:
        dialect.begin_read(db)
        yield from audit.export(SqlWork(db, dialect))
    finally:
        db.close()
