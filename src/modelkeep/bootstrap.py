"""From settings to a running application; the only module that names concrete adapters."""

import fcntl
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from modelkeep import __version__
from modelkeep.channels.webhook import HttpSender
from modelkeep.channels.witness import HttpWitness
from modelkeep.domain.access import Caller
from modelkeep.domain.backups import KEYS, Backup, Part
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import Conflict, InvalidInput, Unavailable
from modelkeep.domain.notes import LOG_KIND, WITNESS_KIND, PublicKey
from modelkeep.domain.tokens import Signer
from modelkeep.ports.backups import Reading
from modelkeep.ports.clock import Clock
from modelkeep.services import accounts, audit, backups, garbage, replies, soundness
from modelkeep.services.app import App
from modelkeep.services.backups import Verified
from modelkeep.services.directory import Directory
from modelkeep.services.garbage import Collector, Found, Terms
from modelkeep.services.loads import Counter
from modelkeep.services.soundness import Finding
from modelkeep.settings import Settings
from modelkeep.storage import backups as archives
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.parts import DiskParts
from modelkeep.storage.files import made_once, write_durably
from modelkeep.storage.notary import FileNotary, KeyFile
from modelkeep.storage.passwords import Argon2Passwords
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.bulk import SqlPlace, snapshot
from modelkeep.storage.sql.dialects import Dialect, Sqlite, dialect_for
from modelkeep.storage.sql.pins import pinned
from modelkeep.storage.sql.reader import Reader
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.soundness import rows_of
from modelkeep.storage.sql.upkeep import inventory
from modelkeep.storage.sql.work import SqlWork
from modelkeep.storage.sql.writer import Writer
from modelkeep.storage.vault import AesVault
from modelkeep.storage.witness import WitnessBook

CHORES_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0  # of what is kept for a time only
SHARING_TRIES, SHARING_WAIT_S = 100, 0.1  # for a directory that another process is preparing
CHECKPOINT_WAL_BYTES = 4 << 20  # below this a checkpoint is not worth a flush

_log = logging.getLogger(__name__)


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Running:
    """An application with its threads and connections; `close` finishes what is under way.

    `is_alone`: no other process can share the database. One that does may share the directory.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_unfinished(settings.data_dir)
        dialect = dialect_for(settings.database_url, settings.data_dir)
        self.is_alone = isinstance(dialect, Sqlite)
        self._lock, is_first = _lock(settings.data_dir, is_alone=self.is_alone)
        clock = clock or SystemClock()
        self._dialect = dialect
        schema.ensure(dialect, clock.now_ms())
        recent = Recent() if self.is_alone else None
        self.writer = Writer(dialect, clock, recent)
        self.reader = Reader(dialect, clock, settings.search_timeout_s, recent)
        self._blobs = DiskBlobs(settings.data_dir, is_alone=is_first)
        self._parts = DiskParts(settings.data_dir, self._blobs)
        self._sender = HttpSender(
            allow_private=settings.webhook_allow_private, user_agent=f"modelkeep/{__version__}"
        )
        self.app = App(
            self.reader,
            self.writer,
            self._blobs,
            self._parts,
            Signer(_signing_key(settings.data_dir)),
            clock,
            self._sender,
            AesVault(settings.secrets_key, settings.data_dir / "secrets.key"),
            frozenset((str(settings.data_dir.absolute()), str(settings.data_dir.resolve()))),
            _notary(settings),
            tuple(HttpWitness(url, key) for url, key in settings.witness_keys),
            Counter(clock),
        )
        self.passwords = Argon2Passwords()
        self.directory = Directory(self.reader, self.writer, clock)
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(
            target=self._keep_house, args=(dialect, clock), name="housekeeper", daemon=True
        )
        self._housekeeper.start()
        if not self.is_alone:
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # what there can be only one of has been made

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
        chores: list[Callable[[], None]] = [lambda: self._parts.sweep(clock.now_ms())]
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
    return path.read_bytes() if path.exists() else made_once(path, secrets.token_bytes(32))


def _notary(settings: Settings) -> FileNotary:
    key = KeyFile(settings.journal_key or settings.data_dir / "journal.key", LOG_KIND)
    if settings.journal_key:
        key.public("journal")  # one that was named and is none must not go unseen
    return FileNotary(key, settings.data_dir / "journal.checkpoint")


def open_witness(name: str, key: Path, state: Path, logs: list[PublicKey]) -> WitnessBook:
    """A witness of these logs, with its key and what it has seen so far."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return WitnessBook(name, KeyFile(key, WITNESS_KIND), state, logs)


def _lock(data_dir: Path, *, is_alone: bool) -> tuple[IO[bytes], bool]:
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


def migrate(settings: Settings) -> None:
    """Brings the tables to this release. Raises Unavailable for those of a newer one."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    dialect = dialect_for(settings.database_url, settings.data_dir)
    is_alone = isinstance(dialect, Sqlite)
    with _lock(settings.data_dir, is_alone=True)[0] if is_alone else nullcontext():
        schema.ensure(dialect, SystemClock().now_ms())
    _log.info("the database is at schema %s", schema.HEAD)


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


# -- soundness -------------------------------------------------------------------------------------


def examine(settings: Settings, tell: soundness.Tell, *, quick: bool) -> Iterator[Finding]:
    """What is wrong with what these settings serve, also while it is served.

    Raises InvalidInput where there is nothing, Unavailable.
    """
    dialect = _existing(settings)
    with closing(_blobs(settings)) as blobs:
        yield from soundness.examine(partial(rows_of, dialect), blobs, tell, quick=quick)


# -- garbage ---------------------------------------------------------------------------------------


def collect_garbage(
    settings: Settings, caller: Caller, terms: Terms, *, deletes: bool, tell: garbage.Tell
) -> Found:
    """One run over what these settings serve, also while it is served.

    Raises InvalidInput where there is nothing, Conflict during a backup, Unavailable.
    """
    dialect, clock = _existing(settings), SystemClock()
    with closing(dialect.connect(read_only=True)) as db:
        schema.require_head(db, dialect)
    with ExitStack() as stack:
        blobs = stack.enter_context(closing(_blobs(settings)))
        reader = stack.enter_context(closing(Reader(dialect, clock, settings.search_timeout_s)))
        writer = stack.enter_context(closing(Writer(dialect, clock)))
        floors = reader.run(garbage.floors_of, terms)
        opened = partial(inventory, dialect)
        collector = Collector(opened, blobs, writer.run, caller, tell)
        return collector.collect(terms, clock.now_ms(), floors, deletes=deletes)


# -- backups -------------------------------------------------------------------------------------


def back_up(
    settings: Settings, target: Path, since: Path | None, *, with_keys: bool, tell: backups.Tell
) -> Backup:
    """A backup of what these settings serve, also while it is served.

    Raises InvalidInput where there is nothing, Conflict for a name that is taken, Unavailable.
    """
    dialect, clock = _existing(settings), SystemClock()
    with ExitStack() as stack:
        opened = snapshot(dialect)
        stack.enter_context(pinned(dialect, clock, f"backup {target.absolute()}"))
        blobs = stack.enter_context(closing(_blobs(settings)))
        writing = stack.enter_context(closing(archives.create(target, since)))
        keys = _keys(settings.data_dir) if with_keys else ()
        return backups.take(opened, blobs, writing, keys, clock.now_ms(), tell)


def describe_backup(source: Path) -> Verified:
    """As `verify_backup`, without looking into it."""
    with closing(archives.open_backup(source)) as reading:
        return Verified(*backups.manifest_of(reading), [])


def verify_backup(source: Path, tell: backups.Tell) -> Verified:
    """Raises InvalidInput for what is no whole backup, IntegrityFailure for a broken manifest."""
    with closing(archives.open_backup(source)) as reading:
        return backups.verify(reading, tell)


def restore(settings: Settings, source: Path, *, force: bool, tell: backups.Tell) -> Backup:
    """Puts a backup where these settings will serve it; it can be done again if it breaks off.

    Raises Conflict for a place in use, and what `backups.restore` does.
    """
    folder = settings.data_dir
    place = SqlPlace(dialect_for(settings.database_url, folder))
    with closing(archives.open_backup(source)) as reading:
        backup, digest = backups.manifest_of(reading)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock(folder, is_alone=True)[0]:
            if not force:
                _refuse_occupied(folder)
            place.refuse_occupied(backup.schema)
            write_durably(folder / _UNFINISHED, f"{source.absolute()} {digest}\n".encode())
            for key in backup.keys:
                _restore_key(folder, reading, key)
            with closing(_blobs(settings)) as blobs:
                backups.restore(reading, place, blobs, tell)
            (folder / _UNFINISHED).unlink()
    return backup


def _existing(settings: Settings) -> Dialect:
    """Raises InvalidInput when there is none yet."""
    dialect = dialect_for(settings.database_url, settings.data_dir)
    if isinstance(dialect, Sqlite) and not dialect.path.exists():
        raise InvalidInput(f"There is no modelkeep database in {settings.data_dir}.")
    return dialect


_UNFINISHED = "restore.unfinished"


def _blobs(settings: Settings) -> DiskBlobs:
    """The store, beside a server that may be using it."""
    return DiskBlobs(settings.data_dir, is_alone=False)


def _keys(data_dir: Path) -> list[tuple[str, bytes]]:
    files = [data_dir / name for name in KEYS]
    return [(file.name, file.read_bytes()) for file in files if file.exists()]


def _restore_key(folder: Path, reading: Reading, key: Part) -> None:
    """One that is there already stays: it may be what the rows of today are sealed under."""
    name = key.name.removeprefix("keys/")
    if name in KEYS and not (folder / name).exists():
        write_durably(folder / name, backups.read_key(reading, key))


def _refuse_occupied(folder: Path) -> None:
    expected = {"lock", "journal.key", "journal.checkpoint", *KEYS}
    if (folder / _UNFINISHED).exists() or {file.name for file in folder.iterdir()} <= expected:
        return
    raise Conflict(
        f"{folder} is in use. Restore into an empty folder; or, with --force, put the backup in "
        "the place of what is there: whatever was written since the backup is then no longer seen."
    )


def _refuse_unfinished(data_dir: Path) -> None:
    if (data_dir / _UNFINISHED).exists():
        raise Unavailable(
            f"A restore into {data_dir} was not finished, and what is there is not whole. Run "
            "`modelkeep restore` again, with the same backup or another."
        )


def open_export(data_dir: Path, database_url: str = "") -> Iterator[dict[str, Any]]:
    """The journal's export straight from a database, read-only, without a server.

    Raises InvalidInput when there is none in the directory.
    """
    dialect = _existing(Settings(data_dir=data_dir, database_url=database_url))
    db = dialect.connect(read_only=True)
    try:
        dialect.begin_read(db)
        yield from audit.export(SqlWork(db, dialect))
    finally:
        db.close()
