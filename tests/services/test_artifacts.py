"""Paths that name bytes, the bytes of small files, and grants: on both databases."""

import asyncio
import hashlib
from typing import Any

import pytest

from modelkeep.domain.errors import (
    Forbidden,
    IntegrityFailure,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from modelkeep.domain.tracking import Run
from modelkeep.services import artifacts, grants
from modelkeep.services.artifacts import SMALL_BYTES, Found
from modelkeep.services.grants import Multipart
from modelkeep.storage.sql.runs import SqlRuns
from tests.support.core import ANN, Core

SMALL = bytes(range(256)) * 4
SHA256 = hashlib.sha256(SMALL).hexdigest()


def put_small(core: Core, path: str, content: bytes = SMALL) -> None:
    core.write(artifacts.put_small, ANN, path, hashlib.sha256(content).hexdigest(), content)


def spoil(work: Any, sha256: str) -> None:
    """What a failing disk does to a database."""
    work.db.run("UPDATE small_blobs SET content = ? WHERE sha256 = ?", b"damaged", sha256)


def test_a_small_file_is_kept_with_its_row_and_once(core: Core) -> None:
    for path in ("a/b", "a/c"):
        put_small(core, path)
        found: Found = core.read(artifacts.fetch, path)
        assert (found.file.path, found.file.sha256, found.small) == (path, SHA256, SMALL)
    assert core.read(lambda work: work.db.all("SELECT sha256 FROM small_blobs")) == [(SHA256,)]
    put_small(core, "a/empty", b"")
    assert core.read(artifacts.fetch, "a/empty").small == b""


def test_files_that_come_together_have_their_runs_looked_up_once(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [core.run(), core.run()]
    asked: list[str] = []
    find = SqlRuns.find

    def noted(self: SqlRuns, run_id: str) -> Run | None:
        asked.append(run_id)
        return find(self, run_id)

    monkeypatch.setattr(SqlRuns, "find", noted)
    paths = [f"0/{run_id}/artifacts/{n}" for run_id in runs for n in range(4)]

    async def story() -> None:
        one = artifacts.put_small, ANN
        await asyncio.gather(*(core.writer.submit(*one, p, SHA256, SMALL) for p in paths))

    asyncio.run(story())
    assert sorted(asked) == sorted(runs)
    assert [core.read(artifacts.fetch, path).small for path in paths] == [SMALL] * 8


def test_a_version_serves_its_small_files_though_the_path_moves_on(core: Core) -> None:
    core.model()
    run_id = core.run()
    put_small(core, f"0/{run_id}/artifacts/m/weights")
    core.register("churn", f"runs:/{run_id}/m")
    put_small(core, f"0/{run_id}/artifacts/m/weights", b"new")
    core.write(artifacts.delete, ANN, f"0/{run_id}")
    assert core.read(artifacts.fetch_in_version, "churn", 1, "weights").small == SMALL
    core.restart()
    version = core.get(1)
    assert core.read(artifacts.fetch, f"modelkeep/versions/{version.id}/weights").small == SMALL


def test_damaged_small_files_are_not_served_until_they_are_uploaded_again(core: Core) -> None:
    put_small(core, "a/b")
    core.write(spoil, SHA256)
    with pytest.raises(IntegrityFailure):
        core.read(artifacts.fetch, "a/b")
    put_small(core, "a/c")
    assert core.read(artifacts.fetch, "a/b").small == SMALL


def test_a_file_that_lies_among_the_blobs_has_no_bytes_here(core: Core) -> None:
    core.put("a/small", "among the blobs")
    assert core.read(artifacts.fetch, "a/small").small is None
    core.write(artifacts.put, ANN, "a/large", SHA256, SMALL_BYTES + 1)
    assert core.read(artifacts.fetch, "a/large").small is None


def test_a_name_is_a_file_or_a_folder(core: Core) -> None:
    core.put("a/b/c", "x")
    core.put("a0", "a neighbour in the order of names")
    for path, what in (("a", "'a' is a folder"), ("a/b", "'a/b' is a folder")):
        with pytest.raises(InvalidInput, match=what):
            core.put(path, "y")
    for path in ("a/b/c/d", "a/b/c/d/e/f"):
        with pytest.raises(InvalidInput, match="'a/b/c' is a file"):
            core.put(path, "y")
    for path in ("a/b/c", "a/b/d", "a/c", "b"):
        core.put(path, "y")


# -- grants ------------------------------------------------------------------------------------


def to_download(core: Core, path: str, seconds: int = 300) -> str:
    grant, file, _ = core.read(grants.to_download, core.app.signer, path, seconds)
    assert file.path == path
    return grant


def download(core: Core, grant: str) -> Found:
    return core.read(grants.download, core.app.signer, grant)


def test_a_grant_is_good_until_it_expires(core: Core) -> None:
    put_small(core, "a/b")
    grant = to_download(core, "a/b", 60)
    core.restart()  # the key is kept
    core.clock.advance(59_999)
    assert download(core, grant).small == SMALL
    core.clock.advance(1)
    with pytest.raises(Forbidden, match="expired"):
        download(core, grant)


def test_a_grant_is_for_the_bytes_that_the_path_had(core: Core) -> None:
    put_small(core, "a/b")
    grant = to_download(core, "a/b")
    put_small(core, "a/b", b"new")
    assert download(core, grant).small == SMALL
    assert download(core, to_download(core, "a/b")).small == b"new"
    core.write(artifacts.delete, ANN, "a/b")
    with pytest.raises(NotFound):
        download(core, grant)


def test_a_grant_of_one_kind_is_none_of_another(core: Core) -> None:
    put_small(core, "a/b")
    signer = core.app.signer
    whole, (part,) = grants.to_multipart(ANN, signer, Multipart("1-" + "a" * 32, "a/b", 1), 10**15)
    all_kinds = {
        grants.download: to_download(core, "a/b"),
        grants.upload: core.read(grants.to_upload, ANN, signer, "a/c", 60),
        grants.part: part,
    }
    for use, own in all_kinds.items():
        core.read(use, signer, own)
        for other in {whole, *all_kinds.values()} - {own}:
            with pytest.raises(Forbidden):
                core.read(use, signer, other)
    assert core.read(grants.multipart, ANN, signer, whole, "a/b").parts == 1
    with pytest.raises(Forbidden, match="not one to 'a/c'"):
        core.read(grants.multipart, ANN, signer, whole, "a/c")


@pytest.mark.parametrize("seconds", [0, -1, 604_801, 2**63])
def test_a_grant_lasts_a_second_to_a_week(core: Core, seconds: int) -> None:
    put_small(core, "a/b")
    too_long = "expiration must be between 1 and 604800 seconds"
    with pytest.raises(InvalidInput, match=too_long):
        core.read(grants.to_download, core.app.signer, "a/b", seconds)
    with pytest.raises(InvalidInput, match=too_long):
        core.read(grants.to_upload, ANN, core.app.signer, "a/b", seconds)


def test_nothing_is_granted_that_could_not_be_done(core: Core) -> None:
    with pytest.raises(NotFound):
        to_download(core, "a/none")
    for path in ("modelkeep/versions/1/a", "modelkeep"):
        with pytest.raises(Forbidden):
            core.read(grants.to_upload, ANN, core.app.signer, path, 60)
        with pytest.raises(Forbidden):
            core.read(grants.multipart_expiry, ANN, path, 1)
    for parts in (-1, grants.PARTS_LIMIT + 1):
        with pytest.raises(LimitExceeded, match="num_parts must be 0 to 10000"):
            core.read(grants.multipart_expiry, ANN, "a/b", parts)
