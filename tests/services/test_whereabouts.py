"""Where the large files lie is remembered: another store is refused, until somebody accepts it."""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from modelkeep import operations
from modelkeep.domain.errors import Conflict, Unavailable
from modelkeep.domain.stores import MARK
from modelkeep.ports.blobs import Blobs
from modelkeep.ports.soundness import Rows
from modelkeep.services import whereabouts
from modelkeep.services.garbage import Terms
from modelkeep.services.readiness import Readiness
from modelkeep.services.retention import SYSTEM
from modelkeep.settings import Settings
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.soundness import rows_of
from tests.services.test_backups import quiet, restore
from tests.services.test_garbage import LARGE, put
from tests.support.cli import modelkeep
from tests.support.clock import MovedClock
from tests.support.core import Core
from tests.support.s3 import Store

Start = Callable[..., Core]


@pytest.fixture
def bucket(moto: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in a store of S3, which the environment leads to."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    return str(moto.place("registry"))


@pytest.fixture
def kept(core: Core) -> Core:
    """A core that was stopped, with a file in its store."""
    put(core, "a/large", os.urandom(LARGE))
    core.running.close()
    return core


@pytest.fixture
def start(kept: Core) -> Start:
    """Starts the core with other settings; it runs on, for the fixture that ends it."""

    def run(**changes: object) -> Core:
        kept.settings = replace(kept.settings, **changes)
        kept._start()
        return kept

    return run


def refused(kept: Core, start: Start, said: str, **changes: object) -> str:
    """What a start with other settings is told; then as it was."""
    before = kept.settings
    with pytest.raises(Conflict, match=said) as error:
        start(**changes)
    kept.settings = before
    return error.value.message


def blobs_of(settings: Settings) -> Path:
    return settings.data_dir / "blobs"


def test_another_store_is_refused_by_everything_that_opens_it(
    kept: Core, start: Start, bucket: str, tmp_path: Path
) -> None:
    told = refused(kept, start, "large files lie in", artifacts=bucket)
    assert str(kept.settings.data_dir) in told
    assert f"these settings name {bucket}" in told
    assert "modelkeep accept-store" in told
    other = replace(kept.settings, artifacts=bucket)
    terms, target = Terms(0, 0, None), tmp_path / "backup"
    commands: list[Callable[[], object]] = [
        lambda: list(operations.examine(other, quiet, quick=True)),
        lambda: operations.collect_garbage(other, SYSTEM, terms, deletes=True, tell=quiet),
        lambda: operations.back_up(other, target, None, with_keys=False, tell=quiet),
    ]
    for command in commands:
        with pytest.raises(Conflict, match="large files lie in"):
            command()
    assert not target.exists()
    start()


def test_a_folder_may_be_moved_and_one_without_the_mark_is_another(
    kept: Core, start: Start, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(kept.settings.data_dir, moved)
    (moved / "blobs" / MARK).unlink()
    if kept.settings.database_url:
        refused(kept, start, "large files lie in", data_dir=tmp_path / "another")
    assert "these settings name" in refused(kept, start, "large files lie in", data_dir=moved)
    shutil.copy(blobs_of(kept.settings) / MARK, moved / "blobs")
    assert start(data_dir=moved).read(whereabouts.known)


def test_a_store_of_the_same_name_that_lost_its_mark_is_not_taken_for_it(
    kept: Core, start: Start
) -> None:
    mark = blobs_of(kept.settings) / MARK
    for content, said in (("ab" * 16, "has another store's mark"), (None, "has no mark")):
        mark.unlink()
        if content:
            mark.write_text(content)
        refused(kept, start, said)
    operations.accept_store(kept.settings, with_missing=False)
    start()


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_store_is_accepted_when_all_files_are_there(
    kept: Core, start: Start, bucket: str, moto: Store
) -> None:
    there = replace(kept.settings, artifacts=bucket)
    with pytest.raises(Conflict, match="lacks 1 of the files that the registry names, as sha256:"):
        operations.accept_store(there, with_missing=False)
    start().running.close()  # nothing was changed
    name, prefix = bucket.removeprefix("s3://").split("/")
    for file in blobs_of(kept.settings).rglob("*"):
        if file.is_file():
            path = file.relative_to(kept.settings.data_dir)
            moto.client.put_object(Bucket=name, Key=f"{prefix}/{path}", Body=file.read_bytes())
    refused(kept, start, "large files lie in", artifacts=bucket)  # a copy may be an old one
    options = ("--data-dir", kept.settings.data_dir, "--artifacts", bucket)
    if kept.settings.database_url:
        options += ("--database-url", kept.settings.database_url)
    told = modelkeep("accept-store", *options, "--json", env=dict(os.environ))
    assert told.json == {"store": bucket, "missing": 0}
    assert str(bucket) in refused(kept, start, "large files lie in")
    core = start(artifacts=bucket)
    assert list(operations.examine(core.settings, quiet, quick=False)) == []


def test_files_that_are_lost_can_be_left_behind(kept: Core, start: Start) -> None:
    for file in blobs_of(kept.settings).glob("*/*"):
        file.unlink()
    (blobs_of(kept.settings) / MARK).unlink()
    store, missing = operations.accept_store(kept.settings, with_missing=True)
    assert (store.where, missing) == (str(kept.settings.data_dir), 1)
    start()


def test_no_store_is_accepted_under_a_server_on_sqlite(core: Core) -> None:
    if not core.settings.database_url:
        with pytest.raises(Unavailable, match="serves"):
            operations.accept_store(core.settings, with_missing=True)


def test_a_server_that_runs_on_another_store_than_is_accepted_is_not_ready(
    core: Core, tmp_path: Path
) -> None:
    if not core.settings.database_url:
        return  # nobody can accept one meanwhile
    operations.accept_store(replace(core.settings, data_dir=_new(tmp_path)), with_missing=False)
    found = asyncio.run(Readiness(core.running.checks()).findings())
    assert f"lie in {tmp_path / 'new'} now" in found["store"]
    operations.accept_store(core.settings, with_missing=False)


def _new(folder: Path) -> Path:
    (folder / "new").mkdir()
    return folder / "new"


# -- databases that remember none yet -------------------------------------------------------------


def forget(core: Core) -> None:
    core.write(lambda work: work.db.run("DELETE FROM stores"))


@pytest.fixture
def old(core: Core) -> Core:
    """One of an earlier release, stopped, with a file in its store."""
    put(core, "a/large", os.urandom(LARGE))
    forget(core)
    core.running.close()
    (blobs_of(core.settings) / MARK).unlink()
    return core


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_first_start_adopts_the_store_unless_it_is_empty_and_should_not_be(
    old: Core, bucket: str
) -> None:
    settings = old.settings
    old.settings = replace(settings, artifacts=bucket)
    with pytest.raises(Conflict, match="is empty, and the registry names files"):
        old._start()
    old.settings = settings
    old._start()
    store = old.read(whereabouts.known)
    assert (store.where, store.is_marked) == (str(settings.data_dir), True)
    assert (blobs_of(settings) / MARK).read_text().strip() == store.mark


class ReadOnly(DiskBlobs):
    """A store that for a while is there for reading alone."""

    def set_mark(self, mark: str) -> None:
        raise Unavailable("it cannot be written to")


def test_a_store_that_is_read_only_is_known_by_its_name_until_it_can_be_marked(core: Core) -> None:
    forget(core)
    (blobs_of(core.settings) / MARK).unlink()
    read_only, usual = ReadOnly(core.settings.data_dir), core.app.blobs

    def settle(blobs: Blobs) -> whereabouts.Whereabouts:
        opened = partial(rows_of, dialect_for(core.settings.database_url, core.settings.data_dir))
        return whereabouts.settle(core.read, core.write, opened, blobs)

    first = settle(read_only)
    assert not first.is_marked
    assert settle(read_only) == first
    marked = settle(usual)
    assert (marked.mark, marked.is_marked) == (first.mark, True)
    assert usual.mark() == first.mark
    assert settle(read_only) == marked


def _nothing() -> AbstractContextManager[Rows]:
    raise AssertionError("the rows need not be asked")


def test_two_replicas_that_start_at_once_agree(core: Core) -> None:
    forget(core)
    blobs = core.app.blobs
    first = whereabouts.settle(core.read, core.write, _nothing, blobs)

    def nothing_yet(use_case: object) -> None:
        """What a replica reads that comes just before the other's change is there."""

    second = whereabouts.settle(nothing_yet, core.write, _nothing, blobs)
    assert (first, core.read(whereabouts.known)) == (second, second)


# -- backups --------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_restore_puts_the_files_into_a_store_of_its_own_and_it_is_remembered(
    core: Core, bucket: str, tmp_path: Path, clock: MovedClock
) -> None:
    put(core, "a/large", os.urandom(LARGE))
    backup = tmp_path / "backup"
    operations.back_up(core.settings, backup, None, with_keys=False, tell=quiet)
    there = Settings(data_dir=tmp_path / "there", artifacts=bucket)
    restore(there, backup)
    with pytest.raises(Conflict, match=f"large files lie in {bucket}"):
        Core(there.data_dir, "", clock)
    again = Core(there.data_dir, "", clock, artifacts=bucket)
    assert list(operations.examine(there, quiet, quick=False)) == []
    again.close()
