"""Bytes that did not come through the server: what a version says of itself until they are hashed,
and what it is after that. On both databases; nobody looks at the bytes themselves here."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.access import Caller
from modelkeep.domain.approvals import Status
from modelkeep.domain.endings import State
from modelkeep.domain.errors import Conflict, InvalidInput, LimitExceeded, NotFound, Unavailable
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest
from modelkeep.domain.models import FAILED, PENDING, READY
from modelkeep.domain.packages import Approval
from modelkeep.domain.stores import Place
from modelkeep.ports.intake import Arrival, Intake
from modelkeep.ports.stores import Foreign
from modelkeep.services import (
    artifacts,
    deployables,
    endings,
    experiments,
    intake,
    makers,
    packages,
    registry,
    requests,
    tracking,
    verdicts,
)
from modelkeep.services.deployables import Asked
from modelkeep.services.endings import Wish
from modelkeep.services.packages import Registration
from modelkeep.services.steps import End, Result
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, TAGS, Core

MIB = 1 << 20
PLACE = Place("bucket", "mlruns")
ROOT = "s3://bucket/mlruns"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def landed(core: Core, run_id: str, name: str = "big", key: str = "key", by: Caller = ANN) -> str:
    """A file of a run's model that the client put into the store by itself; its path."""
    path = f"0/{run_id}/artifacts/model/{name}"
    core.write(intake.land, by, path, key, 5 * MIB)
    return path


def arrival(core: Core) -> Arrival:
    (found,) = core.write(intake.arrivals, 10)
    return found


def elsewhere(core: Core, name: str = "s3") -> str:
    """A run whose artifacts lie in a bucket; its id."""
    experiment = core.write(experiments.create_experiment, ANN, name, f"{ROOT}/{name}")
    return core.write(tracking.create_run, ANN, experiment).run_id


def claimed(core: Core) -> Intake:
    core.write(intake.discover, core.read(intake.undiscovered, PLACE))
    found = core.write(intake.claim)
    assert found is not None
    return found


# -- what clients put into our store by themselves ----------------------------------------------


def test_a_version_waits_for_what_is_not_hashed_and_is_then_its_bytes(core: Core) -> None:
    core.model()
    run_id = core.run()
    path = landed(core, run_id)
    core.put(f"0/{run_id}/artifacts/model/MLmodel", "small")
    version = core.register("churn", f"runs:/{run_id}/model")
    assert (version.status, version.manifest) == (PENDING, None)
    with pytest.raises(Unavailable, match="being checked"):
        core.read(artifacts.find, path)
    assert {e.name for e in core.read(artifacts.listing, path.rpartition("/")[0])} == {
        "big",
        "MLmodel",
    }
    core.write(intake.settle, arrival(core), sha("big"), core.clock.now_ms())
    found = core.get(1)
    files = [File("MLmodel", sha("small"), 5), File("big", sha("big"), 5 * MIB)]
    assert (found.status, found.manifest) == (READY, Manifest.of(files).digest)
    assert core.read(artifacts.find, path)[0].sha256 == sha("big")
    assert core.acts()[-1] == "version:bytes:verified"
    assert core.leaves()[-1]["obj"]["manifest"] == found.manifest


def test_who_brought_a_file_past_the_server_had_a_hand_in_what_comes_of_it(core: Core) -> None:
    core.model()
    run_id = core.run()
    landed(core, run_id, by=BOB)
    core.register("churn", f"runs:/{run_id}/model")
    core.write(intake.land, BOB, "shared/model/weights", "another", 5 * MIB)
    core.register("churn", "mlflow-artifacts:/shared/model")  # while it waits, too
    for found in core.write(intake.arrivals, 10):
        core.write(intake.settle, found, sha("big"), core.clock.now_ms())
    core.register("churn", "mlflow-artifacts:/shared/model")
    for number in (1, 2, 3):
        assert makers.reasons(core.read(makers.known, core.get(number))).keys() == {"ann", "bob"}
    assert core.verify().is_intact


def test_what_failed_says_why_before_it_says_what_became_of_it(core: Core) -> None:
    core.model()
    run_id = core.run()
    landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")
    assert core.write(endings.change, ANN, Wish("churn", 1, State.DEPRECATED, "old data"))
    assert "old data" in core.get(1).notice
    core.write(intake.refuse_arrival, arrival(core), "it is gone.")
    assert core.get(1).notice.endswith("it is gone.")


def test_a_version_keeps_the_files_it_was_registered_with(core: Core) -> None:
    core.model()
    run_id = core.run()
    path = landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")
    core.put(path, "another, by the server")
    core.put(f"{path}2", "later")
    core.write(intake.settle, arrival(core), sha("big"), core.clock.now_ms())
    assert core.get(1).manifest == Manifest.of([File("big", sha("big"), 5 * MIB)]).digest
    assert core.read(artifacts.find, path)[0].sha256 == sha("another, by the server")


def test_what_is_hashed_before_it_is_registered_makes_nobody_wait(core: Core) -> None:
    core.model()
    run_id = core.run()
    landed(core, run_id)
    core.write(intake.settle, arrival(core), sha("big"), core.clock.now_ms())
    assert core.register("churn", f"runs:/{run_id}/model").status == READY


def test_what_is_not_what_was_uploaded_fails_the_version(core: Core) -> None:
    core.model()
    run_id = core.run()
    path = landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")
    core.write(intake.refuse_arrival, arrival(core), "it is gone.")
    found = core.get(1)
    assert (found.status, found.manifest) == (FAILED, None)
    assert "it is gone" in found.status_message
    assert core.read(artifacts.listing, path.rpartition("/")[0]) == []
    assert core.acts()[-1] == "version:bytes:refused"


def test_to_complete_or_to_hash_twice_does_nothing(core: Core) -> None:
    core.model()
    run_id = core.run()
    path = landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")
    found = arrival(core)
    core.write(intake.settle, found, sha("big"), core.clock.now_ms())
    assert core.read(intake.has_landed, "key")
    landed(core, run_id)
    core.write(intake.settle, found, sha("other"), core.clock.now_ms())
    assert core.read(artifacts.find, path)[0].sha256 == sha("big")
    assert core.acts().count("version:bytes:verified") == 1


def test_an_arrival_is_leased_to_one_worker_until_it_is_dead(core: Core, clock: MovedClock) -> None:
    landed(core, core.run())
    found = arrival(core)
    assert core.write(intake.arrivals, 10) == []
    clock.advance(intake.LEASE_MS + 1000)
    assert arrival(core).attempts == 1
    core.write(intake.put_off_arrival, found)
    assert core.write(intake.arrivals, 10) == []
    clock.advance(intake.PAUSE_MS)
    assert arrival(core).id == found.id


def test_no_copy_is_made_of_a_version_that_waits(core: Core) -> None:
    core.model()
    run_id = core.run()
    landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")
    with pytest.raises(Conflict, match="still being registered"):
        core.register("churn", "models:/churn/1")


def test_an_object_that_nothing_will_hash_is_told_from_those_that_wait(
    core: Core, clock: MovedClock
) -> None:
    landed(core, core.run(), key="waits")
    assert core.read(intake.orphans, ["waits", "lost"]) == ["lost"]
    core.write(intake.settle, arrival(core), sha("big"), core.clock.now_ms())
    assert core.read(intake.orphans, ["waits", "lost"]) == ["waits", "lost"]
    clock.advance(1000)
    core.write(intake.prune, clock.now_ms())
    assert not core.read(intake.has_landed, "waits")


# -- what is taken in from elsewhere ------------------------------------------------------------


def test_a_version_of_a_listed_store_becomes_verified(core: Core) -> None:
    core.model()
    run_id = elsewhere(core)
    version = core.register("churn", f"runs:/{run_id}/model", run_id=run_id)
    assert (version.status, version.manifest) == (READY, None)
    found = claimed(core)
    assert found.address == f"{ROOT}/s3/{run_id}/artifacts/model"
    core.write(intake.keep, found, File("MLmodel", sha("m"), 1), "etag", b"m", core.clock.now_ms())
    core.write(
        intake.keep, found, File("gone since", sha("g"), 1), "etag", b"g", core.clock.now_ms()
    )
    assert set(core.read(intake.taken, found)) == {"MLmodel", "gone since"}
    core.write(intake.finish, found, frozenset({"MLmodel"}))
    kept = core.get(1)
    assert kept.manifest == Manifest.of([File("MLmodel", sha("m"), 1)]).digest
    fetched = core.read(artifacts.fetch_in_version, "churn", 1, "MLmodel")
    assert fetched.small == b"m"
    address, _ = core.read(registry.download_address, "churn", 1)
    assert address.startswith("mlflow-artifacts:/")
    assert core.write(intake.claim) is None


@pytest.fixture
def listing(database_url: str, tmp_path: Path, clock: MovedClock) -> Iterator[Core]:
    """A core whose settings have a store to take files in from."""
    core = Core(tmp_path / "listing", database_url, clock, ingest=(ROOT,))
    core.model()
    yield core
    assert core.verify().is_intact
    core.close()


def test_a_version_of_a_listed_store_waits_until_its_files_are_taken_in(listing: Core) -> None:
    core = listing
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    core.write(packages.register, ANN, Registration("churn", f"{ROOT}/m.tar.gz"))
    assert (core.get(1).status, core.get(1).manifest) == (PENDING, None)
    refused = core.write(verdicts.cast, BOB, core.get(1), Approval.APPROVED)
    assert refused is not None
    assert "once its ModelPackageStatus is Completed" in refused.message
    early = Registration("churn", f"{ROOT}/m.tar.gz", approval=Approval.APPROVED)
    with pytest.raises(InvalidInput, match="cannot be registered as Approved") as whole:
        core.write(packages.register, ANN, early)
    assert "churn/2" not in whole.value.message  # which is not there
    asked = core.promote(1, "Production").request_id
    denied = core.approve(asked)
    assert (denied.end, denied.message[-28:]) == (End.REFUSED, "approve it once it is READY.")
    found = claimed(core)
    core.write(intake.put_off, found, "it is slow.", 3)
    assert (core.get(1).status, core.get(1).notice[-11:]) == (PENDING, "it is slow.")
    file = File("m.tar.gz", sha("m"), 1)
    core.write(intake.keep, found, file, "etag", b"m", core.clock.now_ms())
    core.write(intake.finish, found, frozenset({"m.tar.gz"}))
    assert (core.get(1).status, core.get(1).notice) == (READY, "")
    package = core.read(packages.find, "churn", 1)
    assert package.frozen == {f"{ROOT}/m.tar.gz": "m.tar.gz"}


def test_a_version_of_what_is_not_there_fails_in_the_end(listing: Core, clock: MovedClock) -> None:
    listing.register("churn", f"{ROOT}/typo")
    listing.write(intake.discover, listing.read(intake.undiscovered, PLACE))
    for _ in range(intake.ABSENT_LIMIT):
        assert listing.get(1).status == PENDING
        claim = listing.write(intake.claim)
        listing.write(intake.put_off, claim, "There is no object.", intake.ABSENT_LIMIT)
        clock.advance(intake.PAUSE_LIMIT_MS)
    assert listing.write(intake.claim) is None
    assert (listing.get(1).status, listing.get(1).manifest) == (FAILED, None)
    assert listing.get(1).notice == "Its files were not taken in: There is no object."
    refused = listing.write(verdicts.cast, ANN, listing.get(1), Approval.APPROVED)
    assert refused is not None
    assert "its ModelPackageStatus is Failed: register another" in refused.message
    assert listing.get(1).stage == "None"


def test_a_package_that_loads_more_than_is_taken_in_stays_a_label(listing: Core) -> None:
    runs = [{"Image": "i", "ModelDataUrl": f"{ROOT}/{name}"} for name in "ab"]
    said = {"InferenceSpecification": {"Containers": runs}}
    listing.write(packages.register, ANN, Registration("churn", f"{ROOT}/a", said=said))
    assert (listing.get(1).status, listing.get(1).manifest) == (READY, None)
    assert listing.read(intake.undiscovered, PLACE) == []


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/mlruns-of-others/m",
        "s3://bucket2/mlruns/m",
        "gs://bucket/mlruns/m",
        "s3://bucket/m",
    ],
)
def test_what_lies_elsewhere_stays_a_label(core: Core, source: str) -> None:
    core.model()
    core.register("churn", source)
    assert core.read(intake.undiscovered, PLACE) == []


def test_versions_that_were_there_before_the_list_are_found_too_and_once(core: Core) -> None:
    core.model()
    long = f"{ROOT}/{'x' * 450}"
    for source in (f"{ROOT}/m", long):
        core.register("churn", source)
    found = core.read(intake.undiscovered, PLACE)
    assert len(found) == 2
    core.write(intake.discover, found)
    assert core.read(intake.undiscovered, PLACE) == []
    claims = [core.write(intake.claim) for _ in range(3)]
    assert {c and c.address for c in claims} == {f"{ROOT}/m", long, None}


def test_an_intake_is_tried_again_and_given_up_at_last(core: Core, clock: MovedClock) -> None:
    core.model()
    core.register("churn", f"{ROOT}/m")
    core.write(intake.discover, core.read(intake.undiscovered, PLACE))
    for _ in range(intake.ATTEMPTS_LIMIT):
        claim = core.write(intake.claim)
        assert core.write(intake.claim) is None
        core.write(intake.put_off, claim, "There is nothing there.")
        clock.advance(intake.PAUSE_LIMIT_MS)
    assert core.write(intake.claim) is None
    found = core.get(1)
    assert (found.status, found.manifest) == (READY, None)  # a label, as it was
    assert found.status_message == "Its files were not taken in: There is nothing there."


def test_a_worker_that_dies_leaves_a_lease_that_ends(core: Core, clock: MovedClock) -> None:
    core.model()
    core.register("churn", f"{ROOT}/m")
    first = claimed(core)
    clock.advance(intake.LEASE_MS - 1)
    core.write(intake.renew, first, "a large file")
    clock.advance(intake.LEASE_MS - 1)
    assert core.write(intake.claim) is None
    clock.advance(1)
    assert core.write(intake.claim) is not None


def test_a_deleted_version_is_not_taken_in(core: Core) -> None:
    core.model()
    core.register("churn", f"{ROOT}/m")
    found = claimed(core)
    core.write(intake.keep, found, File("MLmodel", sha("m"), 1), "etag", b"m", core.clock.now_ms())
    core.write(registry.delete_version, ANN, "churn", 1)
    core.write(intake.finish, found, frozenset({"MLmodel"}))
    assert core.acts()[-1] == "version:deleted"


def test_what_waited_for_an_approval_of_the_label_is_void(core: Core) -> None:
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    core.model()
    core.register("churn", f"{ROOT}/m", tags=TAGS)
    asked = core.promote(1, "Production")
    found = claimed(core)
    core.write(intake.keep, found, File("MLmodel", sha("m"), 1), "etag", b"m", core.clock.now_ms())
    core.write(intake.finish, found, frozenset({"MLmodel"}))
    (leaf,) = [leaf for leaf in core.leaves() if leaf["act"] == "version:bytes:verified"]
    assert leaf["post"]["requests"] == [{"id": asked.request_id, "status": "void"}]
    assert core.read(requests.listing, Status.PENDING) == []


@pytest.mark.parametrize("guard", [{}, {"required_tags": ["tested"]}, {"approval_required": True}])
def test_files_that_are_not_checked_are_rejected_but_not_approved(
    core: Core, guard: dict[str, Any]
) -> None:
    """Whatever guards production, or nothing."""
    if guard:
        core.apply({"stage_transitions": {"None -> Production": guard}})
    core.model()
    run_id = core.run()
    landed(core, run_id)
    core.register("churn", f"runs:/{run_id}/model")

    def say(wanted: Approval) -> Result | None:
        return core.write(verdicts.cast, BOB, core.get(1), wanted)

    for _ in range(2):
        refused = say(Approval.APPROVED)
        assert refused is not None
        assert refused.end is End.REFUSED
        assert "approve it once its ModelPackageStatus is Completed" in refused.message
    assert core.acts()[-1] == "version:stage:refused"
    assert (core.get(1).stage, core.read(requests.listing, None)) == ("None", [])
    assert say(Approval.REJECTED) is None
    shown = core.read(packages.find, "churn", 1)
    assert (shown.approval, shown.version.status) == (Approval.REJECTED, PENDING)
    with pytest.raises(InvalidInput, match="not known to be whole"):
        core.write(
            deployables.create, ANN, "m", {}, [Asked("churn", 1, "churn/1", lambda _: None)], {}
        )
    core.write(intake.settle, arrival(core), sha("big"), core.clock.now_ms())
    assert core.read(packages.find, "churn", 1).approval is Approval.REJECTED
    for key in TAGS:
        core.tag(1, key, "yes")
    approved = say(Approval.APPROVED)
    assert approved is not None
    assert approved.end is End.MOVED


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ([], NotFound),
        ([Foreign("a", 1, "e", "key"), Foreign("a/b", 1, "e", "key")], InvalidInput),
        ([Foreign("../a", 1, "e", "key")], InvalidInput),
        ([Foreign("a//b", 1, "e", "key")], InvalidInput),
        ([Foreign("a\nb", 1, "e", "key")], InvalidInput),
        ([Foreign("a", intake.BYTES_LIMIT + 1, "e", "key")], LimitExceeded),
        ([Foreign(str(n), 1, "e", "key") for n in range(FILE_LIMIT + 1)], LimitExceeded),
    ],
)
def test_no_version_is_made_of_a_tree_that_could_not_be_one(
    files: list[Foreign], error: type[Exception]
) -> None:
    with pytest.raises(error):
        intake.check_tree(PLACE, files)


def test_the_default_root_is_where_new_experiments_lie(core: Core) -> None:
    core.write(experiments.place_default, ROOT)
    assert core.read(experiments.get_experiment, 0).artifact_location == f"{ROOT}/0"
    made = core.write(experiments.create_experiment, ANN, "e", "", {}, (), ROOT)
    assert core.read(experiments.get_experiment, made).artifact_location == f"{ROOT}/{made}"
    core.write(experiments.place_default, "s3://elsewhere")
    assert core.read(experiments.get_experiment, 0).artifact_location == f"{ROOT}/0"


def test_the_default_root_leaves_a_used_experiment_where_it_is(core: Core) -> None:
    core.run()
    core.write(experiments.place_default, ROOT)
    assert core.read(experiments.get_experiment, 0).artifact_location == "mlflow-artifacts:/0"
