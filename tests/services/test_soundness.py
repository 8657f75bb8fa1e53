"""Damage is found wherever it is; what is sound is said to be so."""

import os
from pathlib import Path

import pytest

from modelkeep import operations
from modelkeep.services.soundness import Finding
from modelkeep.storage.sql.dialects import dialect_for
from tests.services.test_backups import quiet
from tests.services.test_garbage import LARGE, digest_of, put, store, version_of
from tests.support.core import Core

SMALL = b"a small file"


@pytest.fixture
def estate(core: Core) -> Core:
    core.model()
    version_of(core, os.urandom(LARGE))
    put(core, "a/small", SMALL)
    put(core, "a/large", os.urandom(LARGE))
    core.set_alias("champion", 1)
    return core


def found(core: Core, *, quick: bool = False) -> list[Finding]:
    return list(operations.examine(core.settings, quiet, quick=quick))


def kinds(core: Core, *, quick: bool = False) -> list[str]:
    return [finding.kind for finding in found(core, quick=quick)]


def alter(core: Core, sql: str, *params: object) -> None:
    """Behind the server's back, and past what the database minds."""
    dialect = dialect_for(core.settings.database_url, core.settings.data_dir)
    db = dialect.connect(read_only=False)
    if dialect.name == "sqlite":
        db.run("PRAGMA foreign_keys = OFF")
    db.run(sql, *params)
    db.close()


def blob(core: Core, name: str) -> Path:
    sha256 = core.read(lambda work: work.artifacts.get(name).sha256)
    return core.settings.data_dir / "blobs" / sha256[:2] / sha256


def test_all_is_well(estate: Core) -> None:
    assert found(estate) == []


def test_a_missing_file_is_told_with_what_names_it(estate: Core) -> None:
    put(estate, "a/other", os.urandom(LARGE))  # a store without any may be another's
    blob(estate, "a/large").unlink()
    (finding,) = found(estate, quick=True)
    assert finding.is_damage
    assert "of a/large is not in the store" in finding.what
    sha256 = estate.read(lambda work: work.artifacts.frozen_page(1, "", "", 9))[0].sha256
    (estate.settings.data_dir / "blobs" / sha256[:2] / sha256).unlink()
    assert any("churn/1: weights" in finding.what for finding in found(estate))


def test_other_bytes_are_found_by_their_hash_and_other_sizes_at_once(estate: Core) -> None:
    path = blob(estate, "a/large")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert kinds(estate, quick=True) == []
    assert kinds(estate) == ["damaged"]
    path.write_bytes(content[:-1])
    assert kinds(estate, quick=True) == ["damaged"]


def test_a_small_file_that_was_altered_or_lost_is_found(estate: Core) -> None:
    alter(estate, "UPDATE small_blobs SET content = ?", b"another one!")
    assert kinds(estate) == ["damaged"]
    alter(estate, "DELETE FROM small_blobs")
    (finding,) = found(estate)
    assert digest_of(SMALL) in finding.what


def test_what_nothing_names_is_no_damage(estate: Core) -> None:
    store(estate, os.urandom(LARGE))
    (finding,) = found(estate)
    assert (finding.kind, finding.is_damage) == ("orphans", False)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE manifests SET file_count = 2", "manifests do not have the files"),
        ("UPDATE occupancies SET until_ms = 5", "have no stay that lasts"),
        ("UPDATE versions SET deleted_ms = 5", "versions that are deleted"),
        ("UPDATE versions SET description = 'other'", "the tables say description is 'other'"),
        ("DELETE FROM role_grants", ""),
        ("INSERT INTO role_grants (project_id, account_id, role, scope, created_ms)"
         " VALUES (1, 77, 'viewer', '*', 5)", "role_grants refer to accounts"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_are_found(estate: Core, sql: str, said: str) -> None:
    alter(estate, sql)
    told = [finding.what for finding in found(estate)]
    assert any(said in what for what in told) == bool(said), told
    undo = {
        "file_count": "UPDATE manifests SET file_count = 1",
        "until_ms": "UPDATE occupancies SET until_ms = NULL",
        "deleted_ms": "UPDATE versions SET deleted_ms = NULL",
        "description": "UPDATE versions SET description = ''",
        "role_grants": "DELETE FROM role_grants",
    }
    alter(estate, next(mend for word, mend in undo.items() if word in sql))
    assert found(estate) == []


def test_an_empty_store_is_told_of_once_as_it_may_be_another(estate: Core) -> None:
    for blob_of in estate.app.blobs.stored():
        estate.app.blobs.delete(blob_of.sha256)
    (finding,) = found(estate)
    assert (finding.kind, finding.is_damage) == ("store", True)
    assert "--artifacts" in finding.advice
