"""Whole databases: read as of one moment, and filled in one transaction (`ports.backups`)."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from graphlib import TopologicalSorter
from itertools import count
from pathlib import Path
from typing import Any

from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.ports.backups import Loading, Shape
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect, Sqlite
from modelkeep.storage.sql.loading import names
from modelkeep.storage.sql.upkeep import named_blobs, reading
from modelkeep.storage.sql.work import SqlWork

# What is not the registry's but the database's, or says what is done at this moment.
_NOT_KEPT = ("alembic_version", "batches", "pins", "stores")
_SIGNS_OF_USE = ("models", "runs", "artifacts", "journal_leaves")


class SqlSnapshot:
    """See `ports.backups.Snapshot`. Over a connection in a transaction that only reads."""

    def __init__(self, db: Db, dialect: Dialect) -> None:
        self._db, self._dialect = db, dialect
        self.database, self.schema = dialect.name, schema.current(db, dialect)
        self.work = SqlWork(db, dialect)

    def tables(self) -> list[Shape]:
        columns: dict[str, list[str]] = defaultdict(list)
        for table, column in self._dialect.columns(self._db):
            columns[table].append(column)
        above: dict[str, set[str]] = {table: set() for table in sorted(columns)}
        for table, other in self._dialect.references(self._db):
            if table != other:
                above[table].add(other)
        order = TopologicalSorter(above).static_order()
        return [Shape(name, tuple(columns[name])) for name in order if name not in _NOT_KEPT]

    def pages(self, table: Shape) -> Iterator[Sequence[Sequence[Any]]]:
        yield from self._dialect.pages(self._db, f"SELECT {names(table)} FROM {table.name}")

    def blobs(self) -> Iterator[tuple[str, int]]:
        for page in self._dialect.pages(self._db, named_blobs(self.schema)):
            yield from page


@contextmanager
def snapshot(dialect: Dialect) -> Iterator[SqlSnapshot]:
    """Raises InvalidInput for a database with nothing in it, Unavailable for a later release's."""
    with reading(dialect) as db:
        found = SqlSnapshot(db, dialect)
        if not found.schema:
            raise InvalidInput("There is nothing of modelkeep's in this database.")
        schema.refuse_later(found.schema)
        yield found


class SqlPlace:
    """See `ports.backups.Place`. A SQLite file is made beside its place, and then put there."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def refuse_occupied(self, revision: str) -> None:
        if isinstance(self.dialect, Sqlite):
            return  # who owns the folder says whether a file in it may go
        with closing(self.dialect.connect(read_only=False)) as db:
            found = schema.current(db, self.dialect)
            if found and (found != revision or any(_has_rows(db, t) for t in _SIGNS_OF_USE)):
                raise Conflict(
                    "The PostgreSQL database is in use already; a restore overwrites none. Make a "
                    "new one (createdb), restore into that, and name it in --database-url."
                )

    @contextmanager
    def filling(self, revision: str) -> Iterator[Loading]:
        schema.refuse_later(revision)
        if not isinstance(self.dialect, Sqlite):
            schema.upgrade(self.dialect, revision)
            with self.dialect.filling() as loading:
                yield loading
            return
        path = self.dialect.path
        new = Sqlite(path.with_name(path.name + ".new"))
        _remove(new.path)
        schema.upgrade(new, revision)
        with new.filling() as loading:
            yield loading
        _flush(new.path)
        _put_aside(path)
        new.path.replace(path)
        _flush(path.parent)


def _has_rows(db: Db, table: str) -> bool:
    return db.one(f"SELECT 1 FROM {table} LIMIT 1") is not None


def _put_aside(path: Path) -> None:
    """The file that was there keeps its content, with the log that belongs to it."""
    names = (path.with_name(f"{path.name}.replaced-{n}") for n in count(1))
    free = next(name for name in names if not name.exists())
    for suffix in ("-wal", "-shm", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(free.with_name(free.name + suffix))


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
