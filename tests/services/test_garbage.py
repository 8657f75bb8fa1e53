"""What nothing names goes in the end; what anything names never does."""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from modelkeep.domain.errors import Conflict, NotFound, Unavailable
from modelkeep.domain.manifests import File
from modelkeep.domain.stores import Place
from modelkeep.ports.blobs import Stored
from modelkeep.ports.intake import Intake
from modelkeep.services import artifacts, garbage, history, holds, intake, registry, tracking
from modelkeep.services.garbage import DAY_MS, DOOM_MS, SKEW_MS, Collector, Found, Terms
from modelkeep.services.promotion import End
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.pins import pinned
from modelkeep.storage.sql.upkeep import inventory
from tests.support.clock import MovedClock
from tests.support.core import ANN, ROB, Core

LARGE = 40_000  # bytes; more than a small file
TERMS = Terms(grace_ms=DAY_MS, deleted_days=30, evidence_days=None)

Collect = Callable[..., Found]


@pytest.fixture
def collect(core: Core, clock: MovedClock) -> Collect:
    """A run of the collector over the core's own database and store."""
    dialect = dialect_for(core.settings.database_url, core.settings.data_dir)

    def run(terms: Terms = TERMS, *, deletes: bool = True) -> Found:
        opened, quiet = partial(inventory, dialect), lambda *_: None
        collector = Collector(opened, core.app.blobs, core.write, ROB, quiet)
        floors = core.read(garbage.floors_of, terms)
        return collector.collect(terms, clock.now_ms(), floors, deletes=deletes)

    return run


def store(core: Core, content: bytes) -> str:
    upload = core.app.blobs.begin()
    upload.write([content])
    return upload.finish()[0]


def put(core: Core, path: str, content: bytes) -> str:
    """A path with its bytes, as an upload leaves them; their SHA-256."""
    if len(content) <= artifacts.SMALL_BYTES:
        core.write(artifacts.put_small, ANN, path, digest_of(content), content)
        return digest_of(content)
    began_ms = core.clock.now_ms()
    sha256 = store(core, content)
    core.write(artifacts.put, ANN, path, sha256, len(content), began_ms)
    return sha256


def forget(core: Core, path: str) -> None:
    core.write(artifacts.delete, ANN, path)


def stored(core: Core) -> set[str]:
    return {blob.sha256 for blob in core.app.blobs.stored()}


def counts(found: Found) -> tuple[int, int, int]:
    return found.new.count, found.waiting.count, found.due.count


# -- marks, the grace, and the deletion ----------------------------------------------------------


def test_what_nothing_names_goes_once_it_was_so_for_the_grace(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    kept, gone = (put(core, name, os.urandom(LARGE)) for name in ("a/kept", "a/gone"))
    assert counts(collect()) == (0, 0, 0)
    forget(core, "a/gone")
    assert counts(collect()) == (1, 0, 0)
    clock.advance(DAY_MS - 1)
    assert counts(collect()) == (0, 1, 0)
    clock.advance(1)
    assert counts(collect()) == (0, 0, 1)
    assert stored(core) == {kept}
    assert counts(collect()) == (0, 0, 0)
    assert gone not in stored(core)
    told = core.read(history.entries, 0, 100)
    (leaf,) = [entry for entry in told if entry["act"] == "store:blobs:deleted"]
    assert leaf["post"]["count"] == 1


def test_a_dry_run_changes_nothing(core: Core, collect: Collect, clock: MovedClock) -> None:
    put(core, "a/gone", os.urandom(LARGE))
    forget(core, "a/gone")
    for _ in range(2):
        assert counts(collect(deletes=False)) == (1, 0, 0)
        clock.advance(2 * DAY_MS)
    collect()
    clock.advance(2 * DAY_MS)
    assert counts(collect(deletes=False)) == (0, 0, 1)
    assert len(stored(core)) == 1


def test_what_is_named_again_begins_anew_when_it_is_not(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    content = os.urandom(LARGE)
    put(core, "a/one", content)
    forget(core, "a/one")
    collect()
    clock.advance(DAY_MS)
    put(core, "a/two", content)
    assert counts(collect()) == (0, 0, 0)
    forget(core, "a/two")
    assert counts(collect()) == (1, 0, 0)
    assert len(stored(core)) == 1


def test_a_mark_set_while_the_bytes_were_being_named_is_taken_away(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    sha256 = put(core, "a/one", os.urandom(LARGE))
    core.write(garbage.mark, [Stored(sha256, LARGE)], [])  # by a run that read the rows before
    clock.advance(DAY_MS)
    collect()
    forget(core, "a/one")
    assert counts(collect()) == (1, 0, 0)


def test_small_files_go_in_the_same_way(core: Core, collect: Collect, clock: MovedClock) -> None:
    contents = [b"small %d" % number for number in range(3)]
    for number, content in enumerate(contents):
        core.write(artifacts.put_small, ANN, f"a/{number}", digest_of(content), content)
    forget(core, "a/0")
    forget(core, "a/1")
    assert collect().small_new.count == 2
    clock.advance(DAY_MS)
    core.write(artifacts.put_small, ANN, "a/again", digest_of(contents[1]), contents[1])
    found = collect()
    assert (found.small_due.count, found.small_waiting.count) == (1, 0)
    assert core.read(lambda work: work.artifacts.kept(digest_of(contents[0]))) is None
    assert core.read(artifacts.fetch, "a/again").small == contents[1]
    assert core.read(artifacts.fetch, "a/2").small == contents[2]


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- what holds bytes ----------------------------------------------------------------------------


def version_of(core: Core, content: bytes) -> int:
    """A version whose run has forgotten the file since: only the version has the bytes."""
    run_id = core.run()
    path = f"0/{run_id}/artifacts/model"
    put(core, f"{path}/weights", content)
    number = core.register("churn", f"runs:/{run_id}/model").number
    forget(core, path)
    return number


def drop(core: Core, number: int) -> None:
    assert core.write(registry.delete_version, ANN, "churn", number) is None


def test_versions_keep_their_bytes_until_long_after_they_were_deleted(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    core.model()
    version_of(core, os.urandom(LARGE))
    drop(core, version_of(core, os.urandom(LARGE)))
    clock.advance(30 * DAY_MS - 1)
    assert counts(collect()) == (0, 0, 0)
    clock.advance(1)
    found = collect()
    assert (counts(found), found.versions.count) == ((1, 0, 0), 1)


def test_what_ever_served_is_evidence_and_stays_unless_a_floor_is_given(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    core.model()
    for number, slot in ((1, "Production"), (2, "champion"), (3, "Archived")):
        version_of(core, os.urandom(LARGE))
        if slot == "champion":
            core.set_alias(slot, number)
        else:
            core.promote(number, slot)
        drop(core, number)
    clock.advance(100 * DAY_MS)
    assert counts(collect()) == (1, 0, 0)  # that which was only ever archived
    assert collect(Terms(DAY_MS, 30, 101), deletes=False).new.count == 0
    assert collect(Terms(DAY_MS, 30, 100), deletes=False).new.count == 2


def test_a_held_version_cannot_be_deleted_by_anybody(core: Core, clock: MovedClock) -> None:
    core.model()
    number = version_of(core, os.urandom(LARGE))
    core.write(holds.place, ROB, "churn", number, "case 17")
    refusal = core.write(registry.delete_version, ANN, "churn", number)
    assert refusal.end is End.REFUSED
    assert "hold 1 of rob keeps it" in refusal.message
    assert core.write(registry.delete_model, ANN, "churn").end is End.REFUSED
    core.write(holds.release, ROB, "churn", number, "it was settled")
    drop(core, number)


def test_files_of_deleted_runs_go_and_those_of_restored_ones_stay(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    runs = [core.run() for _ in range(3)]
    for run_id in runs:
        put(core, f"0/{run_id}/artifacts/data", os.urandom(LARGE))
    for run_id in runs[:2]:
        core.write(tracking.delete_run, ANN, run_id)
    clock.advance(30 * DAY_MS)
    core.write(tracking.restore_run, ANN, runs[1])
    found = collect()
    assert (found.folders["run"].count, counts(found)) == (1, (1, 0, 0))
    assert core.read(artifacts.listing, f"0/{runs[0]}/artifacts") == []
    assert core.read(artifacts.listing, f"0/{runs[1]}/artifacts") != []


def test_nothing_is_deleted_while_a_backup_is_taken(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    put(core, "a/gone", os.urandom(LARGE))
    forget(core, "a/gone")
    collect()
    clock.advance(DAY_MS)
    dialect = dialect_for(core.settings.database_url, core.settings.data_dir)
    with pinned(dialect, clock, "backup x"), pytest.raises(Conflict, match="backup x is under way"):
        collect()
    assert counts(collect()) == (0, 0, 1)


# -- races ---------------------------------------------------------------------------------------


def due(core: Core, clock: MovedClock, collect: Collect) -> bytes:
    """Bytes that the next run would delete."""
    content = os.urandom(LARGE)
    put(core, "a/x", content)
    forget(core, "a/x")
    collect()
    clock.advance(DAY_MS)
    return content


def test_an_upload_that_relied_on_bytes_which_went_meanwhile_must_come_again(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    content = due(core, clock, collect)
    began_ms = clock.now_ms()
    sha256 = store(core, content)
    assert counts(collect()) == (0, 0, 1)
    with pytest.raises(Unavailable, match="send them again"):
        core.write(artifacts.put, ANN, "a/y", sha256, LARGE, began_ms)
    with pytest.raises(Unavailable):  # of which is not known when it began
        core.write(artifacts.put, ANN, "a/y", sha256, LARGE)
    clock.advance(SKEW_MS + 1)
    put(core, "a/y", content)
    assert b"".join(core.app.blobs.read(sha256, LARGE)) == content


def test_what_a_killed_run_had_doomed_is_safe_to_store_again(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    content = due(core, clock, collect)
    sha256 = digest_of(content)
    before_ms = clock.now_ms() - DAY_MS
    core.write(garbage.doom, ROB, [Stored(sha256, LARGE)], before_ms)  # and killed
    with pytest.raises(Unavailable):
        put(core, "a/y", content)
    assert counts(collect()) == (1, 0, 0)  # the next run begins with it anew
    core.write(garbage.mark, [], [sha256])
    core.write(garbage.mark, [Stored(sha256, LARGE)], [])
    core.write(garbage.doom, ROB, [Stored(sha256, LARGE)], clock.now_ms())
    clock.advance(DOOM_MS + SKEW_MS + 1)
    put(core, "a/y", content)
    assert counts(collect()) == (0, 0, 0)


def test_uploads_race_the_collector_and_lose_no_byte(core: Core, collect: Collect) -> None:
    """A few contents are stored, named, forgotten and collected, all at once and without a grace:
    whatever is named at the end is there."""
    contents = [os.urandom(LARGE) for _ in range(4)]
    at_once = Terms(grace_ms=0, deleted_days=0, evidence_days=0)
    stop = threading.Event()

    def upload(number: int) -> None:
        for turn in range(60):
            put_again(core, f"r/{number}", contents[(number + turn) % len(contents)])
            if turn % 2:
                with suppress(NotFound):
                    forget(core, f"r/{number}")

    def sweep() -> None:
        while not stop.is_set():
            collect(at_once)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    uploaders = [threading.Thread(target=upload, args=(n,)) for n in range(3)]
    for thread in uploaders:
        thread.start()
    for thread in uploaders:
        thread.join()
    stop.set()
    sweeper.join()
    for number in range(3):
        put_again(core, f"r/{number}", contents[number])
        collect(at_once)
    for number in range(3):
        file = core.read(artifacts.fetch, f"r/{number}").file
        assert b"".join(core.app.blobs.read(file.sha256, LARGE)) == contents[number]


def put_again(core: Core, path: str, content: bytes) -> None:
    """As a client does that is told to come again, however often the collector comes first."""
    for _ in range(200):
        try:
            put(core, path, content)
        except Unavailable:
            core.clock.advance(SKEW_MS + 1)
        else:
            return
    raise AssertionError("The collector was always first.")


# -- what is being taken in ----------------------------------------------------------------------


def taking_in(core: Core) -> Intake:
    """The version whose files lie elsewhere, claimed."""
    core.model()
    core.register("churn", "s3://bucket/mlruns/model")
    core.write(intake.discover, core.read(intake.undiscovered, Place("bucket", "mlruns")))
    found = core.write(intake.claim)
    assert found is not None
    return found


def test_what_was_taken_in_for_a_version_that_is_not_whole_yet_is_kept(
    core: Core, collect: Collect, clock: MovedClock
) -> None:
    found = taking_in(core)
    content, small = os.urandom(LARGE), b"small"
    large = File("large", store(core, content), LARGE)
    core.write(intake.keep, found, large, "e", None, clock.now_ms())
    little = File("small", digest_of(small), len(small))
    core.write(intake.keep, found, little, "e", small, clock.now_ms())
    for _ in range(3):
        assert counts(run := collect()) == (0, 0, 0)
        assert run.small_new.count == 0
        clock.advance(2 * DAY_MS)
    assert stored(core) == {large.sha256}


@pytest.mark.parametrize("how", ["landed", "taken in"])
def test_bytes_that_were_deleted_while_they_were_adopted_are_not_named(
    core: Core, collect: Collect, clock: MovedClock, how: str
) -> None:
    content = os.urandom(LARGE)
    sha256 = put(core, "a/one", content)
    forget(core, "a/one")
    collect()
    clock.advance(DAY_MS)
    began_ms = clock.now_ms()
    if how == "landed":
        core.write(intake.land, ANN, "a/two", "key", LARGE)
        (arrival,) = core.write(intake.arrivals, 1)
        name = partial(core.write, intake.settle, arrival, sha256)
    else:
        name = partial(
            core.write, intake.keep, taking_in(core), File("two", sha256, LARGE), "e", None
        )
    assert counts(collect()) == (0, 0, 1)
    with pytest.raises(Unavailable, match="being deleted"):
        name(began_ms)
    clock.advance(2 * SKEW_MS)
    again_ms = clock.now_ms()
    store(core, content)
    name(again_ms)
    clock.advance(2 * DAY_MS)
    collect()
    clock.advance(2 * DAY_MS)
    collect()
    assert stored(core) == {sha256}
