"""Tracking, as stock MLflow clients use it, and its wire where they cannot show it."""

import base64
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.clients import Client
from tests.support.server import Server

pytestmark = pytest.mark.client

LARGEST = sys.float_info.max


# -- both clients ------------------------------------------------------------------------------


def test_experiments_go_through_their_whole_life(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import mlflow
        from mlflow import MlflowClient
        from mlflow.entities import ViewType
        from mlflow.exceptions import MlflowException

        client = MlflowClient()
        assert client.get_experiment("0").name == "Default"
        created = mlflow.set_experiment("iris")
        assert created.artifact_location == f"mlflow-artifacts:/{created.experiment_id}"
        other = client.create_experiment("wine", tags={"team": "a"})
        client.set_experiment_tag(other, "kind", "b c")
        assert client.get_experiment(other).tags == {"team": "a", "kind": "b c"}
        client.rename_experiment(other, "wines")

        names = lambda found: [e.name for e in found]
        assert names(client.search_experiments()) == ["wines", "iris", "Default"]
        assert names(client.search_experiments(order_by=["name DESC"]))[0] == "wines"
        assert names(client.search_experiments(filter_string="tags.kind = 'b c'")) == ["wines"]
        assert names(client.search_experiments(filter_string="name ILIKE 'I%'")) == ["iris"]
        page = client.search_experiments(max_results=2)
        assert len(page) == 2 and page.token
        assert names(client.search_experiments(max_results=2, page_token=page.token)) == ["Default"]

        client.delete_experiment(other)
        assert names(client.search_experiments(view_type=ViewType.DELETED_ONLY)) == ["wines"]
        assert len(client.search_experiments(view_type=ViewType.ALL)) == 3
        for name in ("wines", "iris"):
            try:
                client.create_experiment(name)
            except MlflowException as error:
                assert error.error_code == "RESOURCE_ALREADY_EXISTS", error
            else:
                raise AssertionError("the name was taken")
        client.restore_experiment(other)
        assert client.get_experiment_by_name("wines").lifecycle_stage == "active"
        assert client.get_experiment_by_name("none") is None
        """,
        url=server.url,
    )


def test_a_run_is_logged_and_read_back(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import math

        import mlflow
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        mlflow.set_experiment("iris")
        with mlflow.start_run(run_name="first", tags={"a": "b"}, description="what it is") as run:
            mlflow.log_param("lr", 0.1)
            mlflow.log_params({"depth": 3, "kind": "tree"})
            for step in range(5):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_metrics({"acc": 0.9, "nan": math.nan, "inf": math.inf}, step=7)
            mlflow.set_tag("c", "d")
            mlflow.set_tags({"e": "f", "g": "h"})
            mlflow.delete_tag("g")
        client = MlflowClient()
        run_id = run.info.run_id
        found = client.get_run(run_id)
        assert found.info.run_id == run_id
        assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
        assert found.info.end_time >= found.info.start_time > 0
        assert found.info.artifact_uri == f"mlflow-artifacts:/1/{run_id}/artifacts"
        assert found.data.params == {"lr": "0.1", "depth": "3", "kind": "tree"}
        assert math.isnan(found.data.metrics.pop("nan"))
        assert found.data.metrics == {"loss": 0.2, "acc": 0.9, "inf": 1.7976931348623157e308}
        assert {"a": "b", "c": "d", "e": "f"}.items() <= found.data.tags.items()
        assert "g" not in found.data.tags
        assert found.data.tags["mlflow.runName"] == "first"
        assert found.data.tags["mlflow.note.content"] == "what it is"
        history = client.get_metric_history(run_id, "loss")
        assert [(point.step, point.value) for point in history] == [
            (step, 1 / (step + 1)) for step in range(5)
        ]

        client.update_run(run_id, status="FAILED", name="second")
        renamed = client.get_run(run_id)
        assert (renamed.info.status, renamed.info.run_name) == ("FAILED", "second")
        assert renamed.data.tags["mlflow.runName"] == "second"

        made = client.create_run("1")
        assert len(made.info.run_name.split("-")) == 3
        client.log_batch(
            made.info.run_id,
            [Metric("m", step, 1, step) for step in range(1000)],
        )
        client.log_batch(
            made.info.run_id,
            params=[Param(f"p{n}", str(n)) for n in range(100)],
            tags=[RunTag(f"t{n}", str(n)) for n in range(100)],
        )
        client.set_terminated(made.info.run_id, end_time=5)
        found = client.get_run(made.info.run_id)
        assert (found.info.end_time, found.data.metrics) == (5, {"m": 999})
        assert len(found.data.params) == 100
        """,
        url=server.url,
        user="ana",
    )


def test_what_must_not_change_is_refused_in_mlflows_words(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import re

        from mlflow import MlflowClient
        from mlflow.entities import Param
        from mlflow.exceptions import MlflowException

        client = MlflowClient()
        run_id = client.create_run("0").info.run_id


        def refused(code, text, call, *args):
            try:
                call(*args)
            except MlflowException as error:
                assert error.error_code == code, error
                assert re.search(text, str(error)), error
            else:
                raise AssertionError("it was not refused")


        bad, missing = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
        client.log_param(run_id, "p", 1)
        client.log_param(run_id, "p", 1)
        changing = "value='1' for run ID='.*'. Attempted logging new value '2'"
        refused(bad, changing, client.log_param, run_id, "p", 2)
        batch = [Param("q", "1"), Param("p", "2")]
        refused(bad, "Changing param values", client.log_batch, run_id, (), batch)
        refused(bad, "Duplicate parameter keys", client.log_batch, run_id, (), [batch[0]] * 2)
        assert client.get_run(run_id).data.params == {"p": "1"}
        nowhere = "Run with id=0+ not found"
        refused(missing, nowhere, client.get_run, "0" * 32)
        refused(missing, nowhere, client.log_metric, "0" * 32, "m", 1)
        refused(missing, "No tag with name: k in run", client.delete_tag, run_id, "k")
        refused(missing, "No Experiment with id=99 exists", client.create_run, "99")
        client.delete_run(run_id)
        refused(bad, "must be in the 'active' state", client.log_metric, run_id, "m", 1)
        client.restore_run(run_id)
        client.log_metric(run_id, "m", 1)
        refused(bad, "artifact_location", client.create_experiment, "x", "file:///etc")
        """,
        url=server.url,
    )


def test_runs_are_searched_filtered_ordered_and_paged(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import math

        import mlflow
        from mlflow import MlflowClient
        from mlflow.entities import ViewType

        mlflow.set_experiment("iris")
        client = MlflowClient()
        for number, acc in enumerate([0.5, 0.9, math.nan, 0.7]):
            run = client.create_run("1", start_time=number + 1, run_name=f"r{number}")
            client.log_metric(run.info.run_id, "val acc", acc)
            client.log_param(run.info.run_id, "lr", f"0.{number}")
            client.set_tag(run.info.run_id, "odd", str(number % 2 == 1))
        bare = client.create_run("1", start_time=9, run_name="bare")


        def names(text="", **more):
            return [r.info.run_name for r in client.search_runs(["1"], text, **more)]


        assert names() == ["bare", "r3", "r2", "r1", "r0"]
        assert names("metrics.`val acc` > 0.6") == ["r3", "r1"]
        assert names("metrics.`val acc` > 0.6 and params.lr = '0.1'") == ["r1"]
        assert names("tags.odd = 'True' AND attributes.start_time < 4") == ["r1"]
        assert names("attributes.run_name LIKE 'r%' AND params.lr != '0.0'") == ["r3", "r2", "r1"]
        assert names(f"attributes.run_id IN ('{bare.info.run_id}')") == ["bare"]
        assert names(order_by=["metrics.`val acc` DESC"]) == ["r1", "r3", "r0", "r2", "bare"]
        assert names(order_by=["metrics.`val acc` ASC"]) == ["r0", "r3", "r1", "r2", "bare"]
        assert names(order_by=["params.lr DESC", "start_time"])[-1] == "bare"
        found, token = [], None
        while True:
            page = client.search_runs(["1"], "", max_results=2, page_token=token)
            found, token = found + [r.info.run_name for r in page], page.token
            if not token:
                break
        assert found == names()
        client.delete_run(bare.info.run_id)
        assert names(run_view_type=ViewType.DELETED_ONLY) == ["bare"]
        frame = mlflow.search_runs(experiment_names=["iris"], filter_string="metrics.`val acc`<1")
        assert sorted(frame["params.lr"]) == ["0.0", "0.1", "0.3"], frame
        assert list(mlflow.search_runs(search_all_experiments=True)["run_id"])
        """,
        url=server.url,
    )


def test_data_sets_are_logged_and_found(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import mlflow
        import pandas
        from mlflow import MlflowClient

        frame = pandas.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
        data = mlflow.data.from_pandas(frame, source="https://example.org/x.csv", name="iris")
        with mlflow.start_run() as run:
            mlflow.log_input(data, context="training")
        client = MlflowClient()
        inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
        assert [(i.dataset.name, i.dataset.digest) for i in inputs] == [("iris", data.digest)]
        assert [(t.key, t.value) for t in inputs[0].tags] == [("mlflow.data.context", "training")]
        assert "mlflow_colspec" in inputs[0].dataset.schema
        for text in ("dataset.name = 'iris'", "datasets.context = 'training'"):
            assert len(client.search_runs(["0"], text)) == 1
        assert len(client.search_runs(["0"], "dataset.name = 'wine'")) == 0
        """,
        url=server.url,
    )


# -- MLflow 3 ----------------------------------------------------------------------------------


def test_logged_models_go_through_their_whole_life(mlflow3: Client, server: Server) -> None:
    mlflow3.run(
        """
        import mlflow
        from mlflow import MlflowClient
        from mlflow.entities import LoggedModelInput, LoggedModelOutput, Metric
        from mlflow.exceptions import MlflowException

        mlflow.set_experiment("iris")
        client = MlflowClient()
        run_id = client.create_run("1").info.run_id
        model = client.create_logged_model(
            "1",
            name="tree",
            source_run_id=run_id,
            params={f"p{n}": str(n) for n in range(250)},
            tags={"a": "b"},
            model_type="classifier",
        )
        model_id = model.model_id
        assert str(model.status) == "PENDING"
        assert model.artifact_location == f"mlflow-artifacts:/1/models/{model_id}/artifacts"
        client.set_logged_model_tags(model_id, {"c": "d", "mlflow.x": "y"})
        client.delete_logged_model_tag(model_id, "c")
        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=4)])
        client.log_metric(
            run_id, "acc", 0.9, model_id=model_id, dataset_name="d", dataset_digest="1"
        )
        found = client.get_logged_model(model_id)
        assert str(found.status) == "READY"
        assert len(found.params) == 250
        assert found.tags == {"a": "b", "mlflow.x": "y"}
        assert found.model_type == "classifier"
        assert found.source_run_id == run_id
        assert [(m.key, m.value, m.dataset_name) for m in found.metrics] == [("acc", 0.9, "d")]
        outputs = client.get_run(run_id).outputs.model_outputs
        assert [(o.model_id, o.step) for o in outputs] == [(model_id, 4)]

        for n, acc in enumerate((0.5, 0.95)):
            other = client.create_logged_model("1", name=f"other{n}")
            client.log_metric(run_id, "acc", acc, step=n, model_id=other.model_id)
        client.create_logged_model("1", name="sub")


        def names(text=None, **more):
            return [m.name for m in client.search_logged_models(["1"], text, **more)]


        assert names() == ["sub", "other1", "other0", "tree"]
        assert names("name = 'sub'") == ["sub"]
        assert names("metrics.acc > 0.6 AND params.p1 = '1'") == ["tree"]
        assert names("tags.a = 'b'") == ["tree"]
        best = [{"field_name": "metrics.acc", "ascending": False}]
        assert names(order_by=best) == ["other1", "tree", "other0", "sub"]
        on = [{"dataset_name": "d", "dataset_digest": "1"}]
        assert names("metrics.acc > 0.1", datasets=on) == ["tree"]
        page = client.search_logged_models(["1"], max_results=3)
        assert len(page) == 3 and page.token
        rest = client.search_logged_models(["1"], max_results=3, page_token=page.token)
        assert [m.name for m in rest] == ["tree"]

        client.delete_logged_model(model_id)
        try:
            client.get_logged_model(model_id)
        except MlflowException as error:
            assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
            assert f"Logged model with ID '{model_id}' not found." in str(error)
        else:
            raise AssertionError("it was deleted")
        """,
        url=server.url,
    )


def test_a_model_is_logged_with_the_metrics_of_its_run(mlflow3: Client, server: Server) -> None:
    mlflow3.run(
        """
        import mlflow
        from mlflow import MlflowClient
        from sklearn.linear_model import LinearRegression

        mlflow.set_experiment("iris")
        with mlflow.start_run() as run:
            mlflow.log_param("depth", 3)
            mlflow.log_metric("acc", 0.5)
            mlflow.log_metric("acc", 0.7, step=2)
            fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
            options = {"serialization_format": "pickle", "pip_requirements": ["scikit-learn"]}
            info = mlflow.sklearn.log_model(fitted, name="model", **options)
        model = MlflowClient().get_logged_model(info.model_id)
        assert str(model.status) == "READY"
        assert (model.params, model.source_run_id) == ({"depth": "3"}, run.info.run_id)
        # The client looks up the metrics of the model's own step, which is 0.
        assert [(m.step, m.value) for m in model.metrics] == [(0, 0.5)]
        """,
        url=server.url,
    )


# -- MLflow 2 ----------------------------------------------------------------------------------


def test_a_2x_client_notes_its_models_in_a_tag(mlflow2: Client, server: Server) -> None:
    mlflow2.run(
        """
        import json

        import mlflow
        from sklearn.linear_model import LinearRegression

        fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        with mlflow.start_run() as run:
            for path in ("first", "second"):
                mlflow.sklearn.log_model(fitted, path, pip_requirements=["scikit-learn"])
        tags = mlflow.get_run(run.info.run_id).data.tags
        history = json.loads(tags["mlflow.log-model.history"])
        assert [entry["artifact_path"] for entry in history] == ["first", "second"]
        """,
        url=server.url,
    )


# -- the wire ----------------------------------------------------------------------------------


class Wire:
    """The bare API."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/2.0/mlflow/", trust_env=False)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    wire = Wire(server.url)
    yield wire
    wire.http.close()


@pytest.fixture
def run_id(wire: Wire) -> str:
    return wire.post("runs/create").json()["run"]["info"]["run_id"]


def test_a_run_is_answered_under_both_of_its_ids(wire: Wire, run_id: str) -> None:
    for key in ("run_id", "run_uuid"):
        info = wire.get("runs/get", **{key: run_id}).json()["run"]["info"]
        assert info["run_id"] == info["run_uuid"] == run_id
        assert (info["experiment_id"], info["status"]) == ("0", "RUNNING")
        assert "end_time" not in info
    assert wire.post("runs/update", run_uuid=run_id, status=3).json()["run_info"]["status"] == (
        "FINISHED"
    )


def test_metrics_that_are_no_json_numbers_have_a_spelling(wire: Wire, run_id: str) -> None:
    given = {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": "0.5", "e": 1}
    metrics = [{"key": key, "value": value, "timestamp": "1"} for key, value in given.items()]
    assert wire.post("runs/log-batch", run_id=run_id, metrics=metrics).json() == {}
    found = wire.get("runs/get", run_id=run_id).json()["run"]["data"]["metrics"]
    assert {metric["key"]: metric["value"] for metric in found} == {
        "a": "NaN",
        "b": LARGEST,
        "c": -LARGEST,
        "d": 0.5,
        "e": 1.0,
    }
    assert {(metric["timestamp"], metric["step"]) for metric in found} == {(1, 0)}


def test_searches_have_defaults_and_limits(wire: Wire, run_id: str) -> None:
    for answer in (
        wire.post("experiments/search"),
        wire.get("experiments/search", max_results="5", view_type="ACTIVE_ONLY"),
        wire.get("experiments/search", order_by=["name ASC", "experiment_id DESC"]),
    ):
        assert [e["experiment_id"] for e in answer.json()["experiments"]] == ["0"]
        assert "next_page_token" not in answer.json()
    assert len(wire.post("runs/search", experiment_ids=["0"]).json()["runs"]) == 1
    assert wire.post("runs/search").json() == {}
    assert wire.post("logged-models/search").json() == {}
    for path, body in (
        ("runs/search", {"max_results": 50_001}),
        ("runs/search", {"max_results": -1}),
        ("runs/search", {"page_token": "%%%"}),
        ("runs/search", {"run_view_type": "SOME"}),
        ("runs/search", {"experiment_ids": ["x"]}),
        ("runs/search", {"experiment_ids": ["0"] * 10_001}),
        ("experiments/search", {"max_results": 50_001}),
        ("experiments/search", {"max_results": 0}),
        ("logged-models/search", {"order_by": [{"field_name": "params.x"}]}),
        ("logged-models/search", {"datasets": [{"dataset_digest": "1"}]}),
    ):
        answer = wire.post(path, **body)
        assert (answer.status_code, answer.json()["error_code"]) == (
            *(400, "INVALID_PARAMETER_VALUE"),
        ), (path, body)


def test_what_is_missing_or_wrong_is_named(wire: Wire, run_id: str) -> None:
    point = {"key": "m", "value": 1, "timestamp": 1}
    for path, body, text in (
        ("runs/log-metric", {**point, "run_id": ""}, "'run_id'"),
        ("runs/log-metric", {"run_id": run_id, "key": "m", "timestamp": 1}, "'value'"),
        ("runs/log-metric", {**point, "run_id": run_id, "value": "x"}, "must be numbers"),
        ("runs/log-metric", {**point, "run_id": run_id, "step": 2**63}, "step"),
        ("runs/log-batch", {"run_id": run_id, "metrics": [{"key": "m"}]}, "'metrics[0].value'"),
        ("runs/log-batch", {"run_id": run_id, "params": [{}]}, "'params[0].key'"),
        ("runs/log-batch", {"run_id": run_id, "metrics": [point] * 1001}, "at most 1000 metrics"),
        ("runs/update", {"run_id": run_id, "status": "DONE"}, "'status'"),
        ("runs/log-inputs", {"run_id": run_id, "datasets": [{}]}, "must have a dataset"),
        ("experiments/create", {}, "'name'"),
        ("experiments/delete", {"experiment_id": "x"}, "Invalid experiment ID 'x'"),
    ):
        answer = wire.post(path, **body)
        assert (answer.status_code, answer.json()["error_code"]) == (
            *(400, "INVALID_PARAMETER_VALUE"),
        ), (path, body)
        assert text in answer.json()["message"]
    assert wire.get("runs/get", run_id=run_id).json()["run"]["data"].keys() == {"tags"}


def test_what_is_not_there_is_404(wire: Wire) -> None:
    for path, params in (
        ("runs/get", {"run_id": "x"}),
        ("metrics/get-history", {"run_id": "x", "metric_key": "m"}),
        ("experiments/get", {"experiment_id": "77"}),
        ("experiments/get", {"experiment_id": "9" * 30}),
        ("experiments/get-by-name", {"experiment_name": "x"}),
        ("logged-models/m-0", {}),
    ):
        answer = wire.get(path, **params)
        assert (answer.status_code, answer.json()["error_code"]) == (
            *(404, "RESOURCE_DOES_NOT_EXIST"),
        ), (path, params)


def test_a_history_comes_in_pages(wire: Wire, run_id: str) -> None:
    metrics = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(5)]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics)
    found, token = [], ""
    while True:
        page = wire.get(
            "metrics/get-history", run_id=run_id, metric_key="m", max_results=2, page_token=token
        ).json()
        found += [point["step"] for point in page["metrics"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert found == [0, 1, 2, 3, 4]
    whole = wire.get("metrics/get-history", run_id=run_id, metric_key="m").json()
    assert len(whole["metrics"]) == 5
    assert wire.get("metrics/get-history", run_id=run_id, metric_key="none").json() == {}


def test_a_token_is_of_one_history(wire: Wire, run_id: str) -> None:
    metrics = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(3)]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics)
    asked = {"run_id": run_id, "metric_key": "m", "max_results": 1}
    token = wire.get("metrics/get-history", **asked).json()["next_page_token"]
    by_number = base64.b64encode(b'{"offset": 1}').decode()
    for other in ({"metric_key": "n", "page_token": token}, {"page_token": by_number}):
        answer = wire.get("metrics/get-history", **{**asked, **other})
        assert answer.status_code == 400
        assert "Invalid page token" in answer.json()["message"]
