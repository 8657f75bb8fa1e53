"""What commands do to that which a server serves, from settings to one run of a use case.

With `bootstrap` the only module that names concrete adapters.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from modelkeep.bootstrap import Running
from modelkeep.domain.access import Caller
from modelkeep.domain.backups import KEYS, Backup, Part
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.domain.notes import WITNESS_KIND, PublicKey
from modelkeep.opening import UNFINISHED, SystemClock, lock
from modelkeep.ports.backups import Reading
from modelkeep.ports.whereabouts import Whereabouts
from modelkeep.services import accounts, audit, backups, garbage, soundness, whereabouts
from modelkeep.services.backups import Verified
from modelkeep.services.garbage import Collector, Found, Terms
from modelkeep.services.soundness import Finding
from modelkeep.settings import Settings
from modelkeep.storage import backups as archives
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.s3 import S3Blobs
from modelkeep.storage.blobs.stores import Stores
from modelkeep.storage.files import write_durably
from modelkeep.storage.notary import KeyFile
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.bulk import SqlPlace, snapshot
from modelkeep.storage.sql.dialects import Dialect, Sqlite, dialect_for
from modelkeep.storage.sql.pins import pinned
from modelkeep.storage.sql.reader import Reader
from modelkeep.storage.sql.soundness import rows_of
from modelkeep.storage.sql.upkeep import LONGEST_S, inventory
from modelkeep.storage.sql.whereabouts import SINCE as STORES_SINCE
from modelkeep.storage.sql.work import SqlWork
from modelkeep.storage.sql.writer import Writer
from modelkeep.storage.witness import WitnessBook


def migrate(settings: Settings) -> tuple[str, str]:
    """Brings the tables to this release; the schema as it was, and as it is.

    Raises Unavailable for one of a newer release.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    dialect = dialect_for(settings.database_url, settings.data_dir)
    is_alone = isinstance(dialect, Sqlite)
    with lock(settings.data_dir, is_alone=True)[0] if is_alone else nullcontext():
        return schema.ensure(dialect, SystemClock().now_ms()), schema.HEAD


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


def open_witness(name: str, key: Path, state: Path, logs: list[PublicKey]) -> WitnessBook:
    """A witness of these logs, with its key and what it has seen so far."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return WitnessBook(name, KeyFile(key, WITNESS_KIND), state, logs)


# -- soundness -------------------------------------------------------------------------------------


def examine(settings: Settings, tell: soundness.Tell, *, quick: bool) -> Iterator[Finding]:
    """What is wrong with what these settings serve, also while it is served.

    Raises InvalidInput where there is nothing, Unavailable.
    """
    dialect = _existing(settings)
    with closing(_store(settings, dialect)) as blobs:
        yield from soundness.examine(partial(rows_of, dialect), blobs, tell, quick=quick)


# -- which store it is ---------------------------------------------------------------------------


def accept_store(settings: Settings, *, with_missing: bool) -> tuple[Whereabouts, int]:
    """Takes the store of these settings for the registry's from now on; how many files it lacks.

    Raises InvalidInput where there is nothing, Conflict if it lacks any and may not, Unavailable
    while a server holds the data directory.
    """
    dialect = _existing(settings)
    is_alone = isinstance(dialect, Sqlite)
    with ExitStack() as stack:
        if is_alone:
            stack.enter_context(lock(settings.data_dir, is_alone=True)[0])
        blobs = stack.enter_context(closing(_blobs(settings)))
        writer = stack.enter_context(closing(Writer(dialect, SystemClock())))
        opened = partial(rows_of, dialect)
        return whereabouts.accept(writer.run, opened, blobs, with_missing=with_missing)


# -- garbage -------------------------------------------------------------------------------------


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
        blobs = stack.enter_context(closing(_store(settings, dialect)))
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
        blobs = stack.enter_context(closing(_store(settings, dialect)))
        writing = stack.enter_context(closing(archives.create(target, since)))
        keys = _keys(settings.data_dir) if with_keys else ()
        return backups.take(opened, blobs, writing, keys, clock.now_ms(), tell)


def describe_backup(source: Path) -> Verified:
    """As `verify_backup`, without looking into it."""
    with closing(archives.open_backup(source)) as reading:
        return Verified(*backups.manifest_of(reading), [])


def verify_backup(source: Path, tell: backups.Tell, expected: str = "") -> Verified:
    """Raises InvalidInput for what is no whole backup; IntegrityFailure for a broken manifest, or
    one with another digest than is expected."""
    with closing(archives.open_backup(source)) as reading:
        return backups.verify(reading, tell, expected)


def restore(
    settings: Settings, source: Path, *, force: bool, tell: backups.Tell, expected: str = ""
) -> Backup:
    """Puts a backup where these settings will serve it; it can be done again if it breaks off.

    Raises IntegrityFailure for another backup than the one whose manifest has the digest that is
    expected, Conflict for a place in use, and what `backups.restore` does.
    """
    folder = settings.data_dir
    place = SqlPlace(dialect_for(settings.database_url, folder))
    with closing(archives.open_backup(source)) as reading:
        backup, digest = backups.manifest_of(reading, expected)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(folder, is_alone=True)[0]:
            if not force:
                _refuse_occupied(folder)
            place.refuse_occupied(backup.schema)
            write_durably(folder / UNFINISHED, f"{source.absolute()} {digest}\n".encode())
            for key in backup.keys:
                _restore_key(folder, reading, key)
            with closing(_blobs(settings)) as blobs:
                backups.restore(reading, backup, place, blobs, tell)
                if backup.schema == schema.HEAD:  # else the first start of a server sees to it
                    with closing(Writer(place.dialect, SystemClock())) as writer:
                        whereabouts.take(writer.run, blobs)
            (folder / UNFINISHED).unlink()
    return backup


def _existing(settings: Settings) -> Dialect:
    """Raises InvalidInput when there is none yet."""
    dialect = dialect_for(settings.database_url, settings.data_dir)
    if isinstance(dialect, Sqlite) and not dialect.path.exists():
        raise InvalidInput(f"There is no modelkeep database in {settings.data_dir}.")
    return dialect


def _blobs(settings: Settings) -> DiskBlobs | S3Blobs:
    """The store, beside a server that may be using it."""
    return Stores.of(settings, is_alone=False).blobs


def _store(settings: Settings, dialect: Dialect) -> DiskBlobs | S3Blobs:
    """The same, if it is the registry's. Raises Conflict if it is another one."""
    blobs = _blobs(settings)
    try:
        with closing(dialect.connect(read_only=True)) as db:
            if schema.current(db, dialect) >= STORES_SINCE:
                whereabouts.refuse_other(SqlWork(db, dialect), blobs)
    except BaseException:
        blobs.close()
        raise
    return blobs


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
    if (folder / UNFINISHED).exists() or {file.name for file in folder.iterdir()} <= expected:
        return
    raise Conflict(
        f"{folder} is in use. Restore into an empty folder; or, with --force, put the backup in "
        "the place of what is there: whatever was written since the backup is then no longer seen."
    )


def open_export(data_dir: Path, database_url: str = "") -> Iterator[dict[str, Any]]:
    """The journal's export straight from a database, read-only, without a server.

    Raises InvalidInput when there is none in the directory.
    """
    dialect = _existing(Settings(data_dir=data_dir, database_url=database_url))
    db = dialect.connect(read_only=True)
    try:
        dialect.begin_long_read(db, LONGEST_S)
        yield from audit.export(SqlWork(db, dialect))
    finally:
        db.close()
