"""A connection to SQLite, whose statements can be told to stop."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from modelkeep.storage.sql.connection import OutOfTime, Row, away, unheld

QUICK_STEPS = 200_000  # of SQLite's machine, in one statement: about 10 ms
QUICK_STEPS_A_VALUE = 2_000  # more for each bound value: it may be an owner of a hundred rows

_ERRORS = (OverflowError, UnicodeEncodeError, sqlite3.OperationalError)
# The primary codes that say that the file or the disk is not to be had, not that we erred.
_AWAY = frozenset(
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
UNWRITTEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def _ours(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.OperationalError):
        return unheld()
    if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
        return OutOfTime()
    return away(str(error)) if error.sqlite_errorcode & 0xFF in _AWAY else error


class Quick:
    """Stops a statement of SQLite that takes many steps.

    It minds no clock: a machine that is busy with other things makes no statement a slow one.
    """

    every_steps = QUICK_STEPS // 10

    def restart(self, values: int) -> None:
        self._left = (QUICK_STEPS + QUICK_STEPS_A_VALUE * values) // self.every_steps

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


class Until:
    """Stops a statement of SQLite when the time is over."""

    every_steps = 1_000_000

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    def restart(self, values: int) -> None:
        """It holds for a transaction, not for each statement."""

    def __call__(self) -> bool:
        return time.monotonic() > self._end


class SqliteDb:
    is_spoilt = False  # nothing is left for later

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.is_usable = connection, True
        self._limit: Quick | Until | None = None

    @property
    def changes(self) -> int:
        return self.connection.total_changes

    def limit(self, limit: Quick | Until | None) -> None:
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
        except _ERRORS as error:
            raise _ours(error) from error

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
        except _ERRORS as error:
            raise _ours(error) from error
