"""A running core for the tests of use cases, on both databases.

A new database takes longer than most tests, so one is made for the run and given back empty.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import dialect_for
from tests.support.clock import MovedClock
from tests.support.core import Core
from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with nothing in it, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite")
    schema.ensure(dialect_for("", folder))
    return folder / "modelkeep.db"


@pytest.fixture(scope="session")
def reused_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database, with a copy of what is in a new one in the schema `new`."""
    url = postgres.create_database()
    schema.ensure(dialect_for(url, tmp_path_factory.getbasetemp()))
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA new")
        for table in _tables(connection):
            copy = sql.SQL("CREATE TABLE new.{0} AS TABLE public.{0}")
            connection.execute(copy.format(sql.Identifier(table)))
    yield url
    postgres.drop_database(url)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, twice: "" stands for SQLite in the data folder."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("reused_database")
    with psycopg.connect(url) as connection:
        # Rows refer to one another; all of them go at once.
        again = sql.SQL("DELETE FROM public.{0}; INSERT INTO public.{0} SELECT * FROM new.{0};")
        every = [again.format(sql.Identifier(table)) for table in _tables(connection)]
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(sql.Composed(every))
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename), 1, false)"
            " FROM pg_sequences WHERE schemaname = 'public'"
        )
    return url


def _tables(connection: psycopg.Connection) -> list[str]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [name for (name,) in found]


@pytest.fixture
def core(
    database_url: str, tmp_path: Path, clock: MovedClock, request: pytest.FixtureRequest
) -> Iterator[Core]:
    """A core with nothing in it. Whatever a test did, its journal must verify at the end."""
    if not database_url:
        (tmp_path / "data").mkdir()
        new = request.getfixturevalue("new_file")
        shutil.copyfile(new, tmp_path / "data" / "modelkeep.db")
    core = Core(tmp_path / "data", database_url, clock)
    yield core
    report = core.verify()
    core.close()
    assert report.is_intact, report.problems
