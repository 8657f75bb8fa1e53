"""Where SQLite and PostgreSQL differ; the only module that says which one is meant.

How they are spoken to is in `sqlite` and `postgres`, what all connections can do in `connection`.

Statements are written once, with `?` for a bound parameter. Both databases compare text by the
bytes of its UTF-8 (collation "C"), `LIKE` minds case, `ILIKE` folds the case of ASCII letters,
and neither takes a backslash in a pattern for an escape. Integers are bound as 64 bits: where a
function counts characters, write `CAST(? AS INTEGER)`.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from modelkeep.domain.errors import Unavailable
from modelkeep.storage.sql.connection import GONE_S, LOCK_WAIT_S, Batch, Db, Row, away
from modelkeep.storage.sql.sqlite import UNWRITTEN, Quick, SqliteDb, Until

if TYPE_CHECKING:
    from modelkeep.ports.backups import Loading
    from modelkeep.storage.sql.postgres import PostgresDb

QUICK_MS = 200  # of one statement, on PostgreSQL
LOG_PAGES = 8_000  # of SQLite's write-ahead log, after which it should begin anew (see `log`)
PAGE_ROWS = 1_000  # of a query that reads much
READ_CACHE_KIB = 16_000  # of a file of SQLite, in each connection that reads; usual are 2,000
_WRITE_PATIENCE_S = LOCK_WAIT_S + 1  # for an answer: one that PostgreSQL does not cut short itself
_READ_PATIENCE_S = 10.0  # for an answer, of a read that looks up what it needs
_UPGRADE_PATIENCE_S = 3600.0  # an index of a large table takes its time
_UPGRADE_LOCK = 7_235_420_001
_SWEEP_EVERY = 10_000  # batches, for those of writers that are no more
_KEPT_MS = 86_400_000  # longer than anybody asks
_JOURNAL_LOCK = 0x6D6F64656C6B  # "modelk": the advisory lock that orders the batches of replicas


class Dialect(Protocol):
    """One database: how to connect, and how its SQL is spelt where it differs."""

    @property
    def name(self) -> str: ...
    @property
    def embedded(self) -> bool:
        """Whether it works in this process: then a thread costs more than a look-up by key, and
        threads that search take the interpreter from one another.
        """
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """What it calls what the steps of `migrations` have words for."""
        ...

    def connect_upgrading(self) -> Db:
        """A connection to change tables with, for as long as that takes."""
        ...

    def begin_upgrade(self, db: Db, lock_wait_s: float) -> None:
        """Opens a transaction that one process has at a time."""
        ...

    def is_held(self, error: Unavailable) -> bool:
        """Whether a statement waited too long for what another transaction holds."""
        ...

    def connect(self, *, read_only: bool) -> Db: ...
    def begin_batch(self, db: Db) -> None:
        """Opens a writing transaction once no other writer, here or elsewhere, has one."""
        ...

    def sign_batch(self, db: Db, batch: Batch, now_ms: int) -> None:
        """Leaves in it, before it is committed, what `was_committed` finds it by."""
        ...

    def was_committed(self, db: Db, batch: Batch, error: Unavailable) -> bool:
        """Whether a batch whose commit failed on this connection, with an error, was stored.

        It stays so, whatever happens. Raises Unavailable where that cannot be said (yet).
        """
        ...

    def begin_read(self, db: Db) -> None:
        """Opens a reading transaction: every statement in it sees one moment."""
        ...

    def begin_quick_read(self, db: Db) -> None:
        """As `begin_read`; a statement that has to look at many rows raises OutOfTime."""
        ...

    def begin_long_read(self, db: Db, limit_s: float) -> None:
        """As `begin_read`; a statement that runs when the time is over raises OutOfTime."""
        ...

    def by_index(self, table: str, index: str) -> str:
        """A table, to be looked into by an index; PostgreSQL finds out by itself."""
        ...

    def pattern(self, pattern: str) -> str:
        """A pattern of LIKE, in which nothing escapes anything, as the database has to be given
        it."""
        ...

    def is_usable(self, db: Db) -> bool:
        """Whether it is worth trying another statement on it."""
        ...

    def columns(self, db: Db) -> list[Row]:
        """(table, column) of every table, in the order of the columns."""
        ...

    def references(self, db: Db) -> list[Row]:
        """(table, table that its rows refer to)."""
        ...

    def damage(self, db: Db) -> list[str]:
        """What the database finds wrong with its own file, if it can look; at most 20 lines."""
        ...

    def pages(self, db: Db, sql: str, *params: Any) -> Iterator[list[Row]]:
        """The rows of a query, `PAGE_ROWS` at a time, within the transaction that is open."""
        ...

    def filling(self) -> "AbstractContextManager[Loading]":
        """A transaction that fills empty tables; it is committed if it ends without an error."""
        ...


_SQLITE_WORDS = {
    "id": "INTEGER PRIMARY KEY",
    "int": "INTEGER",
    "real": "REAL",
    "text": "TEXT",
    "bytes": "BLOB",
    "end": "STRICT",
    "empty": "x''",
}


@dataclass(frozen=True, slots=True)
class Sqlite:
    """One file, one writing process. WAL, and every commit flushed before it is answered."""

    path: Path
    name: str = "sqlite"
    embedded: bool = True

    @property
    def words(self) -> Mapping[str, str]:
        return _SQLITE_WORDS

    def connect_upgrading(self) -> Db:
        db = self.connect(read_only=False)
        db.run("PRAGMA foreign_keys = OFF")  # a table may be made anew under those that refer to it
        return db

    def begin_upgrade(self, db: Db, lock_wait_s: float) -> None:
        db.run("BEGIN IMMEDIATE")

    def is_held(self, error: Unavailable) -> bool:
        return False  # `begin_upgrade` has waited for all of it

    def connect(self, *, read_only: bool) -> Db:
        uri = f"{self.path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
        try:
            connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_S
            )
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                # Pages that a savepoint may have to bring back are not worth a file each time.
                connection.execute("PRAGMA temp_store = MEMORY")
            else:  # the pages of a search in a million versions lie all over the file
                connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA case_sensitive_like = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        except sqlite3.DatabaseError as error:
            raise away(f"{self.path}: {error}") from None
        return SqliteDb(connection)

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN IMMEDIATE")

    def sign_batch(self, db: Db, batch: Batch, now_ms: int) -> None:
        """The error of a commit says enough."""

    def was_committed(self, db: Db, batch: Batch, error: Unavailable) -> bool:
        if getattr(error.__cause__, "sqlite_errorcode", None) in UNWRITTEN:
            return False  # the frame that makes it a commit is the last
        # Where the flush failed, all of it lies in the log: nobody sees it now, but whoever opens
        # the file after a crash would keep it. Another commit takes its place there, of a number
        # that means nothing to us and that is written again as it was.
        assert isinstance(db, SqliteDb)
        if db.connection.in_transaction:
            db.run("ROLLBACK")
        self.begin_batch(db)
        (number,) = db.one("PRAGMA user_version") or (0,)
        db.run(f"PRAGMA user_version = {number}")
        db.run("COMMIT")
        return False

    def begin_read(self, db: Db) -> None:
        self._begin_read(db, None)

    def begin_quick_read(self, db: Db) -> None:
        self._begin_read(db, Quick())

    def begin_long_read(self, db: Db, limit_s: float) -> None:
        self._begin_read(db, Until(limit_s))

    def _begin_read(self, db: Db, limit: Quick | Until | None) -> None:
        assert isinstance(db, SqliteDb)
        db.limit(limit)
        db.run("BEGIN")

    def by_index(self, table: str, index: str) -> str:
        return f"{table} INDEXED BY {index}"

    def pattern(self, pattern: str) -> str:
        return pattern

    def is_usable(self, db: Db) -> bool:
        return cast(SqliteDb, db).is_usable

    def columns(self, db: Db) -> list[Row]:
        return db.all(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
        )

    def references(self, db: Db) -> list[Row]:
        return db.all(
            'SELECT DISTINCT m.name, f."table" FROM sqlite_master m'
            " JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
        )

    def damage(self, db: Db) -> list[str]:
        found = [line for (line,) in db.all("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def pages(self, db: Db, sql: str, *params: Any) -> Iterator[list[Row]]:
        assert isinstance(db, SqliteDb)
        cursor = db.connection.execute(sql, params)
        while page := cursor.fetchmany(PAGE_ROWS):
            yield page

    def filling(self) -> "AbstractContextManager[Loading]":
        from modelkeep.storage.sql.loading import fill_sqlite  # a start need not wait for it

        return fill_sqlite(self.path)


_CURSORS = itertools.count()
# What holds for a whole connection. A replica that is stopped in mid batch, or cut off, loses its
# session, and so the journal's lock, before the others give up waiting for it.
_ALWAYS = {
    "timezone": "UTC",
    # Statements are spelt so that each has one good plan, which depends on no value. Planning by
    # the values costs more than most statements do, finds the newest entries of a large model by
    # walking everybody's, and a hundred models by reading them all.
    "plan_cache_mode": "force_generic_plan",
    "tcp_keepalives_idle": GONE_S,
    "tcp_keepalives_interval": 1,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": f"{GONE_S}s",
}
_READING = {
    **_ALWAYS,
    "default_transaction_read_only": "on",
    # Of statements that are sent together, which are a transaction without being said to be one.
    "default_transaction_isolation": "repeatable read",
}
_WRITING = {
    **_ALWAYS,
    "lock_timeout": f"{LOCK_WAIT_S}s",
    "statement_timeout": f"{LOCK_WAIT_S}s",
    "idle_in_transaction_session_timeout": f"{GONE_S}s",
}
_POSTGRES_WORDS = {
    "id": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    "int": "BIGINT",
    "real": "DOUBLE PRECISION",
    "text": 'TEXT COLLATE "C"',
    "bytes": "BYTEA",
    "end": "",
    "empty": "''::bytea",
}
_LOCKED = "55P03"  # what PostgreSQL says of a statement that waited too long for a lock
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server, shared by replicas; their batches go one after another by an advisory lock."""

    url: str
    name: str = "postgresql"
    embedded: bool = False

    @property
    def words(self) -> Mapping[str, str]:
        return _POSTGRES_WORDS

    def connect_upgrading(self) -> "PostgresDb":
        from modelkeep.storage.sql.postgres import Blocking, PostgresDb

        return PostgresDb(self.url, _ALWAYS, Blocking(_UPGRADE_PATIENCE_S))

    def begin_upgrade(self, db: Db, lock_wait_s: float) -> None:
        db.later("BEGIN")
        db.later("SELECT pg_advisory_xact_lock(?)", _UPGRADE_LOCK)
        db.later(f"SET LOCAL lock_timeout = '{round(lock_wait_s * 1000)}ms'")

    def is_held(self, error: Unavailable) -> bool:
        return getattr(error.__cause__, "sqlstate", None) == _LOCKED

    def connect(self, *, read_only: bool) -> "PostgresDb":
        from modelkeep.storage.sql.postgres import Blocking, PostgresDb  # not for SQLite's start

        if read_only:
            return PostgresDb(self.url, _READING, Blocking(_READ_PATIENCE_S))
        return PostgresDb(self.url, _WRITING, Blocking(_WRITE_PATIENCE_S))

    def begin_batch(self, db: Db) -> None:
        cast("PostgresDb", db).is_spoilt = False
        db.later("BEGIN")
        db.later("SELECT pg_advisory_xact_lock(?)", _JOURNAL_LOCK)

    def sign_batch(self, db: Db, batch: Batch, now_ms: int) -> None:
        # Its transaction's number would not do: a database that crashed gives those that it had
        # written nothing of to others.
        db.later(
            "INSERT INTO batches (project_id, writer, number, stored_ms) VALUES (1, ?, ?, ?)"
            " ON CONFLICT (project_id, writer) DO UPDATE SET"
            " number = excluded.number, stored_ms = excluded.stored_ms",
            *batch,
            now_ms,
        )
        if batch.number % _SWEEP_EVERY == 1:  # the first of a process among them
            db.later(
                "DELETE FROM batches WHERE project_id = 1 AND stored_ms < ?", now_ms - _KEPT_MS
            )

    def was_committed(self, db: Db, batch: Batch, error: Unavailable) -> bool:
        db.close()
        again = self.connect(read_only=False)
        try:
            self.begin_batch(again)  # which has the lock once the other has ended, either way
            found = again.one(
                "SELECT number FROM batches WHERE project_id = 1 AND writer = ?", batch.writer
            )
            return found == (batch.number,)
        finally:
            again.close()

    def begin_read(self, db: Db) -> None:
        db.later(_BEGIN_READ)

    def begin_quick_read(self, db: Db) -> None:
        db.later(_BEGIN_READ)
        db.later(f"SET LOCAL statement_timeout = {QUICK_MS}")
        cast("PostgresDb", db).allow(LOCK_WAIT_S)

    def begin_long_read(self, db: Db, limit_s: float) -> None:
        db.later(_BEGIN_READ)
        limit_ms = str(max(1, int(limit_s * 1000)))
        db.later("SELECT set_config('statement_timeout', ?, true)", limit_ms)
        cast("PostgresDb", db).allow(limit_s + GONE_S)

    def by_index(self, table: str, index: str) -> str:
        return table

    def pattern(self, pattern: str) -> str:
        return pattern.replace("\\", "\\\\")  # to say that nothing does costs a call for each row

    def columns(self, db: Db) -> list[Row]:
        return db.all(
            "SELECT table_name::text, column_name::text FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        )

    def references(self, db: Db) -> list[Row]:
        return db.all(
            "SELECT DISTINCT c.relname::text, r.relname::text FROM pg_constraint f"
            " JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid"
            " WHERE f.contype = 'f' AND f.connamespace = current_schema()::regnamespace"
        )

    def damage(self, db: Db) -> list[str]:
        return []  # its own tools look: pg_amcheck

    def pages(self, db: Db, sql: str, *params: Any) -> Iterator[list[Row]]:
        cursor = f"pages_{next(_CURSORS)}"
        db.run(f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}", *params)
        while page := db.all(f"FETCH {PAGE_ROWS} FROM {cursor}"):
            yield page
        db.run(f"CLOSE {cursor}")

    def filling(self) -> "AbstractContextManager[Loading]":
        from modelkeep.storage.sql.loading import fill_postgres

        return fill_postgres(self.url)

    def is_usable(self, db: Db) -> bool:
        return cast("PostgresDb", db).is_usable


def dialect_for(database_url: str, data_dir: Path) -> Dialect:
    """The dialect of `postgresql://…`, or of the SQLite file in `data_dir` for an empty URL."""
    if database_url:
        return Postgres(database_url)
    return Sqlite(data_dir / "modelkeep.db")
