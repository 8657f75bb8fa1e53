"""Bringing things over from another server, on both databases."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput, ModelkeepError, NotFound
from modelkeep.domain.imports import POINTS_LIMIT, Brought, End, Kind, Outcome, Points
from modelkeep.domain.tracking import Dataset, Metric, ModelOutput
from modelkeep.services import artifacts, experiments, promotion, registry, tracking
from modelkeep.services.imports import (
    brought,
    files,
    logged_models,
    models,
    points,
    runs,
    slots,
    versions,
)
from modelkeep.services.imports import (
    experiments as given_experiments,
)
from modelkeep.services.imports.experiments import GivenExperiment
from modelkeep.services.imports.logged_models import GivenLoggedModel
from modelkeep.services.imports.models import GivenModel
from modelkeep.services.imports.points import GivenPoints
from modelkeep.services.imports.runs import GivenRun
from modelkeep.services.imports.versions import GivenVersion
from modelkeep.services.steps import End as Ended
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, BOB, ROB, Core

ORIGIN = "http://mlflow.example.com:5000"
LAST_YEAR_MS = NOON_MS - 365 * 86_400_000
RUN, OTHER_RUN = "0123456789abcdef" * 2, "fedcba9876543210" * 2
MODEL_ID = "m-" + RUN
APPROVAL: dict[str, Any] = {
    "stage_transitions": {"None -> Production": {"approval_required": True}}
}


def run_of(run_id: str = RUN, **facts: Any) -> GivenRun:
    known: dict[str, Any] = {
        "experiment_id": 0,
        "name": "first try",
        "user_id": "tina",
        "status": "FINISHED",
        "start_ms": LAST_YEAR_MS,
        "end_ms": LAST_YEAR_MS + 5,
        "params": {"lr": "0.1"},
        "tags": {"team": "a"},
    }
    return GivenRun(run_id, **{**known, **facts})


def bring_runs(core: Core, *given: GivenRun, by: Caller = ANN) -> list[End]:
    return [o.end for o in core.write(runs.bring_runs, by, ORIGIN, given)]


def bring_model(core: Core, name: str = "churn", by: Caller = ANN, **facts: Any) -> Outcome:
    given = GivenModel(name, created_ms=LAST_YEAR_MS, **facts)
    return core.write(models.bring_model, by, ORIGIN, given)


def version_of(number: int, name: str = "churn", **facts: Any) -> GivenVersion:
    source = facts.pop("source", f"s3://bucket/{number}")
    return GivenVersion(name, number, source, created_ms=LAST_YEAR_MS + number, **facts)


def bring_version(core: Core, given: GivenVersion, by: Caller = ANN) -> Outcome:
    return core.write(versions.bring_version, by, ORIGIN, given)


def with_versions(core: Core, numbers: Sequence[int] = (1, 2, 3), by: Caller = ANN) -> None:
    bring_model(core, by=by)
    for number in numbers:
        assert bring_version(core, version_of(number), by).end is End.CREATED


def place(core: Core, number: int, stage: str, by: Caller = ANN, reason: str = "") -> Outcome:
    return core.write(slots.place, by, ORIGIN, "churn", number, stage, reason)


def point(core: Core, alias: str, number: int | None, by: Caller = ANN) -> Outcome:
    return core.write(slots.point, by, ORIGIN, "churn", alias, number)


# -- experiments and runs ----------------------------------------------------------------------


def bring_experiment(core: Core, name: str, origin: str = ORIGIN, **facts: Any) -> Outcome:
    given = GivenExperiment(name, created_ms=LAST_YEAR_MS, updated_ms=LAST_YEAR_MS + 9, **facts)
    return core.write(given_experiments.bring_experiment, ANN, origin, given)


def test_an_experiment_comes_with_its_times_and_tags(core: Core) -> None:
    ended = bring_experiment(core, "träin", tags={"k": "v"}, lifecycle_stage="deleted")
    found = core.read(experiments.get_experiment, int(ended.key))
    assert (ended.end, found.name, found.tags) == (End.CREATED, "träin", {"k": "v"})
    assert (found.created_ms, found.updated_ms) == (LAST_YEAR_MS, LAST_YEAR_MS + 9)
    assert found.lifecycle_stage == "deleted"
    assert found.artifact_location == f"mlflow-artifacts:/{found.id}"
    assert bring_experiment(core, "träin", tags={"k": "v"}, lifecycle_stage="deleted").end is (
        End.UNCHANGED
    )


def test_default_is_default_and_takes_the_tags_of_the_source_once(core: Core) -> None:
    assert bring_experiment(core, "Default") == Outcome("0", End.UNCHANGED)
    assert bring_experiment(core, "Default", tags={"k": "v"}) == Outcome("0", End.CHANGED)
    core.write(experiments.set_experiment_tag, ANN, 0, "k", "ours")
    kept = bring_experiment(core, "Default", tags={"k": "w"})
    assert (kept.end, "both sides" in kept.reason) == (End.KEPT, True)
    assert core.read(experiments.get_experiment, 0).tags == {"k": "ours"}


def test_an_object_store_stays_where_it_is_and_every_other_place_becomes_ours(core: Core) -> None:
    for name, place, kept in (
        ("a", "s3://bucket/a", "s3://bucket/a"),
        ("b", "file:///mlruns/1", "mlflow-artifacts:/2"),
        ("c", "/mlruns/1", "mlflow-artifacts:/3"),
        ("d", "mlflow-artifacts:/77", "mlflow-artifacts:/4"),
    ):
        key = bring_experiment(core, name, artifact_location=place).key
        assert core.read(experiments.get_experiment, int(key)).artifact_location == kept
    with pytest.raises(InvalidInput):
        bring_experiment(core, "e", artifact_location="s3://bucket/../etc")


def test_two_servers_do_not_take_turns_at_one_experiment(core: Core) -> None:
    bring_experiment(core, "train", tags={"k": "a"})
    other = "http://other.example.com"
    kept = bring_experiment(core, "train", other, tags={"k": "b"})
    assert (kept.end, f"--as {ORIGIN}" in kept.reason) == (End.KEPT, True)
    assert bring_experiment(core, "train", tags={"k": "c"}).end is End.CHANGED


def named(core: Core, key: str) -> str:
    return core.read(experiments.get_experiment, int(key)).name


def test_an_experiment_that_its_source_renamed_is_renamed_and_its_runs_agree(core: Core) -> None:
    key = bring_experiment(core, "train", source_id="7").key
    bring_runs(core, run_of(experiment_id=int(key)))
    assert bring_experiment(core, "training", source_id="7") == Outcome(key, End.CHANGED)
    assert named(core, key) == "training"
    assert bring_runs(core, run_of(experiment_id=int(key))) == [End.UNCHANGED]
    assert bring_experiment(core, "training", source_id="7") == Outcome(key, End.UNCHANGED)
    # The name is free at the source, and whoever has it by now is another one.
    other = bring_experiment(core, "train", source_id="8")
    assert (other.end, other.key != key, named(core, other.key)) == (End.CREATED, True, "train")


def test_default_may_be_renamed_as_well(core: Core) -> None:
    bring_experiment(core, "Default", source_id="0")
    assert bring_experiment(core, "Base", source_id="0") == Outcome("0", End.CHANGED)
    assert named(core, "0") == "Base"


def test_a_name_that_is_taken_here_is_told_until_it_is_free(core: Core) -> None:
    a = bring_experiment(core, "a", source_id="1").key
    b = bring_experiment(core, "b", source_id="2").key
    ours = core.write(experiments.create_experiment, ANN, "c")
    for _ in range(2):
        assert bring_experiment(core, "b", source_id="1") == Outcome(
            a, End.UNCHANGED, "that name is taken here"
        )
        assert bring_experiment(core, "c", source_id="2") == Outcome(
            b, End.UNCHANGED, "that name is taken here"
        )
    third = bring_experiment(core, "a", source_id="3")  # what gave it up there has it here still
    assert (third.end, third.key) == (End.REFUSED, "")
    core.write(experiments.rename_experiment, ANN, ours, "ours")
    for name, id in (("c", "2"), ("b", "1"), ("a", "3")):
        assert bring_experiment(core, name, source_id=id).end in (End.CHANGED, End.CREATED)
    assert (named(core, a), named(core, b)) == ("b", "c")


def test_an_experiment_that_was_renamed_here_keeps_its_name(core: Core) -> None:
    key = bring_experiment(core, "a", source_id="1").key
    bring_experiment(core, "b", source_id="1")
    core.write(experiments.rename_experiment, ANN, int(key), "a")  # a name that it had there once
    assert bring_experiment(core, "b", source_id="1").reason == "it was renamed here"
    assert bring_experiment(core, "c", source_id="1").reason == "it was renamed here"
    assert named(core, key) == "a"


def test_a_server_that_was_set_up_anew_gives_its_ids_to_others(core: Core) -> None:
    key = bring_experiment(core, "a", source_id="1").key
    given = GivenExperiment("b", "1", created_ms=LAST_YEAR_MS + 5)
    other = core.write(given_experiments.bring_experiment, ANN, ORIGIN, given)
    assert (other.end, named(core, key)) == (End.CREATED, "a")


def test_another_server_renames_nothing_of_the_first(core: Core) -> None:
    key = bring_experiment(core, "train", source_id="1").key
    other = "http://other.example.com"
    assert bring_experiment(core, "train", other, source_id="5", tags={"k": "v"}).key == key
    kept = bring_experiment(core, "training", other, source_id="5")
    assert (kept.key, f"--as {ORIGIN}" in kept.reason) == (key, True)
    assert named(core, key) == "train"


def test_a_run_comes_as_it_was_and_its_artifacts_come_to_lie_here(core: Core) -> None:
    dataset = Dataset("ds", "abc", "code", "{}", "{}", None, {"mlflow.data.context": "train"})
    given = run_of(
        datasets=[dataset],
        model_inputs=[MODEL_ID],
        model_outputs=[ModelOutput(MODEL_ID, 3)],
        lifecycle_stage="deleted",
        artifact_uri="mlflow-artifacts:/9/x/artifacts",
    )
    assert bring_runs(core, given) == [End.CREATED]
    run = core.read(tracking.get_run, RUN)
    assert (run.name, run.user_id, run.author, run.status) == (
        "first try", "tina", "tina", "FINISHED",
    )  # fmt: skip
    assert (run.start_ms, run.end_ms) == (LAST_YEAR_MS, LAST_YEAR_MS + 5)
    assert run.tags == {"team": "a", "mlflow.runName": "first try"}
    assert (run.params, run.datasets) == ({"lr": "0.1"}, (dataset,))
    assert (run.model_inputs, run.model_outputs) == ((MODEL_ID,), (ModelOutput(MODEL_ID, 3),))
    assert run.lifecycle_stage == "deleted"
    assert run.artifact_uri == f"mlflow-artifacts:/0/{RUN}/artifacts"
    size = len(core.leaves())
    assert bring_runs(core, given) == [End.UNCHANGED]
    assert len(core.leaves()) == size


def test_a_run_follows_its_source_until_it_is_changed_here(core: Core) -> None:
    bring_runs(core, run_of(status="RUNNING", end_ms=None))
    after = run_of(tags={"team": "b", "new": "1"}, params={"lr": "0.1", "depth": "2"}, name="last")
    assert bring_runs(core, after) == [End.CHANGED]
    run = core.read(tracking.get_run, RUN)
    assert (run.status, run.end_ms, run.name) == ("FINISHED", LAST_YEAR_MS + 5, "last")
    assert run.tags == {"team": "b", "new": "1", "mlflow.runName": "last"}
    assert run.params == {"lr": "0.1", "depth": "2"}
    core.write(tracking.log_batch, ANN, RUN, tags=[("team", "ours")])
    assert bring_runs(core, after) == [End.KEPT]
    assert bring_runs(core, run_of()) == [End.KEPT]
    assert core.read(tracking.get_run, RUN).tags["team"] == "ours"


def test_a_run_of_this_server_is_never_overwritten(core: Core) -> None:
    own = core.run({"accuracy": 0.5})
    (ended,) = core.write(runs.bring_runs, ANN, ORIGIN, [run_of(own)])
    assert (ended.end, "not imported" in ended.reason) == (End.KEPT, True)
    assert core.read(tracking.get_run, own).params == {}
    with pytest.raises(Conflict, match="this server's own"):
        core.write(points.bring_points, ANN, [GivenPoints(own, "accuracy", [(9, 0, 0.99)])])
    assert core.read(tracking.get_run, own).metrics == {"accuracy": 0.5}


def test_a_run_of_this_server_does_not_pass_for_an_imported_one(core: Core) -> None:
    """Saying exactly what is here must not open it to a second call."""
    own = core.run({})
    found = core.read(tracking.get_run, own)
    same = run_of(
        own, name=found.name, user_id=found.user_id, status=found.status, start_ms=found.start_ms,
        end_ms=found.end_ms, params={}, tags={},
    )  # fmt: skip
    assert bring_runs(core, same) == [End.KEPT]
    assert bring_runs(core, replace(same, tags={"tested": "yes"})) == [End.KEPT]
    with pytest.raises(Conflict, match="this server's own"):
        core.write(points.bring_points, ANN, [GivenPoints(own, "accuracy", [(0, 0, 0.99)])])


def test_a_param_never_changes_not_even_by_an_import(core: Core) -> None:
    bring_runs(core, run_of())
    assert bring_runs(core, run_of(params={"lr": "0.2"})) == [End.KEPT]
    assert core.read(tracking.get_run, RUN).params == {"lr": "0.1"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"run_id": "../../etc"},
        {"run_id": RUN.upper()},
        {"experiment_id": 99},
        {"status": "DONE"},
        {"lifecycle_stage": "gone"},
        {"start_ms": -1},
        {"end_ms": 2**62},
        {"params": {"a/../b": "1"}},
        {"params": {"a": "x" * 6001}},
        {"tags": {"": "x"}},
        {"user_id": "x" * 257},
        {"model_inputs": ["../m"]},
        {"datasets": [Dataset("", "abc")]},
        {"artifact_uri": "s3://bucket/%2e%2e/x"},
        {"name": "\x00"},
    ],
    ids=str,
)
def test_a_batch_with_one_run_that_may_not_be_brings_none(core: Core, wrong: Any) -> None:
    bad = replace(run_of(OTHER_RUN), **wrong)
    with pytest.raises((InvalidInput, NotFound)):
        bring_runs(core, run_of(), bad)
    with pytest.raises(NotFound):
        core.read(tracking.get_run, RUN)


def test_points_come_once_however_often_and_in_whatever_order(core: Core) -> None:
    bring_runs(core, run_of(lifecycle_stage="deleted"))
    values = [(0, 10, 0.5), (1, 11, math.nan), (2, 12, math.inf), (2, 12, -math.inf)]
    core.write(points.bring_points, ANN, [GivenPoints(RUN, "loss", values[2:])])
    core.write(points.bring_points, ANN, [GivenPoints(RUN, "loss", values)])
    sums = Points()
    for value in values:
        sums.add(*value)
    assert core.read(points.points_of, [RUN, OTHER_RUN]) == {RUN: {"loss": sums.digest}}
    assert core.read(tracking.get_run, RUN).metrics == {"loss": math.inf}


def test_points_are_summed_over_many_pages(core: Core) -> None:
    bring_runs(core, run_of())
    expected: dict[str, Points] = {key: Points() for key in ("a", "b", "c")}
    assert len(expected) * POINTS_LIMIT > points.PAGE
    for key, sums in expected.items():
        values = [(s, s % 3, math.nan if s == 4 else s / 3) for s in range(POINTS_LIMIT)]
        core.write(points.bring_points, ANN, [GivenPoints(RUN, key, values)])
        for value in values:
            sums.add(*value)
    found = core.read(points.points_of, [RUN])[RUN]
    assert found == {key: sums.digest for key, sums in expected.items()}


def test_one_call_takes_so_many_points_and_no_more(core: Core) -> None:
    bring_runs(core, run_of())
    values = [(step, 0, 0.0) for step in range(POINTS_LIMIT + 1)]
    with pytest.raises(InvalidInput, match=str(POINTS_LIMIT)):
        core.write(points.bring_points, ANN, [GivenPoints(RUN, "a", values)])
    with pytest.raises(InvalidInput):
        core.write(points.bring_points, ANN, [GivenPoints(RUN, "a", [(0, -5, 0.0)])])
    with pytest.raises(NotFound):
        core.write(points.bring_points, ANN, [GivenPoints(OTHER_RUN, "a", [])])


# -- logged models -----------------------------------------------------------------------------


def logged(**facts: Any) -> GivenLoggedModel:
    known: dict[str, Any] = {
        "experiment_id": 0,
        "name": "model",
        "status": "READY",
        "created_ms": LAST_YEAR_MS,
        "updated_ms": LAST_YEAR_MS + 1,
        "source_run_id": RUN,
        "tags": {"mlflow.user": "tina", "k": "v"},
        "params": {"C": "1"},
    }
    return GivenLoggedModel(MODEL_ID, **{**known, **facts})


def bring_logged(core: Core, given: GivenLoggedModel) -> End:
    return core.write(logged_models.bring_logged_models, ANN, ORIGIN, [given])[0].end


def test_a_logged_model_comes_with_what_was_measured_of_it(core: Core) -> None:
    bring_runs(core, run_of())
    assert bring_logged(core, logged(model_type="x")) is End.CREATED
    given = [
        Metric("acc", 0.5, 10, 1, MODEL_ID),
        Metric("acc", 0.7, 10, 1, MODEL_ID, "ds", "abc"),
        Metric("nan", math.nan, 10, 0, MODEL_ID),
    ]
    for _ in range(2):
        core.write(logged_models.bring_model_points, ANN, RUN, given)
    model = core.read(tracking.get_logged_model, MODEL_ID)
    assert (model.status, model.author, model.model_type) == ("READY", "tina", "x")
    assert (model.created_ms, model.updated_ms) == (LAST_YEAR_MS, LAST_YEAR_MS + 1)
    assert model.artifact_uri == f"mlflow-artifacts:/0/models/{MODEL_ID}/artifacts"
    assert [(p.key, p.dataset_name, p.run_id) for p in model.points] == [
        ("acc", None, RUN), ("acc", "ds", RUN), ("nan", None, RUN),
    ]  # fmt: skip
    assert bring_logged(core, logged(model_type="x")) is End.UNCHANGED
    assert bring_logged(core, logged(model_type="x", tags={"k": "w"})) is End.CHANGED
    core.write(tracking.delete_logged_model, ANN, MODEL_ID)
    assert bring_logged(core, logged(model_type="x")) is End.KEPT


def test_nothing_is_measured_of_logged_models_of_this_server(core: Core) -> None:
    own = core.write(tracking.create_logged_model, ANN, 0).model_id
    with pytest.raises(Conflict, match="this server's own"):
        core.write(logged_models.bring_model_points, ANN, RUN, [Metric("acc", 1.0, 0, 0, own)])
    for wrong in ({"model_id": "m-1"}, {"status": "DONE"}, {"name": "a/b"}, {"created_ms": -1}):
        with pytest.raises(InvalidInput):
            bring_logged(core, replace(logged(), **wrong))


# -- models and versions -----------------------------------------------------------------------


def test_versions_keep_their_numbers_with_the_holes_and_the_next_goes_on(core: Core) -> None:
    with_versions(core, (2, 5, 3))
    found = [core.get(number) for number in (2, 3, 5)]
    assert [v.created_ms for v in found] == [LAST_YEAR_MS + n for n in (2, 3, 5)]
    assert {v.author for v in found} == {"ann"}
    model = core.read(registry.get_model, "churn")
    assert model.created_ms == LAST_YEAR_MS
    assert core.register("churn", "s3://bucket/next").number == 6
    assert core.acts().count("version:imported") == 3
    with pytest.raises(NotFound):
        core.get(4)


def test_the_journal_says_where_a_version_comes_from_and_since_when_it_is_here(
    core: Core, clock: MovedClock
) -> None:
    bring_model(core)
    bring_version(core, version_of(7, original="file:///mlruns/x", author="tina"))
    leaf = core.leaves()[-1]
    assert (leaf["act"], leaf["texts"]["actor"], leaf["texts"]["author"]) == (
        "version:imported", "ann", "tina",
    )  # fmt: skip
    assert leaf["why"]["imported"] == {
        "from": ORIGIN,
        "created_ms": LAST_YEAR_MS + 7,
        "source": "file:///mlruns/x",
    }
    version = core.get(7)
    assert version.author == "tina"
    assert version.tags == {"modelkeep.imported.source": "file:///mlruns/x"}
    clock.advance(1_000)
    place(core, 7, "Production")
    assert core.at(NOON_MS) == {}  # a stay begins when it begins here
    assert core.at(NOON_MS + 1_000) == {"stage:Production": [7]}


def test_the_bytes_that_came_are_frozen(core: Core) -> None:
    bring_runs(core, run_of())
    core.put(f"0/{RUN}/artifacts/model/weights", "the weights")
    bring_model(core)
    given = version_of(1, source=f"mlflow-artifacts:/0/{RUN}/artifacts/model", run_id=RUN)
    bring_version(core, given)
    version = core.get(1)
    assert version.manifest is not None
    assert version.run_id == RUN
    core.write(artifacts.delete, ANN, f"0/{RUN}/artifacts/model/weights")
    assert core.read(artifacts.fetch_in_version, "churn", 1, "weights").file.size_bytes == 11


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "file:///etc"},
        {"source": "/etc/passwd"},
        {"source": "http://169.254.169.254/"},
        {"source": f"runs:/{OTHER_RUN}/model"},
        {"source": f"models:/{MODEL_ID}"},
        {"number": 0},
        {"number": 2**31},
        {"created_ms": -1},
        {"author": "a\nb"},
        {"tags": {"modelkeep.reason": "because"}},
        {"tags": {"": "x"}},
        {"run_link": "x" * 501},
    ],
    ids=str,
)
def test_a_version_is_checked_as_any_other(core: Core, wrong: Any) -> None:
    bring_model(core)
    size = len(core.leaves())
    with pytest.raises(ModelkeepError):
        bring_version(core, replace(version_of(1), **wrong))
    assert len(core.leaves()) == size
    with pytest.raises(NotFound):
        core.get(1)


def test_names_are_checked_as_any_other_and_by_the_policy(core: Core) -> None:
    for name in ("a%2fb", "a/b", " a", "e\u0301"):
        with pytest.raises(InvalidInput):
            bring_model(core, name)
    core.apply({"naming_convention": {"pattern": "^[a-z]+$"}})
    with pytest.raises(InvalidInput, match="Churn"):
        bring_model(core, "Churn")


def test_a_model_that_was_here_before_is_another_one(core: Core) -> None:
    core.model("churn")
    core.register("churn", "s3://bucket/ours")
    kept = bring_model(core, description="theirs")
    assert (kept.end, "not imported" in kept.reason) == (End.REFUSED, True)
    for number in (1, 2):
        assert bring_version(core, version_of(number)).end is End.KEPT
    assert core.get(1).source == "s3://bucket/ours"
    with pytest.raises(NotFound):
        core.get(2)


def test_what_was_renamed_here_or_deleted_is_not_brought_anew(core: Core) -> None:
    with_versions(core, (1,))
    core.write(registry.rename_model, ANN, "churn", "leavers")
    assert bring_model(core).end is End.REFUSED
    bring_model(core, "gone")
    core.write(registry.delete_model, ANN, "gone")
    assert bring_model(core, "gone").end is End.REFUSED
    key = int(bring_experiment(core, "train", tags={"k": "v"}).key)
    bring_runs(core, run_of(experiment_id=key))
    core.write(experiments.rename_experiment, ANN, key, "training")
    told = bring_experiment(core, "train", tags={"k": "v"})
    assert told == Outcome(str(key), End.UNCHANGED, "it was renamed here")
    kept = bring_runs(core, run_of(experiment_id=0))
    assert kept == [End.KEPT]


def test_a_model_that_its_source_renamed_is_renamed_with_all_that_it_has(core: Core) -> None:
    with_versions(core, (1, 2))
    point(core, "best", 2)
    asked = GivenModel("leavers", created_ms=LAST_YEAR_MS)
    found = core.read(brought.match_model, ORIGIN, asked)
    assert found is not None
    assert found.name == "churn"
    renamed = bring_model(core, "leavers", renamed=True)
    assert renamed == Outcome(found.key, End.CHANGED)
    assert bring_model(core, "leavers") == Outcome(found.key, End.UNCHANGED)
    assert core.read(registry.get_model, "leavers").aliases == {"best": 2}
    assert bring_version(core, version_of(2, "leavers")).end is End.UNCHANGED
    assert core.leaves()[-1]["act"] == "model:renamed"
    # The name is free at the source, and whoever has it by now is another one.
    another = GivenModel("churn", created_ms=NOON_MS)
    assert core.write(models.bring_model, ANN, ORIGIN, another).end is End.CREATED
    core.verify()


def test_a_model_is_not_renamed_over_another_nor_if_it_was_renamed_or_deleted_here(
    core: Core,
) -> None:
    bring_model(core)
    core.model("leavers")
    taken = bring_model(core, "leavers", renamed=True)
    assert (taken.end, "has that name" in taken.reason) == (End.REFUSED, True)
    another = GivenModel("churn", created_ms=NOON_MS)  # what gave it up there has it here still
    assert core.write(models.bring_model, ANN, ORIGIN, another).end is End.REFUSED
    core.write(registry.rename_model, ANN, "churn", "ours")
    told = bring_model(core, "gone", renamed=True)
    assert (told.end, "called ours" in told.reason) == (End.REFUSED, True)
    core.write(registry.delete_model, ANN, "ours")
    told = bring_model(core, "gone", renamed=True)
    assert (told.end, "deleted here" in told.reason) == (End.REFUSED, True)
    assert core.read(brought.match_model, ORIGIN, GivenModel("x", created_ms=LAST_YEAR_MS)) is None


def test_models_that_were_created_in_one_millisecond_are_never_taken_for_one(core: Core) -> None:
    for _ in range(2):
        for name in ("a", "b"):
            bring_model(core, name)
    assert core.read(brought.match_model, ORIGIN, GivenModel("c", created_ms=LAST_YEAR_MS)) is None
    assert bring_model(core, "c", renamed=True).end is End.CREATED


def test_what_came_and_is_still_here_is_listed_by_its_origin(core: Core) -> None:
    key = bring_experiment(core, "train").key
    bring_experiment(core, "gone", lifecycle_stage="deleted")
    core.write(experiments.create_experiment, ANN, "ours")
    bring_runs(core, run_of(), run_of(OTHER_RUN, lifecycle_stage="deleted"))
    core.run({})
    bring_logged(core, logged())
    with_versions(core, (1, 2))
    core.model("ours")
    core.write(registry.delete_version, ANN, "churn", 1)
    model_id = str(core.get(2).model_id)
    for kind, here in (
        (Kind.EXPERIMENT, [Brought(key, "train")]),
        (Kind.RUN, [Brought(RUN, "first try", "0")]),
        (Kind.LOGGED_MODEL, [Brought(MODEL_ID, "model", "0")]),
        (Kind.MODEL, [Brought(model_id, "churn")]),
        (Kind.VERSION, [Brought(str(core.get(2).id), "2", model_id)]),
    ):
        assert core.read(brought.brought, ORIGIN, kind) == here
        assert core.read(brought.brought, "http://other.example.com", kind) == []
        assert core.read(brought.brought, ORIGIN, kind, here[-1].key) == []
    bring_runs(core, run_of(OTHER_RUN))
    first = core.read(brought.brought, ORIGIN, Kind.RUN, limit=1)
    rest = core.read(brought.brought, ORIGIN, Kind.RUN, first[0].key, 1)
    assert [one.key for one in (*first, *rest)] == [RUN, OTHER_RUN]


def test_a_number_that_was_registered_here_meanwhile_is_left_alone(core: Core) -> None:
    with_versions(core, (1,))
    core.register("churn", "s3://bucket/ours")
    kept = bring_version(core, version_of(2))
    assert (kept.end, "registered here" in kept.reason) == (End.KEPT, True)
    core.write(registry.delete_version, ANN, "churn", 1)
    kept = bring_version(core, version_of(1))
    assert (kept.end, "deleted here" in kept.reason) == (End.KEPT, True)
    with pytest.raises(Conflict, match="this server's own"):
        place(core, 2, "Production")
    with pytest.raises(Conflict, match="this server's own"):
        point(core, "champion", 2)


def test_descriptions_and_tags_follow_the_source_until_they_are_changed_here(core: Core) -> None:
    bring_model(core, tags={"k": "v"}, description="one")
    assert bring_model(core, tags={"l": "w"}, description="two").end is End.CHANGED
    model = core.read(registry.get_model, "churn")
    assert (model.tags, model.description) == ({"l": "w"}, "two")
    bring_version(core, version_of(1, tags={"k": "v"}))
    assert bring_version(core, version_of(1, tags={"l": "w"}, description="d")).end is End.CHANGED
    core.tag(1, "modelkeep.reason", "an instruction is no change")
    assert bring_version(core, version_of(1, tags={}, description="d")).end is End.CHANGED
    assert core.get(1).tags == {"modelkeep.reason": "an instruction is no change"}
    core.tag(1, "tested", "yes")
    assert bring_version(core, version_of(1)).end is End.KEPT
    assert core.get(1).description == "d"


# -- where they stand --------------------------------------------------------------------------


def test_stages_and_aliases_are_placed_once_and_moved_no_more_if_somebody_did(core: Core) -> None:
    with_versions(core)
    assert place(core, 1, "Production").end is End.CREATED
    assert place(core, 1, "production").end is End.UNCHANGED
    assert place(core, 1, "Archived").end is End.CHANGED
    assert place(core, 2, "None").end is End.UNCHANGED
    core.promote(1, "Staging")
    kept = place(core, 1, "Production")
    assert (kept.end, "moved here" in kept.reason) == (End.KEPT, True)
    assert core.stages() == {1: "Staging", 2: "None", 3: "None"}
    assert point(core, "best", 1).end is End.CREATED
    assert point(core, "best", 2).end is End.CHANGED
    assert point(core, "best", 2).end is End.UNCHANGED
    core.set_alias("best", 3)
    assert point(core, "best", 1).end is End.KEPT
    assert point(core, "best", None).end is End.KEPT
    assert core.alias("best") == 3


def test_an_alias_that_the_source_has_no_more_goes_only_if_an_import_set_it(core: Core) -> None:
    with_versions(core)
    core.set_alias("ours", 1)
    assert point(core, "ours", None).end is End.UNCHANGED
    point(core, "theirs", 1)
    assert point(core, "theirs", None).end is End.CHANGED
    assert (core.alias("ours"), core.alias("theirs")) == (1, None)


def test_an_import_is_no_door_around_the_policy(core: Core) -> None:
    core.apply({**APPROVAL, "aliases": {"champion": "Production"}})
    with_versions(core)
    waiting = place(core, 1, "Production")
    assert (waiting.end, "someone else" in waiting.reason.lower()) == (End.WAITING, True)
    assert point(core, "champion", 1).end is End.WAITING
    assert (core.stages()[1], core.alias("champion")) == ("None", None)
    assert place(core, 1, "Production").end is End.WAITING  # asked once, however often it is run
    assert core.acts().count("approval:request:opened") == 1
    assert core.approve(1, by=BOB).end is Ended.MOVED
    assert place(core, 1, "Production").end is End.UNCHANGED
    assert point(core, "champion", 1).end is End.UNCHANGED


def test_a_refusal_is_told_and_the_same_again_is_not_journalled(core: Core) -> None:
    core.apply({"stage_transitions": {"Staging -> Production": {}}})
    with_versions(core)
    for _ in range(2):
        refused = place(core, 1, "Production")
        assert (refused.end, "lifecycle" in refused.reason) == (End.REFUSED, True)
    assert core.acts().count("version:stage:refused") == 1


def test_a_version_that_a_newer_one_displaced_is_not_put_back(core: Core) -> None:
    core.apply({"stage_transitions": {"None -> Production": {}, "Archived -> Production": {}}})
    with_versions(core, (1, 2))
    first = [place(core, number, "Production").end for number in (1, 2)]
    again = [place(core, number, "Production").end for number in (1, 2)]
    assert (first, again) == ([End.CREATED, End.CREATED], [End.KEPT, End.UNCHANGED])
    assert core.in_stage("Production") == [2]


def test_whoever_imports_a_version_may_not_approve_it(core: Core) -> None:
    core.apply(APPROVAL)
    bring_runs(core, run_of())
    bring_model(core)
    given = version_of(1, source=f"runs:/{RUN}/model", author="bob")  # a claim of the source's
    bring_version(core, given, by=ANN)
    asked = core.promote(1, "Production", by=ROB)
    for barred in ("ann", "bob", "tina", "rob"):
        result = core.approve(asked.request_id, by=Caller(replace(ANN.actor, name=barred)))
        assert result.end is Ended.REFUSED, barred
    assert core.approve(asked.request_id, by=Caller(replace(ANN.actor, name="eve"))).is_done


def test_who_imported_a_version_cannot_be_rewritten_unseen(core: Core) -> None:
    with_versions(core, (1,))

    def rewrite(work: Any, importer: str) -> None:
        sql = "UPDATE imports SET importer = ? WHERE kind = 'version'"
        work.db.run(sql, importer)

    core.write(rewrite, "mallory")
    report = core.verify()
    assert any("importer is 'mallory'" in problem.message for problem in report.problems)
    core.write(rewrite, "ann")


def test_a_reason_is_given_where_the_policy_wants_one(core: Core) -> None:
    core.apply({"stage_transitions": {"None -> Production": {"reason_required": True}}})
    with_versions(core)
    assert place(core, 1, "Production").end is End.REFUSED
    assert place(core, 1, "Production", reason="it served there for a year").end is End.CREATED


# -- what came ---------------------------------------------------------------------------------


def test_the_files_that_came_are_listed_page_by_page(core: Core) -> None:
    for path in ("a", "b/c", "b/d", "é"):
        core.put(f"0/{RUN}/artifacts/{path}", path)
    core.put(f"0/{OTHER_RUN}/artifacts/a", "another's")
    folder, after, seen = f"0/{RUN}/artifacts", "", []
    while page := core.read(files.files_in, folder, after, 3):
        seen += [file.path for file in page]
        after = page[-1].path
    assert seen == ["a", "b/c", "b/d", "é"]
    for wrong in ("../x", "/", ""):
        with pytest.raises(InvalidInput):
            core.read(files.files_in, wrong)


def test_an_import_by_nobody_is_an_import_by_anonymous(core: Core) -> None:
    nobody = Caller(replace(ANN.actor, name="anonymous"))
    bring_model(core, by=nobody)
    bring_version(core, version_of(1, author=" Anonymous "), by=nobody)
    assert core.get(1).author == "anonymous"


def test_a_rollback_knows_no_time_before_the_import(core: Core) -> None:
    with_versions(core, (1, 2))
    place(core, 2, "Production")
    with pytest.raises(Conflict, match="the first that Production"):
        core.roll_back()
    core.write(promotion.set_alias, ROB, "churn", "best", 1)
    assert point(core, "best", 1).end is End.UNCHANGED  # the same, by whomever
