"""Databases that servers keep their data on: a file of their own, or a PostgreSQL of their own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

from tests.support.postgres import running_postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)
SEGMENTS = 5  # of 16 MiB, of PostgreSQL's log


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
    flushed. Its log is as long as it keeps it when it has run for a while.

    Raises PostgresMissing when there is none to start.
    """
    if kind == SQLITE:
        yield FILES
        return
    with running_postgres() as server:
        _lengthen_log(server.create_database())
        yield Database(POSTGRESQL, server.create_database)


def _lengthen_log(url: str) -> None:
    """As many segments as `min_wal_size` says (80 MB) are there to be written over. A cluster that
    is new has one, and whoever commits waits for each further 16 MB to be made: 40 to 80 ms."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")
        connection.execute("CHECKPOINT")
