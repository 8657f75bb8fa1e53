"""Where SQLite and PostgreSQL differ; the only module that says which one is meant.

How PostgreSQL is spoken to is in `postgres`.

Statements are written once, with `?` for a bound parameter. Both databases compare text by the
bytes of its UTF-8 (collation "C"), `LIKE` minds case, `ILIKE` folds the case of ASCII letters,
and neither takes a backslash in a pattern for an escape. Integers are bound as 64 bits: where a
function counts characters, write `CAST(? AS INTEGER)`.
"""

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from modelkeep.domain.errors import InvalidInput, Unavailable
from modelkeep.ports.backups import Loading
from modelkeep.storage.sql.loading import fill_postgres, fill_sqlite

if TYPE_CHECKING:
    from modelkeep.storage.sql.postgres import PostgresDb

Row = tuple[Any, ...]

QUICK_STEPS = 200_000  # of SQLite's machine, in one statement: about 10 ms
QUICK_STEPS_A_VALUE = 2_000  # more for each bound value: it may be an owner of a hundred rows
QUICK_MS = 200  # of one statement, on PostgreSQL
PAGE_ROWS = 1_000  # of a query that reads much
READ_CACHE_KIB = 16_000  # of a file, for each connection that reads: eight times what is usual
LOCK_WAIT_S = 5.0  # how long a batch waits for another writer before it gives up
GONE_S = 3  # after which PostgreSQL ends the session of a replica that does nothing in its batch
_WRITE_PATIENCE_S = LOCK_WAIT_S + 1  # for an answer: one that PostgreSQL does not cut short itself
_READ_PATIENCE_S = 10.0  # for an answer, of a read that looks up what it needs
_UPGRADE_PATIENCE_S = 3600.0  # an index of a large table takes its time
_UPGRADE_LOCK = 7_235_420_001
_JOURNAL_LOCK = 0x6D6F64656C6B  # "modelk": the advisory lock that orders the batches of replicas


class OutOfTime(Exception):
    """A statement was stopped, because its transaction is to be quick or has a deadline."""


class Db(Protocol):
    """A connection: statements in, rows out. Not for use by two threads at once.

    Raises InvalidInput for a value that the database cannot hold: NUL in a text, half a surrogate
    pair, an integer of more than 64 bits. Whatever looks such a thing up made a mistake.
    Raises Unavailable when the database cannot be reached, or has no room.
    """

    @property
    def is_spoilt(self) -> bool:
        """Whether, in this batch, one failed that nobody waited for, and others were skipped."""
        ...

    @property
    def changes(self) -> int:
        """A number that grows with whatever may have changed a row."""
        ...

    def all(self, sql: str, *params: Any) -> list[Row]: ...
    def one(self, sql: str, *params: Any) -> Row | None: ...
    def run(self, sql: str, *params: Any) -> int:
        """The number of rows that the statement touched."""
        ...

    def ahead(self, sql: str, *params: Any) -> Callable[[], list[Row]]:
        """As `all`, for which nobody waits before the next statement: who calls what it returns."""
        ...

    def later(self, sql: str, *params: Any) -> None:
        """As `run`, for which nobody waits. If it fails, the next statement or `settle` raises."""
        ...

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """As `later`, for each of the rows."""
        ...

    def touched(self, sql: str, rows: Iterable[Row]) -> int:
        """As `run` for each of the rows, of which all but the last are left for later: the number
        of rows that the statements touched together."""
        ...

    def settle(self) -> None:
        """Returns once everything has been done that was left for later."""
        ...

    def leave(self, sql: str) -> None:
        """As `later`, for the last statement of a transaction: it is not held back."""
        ...

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        """What says of the column before it that it is one of some values, and its parameters.

        One parameter on PostgreSQL, whose driver takes longer to count a hundred of them than the
        server does to answer; and the statement is the same for every number of values.
        """
        ...

    def gathered(self, key: str, value: str) -> str:
        """SQL of a group's keys and values: the text of one JSON object.

        A row for each of them costs either driver more than what is in it.
        """
        ...

    def close(self) -> None: ...


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
    @property
    def batch(self) -> str:
        """An expression for what `was_committed` knows the batch by that asks."""
        ...

    def begin_batch(self, db: Db) -> None:
        """Opens a writing transaction once no other writer, here or elsewhere, has one."""
        ...

    def was_committed(self, db: Db, batch: str, error: Unavailable) -> bool:
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

    def like(self, column: str) -> str: ...
    def ilike(self, column: str) -> str: ...
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

    def filling(self) -> AbstractContextManager[Loading]:
        """A transaction that fills empty tables; it is committed if it ends without an error."""
        ...


class _Quick:
    """Stops a statement of SQLite that takes many steps.

    It minds no clock: a machine that is busy with other things makes no statement a slow one.
    """

    every_steps = QUICK_STEPS // 10

    def restart(self, values: int) -> None:
        self._left = (QUICK_STEPS + QUICK_STEPS_A_VALUE * values) // self.every_steps

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


class _Until:
    """Stops a statement of SQLite when the time is over."""

    every_steps = 1_000_000

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    def restart(self, values: int) -> None:
        """It holds for a transaction, not for each statement."""

    def __call__(self) -> bool:
        return time.monotonic() > self._end


class _SqliteDb:
    is_spoilt = False  # nothing is left for later

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.is_usable = connection, True
        self._limit: _Quick | _Until | None = None

    @property
    def changes(self) -> int:
        return self.connection.total_changes

    def limit(self, limit: _Quick | _Until | None) -> None:
        """Asks `limit` now and then whether to stop the statement that runs."""
        if limit is not self._limit:
            self._limit = limit
            self.connection.set_progress_handler(limit, limit.every_steps if limit else 0)

    def all(self, sql: str, *params: Any) -> list[Row]:
        return self._run(sql, params, sqlite3.Cursor.fetchall)

    def one(self, sql: str, *params: Any) -> Row | None:
        return self._run(sql, params, sqlite3.Cursor.fetchone)

    def run(self, sql: str, *params: Any) -> int:
        return self._run(sql, params, attrgetter("rowcount"))

    def ahead(self, sql: str, *params: Any) -> Callable[[], list[Row]]:
        rows = self.all(sql, *params)
        return lambda: rows

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        self.touched(sql, rows)

    def touched(self, sql: str, rows: Iterable[Row]) -> int:
        try:
            return self.connection.executemany(sql, rows).rowcount
        except _SQLITE_ERRORS as error:
            raise _of_sqlite(error) from error

    def later(self, sql: str, *params: Any) -> None:
        self._run(sql, params, attrgetter("rowcount"))

    def settle(self) -> None:
        """Everything was done at once."""

    def leave(self, sql: str) -> None:
        self.later(sql)

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        return f"IN ({', '.join('?' * len(values))})", tuple(values)

    def gathered(self, key: str, value: str) -> str:
        return f"json_group_object({key}, {value})"

    def close(self) -> None:
        self.is_usable = False
        self.connection.close()

    def _run(self, sql: str, params: Row, fetch: Callable[[sqlite3.Cursor], Any]) -> Any:
        if self._limit:
            self._limit.restart(len(params))
        try:
            return fetch(self.connection.execute(sql, params))
        except _SQLITE_ERRORS as error:
            raise _of_sqlite(error) from error


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
            # The housekeeper checkpoints off the hot path; this bound holds if it falls behind.
            connection.execute("PRAGMA wal_autocheckpoint = 20000")
        except sqlite3.DatabaseError as error:
            raise away(f"{self.path}: {error}") from None
        return _SqliteDb(connection)

    @property
    def batch(self) -> str:
        return "''"

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN IMMEDIATE")

    def was_committed(self, db: Db, batch: str, error: Unavailable) -> bool:
        if getattr(error.__cause__, "sqlite_errorcode", None) in _SQLITE_UNWRITTEN:
            return False  # the frame that makes it a commit is the last
        # Where the flush failed, all of it lies in the log: nobody sees it now, but whoever opens
        # the file after a crash would keep it. Another commit takes its place there, of a number
        # that means nothing to us and that is written again as it was.
        assert isinstance(db, _SqliteDb)
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
        self._begin_read(db, _Quick())

    def begin_long_read(self, db: Db, limit_s: float) -> None:
        self._begin_read(db, _Until(limit_s))

    def _begin_read(self, db: Db, limit: _Quick | _Until | None) -> None:
        assert isinstance(db, _SqliteDb)
        db.limit(limit)
        db.run("BEGIN")

    def by_index(self, table: str, index: str) -> str:
        return f"{table} INDEXED BY {index}"

    def like(self, column: str) -> str:
        return f"{column} LIKE ?"

    def ilike(self, column: str) -> str:
        return f"lower({column}) LIKE lower(?)"

    def is_usable(self, db: Db) -> bool:
        return cast("_SqliteDb", db).is_usable

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
        assert isinstance(db, _SqliteDb)
        cursor = db.connection.execute(sql, params)
        while page := cursor.fetchmany(PAGE_ROWS):
            yield page

    def filling(self) -> AbstractContextManager[Loading]:
        return fill_sqlite(self.path)


_CURSORS = itertools.count()
# What holds for a whole connection. A replica that is stopped in mid batch, or cut off, loses its
# session, and so the journal's lock, before the others give up waiting for it.
_ALWAYS = {
    "timezone": "UTC",
    "tcp_keepalives_idle": GONE_S,
    "tcp_keepalives_interval": 1,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": f"{GONE_S}s",
}
_READING = {**_ALWAYS, "default_transaction_read_only": "on"}
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

    @property
    def batch(self) -> str:
        return "pg_current_xact_id()::text"

    def begin_batch(self, db: Db) -> None:
        cast("PostgresDb", db).is_spoilt = False
        db.later("BEGIN")
        db.later("SELECT pg_advisory_xact_lock(?)", _JOURNAL_LOCK)

    def was_committed(self, db: Db, batch: str, error: Unavailable) -> bool:
        db.close()
        again = self.connect(read_only=False)
        try:
            self.begin_batch(again)  # which has the lock once the other has ended, either way
            return again.one("SELECT pg_xact_status(?::text::xid8)", batch) == ("committed",)
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

    def like(self, column: str) -> str:
        return f"{column} LIKE ? ESCAPE ''"

    def ilike(self, column: str) -> str:
        return f"lower({column}) LIKE lower(? COLLATE \"C\") ESCAPE ''"

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

    def filling(self) -> AbstractContextManager[Loading]:
        return fill_postgres(self.url)

    def is_usable(self, db: Db) -> bool:
        return cast("PostgresDb", db).is_usable


# -- what the drivers raise ----------------------------------------------------------------------

_SQLITE_ERRORS = (OverflowError, UnicodeEncodeError, sqlite3.OperationalError)
# The primary codes that say that the file or the disk is not to be had, not that we erred.
_SQLITE_AWAY = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    )
)
# Those of a commit that did not come into the log whole.
_SQLITE_UNWRITTEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def _of_sqlite(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.OperationalError):
        return unheld()
    if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
        return OutOfTime()
    return away(str(error)) if error.sqlite_errorcode & 0xFF in _SQLITE_AWAY else error


def away(why: str) -> Unavailable:
    return Unavailable(f"The database does not answer: {why.strip()}.")


def unheld() -> InvalidInput:
    return InvalidInput(
        "The request holds a value that cannot be stored or looked up: a NUL character, half a "
        "surrogate pair, or a number of more than 64 bits."
    )


def dialect_for(database_url: str, data_dir: Path) -> Dialect:
    """The dialect of `postgresql://…`, or of the SQLite file in `data_dir` for an empty URL."""
    if database_url:
        return Postgres(database_url)
    return Sqlite(data_dir / "modelkeep.db")
