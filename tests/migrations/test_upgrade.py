"""A database of an earlier release is brought up to date, with all its rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelkeep.domain.errors import Unavailable
from modelkeep.domain.merkle import Frontier, includes, leaf_hash
from modelkeep.ports.sharing import GroupPolicy
from modelkeep.services import proofs
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect, dialect_for
from modelkeep.storage.sql.group_policies import SqlGroupPolicies
from modelkeep.storage.sql.work import SqlWork

ROWS = {
    "models": [
        "(id, project_id, name, description, next_number, created_ms, updated_ms)"
        " VALUES (1, 1, 'churn', 'd', 3, 5, 6)"
    ],
    "versions": [
        "(id, project_id, model_id, number, source, description, stage, author, created_ms,"
        f" updated_ms, deleted_ms) VALUES ({n}, 1, 1, {n}, 's3://b/x', 'd', 'None', 'ann', 5, 6,"
        f" {gone})"
        for n, gone in ((1, "NULL"), (2, "7"))
    ],
    "version_tags": ["(project_id, version_id, key, value) VALUES (1, 1, 'k', 'é')"],
}


@pytest.fixture
def first(database_url: str, tmp_path: Path) -> Dialect:
    """A database as the first release left it, with rows in it."""
    dialect = dialect_for(database_url, tmp_path)
    schema.upgrade(dialect, "0001")
    with _connected(dialect) as db:
        for table, rows in ROWS.items():
            for row in rows:
                db.run(f"INSERT INTO {table} {row}")
    return dialect


@contextmanager
def _connected(dialect: Dialect) -> Iterator[Db]:
    db = dialect.connect(read_only=False)
    yield db
    db.close()


def _content(dialect: Dialect) -> dict[str, list[tuple[object, ...]]]:
    """The rows, by the columns that were given."""
    with _connected(dialect) as db:
        return {
            table: db.all(f"SELECT {rows[0][1 : rows[0].index(')')]} FROM {table} ORDER BY 1, 2")
            for table, rows in ROWS.items()
        }


def test_rows_survive_an_upgrade(first: Dialect) -> None:
    before = _content(first)
    with _connected(first) as db:
        assert schema.current(db, first) == "0001"
    schema.ensure(first)
    with _connected(first) as db:
        assert schema.current(db, first) == schema.HEAD
    assert _content(first) == before
    assert [len(rows) for rows in before.values()] == [1, 2, 1]
    schema.ensure(first)  # once more, to no effect
    assert _content(first) == before


def test_a_policy_that_was_put_before_is_looked_at_for_every_account(first: Dialect) -> None:
    schema.upgrade(first, "0032")
    with _connected(first) as db:
        db.run(
            "INSERT INTO group_policies (project_id, model_id, body, sha256, set_by, set_ms)"
            " VALUES (1, 1, '{}', 'x', 'ann', 5)"
        )
    schema.ensure(first)
    with _connected(first) as db:
        db.run("UPDATE models SET handle = 'churn' WHERE id = 1")
        policies = SqlGroupPolicies(db, 1)
        for handle in (None, "churn"):
            assert [one.name for one in policies.shared("1" * 12, handle, 10)] == ["churn"]
        policies.put(1, GroupPolicy("{}", "y", "ann", 6), ["2" * 12])
        assert policies.shared("1" * 12, None, 10) == []
        assert [one.name for one in policies.shared("2" * 12, None, 10)] == ["churn"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_an_upgrade_makes_way_for_whoever_uses_the_tables(
    first: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_WAIT_S", 0.1)
    monkeypatch.setattr(schema, "LOCK_PAUSE_S", 0.01)
    reader = first.connect(read_only=True)
    reader.run("BEGIN")
    reader.run("SELECT 1 FROM requests")
    with _connected(first) as other:
        with pytest.raises(Unavailable, match="Nothing was done"):
            schema.ensure(first)
        assert schema.current(other, first) == "0001"
        reader.close()
        schema.ensure(first)
        assert schema.current(other, first) == schema.HEAD


def test_tables_of_a_newer_release_are_left_alone(first: Dialect) -> None:
    with _connected(first) as db:
        db.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="newer than this release's"):
        schema.ensure(first)


def test_versions_from_before_semantic_versions_have_their_number_as_the_major_one(
    first: Dialect,
) -> None:
    schema.ensure(first)
    with _connected(first) as db:
        found = db.all(
            "SELECT number, semver_major, semver_minor, semver_patch, semver_fixed FROM versions"
            " ORDER BY number"
        )
    assert found == [(1, 1, 0, 0, 0), (2, 2, 0, 0, 0)]


def test_proofs_of_entries_that_were_there_before_come_from_the_upgrade(first: Dialect) -> None:
    schema.upgrade(first, "0006")
    frontier = Frontier()
    with _connected(first) as db:
        for index in range(700):
            body = b'{"req":"r%d"}' % (index // 2)
            frontier = frontier.append(leaf_hash(body))
            db.run(
                "INSERT INTO journal_leaves (project_id, idx, at_ms, body, hash, root, texts)"
                " VALUES (1, ?, 5, ?, ?, ?, '{}')",
                *(index, body, leaf_hash(body), frontier.root),
            )
        state = "UPDATE journal_state SET size = 700, peaks = ?"
        db.run(state, frontier.encode())
    schema.ensure(first)
    with _connected(first) as db:
        work = SqlWork(db, first)
        for index in (0, 255, 256, 699):
            leaf = work.journal.entries(index, 1)[0].hash
            hashes = proofs.inclusion(work, index, 700)
            assert includes(leaf, index, 700, hashes, frontier.root)
        assert [entry.index for entry in work.journal.of_request("r300", 9)] == [601, 600]
        assert len(db.all("SELECT * FROM journal_tiles")) == 2


def test_an_upgraded_database_has_the_tables_and_indexes_of_a_new_one(
    first: Dialect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if first.name != "sqlite":
        pytest.skip("SQLite keeps the statements that made them, to be compared.")
    schema.ensure(first)
    new = dialect_for("", tmp_path_factory.mktemp("new"))
    schema.ensure(new)
    made = "SELECT name, sql FROM sqlite_master ORDER BY name"
    with _connected(first) as upgraded, _connected(new) as fresh:
        assert upgraded.all(made) == fresh.all(made)


def test_the_first_experiment_is_as_old_as_its_database(database_url: str, tmp_path: Path) -> None:
    dialect = dialect_for(database_url, tmp_path)
    for now_ms in (1_000, 2_000):
        schema.ensure(dialect, now_ms)
    with _connected(dialect) as db:
        assert db.all("SELECT created_ms, updated_ms FROM experiments") == [(1_000, 1_000)]
