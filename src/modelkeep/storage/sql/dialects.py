"""Where SQLite and PostgreSQL differ; the only module that says which one is meant.

Statements are written once, with `?` for a bound parameter. Both databases compare text by the
bytes of its UTF-8 (collation "C"), `LIKE` minds case, `ILIKE` folds the case of ASCII letters,
and neither takes a backslash in a pattern for an escape.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any, Protocol

from modelkeep.domain.errors import InvalidInput, Unavailable

Row = tuple[Any, ...]

QUICK_STEPS = 200_000  # of SQLite's machine, in one statement: about 10 ms
QUICK_STEPS_A_VALUE = 2_000  # more for each bound value: it may be an owner of a hundred rows
QUICK_MS = 200  # of one statement, on PostgreSQL
LOCK_WAIT_S = 5.0  # how long a batch waits for another writer before it gives up
_JOURNAL_LOCK = 0x6D6F64656C6B  # "modelk": the advisory lock that orders the batches of replicas


class OutOfTime(Exception):
    """A statement was stopped, because its transaction is to be quick or has a deadline."""


class Db(Protocol):
    """A connection: statements in, rows out. Not for use by two threads at once.

    Raises InvalidInput for a value that the database cannot hold: NUL in a text, half a surrogate
    pair, an integer of more than 64 bits. Whatever looks such a thing up made a mistake.
    Raises Unavailable when the database cannot be reached, or has no room.
    """

    def all(self, sql: str, *params: Any) -> list[Row]: ...
    def one(self, sql: str, *params: Any) -> Row | None: ...
    def run(self, sql: str, *params: Any) -> int:
        """The number of rows that the statement touched."""
        ...

    def many(self, sql: str, rows: Iterable[Row]) -> None: ...
    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        """What says of the column before it that it is one of some values, and its parameters.

        One parameter on PostgreSQL, whose driver takes longer to count a hundred of them than the
        server does to answer; and the statement is the same for every number of values.
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
    def migration_url(self) -> str:
        """The database as SQLAlchemy, under Alembic, addresses it."""
        ...

    def connect(self, *, read_only: bool) -> Db: ...
    def begin_batch(self, db: Db) -> None:
        """Opens a writing transaction once no other writer, here or elsewhere, has one."""
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
    def is_usable(self, db: Db) -> bool: ...
    def disown_commit(self, db: Db, error: Unavailable) -> bool:
        """Sees to it that a commit, which failed on this connection with an error, is never found
        to have happened.

        False where only the database knows. Raises Unavailable where it may still be found.
        """
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
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._limit: _Quick | _Until | None = None

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

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            self.connection.executemany(sql, rows)
        except _SQLITE_ERRORS as error:
            raise _of_sqlite(error) from error

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        return f"IN ({', '.join('?' * len(values))})", tuple(values)

    def close(self) -> None:
        self.connection.close()

    def _run(self, sql: str, params: Row, fetch: Callable[[sqlite3.Cursor], Any]) -> Any:
        if self._limit:
            self._limit.restart(len(params))
        try:
            return fetch(self.connection.execute(sql, params))
        except _SQLITE_ERRORS as error:
            raise _of_sqlite(error) from error


@dataclass(frozen=True, slots=True)
class Sqlite:
    """One file, one writing process. WAL, and every commit flushed before it is answered."""

    path: Path
    name: str = "sqlite"
    embedded: bool = True

    @property
    def migration_url(self) -> str:
        return f"sqlite:///{self.path.absolute()}"

    def connect(self, *, read_only: bool) -> Db:
        uri = f"{self.path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
        try:
            connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_S
            )
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA case_sensitive_like = ON")
            # The housekeeper checkpoints off the hot path; this bound holds if it falls behind.
            connection.execute("PRAGMA wal_autocheckpoint = 20000")
        except sqlite3.DatabaseError as error:
            raise _away(f"{self.path}: {error}") from None
        return _SqliteDb(connection)

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN IMMEDIATE")

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
        return True

    def disown_commit(self, db: Db, error: Unavailable) -> bool:
        if getattr(error.__cause__, "sqlite_errorcode", None) in _SQLITE_UNWRITTEN:
            return True  # the frame that makes it a commit is the last
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
        return True


_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _PostgresDb:
    def __init__(self, connection: Any, errors: tuple[type[Exception], ...]) -> None:
        self.connection, self._errors = connection, (*errors, UnicodeEncodeError)

    def all(self, sql: str, *params: Any) -> list[Row]:
        return self._run(sql, params, methodcaller("fetchall"))

    def one(self, sql: str, *params: Any) -> Row | None:
        return self._run(sql, params, methodcaller("fetchone"))

    def run(self, sql: str, *params: Any) -> int:
        return self._run(sql, params, attrgetter("rowcount"))

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            with self.connection.cursor() as cursor:
                cursor.executemany(_percent(sql), list(rows))
        except self._errors as error:
            raise _of_postgres(error) from error

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        return "= ANY(?)", (list(values),)

    def close(self) -> None:
        self.connection.close()

    def _run(self, sql: str, params: Row, fetch: Callable[[Any], Any]) -> Any:
        try:
            return fetch(self.connection.execute(_percent(sql), params))
        except self._errors as error:
            raise _of_postgres(error) from error


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server, shared by replicas; their batches go one after another by an advisory lock."""

    url: str
    name: str = "postgresql"
    embedded: bool = False

    @property
    def migration_url(self) -> str:
        return "postgresql+psycopg://" + self.url.split("://", 1)[1]

    def connect(self, *, read_only: bool) -> Db:
        import psycopg  # a start on SQLite must not pay for it

        try:
            connection = psycopg.connect(
                self.url,
                autocommit=True,
                connect_timeout=int(LOCK_WAIT_S),
                application_name="modelkeep",
            )
        except psycopg.Error as error:
            raise _away(str(error).split("\n", 1)[0]) from None
        errors = (psycopg.DataError, psycopg.OperationalError, psycopg.InterfaceError)
        db = _PostgresDb(connection, errors)
        try:  # through `db`, so that a server that goes away right here is Unavailable as well
            db.run("SELECT set_config('lock_timeout', ?, false)", f"{LOCK_WAIT_S}s")
            db.run("SET timezone = 'UTC'")
            if read_only:
                db.run("SET default_transaction_read_only = on")
        except Unavailable:
            db.close()
            raise
        return db

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN")
        db.run("SELECT pg_advisory_xact_lock(?)", _JOURNAL_LOCK)

    def begin_read(self, db: Db) -> None:
        db.run(_BEGIN_READ)

    def begin_quick_read(self, db: Db) -> None:
        db.run(f"{_BEGIN_READ}; SET LOCAL statement_timeout = {QUICK_MS}")

    def begin_long_read(self, db: Db, limit_s: float) -> None:
        db.run(f"{_BEGIN_READ}; SET LOCAL statement_timeout = {max(1, int(limit_s * 1000))}")

    def by_index(self, table: str, index: str) -> str:
        return table

    def like(self, column: str) -> str:
        return f"{column} LIKE ? ESCAPE ''"

    def ilike(self, column: str) -> str:
        return f"lower({column}) LIKE lower(? COLLATE \"C\") ESCAPE ''"

    def is_usable(self, db: Db) -> bool:
        return not db.connection.closed if isinstance(db, _PostgresDb) else False

    def disown_commit(self, db: Db, error: Unavailable) -> bool:
        return False  # the connection broke under it


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
_CANCELED = "57014"  # what PostgreSQL says of a statement that ran out of time
# Of its data errors, those that say that a value does not fit: psycopg's own has no code.
_UNHELD = (None, "22003", "22021", "22P05")


def _of_sqlite(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.OperationalError):
        return _unheld()
    if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
        return OutOfTime()
    return _away(str(error)) if error.sqlite_errorcode & 0xFF in _SQLITE_AWAY else error


def _of_postgres(error: Exception) -> Exception:
    if getattr(error, "sqlstate", None) == _CANCELED:
        return OutOfTime()
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"OperationalError", "InterfaceError"}:
        return _away(str(error).split("\n", 1)[0])
    return _unheld() if getattr(error, "sqlstate", None) in _UNHELD else error


def _away(why: str) -> Unavailable:
    return Unavailable(f"The database does not answer: {why.strip()}.")


def _unheld() -> InvalidInput:
    return InvalidInput(
        "The request holds a value that cannot be stored or looked up: a NUL character, half a "
        "surrogate pair, or a number of more than 64 bits."
    )


@lru_cache(maxsize=4096)
def _percent(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def dialect_for(database_url: str, data_dir: Path) -> Dialect:
    """The dialect of `postgresql://…`, or of the SQLite file in `data_dir` for an empty URL."""
    if database_url:
        return Postgres(database_url)
    return Sqlite(data_dir / "modelkeep.db")


def spelling(name: str) -> Mapping[str, str]:
    """The column types of a database, by the words that the migrations use."""
    if name == "sqlite":
        return {
            "id": "INTEGER PRIMARY KEY",
            "int": "INTEGER",
            "real": "REAL",
            "text": "TEXT",
            "bytes": "BLOB",
            "end": "STRICT",
            "empty": "x''",
        }
    return {
        "id": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "int": "BIGINT",
        "real": "DOUBLE PRECISION",
        "text": 'TEXT COLLATE "C"',
        "bytes": "BYTEA",
        "end": "",
        "empty": "''::bytea",
    }
