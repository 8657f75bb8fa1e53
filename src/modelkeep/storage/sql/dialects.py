"""Where SQLite and PostgreSQL differ; the only module that says which one is meant.

Statements are written once, with `?` for a bound parameter. Both databases compare text by the
bytes of its UTF-8 (collation "C"), `LIKE` minds case, `ILIKE` folds the case of ASCII letters,
and neither takes a backslash in a pattern for an escape.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from modelkeep.domain.errors import InvalidInput

Row = tuple[Any, ...]

LOCK_WAIT_S = 5.0  # how long a batch waits for another writer before it gives up
_JOURNAL_LOCK = 0x6D6F64656C6B  # "modelk": the advisory lock that orders the batches of replicas


class Db(Protocol):
    """A connection: statements in, rows out. Not for use by two threads at once.

    Raises InvalidInput for a value that the database cannot hold: NUL in a text, half a surrogate
    pair, an integer of more than 64 bits. Whatever looks such a thing up made a mistake.
    """

    def all(self, sql: str, *params: Any) -> list[Row]: ...
    def one(self, sql: str, *params: Any) -> Row | None: ...
    def run(self, sql: str, *params: Any) -> int:
        """The number of rows that the statement touched."""
        ...

    def many(self, sql: str, rows: Iterable[Row]) -> None: ...
    def close(self) -> None: ...


class Dialect(Protocol):
    """One database: how to connect, and how its SQL is spelt where it differs."""

    @property
    def name(self) -> str: ...
    @property
    def point_reads_in_loop(self) -> bool:
        """Whether a look-up by key is so quick that a thread would cost more."""
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

    def like(self, column: str) -> str: ...
    def ilike(self, column: str) -> str: ...
    def is_usable(self, db: Db) -> bool: ...


class _SqliteDb:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def _execute(self, sql: str, params: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self.connection.execute(sql, params)
        except (OverflowError, UnicodeEncodeError):
            raise _unheld() from None

    def all(self, sql: str, *params: Any) -> list[Row]:
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, *params: Any) -> Row | None:
        return self._execute(sql, params).fetchone()

    def run(self, sql: str, *params: Any) -> int:
        return self._execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            self.connection.executemany(sql, rows)
        except (OverflowError, UnicodeEncodeError):
            raise _unheld() from None

    def close(self) -> None:
        self.connection.close()


@dataclass(frozen=True, slots=True)
class Sqlite:
    """One file, one writing process. WAL, and every commit flushed before it is answered."""

    path: Path
    name: str = "sqlite"
    point_reads_in_loop: bool = True

    @property
    def migration_url(self) -> str:
        return f"sqlite:///{self.path.absolute()}"

    def connect(self, *, read_only: bool) -> Db:
        uri = f"{self.path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
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
        return _SqliteDb(connection)

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN IMMEDIATE")

    def begin_read(self, db: Db) -> None:
        db.run("BEGIN")

    def like(self, column: str) -> str:
        return f"{column} LIKE ?"

    def ilike(self, column: str) -> str:
        return f"lower({column}) LIKE lower(?)"

    def is_usable(self, db: Db) -> bool:
        return True


class _PostgresDb:
    def __init__(self, connection: Any, data_error: type[Exception]) -> None:
        self.connection = connection
        self._errors = (data_error, UnicodeEncodeError)

    def _execute(self, sql: str, params: tuple[Any, ...]) -> Any:
        try:
            return self.connection.execute(_percent(sql), params)
        except self._errors as error:
            raise _translated(error) from None

    def all(self, sql: str, *params: Any) -> list[Row]:
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, *params: Any) -> Row | None:
        return self._execute(sql, params).fetchone()

    def run(self, sql: str, *params: Any) -> int:
        return self._execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        try:
            with self.connection.cursor() as cursor:
                cursor.executemany(_percent(sql), list(rows))
        except self._errors as error:
            raise _translated(error) from None

    def close(self) -> None:
        self.connection.close()


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server, shared by replicas; their batches go one after another by an advisory lock."""

    url: str
    name: str = "postgresql"
    point_reads_in_loop: bool = False

    @property
    def migration_url(self) -> str:
        return "postgresql+psycopg://" + self.url.split("://", 1)[1]

    def connect(self, *, read_only: bool) -> Db:
        import psycopg  # a start on SQLite must not pay for it

        connection = psycopg.connect(
            self.url,
            autocommit=True,
            connect_timeout=int(LOCK_WAIT_S),
            application_name="modelkeep",
        )
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LOCK_WAIT_S}s",))
        connection.execute("SET timezone = 'UTC'")
        if read_only:
            connection.execute("SET default_transaction_read_only = on")
        return _PostgresDb(connection, psycopg.DataError)

    def begin_batch(self, db: Db) -> None:
        db.run("BEGIN")
        db.run("SELECT pg_advisory_xact_lock(?)", _JOURNAL_LOCK)

    def begin_read(self, db: Db) -> None:
        db.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def like(self, column: str) -> str:
        return f"{column} LIKE ? ESCAPE ''"

    def ilike(self, column: str) -> str:
        return f"lower({column}) LIKE lower(? COLLATE \"C\") ESCAPE ''"

    def is_usable(self, db: Db) -> bool:
        return not db.connection.closed if isinstance(db, _PostgresDb) else False


# Of PostgreSQL's data errors, those that say that a value does not fit: psycopg's own has no code.
_UNHELD = (None, "22003", "22021", "22P05")


def _translated(error: Exception) -> Exception:
    return _unheld() if getattr(error, "sqlstate", None) in _UNHELD else error


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
