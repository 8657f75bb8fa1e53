"""Promises about the shape of errors and of tables, held for every one that there is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from modelkeep.domain import errors
from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.mlflow import errors as mlflow
from modelkeep.protocols.native import errors as native
from modelkeep.storage.sql import migrations, schema
from modelkeep.storage.sql.dialects import dialect_for


def tree(kind: type[ModelkeepError]) -> Iterator[type[ModelkeepError]]:
    for below in kind.__subclasses__():
        yield below
        yield from tree(below)


AWS = "modelkeep.protocols.aws."
ERRORS = sorted(set(tree(ModelkeepError)), key=lambda kind: kind.__name__)
EVERYWHERE = [kind for kind in ERRORS if kind is not Coded]  # which its own dialects alone raise


def test_all_errors_live_in_one_module_but_for_what_a_protocol_alone_knows() -> None:
    ours = {kind.__module__ for kind in ERRORS if not kind.__module__.startswith(AWS)}
    assert ours == {errors.__name__}
    assert len(ERRORS) >= 12


@pytest.mark.parametrize("kind", EVERYWHERE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("table", [mlflow, native], ids=["mlflow", "native"])
def test_no_error_of_ours_is_a_failure_of_the_server(table, kind: type[ModelkeepError]) -> None:
    status, code = table.status_and_code(kind)
    assert 400 <= status < 500 or (kind is errors.Unavailable and status == 503)
    if table is mlflow:  # its clients try these again, and a mistake repeated stays one
        assert status not in (408, 429)
    assert code


def test_a_client_of_mlflow_is_told_of_a_taken_name_as_mlflow_tells_it() -> None:
    status, body = mlflow.render(errors.AlreadyExists("taken"))
    assert (status, body) == (400, b'{"error_code":"RESOURCE_ALREADY_EXISTS","message":"taken"}')


# -- tables ------------------------------------------------------------------------------------


def test_the_release_knows_its_newest_migration() -> None:
    folder = Path(str(migrations.__file__)).parent / "versions"
    steps = sorted(path.name.partition("_")[0] for path in folder.glob("[0-9]*.py"))
    assert schema.HEAD == steps[-1]
    assert len(set(steps)) == len(steps)


def test_a_new_database_is_at_the_newest_migration(database_url: str, tmp_path: Path) -> None:
    dialect = dialect_for(database_url, tmp_path)
    for _ in range(2):  # the second time there is nothing to do
        schema.ensure(dialect)
        db = dialect.connect(read_only=True)
        assert schema.current(db, dialect) == schema.HEAD
        db.close()


def test_a_database_of_a_later_release_is_left_alone(database_url: str, tmp_path: Path) -> None:
    dialect = dialect_for(database_url, tmp_path)
    schema.ensure(dialect)
    db = dialect.connect(read_only=False)
    db.run("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(errors.Unavailable, match=f"schema 9999, newer than this .* {schema.HEAD}"):
        schema.ensure(dialect)


Keys = set[tuple[str, tuple[str, ...]]]


def keys_of_sqlite(path: Path) -> Keys:
    found: Keys = set()
    with sqlite3.connect(path) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = [row for row in db.execute(f"PRAGMA table_info({table})") if row[5]]
            if columns:
                found.add((table, tuple(row[1] for row in sorted(columns, key=lambda c: c[5]))))
            for _, index, unique, *_ in list(db.execute(f"PRAGMA index_list({table})")):
                if unique:
                    parts = db.execute(f"PRAGMA index_info({index})")
                    found.add((table, tuple(row[2] for row in parts)))
    db.close()
    return found


def keys_of_postgres(url: str) -> Keys:
    with psycopg.connect(url) as db:
        rows = db.execute(
            "SELECT c.relname, array_agg(a.attname::text ORDER BY k.place)"
            " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number"
            " WHERE i.indisunique AND n.nspname = 'public' GROUP BY c.relname, i.indexrelid"
        ).fetchall()
    return {(table, tuple(columns)) for table, columns in rows}


def test_every_unique_key_carries_the_project(database_url: str, tmp_path: Path) -> None:
    schema.ensure(dialect_for(database_url, tmp_path))
    path = tmp_path / "modelkeep.db"
    keys = keys_of_postgres(database_url) if database_url else keys_of_sqlite(path)
    assert len(keys) > 30
    bare = {
        (table, columns)
        for table, columns in keys
        if table not in ("projects", "alembic_version")
        and columns != ("id",)
        and "project_id" not in columns
    }
    assert bare == set()
