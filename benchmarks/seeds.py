"""Rows of a big registry, inserted straight into a stopped server's database.

A hundred thousand versions through an API take minutes, and through MLflow's an hour. A fifth of
them are versions of one model, `big`; the rest are spread evenly over `m-000000`, `m-000001`, …
Each has the tags `framework` (one of four values) and `git` (its own), one in a thousand `rare`,
and others to make ten of them; the newest version of each model has the alias `champion`.
modelkeep's journal has an entry a version, chained as its own are, about nothing in its tables:
`audit verify` would say so.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

BIG = "big"
FRAMEWORKS = ("sklearn", "torch", "xgb", "onnx")
TAGS = 10  # of each version
BEGAN_MS = 1_760_000_000_000

Row = tuple[Any, ...]


class Tables(Protocol):
    """The database of a stopped server, in one transaction."""

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None: ...

    def one(self, statement: str) -> Row: ...

    def run(self, statement: str) -> None: ...

    def number_on(self, table: str) -> None:
        """The next row that the server adds gets an id after those that were inserted."""
        ...


Seed = Callable[[Tables], None]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is registered before a load begins: `models` x `aliases` aliases altogether."""

    models: int = 500
    versions: int = 4  # of each model
    aliases: int = 20  # of each model

    def model(self, index: int) -> str:
        return f"model-{index}"

    def alias(self, index: int) -> str:
        return f"alias-{index}"

    def holder(self, alias_index: int) -> int:
        """The number of the version that an alias points to at first."""
        return alias_index % self.versions + 1


@dataclass(frozen=True, slots=True)
class Version:
    """One of the seeded versions; `index` counts them all from 0."""

    index: int
    model: int  # an index of `Crowd.models`
    number: int
    created_ms: int
    updated_ms: int

    def source(self, model: str) -> str:
        return f"s3://bucket/models/{model}/{self.number}"

    @property
    def tags(self) -> dict[str, str]:
        own = {"framework": FRAMEWORKS[self.index % 4], "git": f"g{self.index}"}
        if self.index % 1000 == 1:
            own["rare"] = "yes"
        return own | {f"note-{n}": f"of {self.index}" for n in range(TAGS - len(own))}


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many versions there are, and the models that they are of."""

    versions: int

    @property
    def models(self) -> list[str]:
        return [*(f"m-{index:06d}" for index in range(max(10, self.versions // 100))), BIG]

    def __iter__(self) -> Iterator[Version]:
        others, of_big = len(self.models) - 1, self.versions // 5
        numbers = [0] * (others + 1)
        for index in range(self.versions):
            model = others if index < of_big else (index - of_big) % others
            numbers[model] += 1
            created_ms = BEGAN_MS + index
            # Updates come in another order than creations.
            updated_ms = BEGAN_MS + index * 7919 % self.versions
            yield Version(index, model, numbers[model], created_ms, updated_ms)


# -- writing ---------------------------------------------------------------------------------------


def into(database: str | Path, seed: Seed) -> None:
    """All or nothing, into a URL of PostgreSQL or a file of SQLite."""
    if isinstance(database, str):
        with psycopg.connect(database) as connection, connection.cursor() as cursor:
            seed(_Postgres(cursor))
        with psycopg.connect(database, autocommit=True) as connection:
            # What PostgreSQL would do by itself within a minute or so, and at its checkpoint.
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        return
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA cache_size = -1000000")  # KiB; ten million rows' indexes fit
        with db:
            seed(_Sqlite(db))


class _Sqlite:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        self._db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def one(self, statement: str) -> Row:
        return self._db.execute(statement).fetchone()

    def run(self, statement: str) -> None:
        self._db.execute(statement)

    def number_on(self, table: str) -> None:
        """SQLite looks at the greatest id that there is."""


class _Postgres:
    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        with self._cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def one(self, statement: str) -> Row:
        row = self._cursor.execute(statement.encode()).fetchone()
        assert row is not None
        return row

    def run(self, statement: str) -> None:
        self._cursor.execute(statement.encode())

    def number_on(self, table: str) -> None:
        self._cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}".encode()
        )
