"""Who had a hand in what others made may not approve what comes of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from modelkeep.domain import audit as verifier
from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import NotFound
from modelkeep.domain.locations import PROXIED
from modelkeep.domain.tracking import Dataset, Metric, ModelOutput
from modelkeep.services import (
    artifacts,
    experiments,
    grants,
    makers,
    registry,
    requests,
    sweeping,
    tracking,
    uploads,
)
from modelkeep.services.creation import Draft
from modelkeep.services.promotion import End
from modelkeep.services.retention import SYSTEM
from modelkeep.storage.sql.work import SqlWork
from modelkeep.workers.housekeeping import Housekeeping
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, NOBODY, ROB, Core

EVE = Caller(Actor("eve"), "req-eve")
POLICY = {"stage_transitions": {"None -> Production": {"approval_required": True}}}
MODEL_JSON = '{"artifact_path": "m", "flavors": {}, "utc_time_created": "t", "run_id": "r"}'
DAY_MS = 24 * 60 * 60 * 1000
UPLOAD = "upload-0001"


def put(core: Core, path: str, by: Caller = BOB) -> None:
    core.put(path, f"by {by.actor.name}", by)


def upload_with_a_grant(core: Core, run_id: str) -> None:
    path = f"0/{run_id}/artifacts/model/extra"
    grant = core.read(grants.to_upload, BOB, core.app.signer, path, 60)
    given = core.read(grants.upload, core.app.signer, grant)
    core.write(artifacts.put, given.caller, given.path, "0" * 64, 1)


def metric(value: float = 0.99, model_id: str | None = None) -> Metric:
    return Metric("accuracy", value, 0, 0, model_id)


DEEDS: dict[str, Callable[[Core, str], Any]] = {
    "metric": lambda c, r: c.write(tracking.log_batch, BOB, r, [metric()]),
    "param": lambda c, r: c.write(tracking.log_batch, BOB, r, params=[("a", "b")]),
    "tag": lambda c, r: c.write(tracking.log_batch, BOB, r, tags=[("a", "b")]),
    "data set": lambda c, r: c.write(tracking.log_inputs, BOB, r, [Dataset("d", "1")], []),
    "output": lambda c, r: c.write(tracking.log_outputs, BOB, r, [ModelOutput("m-1")]),
    "model": lambda c, r: c.write(tracking.log_model, BOB, r, MODEL_JSON),
    "end": lambda c, r: c.write(tracking.update_run, BOB, r, status="FINISHED"),
    "deletion": lambda c, r: c.write(tracking.delete_tag, BOB, r, "mlflow.runName"),
    "restoring": lambda c, r: c.write(tracking.restore_run, BOB, r),
    "file": lambda c, r: put(c, f"0/{r}/artifacts/model/weights"),
    "file beside": lambda c, r: put(c, f"0/{r}/artifacts/plot.png"),
    "no file": lambda c, r: c.write(artifacts.delete, BOB, f"0/{r}/artifacts/old"),
    "granted file": upload_with_a_grant,
}


def names_of(core: Core, number: int, name: str = "churn") -> dict[str, str]:
    version = core.get(number, name)
    return makers.reasons(core.read(makers.known, version))


def rows(core: Core) -> int:
    def count(work: SqlWork) -> int:
        row = work.db.one("SELECT count(*) FROM hands")
        assert row is not None
        return row[0]

    return core.read(count)


@pytest.fixture
def governed(core: Core) -> Core:
    core.apply(POLICY)
    core.model()
    return core


def test_whatever_somebody_does_to_anothers_run_is_a_hand_in_its_versions(core: Core) -> None:
    core.model()
    for number, (name, deed) in enumerate(DEEDS.items(), 1):
        run_id = core.run()
        put(core, f"0/{run_id}/artifacts/model/weights", ANN)
        put(core, f"0/{run_id}/artifacts/old", ANN)
        deed(core, run_id)
        core.register("churn", f"runs:/{run_id}/model")
        found = names_of(core, number)
        assert found.keys() == {"ann", "bob"}, name
        is_file = "file" in name
        assert found["bob"] == (
            "added or changed files of its run" if is_file else "logged to its run"
        )


def test_what_people_do_to_their_own_leaves_no_row(core: Core) -> None:
    core.model()
    spelt = Caller(Actor(" Ann"))
    core.version()
    run_id = core.run(by=spelt)
    core.log(run_id, ANN, accuracy=0.5)
    put(core, f"0/{run_id}/artifacts/plot.png", spelt)
    model_id = core.write(tracking.create_logged_model, ANN, 0).model_id
    core.write(tracking.finish_logged_model, ANN, model_id, "READY")
    core.write(tracking.log_batch, ANN, run_id, [metric(0.9, model_id)])
    assert rows(core) == 0


def test_who_added_a_file_is_told_so_and_somebody_else_decides(governed: Core) -> None:
    run_id = governed.run()
    put(governed, f"0/{run_id}/artifacts/model/weights")
    governed.register("churn", f"runs:/{run_id}/model")
    request_id = governed.promote(1, "Production").request_id
    refused = governed.approve(request_id, BOB)
    assert refused.end is End.REFUSED
    assert refused.message == ("bob added or changed files of its run; someone else must decide.")
    assert governed.acts()[-1] == "approval:vote:denied"
    barred = dict(governed.read(requests.get, request_id).barred)
    assert barred == {
        "ann": "is an author of this version",
        "bob": "added or changed files of its run",
        "rob": "asked for this promotion",
    }
    assert governed.approve(request_id, EVE).end is End.MOVED


def test_a_hand_counts_until_the_evidence_is_frozen(governed: Core) -> None:
    version = governed.version()
    governed.log(version.run_id or "", BOB, f1_score=0.99)
    request_id = governed.promote(1, "Production").request_id
    governed.log(version.run_id or "", EVE, accuracy=0.1)
    assert governed.approve(request_id, BOB).end is End.REFUSED
    # What eve has logged since changes nothing of what is decided on.
    assert governed.approve(request_id, EVE).end is End.MOVED


def test_a_hand_in_a_logged_model_is_one_also_from_another_run(core: Core) -> None:
    core.model()
    run_id = core.run()
    made = core.write(tracking.create_logged_model, ANN, 0, source_run_id=run_id)
    root = made.artifact_uri.removeprefix(PROXIED)
    put(core, f"{root}/weights", ANN)
    other = core.run(by=BOB)
    core.write(tracking.log_batch, BOB, other, [metric(0.999, made.model_id)])
    put(core, f"{root}/extra", EVE)
    core.write(tracking.set_logged_model_tags, ROB, made.model_id, {"mlflow.modelVersions": "[]"})
    core.register("churn", f"models:/{made.model_id}", logged_model_id=made.model_id)
    assert names_of(core, 1) == {
        "ann": "is an author of this version",
        "bob": "logged to its logged model",
        "eve": "added or changed files of its logged model",
    }


def test_who_deletes_their_logged_model_is_still_an_author(core: Core) -> None:
    core.model()
    made = core.write(tracking.create_logged_model, BOB, 0)
    root = made.artifact_uri.removeprefix(PROXIED)
    put(core, f"{root}/weights")
    core.register("churn", f"models:/{made.model_id}", logged_model_id=made.model_id)
    core.write(tracking.delete_logged_model, BOB, made.model_id)
    core.register("churn", made.artifact_uri)  # a path that is no logged model's any more
    assert set(names_of(core, 1)) == set(names_of(core, 2)) == {"ann", "bob"}


def test_who_brought_a_file_of_an_upload_has_a_hand_in_it_and_in_its_copies(
    governed: Core,
) -> None:
    governed.model("copies")
    put(governed, uploads.path_in(UPLOAD, "weights"))
    put(governed, uploads.path_in(UPLOAD, "card"), ANN)
    governed.write(uploads.register, ANN, Draft("churn", ""), UPLOAD)
    assert names_of(governed, 1)["bob"] == "added or changed files of it"
    governed.register("copies", "models:/churn/1", by=ROB)
    address, _ = governed.read(registry.download_address, "copies", 1)
    copied = governed.register("copies", address)
    assert copied.number == 2
    for number in (1, 2):
        why = names_of(governed, number, "copies")
        assert why["bob"] == "had a hand in the version that it is a copy of"
    assert set(names_of(governed, 2, "copies")) == {"ann", "bob", "rob"}
    request_id = governed.promote(1, "Production").request_id
    assert governed.approve(request_id, BOB).end is End.REFUSED


def test_the_bytes_of_any_folder_bar_whoever_brought_them(core: Core) -> None:
    core.model()
    put(core, "shared/weights", EVE)
    run_id = core.run(by=BOB)
    put(core, f"0/{run_id}/artifacts/weights")
    core.register("churn", f"{PROXIED}shared")
    core.register("churn", f"{PROXIED}0")
    assert set(names_of(core, 1)) == {"ann", "eve"}
    assert set(names_of(core, 2)) == {"ann", "bob"}


def test_a_hand_that_somebody_takes_away_or_adds_is_found(core: Core) -> None:
    core.model()
    put(core, uploads.path_in(UPLOAD, "weights"))
    core.write(uploads.register, ANN, Draft("churn", ""), UPLOAD)
    lines = core.export()
    rows = [line for line in lines if line.get("table") == "version_hand"]
    assert [row["row"]["name"] for row in rows] == ["bob"]
    without = [line for line in lines if line not in rows]
    assert "version_hand 1/1/0 is not in the tables" in str(verifier.verify(without).problems)
    other = [*lines[:-1], {**rows[0], "row": {**rows[0]["row"], "name": "eve"}}, lines[-1]]
    assert not verifier.verify(other).is_intact


# -- uploads that nobody registers ---------------------------------------------------------------


def old(core: Core, days: int = 7) -> list[str]:
    return core.read(sweeping.old, days)[0]


def test_an_upload_that_led_to_nothing_goes_after_its_days(core: Core, clock: MovedClock) -> None:
    for upload in (UPLOAD, f"{UPLOAD}-2", "00000000"):
        put(core, uploads.path_in(upload, "model/weights"))
        put(core, uploads.path_in(upload, "card"))
    put(core, "uploads/notes")  # no upload
    clock.advance(7 * DAY_MS - 1)
    put(core, uploads.path_in("00000000", "late"))
    assert old(core) == []
    clock.advance(1)
    assert old(core) == [f"{UPLOAD}-2", UPLOAD]
    asyncio.run(Housekeeping(core.app, 7).turn())
    assert core.acts() == ["upload:swept"] * 2
    assert core.leaves()[1]["obj"] == {"upload": UPLOAD}
    assert core.leaves()[1]["post"]["files"] == 2
    assert [e.name for e in core.read(artifacts.listing, "uploads")] == ["00000000", "notes"]
    assert core.write(sweeping.sweep, SYSTEM, UPLOAD, 7) == 0
    with pytest.raises(NotFound, match="There is no upload"):
        core.write(uploads.register, ANN, Draft("churn", ""), UPLOAD)


def test_an_upload_that_something_refers_to_stays(core: Core, clock: MovedClock) -> None:
    core.model()
    put(core, uploads.path_in("of-a-version", "weights"))
    core.register("churn", f"{PROXIED}uploads/of-a-version")
    put(core, uploads.path_in("of-experiment", "weights"))
    core.write(experiments.create_experiment, ANN, "there", f"{PROXIED}uploads/of-experiment/below")
    above = core.write(experiments.create_experiment, ANN, "above", f"{PROXIED}uploads")
    run_id = core.write(tracking.create_run, ANN, above).run_id
    put(core, f"uploads/{run_id}/artifacts/weights", ANN)
    clock.advance(30 * DAY_MS)
    assert old(core) == []
    assert core.read(artifacts.listing, "uploads")


def test_without_a_name_an_author_is_warned_of(governed: Core) -> None:
    version = governed.version()
    governed.log(version.run_id or "", NOBODY, accuracy=0.99)
    assert "An author gave no name" in governed.promote(1, "Production").message
