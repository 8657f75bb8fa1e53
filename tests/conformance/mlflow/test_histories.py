"""What MLflow's pages and its REST documentation ask of tracking, beyond the Python client."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.server import Server

LARGEST = 1.7976931348623157e308


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server for all: to start one takes longer than any of these tests."""
    server = Server(tmp_path_factory.mktemp("server") / "data")
    server.start()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client
    server.kill()


@pytest.fixture
def experiment(wire: httpx.Client, request: pytest.FixtureRequest) -> str:
    """The id of an experiment that no other test knows."""
    return made(wire, "experiments/create", name=request.node.nodeid)["experiment_id"]


def made(wire: httpx.Client, path: str, **body: Any) -> Any:
    answer = wire.post(f"/api/2.0/mlflow/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def new_run(wire: httpx.Client, points: int = 0, experiment_id: str = "0") -> str:
    run_id = made(wire, "runs/create", experiment_id=experiment_id)["run"]["info"]["run_id"]
    metrics = [{"key": "loss", "value": v, "timestamp": 100 + v, "step": v} for v in range(points)]
    made(wire, "runs/log-batch", run_id=run_id, metrics=metrics)
    return run_id


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    return answer.json()["message"]


@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_histories_of_runs_are_given_whole(wire: httpx.Client, api: str) -> None:
    path = f"/{api}/2.0/mlflow/metrics/get-history-bulk"
    first, second = sorted((new_run(wire, 3), new_run(wire, 3)))
    asked: dict[str, Any] = {"run_id": [second, first, "none"], "metric_key": "loss"}
    found = wire.get(path, params=asked).json()["metrics"]
    assert found[1] == {"key": "loss", "value": 1.0, "timestamp": 101, "step": 1, "run_id": first}
    assert [m["run_id"] for m in found] == [first] * 3 + [second] * 3
    assert len(wire.get(path, params={**asked, "max_results": 4}).json()["metrics"]) == 4
    assert wire.get(path, params={**asked, "metric_key": "acc"}).json() == {"metrics": []}

    def wrong(**params: Any) -> str:
        return refused(wire.get(path, params=params))

    bulk = "GetMetricHistoryBulk request"
    assert wrong(metric_key="m") == f"{bulk} must specify at least one run_id."
    assert wrong(run_id=first) == f"{bulk} must specify a metric_key."
    assert wrong(run_id=[first] * 101, metric_key="m") == (
        f"{bulk} cannot specify more than 100 run_ids. Received 101 run_ids."
    )
    assert "max_results" in wrong(run_id=first, metric_key="m", max_results=-1)
    assert "max_results" in wrong(run_id=first, metric_key="m", max_results="many")


@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_histories_of_runs_are_sampled(wire: httpx.Client, api: str) -> None:
    path = f"/{api}/2.0/mlflow/metrics/get-history-bulk-interval"
    run_id = new_run(wire, 100)

    def steps(**params: Any) -> list[int]:
        asked = {"run_ids": [run_id, "none"], "metric_key": "loss", **params}
        found = wire.get(path, params=asked).json().get("metrics", [])
        assert {m["run_id"] for m in found} <= {run_id}
        return [m["step"] for m in found]

    assert steps(max_results=10) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 99]
    assert steps(max_results=320, start_step=20, end_step=30) == list(range(20, 31))
    assert steps() == list(range(100))
    assert steps(metric_key="acc") == []

    def wrong(**params: Any) -> str:
        return refused(wire.get(path, params=params))

    asked = {"run_ids": run_id, "metric_key": "loss"}
    assert wrong(metric_key="m").startswith("Missing value for required parameter 'run_ids'")
    assert wrong(run_ids="r").startswith("Missing value for required parameter 'metric_key'")
    for size in (0, 2501):
        assert wrong(**asked, max_results=size) == "max_results must be between 1 and 2500."
    assert wrong(metric_key="m", run_ids=[run_id] * 101) == (
        "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. "
        "Received 101 run_ids."
    )
    for alone in ("start_step", "end_step"):
        assert wrong(**asked, **{alone: 1}) == (
            "If either start step or end step are specified, both must be specified."
        )
    assert wrong(**asked, start_step=4, end_step=3) == (
        "end_step must be greater than start_step. Found start_step=4 and end_step=3."
    )


def test_numbers_that_json_does_not_have_are_spelt_alike_in_every_history(
    wire: httpx.Client,
) -> None:
    run_id = new_run(wire)
    given = [("NaN", 1), ("Infinity", 2), ("-Infinity", 3)]
    metrics = [{"key": "m", "value": value, "timestamp": at, "step": at} for value, at in given]
    made(wire, "runs/log-batch", run_id=run_id, metrics=metrics)
    for call, name in (
        ("get-history", "run_id"),
        ("get-history-bulk", "run_id"),
        ("get-history-bulk-interval", "run_ids"),
    ):
        path = f"/ajax-api/2.0/mlflow/metrics/{call}"
        found = wire.get(path, params={name: run_id, "metric_key": "m"}).json()["metrics"]
        assert [metric["value"] for metric in found] == ["NaN", LARGEST, -LARGEST]


def test_the_data_sets_of_experiments_are_listed(wire: httpx.Client, experiment: str) -> None:
    run_id = new_run(wire, experiment_id=experiment)
    iris = {"name": "iris", "digest": "d1", "source_type": "local", "source": "x"}
    context = [{"key": "mlflow.data.context", "value": "training"}]
    datasets = [{"dataset": iris, "tags": context}, {"dataset": {**iris, "digest": "d2"}}]
    made(wire, "runs/log-inputs", run_id=run_id, datasets=datasets)
    for api in ("api", "ajax-api"):
        path = f"/{api}/2.0/mlflow/experiments/search-datasets"
        assert wire.post(path, json={"experiment_ids": [experiment]}).json()[
            "dataset_summaries"
        ] == [
            {"experiment_id": experiment, "name": "iris", "digest": "d1", "context": "training"},
            {"experiment_id": experiment, "name": "iris", "digest": "d2"},
        ]
        assert wire.post(path, json={"experiment_ids": ["999"]}).json() == {}
        assert refused(wire.post(path, json={})) == (
            "SearchDatasets request must specify at least one experiment_id."
        )
        assert refused(wire.post(path, json={"experiment_ids": ["0"] * 21})) == (
            "SearchDatasets request cannot specify more than 20 experiment_ids. "
            "Received 21 experiment_ids."
        )
        assert "must be a valid integer" in refused(wire.post(path, json={"experiment_ids": ["x"]}))


def test_a_run_takes_a_profile_of_16_mib_and_long_values_are_cut(wire: httpx.Client) -> None:
    run_id = new_run(wire)
    largest = {"name": "n", "digest": "d", "profile": "p" * 16_777_215}
    made(wire, "runs/log-inputs", run_id=run_id, datasets=[{"dataset": largest}])
    limits = {"name": 500, "digest": 36, "source": 65_535, "profile": 16_777_215}
    for field, limit in limits.items():
        dataset = {"name": "n", "digest": "d", field: "x" * (limit + 1)}
        body = {"run_id": run_id, "datasets": [{"dataset": dataset}]}
        said = refused(wire.post("/api/2.0/mlflow/runs/log-inputs", json=body))
        assert said.startswith(f"'{field}' exceeds the maximum length of {limit}")

    long = {"key": "long", "value": "x" * 9000}
    for _ in range(2):  # what is cut to the same value is the same value
        made(wire, "runs/log-batch", run_id=run_id, params=[long], tags=[long])
    made(wire, "runs/log-parameter", run_id=run_id, **long)
    data = wire.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()["run"]["data"]
    assert [len(param["value"]) for param in data["params"]] == [6000]
    assert {tag["key"]: len(tag["value"]) for tag in data["tags"]}["long"] == 8000


def test_a_tag_of_a_logged_model_is_deleted_by_any_key(wire: httpx.Client) -> None:
    model = made(wire, "logged-models", experiment_id="0")["model"]["info"]["model_id"]
    path = f"/api/2.0/mlflow/logged-models/{model}"
    keys = ["a/b", "a/b/c", "a b", "50%", "what?", "ä", "tags"]
    tags = {"tags": [{"key": key, "value": "x"} for key in keys]}
    assert wire.patch(f"{path}/tags", json=tags).status_code == 200
    for key in keys:
        assert wire.delete(f"{path}/tags/{quote(key, safe='')}").json() == {}
        assert wire.delete(f"{path}/tags/{quote(key, safe='')}").status_code == 404
    assert "tags" not in wire.get(path).json()["model"]["info"]


def test_a_search_of_logged_models_says_what_is_wrong_with_it(
    wire: httpx.Client, experiment: str
) -> None:
    for name in ("a", "b"):
        made(wire, "logged-models", experiment_id=experiment, name=name)
    search = "/api/2.0/mlflow/logged-models/search"
    asked: dict[str, Any] = {"experiment_ids": [experiment], "max_results": 1}
    first = wire.post(search, json=asked).json()
    page = {**asked, "page_token": first["next_page_token"]}
    assert len(wire.post(search, json=page).json()["models"]) == 1
    for other, what in (
        ({"experiment_ids": ["0"]}, "Experiment IDs in the page token do not match"),
        ({"filter": "name = 'a'"}, "Filter string in the page token does not match"),
        ({"order_by": [{"field_name": "name"}]}, "Order by in the page token does not match"),
        ({"page_token": "e30="}, "Invalid page token"),
        ({"page_token": "%"}, "Invalid page token"),
    ):
        assert what in refused(wire.post(search, json={**page, **other}))
    for text in ("Foo", "name = 'a' OR name = 'b'", "name = "):
        assert "Invalid filter string" in refused(wire.post(search, json={**asked, "filter": text}))


def test_a_logged_model_is_ordered_by_what_was_measured_on_a_digest(
    wire: httpx.Client, experiment: str
) -> None:
    run_id = new_run(wire)
    names = {}
    for name, values in (("a", (0.9, 0.1)), ("b", (0.8, 0.2))):
        info = made(wire, "logged-models", experiment_id=experiment, name=name)["model"]["info"]
        names[info["model_id"]] = name
        metrics = [
            {"key": "acc", "value": value, "timestamp": at, "model_id": info["model_id"]}
            | {"dataset_name": "iris", "dataset_digest": f"d{at}"}
            for at, value in enumerate(values)
        ]
        made(wire, "runs/log-batch", run_id=run_id, metrics=metrics)

    def order(**dataset: str) -> str:
        by = [{"field_name": "metrics.acc", **dataset}]
        body = {"experiment_ids": [experiment], "order_by": by}
        found = made(wire, "logged-models/search", **body)["models"]
        return "".join(names[model["info"]["model_id"]] for model in found)

    assert order(dataset_digest="d0") == "ba"
    assert order(dataset_digest="d1") == order() == "ab"


def test_a_page_has_at_least_one_row(wire: httpx.Client) -> None:
    run_id = new_run(wire, 3)
    for size in (0, -1):
        said = f"Invalid value {size} for parameter 'max_results' supplied. It must be a positive"
        for path in ("experiments/search", "runs/search"):
            body = {"max_results": size, "experiment_ids": ["0"]}
            assert refused(wire.post(f"/api/2.0/mlflow/{path}", json=body)).startswith(said)
        asked = {"run_id": run_id, "metric_key": "loss", "max_results": size}
        answer = wire.get("/api/2.0/mlflow/metrics/get-history", params=asked)
        assert refused(answer).startswith(said)


def test_a_relative_artifact_location_is_a_folder_of_the_server(wire: httpx.Client) -> None:
    created = made(wire, "experiments/create", name="e", artifact_location="team a/x")
    run = made(wire, "runs/create", experiment_id=created["experiment_id"])["run"]["info"]
    assert run["artifact_uri"] == f"mlflow-artifacts:/team a/x/{run['run_id']}/artifacts"
