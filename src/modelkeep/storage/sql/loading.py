"""How each database is filled with many rows at once, in one transaction (`ports.backups`).

The connections are its own: those of the server give a statement a few seconds.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelkeep.domain.errors import InvalidInput, Unavailable
from modelkeep.ports.backups import Loading, Shape


def names(table: Shape) -> str:
    """A table's columns, as a list in SQL."""
    return ", ".join(f'"{column}"' for column in table.columns)


class _SqliteLoading:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load(self, table: Shape, pages: Iterator[Sequence[Sequence[Any]]]) -> int:
        marks = ", ".join("?" * len(table.columns))
        insert = f"INSERT INTO {table.name} ({names(table)}) VALUES ({marks})"
        self._connection.execute(f"DELETE FROM {table.name}")
        count = 0
        for page in pages:
            self._connection.executemany(insert, page)
            count += len(page)
        return count


@contextmanager
def fill_sqlite(path: Path) -> Iterator[Loading]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        yield _SqliteLoading(connection)
        stray = connection.execute("PRAGMA foreign_key_check").fetchone()
        if stray:
            raise InvalidInput(f"The backup's rows of {stray[0]} refer to some that it lacks.")
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise Unavailable(f"The database could not be written: {error}.") from None
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        raise InvalidInput(f"The backup's rows do not fit the tables: {error}.") from None
    finally:
        connection.close()


# The next id follows the highest; of a table without any, or with the first one's 0, it is 1.
_CONTINUE = (
    "SELECT setval(s, greatest(1, (SELECT max(id) FROM {0})),"
    " EXISTS (SELECT 1 FROM {0} WHERE id > 0))"
    " FROM pg_get_serial_sequence('{0}', 'id') s WHERE s IS NOT NULL"
)


class _PostgresLoading:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def load(self, table: Shape, pages: Iterator[Sequence[Sequence[Any]]]) -> int:
        count = 0
        cursor = self._connection.cursor()
        with cursor.copy(f"COPY {table.name} ({names(table)}) FROM STDIN") as copy:
            for page in pages:
                for row in page:
                    copy.write_row(row)
                count += len(page)
        if "id" in table.columns:
            cursor.execute(_CONTINUE.format(table.name))
        return count


@contextmanager
def fill_postgres(url: str) -> Iterator[Loading]:
    import psycopg

    try:
        with psycopg.connect(url, application_name="modelkeep restore") as connection:
            for (statement,) in connection.execute(
                "SELECT format('TRUNCATE %s', string_agg(format('%I', tablename), ', '))"
                " FROM pg_tables WHERE schemaname = current_schema()"
                " AND tablename <> 'alembic_version'"
            ).fetchall():
                connection.execute(statement)
            yield _PostgresLoading(connection)
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database does not answer: {error}.") from None
    except psycopg.Error as error:
        raise InvalidInput(f"The backup's rows do not fit the tables: {error}.") from None
