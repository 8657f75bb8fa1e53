"""Databases of every earlier release come up to date with all that was in them."""

from contextlib import closing
from pathlib import Path

import pytest

from modelkeep.operations import restore
from modelkeep.services import backups
from modelkeep.settings import Settings
from modelkeep.storage import backups as archives
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.bulk import snapshot
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect, Sqlite, dialect_for
from modelkeep.storage.sql.migrations.steps import revisions

Content = dict[str, list[tuple[object, ...]]]

REVISIONS = revisions()
# What a step looks into has to be as the release before wrote it.
VALUES = {"INTEGER": 1, "TEXT": "1", "BLOB": b'{"req":"1"}', "REAL": 0.5}
VALUES |= {"bigint": 1, "text": "1", "bytea": b'{"req":"1"}', "double precision": 0.5}
OTHERS = {"idx": 0, "sha256": "ab" * 32}


def fill(dialect: Dialect) -> None:
    """A row in every table that has none yet, which refers to the others' rows."""
    types = (
        "SELECT m.name || '.' || c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c"
        if isinstance(dialect, Sqlite)
        else "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
    )
    with snapshot(dialect) as rows:
        shapes = rows.tables()
    with closing(dialect.connect(read_only=False)) as db:
        kinds = dict(db.all(types))
        for shape in shapes:
            only_first = shape.name in ("projects", "journal_state")
            if only_first or (shape.name != "experiments" and has_rows(db, shape.name)):
                continue
            values = [OTHERS.get(c, VALUES[kinds[f"{shape.name}.{c}"]]) for c in shape.columns]
            names = ", ".join(f'"{column}"' for column in shape.columns)
            marks = ", ".join("?" * len(values))
            sql = f"INSERT INTO {shape.name} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
            db.run(sql, *values)


def has_rows(db: Db, table: str) -> bool:
    return db.one(f"SELECT 1 FROM {table}") is not None


def content(dialect: Dialect, like: Content | None = None) -> Content:
    """All rows by table; of the columns that another content has."""
    with snapshot(dialect) as rows:
        found: Content = {}
        for shape in rows.tables():
            columns = like[shape.name][0] if like and shape.name in like else shape.columns
            if like is None or shape.name in like:
                of_old = type(shape)(shape.name, tuple(map(str, columns)))
                read = [tuple(row) for page in rows.pages(of_old) for row in page]
                found[shape.name] = [tuple(columns), *sorted(read, key=repr)]
        return found


@pytest.fixture
def old(database_url: str, tmp_path: Path) -> Dialect:
    return dialect_for(database_url, tmp_path)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_database_of_any_release_is_brought_up_to_date(old: Dialect, revision: str) -> None:
    for step in REVISIONS[: REVISIONS.index(revision) + 1]:
        if step in ("0001", "0004", "0008", revision):  # those that brought the most tables
            schema.upgrade(old, step)
            fill(old)
    before = content(old)
    assert all(len(rows) > 1 for rows in before.values())
    schema.ensure(old)
    after = content(old, before)
    assert after == before


@pytest.mark.parametrize("revision", ["0001", "0008", REVISIONS[-2]])
def test_a_backup_of_any_release_is_restored_and_brought_up_to_date(
    tmp_path: Path, revision: str
) -> None:
    old = dialect_for("", tmp_path)
    schema.upgrade(old, revision)
    fill(old)
    before = content(old)
    writing = archives.create(tmp_path / "backup", None)
    with closing(DiskBlobs(tmp_path / "others")) as others:
        upload = others.begin()
        upload.write([b"a store without any would be another's"])
        upload.finish()
        backups.take(snapshot(old), others, writing, (), 5, lambda *_: None)
    settings = Settings(data_dir=tmp_path / "new")
    restored = restore(settings, tmp_path / "backup", force=False, tell=lambda *_: None)
    assert restored.schema == revision
    new = dialect_for("", settings.data_dir)
    assert content(new) == before
    schema.ensure(new)
    assert content(new, before) == before
