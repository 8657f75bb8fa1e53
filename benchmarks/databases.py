"""Databases that servers keep their data on: a file of their own, or a PostgreSQL of their own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.postgres import running_postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class Database:
    """`new` makes an empty one and returns its URL; for SQLite, where a server makes a file in its
    own folder, it is an empty string.
    """

    kind: str
    new: Callable[[], str]


FILES = Database(SQLITE, lambda: "")


@contextlib.contextmanager
def opened(kind: str) -> Iterator[Database]:
    """A fresh cluster of PostgreSQL with the settings that `initdb` wrote: what is committed is
    flushed. Raises PostgresMissing when there is none to start.
    """
    if kind == SQLITE:
        yield FILES
        return
    with running_postgres() as server:
        yield Database(POSTGRESQL, server.create_database)
