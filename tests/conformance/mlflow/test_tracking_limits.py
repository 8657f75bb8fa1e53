"""The limits of tracking on the wire, and what logged models answer there."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server for all: to start one takes longer than any of these tests."""
    server = Server(tmp_path_factory.mktemp("server") / "data")
    server.start()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
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
