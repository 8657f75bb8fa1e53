"""SQLite's write-ahead log goes back into the database, and begins anew."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelkeep.storage.sql import log
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import LOG_PAGES, Sqlite
from modelkeep.storage.sql.log import LogCopier

PAGE = 4096
MIB = 1 << 20


@pytest.fixture
def dialect(tmp_path: Path) -> Sqlite:
    return Sqlite(tmp_path / "some.db")


@pytest.fixture
def db(dialect: Sqlite) -> Iterator[Db]:
    with closing(dialect.connect(read_only=False)) as db:
        db.run("CREATE TABLE things (id INTEGER PRIMARY KEY, bytes BLOB)")
        yield db


@pytest.fixture
def copier(dialect: Sqlite, db: Db, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogCopier]:
    """One that looks when it's told to."""
    monkeypatch.setattr(log, "LOOK_EVERY_S", 3600.0)
    with closing(LogCopier(dialect)) as copier:
        yield copier


def write(db: Db, mib: int) -> None:
    db.run("INSERT INTO things (bytes) VALUES (zeroblob(?))", mib * MIB)


def sizes(dialect: Sqlite) -> tuple[int, int]:
    """(MiB in the database's file, MiB in its log's)."""
    files = dialect.path, dialect.path.with_name("some.db-wal")
    return files[0].stat().st_size // MIB, files[1].stat().st_size // MIB


def test_what_was_written_is_copied_back_and_the_log_begins_anew(
    dialect: Sqlite, db: Db, copier: LogCopier
) -> None:
    write(db, 8)
    assert sizes(dialect) == (0, 8)
    assert copier.look() == log.LOOK_SOON_S
    assert sizes(dialect) == (8, 8)
    write(db, 8)
    assert sizes(dialect) == (8, 8)


def test_a_log_nobody_wrote_to_is_left_alone(dialect: Sqlite, db: Db, copier: LogCopier) -> None:
    write(db, 1)
    assert copier.look() == log.LOOK_EVERY_S  # too short to be worth it
    assert sizes(dialect)[0] == 0
    write(db, 8)
    copier.look()
    assert copier.look() == log.LOOK_EVERY_S


def test_where_there_is_no_log_nothing_is_done(dialect: Sqlite) -> None:
    with closing(LogCopier(dialect)) as copier:
        assert copier.look() == log.LOOK_EVERY_S
    assert not dialect.path.exists()


def test_a_log_that_somebody_reads_is_copied_as_far_as_they_have_seen_it(
    dialect: Sqlite, db: Db, copier: LogCopier
) -> None:
    write(db, 8)
    with closing(dialect.connect(read_only=True)) as reader:
        reader.run("BEGIN")
        assert reader.one("SELECT count(*) FROM things") == (1,)
        write(db, 8)
        copier.look()
        assert reader.one("SELECT count(*) FROM things") == (1,)
        assert sizes(dialect) == (8, 16)
    assert db.one("SELECT count(*) FROM things") == (2,)


def test_while_changes_keep_coming_the_log_begins_anew_without_anybodys_help(
    dialect: Sqlite, db: Db
) -> None:
    limit = LOG_PAGES * PAGE // MIB
    for _ in range(3 * limit // 16):
        write(db, 16)
    in_database, in_log = sizes(dialect)
    assert in_database >= 2 * limit
    assert in_log <= limit + 17


def test_the_one_file_is_whole_when_nothing_runs_any_more(dialect: Sqlite, db: Db) -> None:
    copier = LogCopier(dialect)
    write(db, 8)
    copier.close()
    assert sizes(dialect) == (8, 0)
