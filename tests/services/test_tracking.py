"""Experiments, runs and logged models, on both databases."""

import json
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NotFound
from modelkeep.domain.search import Comparison, Order
from modelkeep.domain.tracking import ACTIVE, DELETED, Dataset, Metric, ModelOutput
from modelkeep.ports.tracking import DatasetFilter, MetricOrder
from modelkeep.services import experiments, tracking
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.reader import Reader
from modelkeep.storage.sql.writer import Writer
from tests.support.clock import NOON_MS, MovedClock

ANA = Caller(Actor("ana"))
DEFAULT = 0
NEWEST = [Order("attribute", "creation_time", ascending=False)]


class Store:
    """A database with its writer and reader."""

    def __init__(self, database_url: str, folder: Path, clock: MovedClock) -> None:
        dialect = dialect_for(database_url, folder)
        schema.ensure(dialect)
        self._writer, self._reader = (
            Writer(dialect, clock),
            Reader(dialect, clock, search_timeout_s=30),
        )
        self.write, self.read = self._writer.run, self._reader.run

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def new_run(self, name: str = "", **facts: Any) -> str:
        facts = {"experiment_id": DEFAULT, **facts}
        return self.write(tracking.create_run, ANA, name=name, **facts).run_id

    def run(self, run_id: str) -> Any:
        return self.read(tracking.get_run, run_id)

    def log(self, run_id: str, **things: Any) -> None:
        self.write(tracking.log_batch, ANA, run_id, **things)

    def new_model(self, name: str = "", **facts: Any) -> str:
        return self.write(tracking.create_logged_model, ANA, DEFAULT, name=name, **facts).model_id

    def find_runs(
        self,
        *where: Comparison,
        order: tuple[Order, ...] = (),
        stages: tuple[str, ...] = (ACTIVE,),
    ) -> list[str]:
        found = self.read(tracking.search_runs, [DEFAULT], stages, where, order, 100)
        return [run.name for run in found.items]

    def find_models(self, *where: Comparison, **facts: Any) -> list[str]:
        datasets, order = facts.get("datasets", ()), facts.get("order", ())
        found = self.read(tracking.search_logged_models, [DEFAULT], where, datasets, order, 100)
        return [model.name for model in found.items]


@pytest.fixture
def store(database_url: str, tmp_path: Path, clock: MovedClock) -> Iterator[Store]:
    store = Store(database_url, tmp_path, clock)
    yield store
    store.close()


def metric(key: str, value: float, step: int = 0, at_ms: int = 1, **facts: Any) -> Metric:
    return Metric(key, value, at_ms, step, **facts)


# -- experiments -------------------------------------------------------------------------------


def test_the_default_experiment_is_there_from_the_start(store: Store) -> None:
    found = store.read(experiments.get_experiment, DEFAULT)
    assert (found.name, found.artifact_location) == ("Default", "mlflow-artifacts:/0")


def test_an_experiment_has_an_artifact_folder_of_its_own(store: Store) -> None:
    created = store.write(experiments.create_experiment, ANA, "iris", "", {"team": "a"})
    found = store.read(experiments.get_experiment_by_name, "iris")
    assert found == store.read(experiments.get_experiment, created)
    assert found.artifact_location == f"mlflow-artifacts:/{created}"
    assert found.tags == {"team": "a"}
    assert (found.created_ms, found.updated_ms) == (NOON_MS, NOON_MS)


def test_an_experiment_needs_a_proper_name(store: Store) -> None:
    for name in ("", "a\nb", "x" * 501):
        with pytest.raises(InvalidInput):
            store.write(experiments.create_experiment, ANA, name)


def test_a_deleted_experiment_keeps_its_name(store: Store) -> None:
    created = store.write(experiments.create_experiment, ANA, "iris")
    store.write(experiments.delete_experiment, ANA, created)
    with pytest.raises(AlreadyExists, match=r"Experiment\(name=iris\) already exists"):
        store.write(experiments.create_experiment, ANA, "iris")
    assert store.read(experiments.get_experiment_by_name, "iris").lifecycle_stage == DELETED


def test_deleting_an_experiment_deletes_its_runs_and_restoring_brings_them_back(
    store: Store,
) -> None:
    created = store.write(experiments.create_experiment, ANA, "iris")
    run_id = store.new_run(experiment_id=created)
    store.write(experiments.delete_experiment, ANA, created)
    assert store.run(run_id).lifecycle_stage == DELETED
    with pytest.raises(NotFound, match=f"No Experiment with id={created} exists"):
        store.write(experiments.delete_experiment, ANA, created)
    for use_case, *args in (
        (experiments.rename_experiment, ANA, created, "other"),
        (experiments.set_experiment_tag, ANA, created, "k", "v"),
        (tracking.create_run, ANA, created),
    ):
        with pytest.raises(InvalidInput):
            store.write(use_case, *args)
    store.write(experiments.restore_experiment, ANA, created)
    assert store.run(run_id).lifecycle_stage == ACTIVE


def test_an_experiment_is_renamed_unless_the_name_is_taken(store: Store, clock: MovedClock) -> None:
    created = store.write(experiments.create_experiment, ANA, "iris")
    clock.advance(5)
    with pytest.raises(AlreadyExists):
        store.write(experiments.rename_experiment, ANA, created, "Default")
    store.write(experiments.rename_experiment, ANA, created, "lily")
    found = store.read(experiments.get_experiment, created)
    assert (found.name, found.updated_ms) == ("lily", NOON_MS + 5)


def test_experiment_tags_are_set_and_deleted(store: Store) -> None:
    store.write(experiments.set_experiment_tag, ANA, DEFAULT, "k", "1")
    store.write(experiments.set_experiment_tag, ANA, DEFAULT, "k", "2")
    assert store.read(experiments.get_experiment, DEFAULT).tags == {"k": "2"}
    store.write(experiments.delete_experiment_tag, ANA, DEFAULT, "k")
    with pytest.raises(NotFound, match="No tag with name: k in experiment with id 0"):
        store.write(experiments.delete_experiment_tag, ANA, DEFAULT, "k")


def test_experiments_are_searched(store: Store, clock: MovedClock) -> None:
    store.write(experiments.create_experiment, ANA, "A", "", {"team": "x"})
    clock.advance(1)
    store.write(experiments.create_experiment, ANA, "b", "", {"team": "y"})

    def find(*where: Any) -> list[str]:
        conditions = [Comparison(*where)] if where else []
        found = store.read(experiments.search_experiments, [ACTIVE], conditions, NEWEST, 10).items
        return [experiment.name for experiment in found]

    expected = {
        (): ["b", "A", "Default"],
        ("attribute", "name", "LIKE", "a%"): [],
        ("attribute", "name", "ILIKE", "a%"): ["A"],
        ("attribute", "experiment_id", "IN", (0, 1)): ["A", "Default"],
        ("attribute", "creation_time", ">", NOON_MS): ["b"],
        ("attribute", "creation_time", "<", 10**30): ["b", "A", "Default"],
        ("tag", "team", "=", "x"): ["A"],
        ("tag", "team", "!=", "x"): ["b"],
        ("tag", "team", "IS NULL", None): ["Default"],
        ("tag", "team", "IS NOT NULL", None): ["b", "A"],
    }
    assert {where: find(*where) for where in expected} == expected


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("s3://bucket/path/", "s3://bucket/path"),
        ("mlflow-artifacts:/team a/x", "mlflow-artifacts:/team a/x"),
    ],
)
def test_runs_and_models_lie_under_the_location_of_their_experiment(
    store: Store, location: str, root: str
) -> None:
    created = store.write(experiments.create_experiment, ANA, "iris", location)
    run = store.write(tracking.create_run, ANA, created)
    model = store.write(tracking.create_logged_model, ANA, created)
    assert run.artifact_uri == f"{root}/{run.run_id}/artifacts"
    assert model.artifact_uri == f"{root}/models/{model.model_id}/artifacts"


def test_an_experiment_cannot_lie_where_the_client_pleases(store: Store) -> None:
    with pytest.raises(InvalidInput, match="Invalid artifact_location: 'file:///etc'"):
        store.write(experiments.create_experiment, ANA, "iris", "file:///etc")


# -- runs --------------------------------------------------------------------------------------


def test_a_run_without_a_name_gets_one_and_says_it_in_its_tag(store: Store) -> None:
    run = store.write(tracking.create_run, ANA, DEFAULT, user_id="u", start_ms=7, tags={"k": "v"})
    assert len(run.name.split("-")) == 3
    assert run.tags == {"k": "v", "mlflow.runName": run.name}
    assert (run.author, run.user_id, run.status, run.start_ms) == ("ana", "u", "RUNNING", 7)
    assert run.end_ms is None
    assert len(run.run_id) == 32
    assert store.run(run.run_id) == run


def test_a_runs_name_and_its_tag_stay_in_step(store: Store) -> None:
    run_id = store.new_run("first")
    store.write(tracking.update_run, ANA, run_id, name="second")
    assert store.run(run_id).tags["mlflow.runName"] == "second"
    store.log(run_id, tags=[("mlflow.runName", "third")])
    store.log(run_id, tags=[("mlflow.runName", "")])
    assert (store.run(run_id).name, store.run(run_id).tags["mlflow.runName"]) == ("third",) * 2
    assert store.run(store.new_run(tags={"mlflow.runName": "tagged"})).name == "tagged"
    with pytest.raises(InvalidInput, match="different values"):
        store.new_run("a", tags={"mlflow.runName": "b"})


def test_an_update_changes_only_what_it_names(store: Store) -> None:
    run_id = store.new_run("a")
    store.write(tracking.update_run, ANA, run_id, status="FINISHED")
    assert store.run(run_id).end_ms is None
    found = store.write(tracking.update_run, ANA, run_id, end_ms=9)
    assert (found.name, found.status, found.end_ms) == ("a", "FINISHED", 9)


def test_a_deleted_run_takes_nothing_more_and_can_still_be_read(store: Store) -> None:
    run_id = store.new_run()
    store.log(run_id, tags=[("k", "v")])
    store.write(tracking.delete_run, ANA, run_id)
    state = f"The run {run_id} must be in the 'active' state. Current state is deleted."
    for use_case, *args in (
        (tracking.log_batch, ANA, run_id, [metric("m", 1)]),
        (tracking.update_run, ANA, run_id),
        (tracking.delete_tag, ANA, run_id, "k"),
        (tracking.log_inputs, ANA, run_id, [Dataset("d", "1")], []),
        (tracking.log_outputs, ANA, run_id, []),
        (tracking.log_model, ANA, run_id, MODEL_JSON),
    ):
        with pytest.raises(InvalidInput, match=state):
            store.write(use_case, *args)
    assert store.run(run_id).lifecycle_stage == DELETED
    store.write(tracking.restore_run, ANA, run_id)
    store.log(run_id, metrics=[metric("m", 1)])


def test_a_run_that_is_not_there_is_not_found(store: Store) -> None:
    for use_case, *args in (
        (tracking.delete_run, ANA, "nope"),
        (tracking.restore_run, ANA, "nope"),
        (tracking.log_batch, ANA, "nope"),
        (tracking.log_model, ANA, "nope", MODEL_JSON),
    ):
        with pytest.raises(NotFound, match="Run with id=nope not found"):
            store.write(use_case, *args)
    with pytest.raises(NotFound, match="Run with id=nope not found"):
        store.read(tracking.metric_history, "nope", "m", 1)
    with pytest.raises(NotFound, match="No Experiment with id=77 exists"):
        store.new_run(experiment_id=77)


def test_a_param_never_changes(store: Store) -> None:
    run_id = store.new_run()
    store.log(run_id, params=[("p", "1")])
    store.log(run_id, params=[("p", "1"), ("q", "2")])
    with pytest.raises(InvalidInput) as refusal:
        store.log(run_id, params=[("p", "2")])
    assert refusal.value.message == (
        "Changing param values is not allowed. Param with key='p' was already logged with "
        f"value='1' for run ID='{run_id}'. Attempted logging new value '2'."
    )
    with pytest.raises(InvalidInput, match="'old_value': '2', 'new_value': '3'"):
        store.log(run_id, params=[("p", "1"), ("q", "3")])
    assert store.run(run_id).params == {"p": "1", "q": "2"}


BAD_ITEMS: list[dict[str, Any]] = [
    {"metrics": [metric("a//b", 1)]},
    {"metrics": [metric("", 1)]},
    {"metrics": [metric("m", 1, at_ms=-1)]},
    {"metrics": [metric("m", 1, dataset_name="d")]},
    {"metrics": [metric("m", 1)] * 1001},
    {"params": [("p" * 251, "1")]},
    {"params": [("p", "1"), ("p", "2")]},
    {"params": [("..", "1")]},
    {"params": [(f"p{n}", "1") for n in range(101)]},
    {"params": [("known", "other")]},
    {"tags": [("t*", "")]},
    {"tags": [(f"t{n}", "") for n in range(101)]},
]


def test_a_batch_with_one_bad_item_changes_nothing(store: Store) -> None:
    run_id = store.new_run()
    store.log(run_id, params=[("known", "1")])
    before = store.run(run_id)
    good = {"metrics": [metric("ok", 1)], "params": [("ok", "1")], "tags": [("ok", "1")]}
    for things in BAD_ITEMS:
        with pytest.raises(InvalidInput):
            store.log(
                run_id, **{kind: [*given, *things.get(kind, ())] for kind, given in good.items()}
            )
    with pytest.raises(NotFound):
        store.log(run_id, **{**good, "metrics": [metric("m", 1, model_id="m-none")]})
    assert store.run(run_id) == before
    assert store.read(tracking.metric_history, run_id, "ok", 10).items == []


def test_a_batch_holds_at_most_a_thousand_things(store: Store) -> None:
    run_id = store.new_run()
    metrics = [metric("m", float(step), step) for step in range(1000)]
    store.log(run_id, metrics=metrics)
    with pytest.raises(InvalidInput, match=r"at most 1000 metrics, params, and tags\. Got 1001"):
        store.log(run_id, metrics=metrics, params=[("p", "1")])
    assert len(store.read(tracking.metric_history, run_id, "m", 5000).items) == 1000


def test_the_latest_point_is_the_highest_in_step_time_and_value(store: Store) -> None:
    run_id = store.new_run()
    store.log(run_id, metrics=[metric("m", 5, step=2, at_ms=9), metric("m", 1, step=3, at_ms=1)])
    store.log(run_id, metrics=[metric("m", 7, step=2, at_ms=99)])
    assert store.run(run_id).metrics == {"m": 1.0}
    store.log(run_id, metrics=[metric("m", 0.5, step=3, at_ms=1), metric("m", 4, step=3, at_ms=1)])
    assert store.run(run_id).metrics == {"m": 4.0}
    history = store.read(tracking.metric_history, run_id, "m", 10).items
    assert [(point.at_ms, point.step, point.value) for point in history] == [
        *((1, 3, 0.5), (1, 3, 1.0), (1, 3, 4.0)),
        *((9, 2, 5.0), (99, 2, 7.0)),
    ]


def test_metrics_that_are_no_numbers_are_kept_as_they_are(store: Store) -> None:
    run_id = store.new_run()
    points = [metric("nan", math.nan), metric("inf", math.inf), metric("minus", -math.inf)]
    store.log(run_id, metrics=[*points, *points, metric("large", 1.7976931348623157e308)])
    found = store.run(run_id).metrics
    assert math.isnan(found.pop("nan"))
    assert found == {"inf": math.inf, "minus": -math.inf, "large": 1.7976931348623157e308}
    assert len(store.read(tracking.metric_history, run_id, "nan", 10).items) == 1


def test_the_latest_point_is_right_however_many_write_at_once(store: Store) -> None:
    run_id = store.new_run()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda s: store.log(run_id, metrics=[metric("m", s, s)]), range(200)))
    assert store.run(run_id).metrics == {"m": 199.0}


def test_the_ends_of_64_bits_fit(store: Store) -> None:
    run_id = store.new_run(start_ms=2**63 - 1)
    store.log(run_id, metrics=[metric("m", 1, 2**63 - 1, 2**63 - 1), metric("n", 1, -(2**63))])
    assert [point.step for point in store.run(run_id).latest] == [2**63 - 1, -(2**63)]


def test_tags_are_replaced_and_deleted(store: Store) -> None:
    run_id = store.new_run("a")
    store.log(run_id, tags=[("k", "1"), ("k", "2")])
    assert store.run(run_id).tags["k"] == "2"
    store.write(tracking.delete_tag, ANA, run_id, "k")
    with pytest.raises(NotFound, match=f"No tag with name: k in run with id {run_id}"):
        store.write(tracking.delete_tag, ANA, run_id, "k")


def test_what_a_run_read_and_made_is_told(store: Store) -> None:
    run_id, model_id = store.new_run(), store.new_model()
    train = Dataset("d", "1", "http", "{}", "s", None, {"mlflow.data.context": "train"})
    store.write(tracking.log_inputs, ANA, run_id, [train, Dataset("d", "2")], [model_id])
    store.write(tracking.log_inputs, ANA, run_id, [Dataset("d", "1", "other")], [model_id])
    store.write(tracking.log_outputs, ANA, run_id, [ModelOutput(model_id, 3)])
    run = store.run(run_id)
    assert run.datasets == (train, Dataset("d", "2"))
    assert run.model_inputs == (model_id,)
    assert run.model_outputs == (ModelOutput(model_id, 3),)
    # A model may be another server's.
    store.write(
        tracking.log_outputs, ANA, run_id, [ModelOutput(model_id, 4), ModelOutput("m-none")]
    )
    store.write(tracking.log_inputs, ANA, run_id, [], ["m-none"])
    run = store.run(run_id)
    assert set(run.model_outputs) == {ModelOutput(model_id, 4), ModelOutput("m-none")}
    assert set(run.model_inputs) == {model_id, "m-none"}
    with pytest.raises(InvalidInput, match="model_id"):
        store.write(tracking.log_outputs, ANA, run_id, [ModelOutput("m" * 257)])
    with pytest.raises(InvalidInput, match=r"dataset\.digest"):
        store.write(tracking.log_inputs, ANA, run_id, [Dataset("d", "")], [])


def test_a_refusal_says_where_in_a_list_a_key_stands(store: Store) -> None:
    run_id = store.new_run()
    good, bad = Metric("ok", 1.0, 1), Metric("../x", 1.0, 1)
    late = Metric("ok", 1.0, -1)
    for things, place in (
        ({"metrics": [good, good, bad]}, "metrics[2].name"),
        ({"metrics": [good, late]}, "metrics[1].timestamp"),
        ({"params": [("ok", "1"), ("../x", "1")]}, "params[1].key"),
        ({"tags": [("../x", "1")]}, "tags[0].key"),
        ({"metrics": [bad], "listed": False}, "name"),
        ({"metrics": [late], "listed": False}, "timestamp"),
        ({"params": [("../x", "1")], "listed": False}, "key"),
        ({"tags": [("../x", "1")], "listed": False}, "key"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(f"for parameter '{place}' supplied: ")):
            store.log(run_id, **things)
    assert store.run(run_id).latest == ()


MODEL_JSON = json.dumps(
    {
        "run_id": "r",
        "artifact_path": "model",
        "utc_time_created": "2026-01-01",
        "flavors": {"sklearn": {}},
        "mlflow_version": "2.10.0",
    }
)


def test_models_of_2x_clients_are_appended_to_a_tag_of_any_length(store: Store) -> None:
    run_id = store.new_run()
    large = json.dumps({**json.loads(MODEL_JSON), "flavors": {"x": "y" * 9000}})
    for model in (MODEL_JSON, large):
        store.write(tracking.log_model, ANA, run_id, model)
    history = json.loads(store.run(run_id).tags["mlflow.log-model.history"])
    assert [entry["artifact_path"] for entry in history] == ["model", "model"]
    assert "mlflow_version" not in history[0]
    odd = {"utc_time_created": "t", "artifact_path": "p", "run_id": "r", "extra": 1}
    flavors = {"tf": "body", "python_function": {"config": {"a": 1}, "code": "c"}}
    store.write(tracking.log_model, ANA, run_id, json.dumps({**odd, "flavors": flavors}))
    entry = json.loads(store.run(run_id).tags["mlflow.log-model.history"])[-1]
    assert list(entry) == ["utc_time_created", "artifact_path", "run_id", "flavors"]
    assert entry["flavors"] == {"tf": "body", "python_function": {"code": "c"}}
    with pytest.raises(InvalidInput, match="Malformed model info"):
        store.write(tracking.log_model, ANA, run_id, "[" * 100_000)
    with pytest.raises(InvalidInput, match="not an object"):
        store.write(tracking.log_model, ANA, run_id, json.dumps({**odd, "flavors": ["tf"]}))
    with pytest.raises(InvalidInput, match="mandatory fields"):
        store.write(tracking.log_model, ANA, run_id, "{}")


# -- searching for runs ------------------------------------------------------------------------


@pytest.fixture
def runs(store: Store) -> Store:
    """Runs a, b, c and d, started in this order, and a deleted one."""
    facts: dict[str, dict[str, Any]] = {
        "a": {"metrics": [metric("acc", 0.5)], "params": [("lr", "0.1")], "tags": [("t", "x_1")]},
        "b": {"metrics": [metric("acc", math.nan)], "params": [("lr", "0.2")]},
        "c": {"metrics": [metric("acc", math.inf)], "tags": [("t", "X_1"), ("u", "y" * 200)]},
        "d": {"params": [("lr", "LR")], "tags": [("t", "x%1")]},
        "gone": {"metrics": [metric("acc", 0.5)]},
    }
    for start_ms, (name, things) in enumerate(facts.items()):
        store.log(store.new_run(name, start_ms=start_ms, user_id=f"u-{name}"), **things)
    found = {
        run.name: run.run_id
        for run in store.read(tracking.search_runs, [DEFAULT], [ACTIVE], [], [], 10).items
    }
    store.write(tracking.delete_run, ANA, found["gone"])
    store.write(tracking.update_run, ANA, found["a"], status="FINISHED", end_ms=50)
    train = Dataset("iris", "abc", tags={"mlflow.data.context": "train"})
    store.write(tracking.log_inputs, ANA, found["a"], [train], [])
    store.write(tracking.log_inputs, ANA, found["b"], [Dataset("wine", "def")], [])
    return store


def test_runs_are_found_by_what_is_known_of_them(runs: Store) -> None:
    expected = {
        ("metric", "acc", "=", 0.5): "a",
        ("metric", "acc", "!=", 0.5): "cb",
        ("metric", "acc", ">", 0.4): "ca",
        ("metric", "acc", "<", 1): "a",
        ("metric", "acc", "<=", 0): "",
        ("metric", "other", "!=", 1): "",
        ("param", "lr", "=", "0.1"): "a",
        ("param", "lr", "!=", "0.1"): "db",
        ("param", "lr", "LIKE", "0.%"): "ba",
        ("param", "lr", "LIKE", "l%"): "",
        ("param", "lr", "ILIKE", "l%"): "d",
        ("param", "lr", "IS NULL", None): "c",
        ("param", "lr", "IS NOT NULL", None): "dba",
        ("tag", "t", "=", "x_1"): "a",
        ("tag", "t", "!=", "x_1"): "dc",
        ("tag", "t", "LIKE", "x_1"): "da",
        ("tag", "t", "ILIKE", "x_1"): "dca",
        ("tag", "t", "IS NULL", None): "b",
        ("tag", "t", "IS NOT NULL", None): "dca",
        ("tag", "u", "=", "y" * 200): "c",
        ("tag", "u", "=", "y" * 100): "",
        ("attribute", "run_name", "=", "b"): "b",
        ("attribute", "run_name", "IN", ("a", "d")): "da",
        ("attribute", "user_id", "NOT IN", ("u-a", "u-b")): "dc",
        ("attribute", "status", "=", "FINISHED"): "a",
        ("attribute", "start_time", ">=", 2): "dc",
        ("attribute", "start_time", "<", 10**25): "dcba",
        ("attribute", "start_time", ">", -(10**30)): "dcba",
        ("attribute", "end_time", "!=", 3): "a",
        ("attribute", "artifact_uri", "ILIKE", "MLFLOW-artifacts:/0/%"): "dcba",
        ("dataset", "name", "=", "iris"): "a",
        ("dataset", "name", "LIKE", "%i%"): "ba",
        ("dataset", "digest", "IN", ("def", "x")): "b",
        ("dataset", "context", "=", "train"): "a",
        ("dataset", "context", "!=", "eval"): "a",
    }
    found = {where: "".join(runs.find_runs(Comparison(*where))) for where in expected}
    assert found == expected


def test_all_conditions_must_hold(runs: Store) -> None:
    where = [Comparison("param", "lr", "LIKE", "0%"), Comparison("tag", "t", "=", "x_1")]
    assert runs.find_runs(*where) == ["a"]
    assert runs.find_runs(stages=(DELETED,)) == ["gone"]
    assert runs.find_runs(stages=(ACTIVE, DELETED)) == ["gone", "d", "c", "b", "a"]


def test_runs_are_ordered(runs: Store) -> None:
    expected = {
        # What is missing comes last either way, and a NaN before that.
        ("metric", "acc", True): "acbd",
        ("metric", "acc", False): "cabd",
        ("param", "lr", True): "abdc",
        ("param", "lr", False): "dbac",
        ("tag", "t", False): "adcb",
        ("attribute", "start_time", True): "abcd",
        ("attribute", "end_time", False): "adcb",
        ("attribute", "run_name", False): "dcba",
    }
    found = {order: "".join(runs.find_runs(order=(Order(*order),))) for order in expected}
    assert found == expected


def test_pages_of_runs_neither_overlap_nor_leave_gaps(runs: Store) -> None:
    for name in "efgh":
        runs.new_run(name, start_ms=3)
    order = (Order("metric", "acc", ascending=True),)
    pages, after = [], None
    while not pages or after:
        page = runs.read(tracking.search_runs, [DEFAULT], [ACTIVE], [], order, 3, after)
        pages.append([run.name for run in page.items])
        after = page.end
    assert [name for page in pages for name in page] == runs.find_runs(order=order)
    assert [len(page) for page in pages] == [3, 3, 2]


def test_a_page_of_runs_brings_all_that_was_logged(runs: Store) -> None:
    found = runs.read(tracking.search_runs, [DEFAULT, 5], [ACTIVE], [], [], 10).items
    singly = [runs.run(run.run_id) for run in found]
    assert repr(found) == repr(singly)  # not `==`: one of them has a NaN
    assert runs.read(tracking.search_runs, [], [ACTIVE], [], [], 10).items == []


# -- logged models -----------------------------------------------------------------------------


def test_a_logged_model_is_pending_until_it_is_finished(store: Store, clock: MovedClock) -> None:
    run_id = store.new_run()
    model = store.write(
        tracking.create_logged_model,
        ANA,
        DEFAULT,
        name="m",
        model_type="sklearn",
        source_run_id=run_id,
        params=[("p", "1")],
        tags={"k": "v"},
    )
    assert (model.status, model.source_run_id, model.author) == ("PENDING", run_id, "ana")
    assert model.model_id.startswith("m-")
    assert len(model.model_id) == 34
    assert (model.params, model.tags) == ({"p": "1"}, {"k": "v"})
    clock.advance(3)
    found = store.write(tracking.finish_logged_model, ANA, model.model_id, "READY")
    assert (found.status, found.created_ms, found.updated_ms) == ("READY", NOON_MS, NOON_MS + 3)


def test_logged_models_take_params_and_tags(store: Store) -> None:
    model_id = store.new_model("m", params=[("p", "1")])
    store.write(tracking.log_logged_model_params, ANA, model_id, [("p", "1"), ("q", "2")])
    with pytest.raises(InvalidInput, match="Changing param values is not allowed"):
        store.write(tracking.log_logged_model_params, ANA, model_id, [("q", "3")])
    store.write(tracking.set_logged_model_tags, ANA, model_id, {"a": "1"})
    store.write(tracking.set_logged_model_tags, ANA, model_id, {"a": "2", "b": "3"})
    store.write(tracking.delete_logged_model_tag, ANA, model_id, "b")
    with pytest.raises(NotFound, match=f"No tag with key 'b' found for model with ID '{model_id}'"):
        store.write(tracking.delete_logged_model_tag, ANA, model_id, "b")
    model = store.read(tracking.get_logged_model, model_id)
    assert (model.params, model.tags) == ({"p": "1", "q": "2"}, {"a": "2"})


def test_a_deleted_logged_model_is_found_only_by_who_asks_for_it(store: Store) -> None:
    model_id = store.new_model("m")
    store.write(tracking.delete_logged_model, ANA, model_id)
    missing = f"Logged model with ID '{model_id}' not found."
    with pytest.raises(NotFound, match=missing):
        store.read(tracking.get_logged_model, model_id)
    with pytest.raises(NotFound, match=missing):
        store.write(tracking.set_logged_model_tags, ANA, model_id, {"a": "1"})
    assert store.read(tracking.get_logged_model, model_id, deleted=True).deleted
    assert store.find_models() == []


def test_a_logged_model_needs_a_proper_name(store: Store) -> None:
    for name in ("a/b", "a:b", "a.b", "a%b", 'a"b', "a'b", "x" * 501):
        with pytest.raises(InvalidInput, match=r"Invalid model name|exceeds"):
            store.new_model(name)


def test_a_metric_of_a_model_is_the_runs_and_the_models(store: Store) -> None:
    run_id, model_id = store.new_run(), store.new_model()
    on: dict[str, Any] = {"model_id": model_id, "dataset_name": "d", "dataset_digest": "1"}
    points = [metric("acc", 0.5, 1, **on), metric("acc", 0.7, 2, model_id=model_id)]
    store.log(run_id, metrics=[*points, metric("acc", 0.5, 1, model_id=model_id)])
    store.log(run_id, metrics=[*points, metric("other", math.nan)])
    model = store.read(tracking.get_logged_model, model_id)
    assert [(p.step, p.value, p.dataset_name, p.run_id) for p in model.points] == [
        (1, 0.5, None, run_id),
        (1, 0.5, "d", run_id),
        (2, 0.7, None, run_id),
    ]
    assert model.metrics == {"acc": 0.7}
    assert store.run(run_id).metrics["acc"] == 0.7


@pytest.fixture
def models(store: Store, clock: MovedClock) -> Store:
    run_id = store.new_run()
    for name, value, dataset in (("a", 0.5, "d"), ("b", 0.9, "d"), ("c", math.nan, "e")):
        clock.advance(1)
        model_id = store.new_model(name, params=[("p", name)], tags={"t": name.upper()})
        on: dict[str, Any] = {"model_id": model_id, "dataset_name": dataset, "dataset_digest": "1"}
        store.log(run_id, metrics=[metric("acc", value, **on)])
    clock.advance(1)
    store.new_model("sub", model_type="x")
    return store


def test_logged_models_are_searched(models: Store) -> None:
    cases: list[tuple[list[Comparison], list[DatasetFilter], list[str]]] = [
        ([], [], ["sub", "c", "b", "a"]),
        ([Comparison("attribute", "name", "=", "sub")], [], ["sub"]),
        ([Comparison("attribute", "name", "IN", ("a", "b"))], [], ["b", "a"]),
        ([Comparison("attribute", "model_type", "LIKE", "x%")], [], ["sub"]),
        ([Comparison("attribute", "creation_timestamp", ">", NOON_MS + 2)], [], ["sub", "c"]),
        ([Comparison("param", "p", "=", "a")], [], ["a"]),
        ([Comparison("tag", "t", "ILIKE", "b")], [], ["b"]),
        ([Comparison("metric", "acc", ">=", 0)], [], ["b", "a"]),
        ([Comparison("metric", "acc", "!=", 0)], [], ["c", "b", "a"]),
        ([Comparison("metric", "acc", ">", 0.6)], [DatasetFilter("d", "1")], ["b"]),
        ([Comparison("metric", "acc", ">", 0.6)], [DatasetFilter("e")], []),
        ([], [DatasetFilter("e"), DatasetFilter("d", "2")], ["c"]),
    ]
    found = [models.find_models(*where, datasets=datasets) for where, datasets, _ in cases]
    assert found == [expected for _, _, expected in cases]


def test_logged_models_are_ordered(models: Store) -> None:
    by_metric = MetricOrder(Order("metric", "acc", ascending=False))
    assert models.find_models(order=[by_metric]) == ["b", "a", "sub", "c"]
    on_e = MetricOrder(Order("metric", "acc", ascending=True), DatasetFilter("d", "1"))
    assert models.find_models(order=[on_e]) == ["a", "b", "sub", "c"]
    by_name = MetricOrder(Order("attribute", "name", ascending=False))
    assert models.find_models(order=[by_name]) == ["sub", "c", "b", "a"]


def test_logged_models_need_no_experiment_to_be_searched(models: Store) -> None:
    assert models.read(tracking.search_logged_models, [], [], [], [], 10).items == []
