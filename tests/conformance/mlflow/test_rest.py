"""MLflow's REST calls as `curl` and clients in other languages make them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.server import Server

API = "/api/2.0/mlflow"
PAGES = "/ajax-api/2.0/mlflow"  # where MLflow's pages call
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def http_(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def run_id(http_: httpx.Client) -> str:
    return new_run(http_)


def new_run(http_: httpx.Client, **facts: Any) -> str:
    answer = http_.post(f"{API}/runs/create", json=facts)
    return answer.json()["run"]["info"]["run_id"]


def log(http_: httpx.Client, run_id: str, key: str, values: list[float]) -> None:
    """One point a step, the later the older by the clock."""
    metrics = [
        {"key": key, "value": value, "step": step, "timestamp": 5000 - step}
        for step, value in enumerate(values)
    ]
    http_.post(f"{API}/runs/log-batch", json={"run_id": run_id, "metrics": metrics})


def refusal(answer: httpx.Response) -> str:
    """The text of an answer that says what the client did wrong."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    return answer.json()["message"]


# -- what is wrong is said as MLflow says it ---------------------------------------------------


def test_a_value_of_the_wrong_type_is_repeated(http_: httpx.Client, run_id: str) -> None:
    point = {"run_id": run_id, "key": "m", "value": 1, "timestamp": 1}
    for path, body, shown, field in (
        ("experiments/create", {"name": 123}, "123", "name"),
        ("experiments/create", {"name": "n", "artifact_location": 9.0}, "9.0", "artifact_location"),
        ("experiments/create", {"name": "n", "tags": "5"}, '"5"', "tags"),
        ("experiments/create", {"name": "n", "tags": [{"key": "k", "value": {}}]}, "{}", None),
        ("runs/log-metric", {**point, "run_id": 31}, "31", "run_id"),
        ("runs/log-metric", {**point, "step": "foo"}, '"foo"', "step"),
        ("runs/log-metric", {**point, "timestamp": True}, "true", "timestamp"),
        ("runs/set-tag", {"run_id": run_id, "key": "k", "value": 41}, "41", "value"),
        ("runs/log-batch", {"run_id": run_id, "metrics": "foo"}, '"foo"', "metrics"),
        ("runs/log-batch", {"run_id": run_id, "tags": [None]}, "null", "tags[0]"),
        ("registered-models/create", {"name": ["m"]}, '["m"]', "name"),
    ):
        text = refusal(http_.post(f"{API}/{path}", json=body))
        named = field or "tags[0].value"
        assert text.startswith(f"Invalid value {shown} for parameter '{named}' supplied"), text
    text = refusal(http_.get(f"{API}/metrics/get-history?run_id={run_id}&max_results=x"))
    assert text.startswith("Invalid value \"x\" for parameter 'max_results' supplied")
    long = {"name": ["x" * 100_000]}
    assert len(refusal(http_.post(f"{API}/experiments/create", json=long))) < 500


def test_what_is_missing_is_named(http_: httpx.Client, run_id: str) -> None:
    for path, body, named in (
        ("experiments/create", {}, "name"),
        ("experiments/create", {"name": ""}, "name"),
        ("experiments/create", {"name": None}, "name"),
        ("runs/log-metric", {"run_id": None, "key": "m", "value": 1, "timestamp": 1}, "run_id"),
        ("runs/log-parameter", {"run_id": run_id, "value": "v"}, "key"),
        (
            *("runs/log-batch", {"run_id": run_id, "metrics": [{"key": "m", "value": 1}]}),
            "metrics[0].timestamp",
        ),
        ("runs/log-inputs", {"datasets": []}, "run_id"),
    ):
        text = refusal(http_.post(f"{API}/{path}", json=body))
        assert text.startswith(f"Missing value for required parameter '{named}'."), text


def test_null_is_what_was_not_sent(http_: httpx.Client) -> None:
    """Clients that write every field of theirs send null for those that are not set."""
    unset = {"artifact_location": None, "tags": [{"key": "k", "value": None}]}
    answer = http_.post(f"{API}/experiments/create", json={"name": "n", **unset})
    found = http_.get(f"{API}/experiments/get", params=answer.json())
    assert found.json()["experiment"]["tags"] == [{"key": "k", "value": ""}]
    run_id = new_run(http_, experiment_id=None, tags=None, start_time=None)
    body = {"run_id": run_id, "metrics": None, "params": [{"key": "p", "value": None}]}
    assert http_.post(f"{API}/runs/log-batch", json=body).json() == {}
    page = {"experiment_ids": ["0"], "filter": None, "order_by": None, "page_token": None}
    (run,) = http_.post(f"{API}/runs/search", json=page).json()["runs"]
    assert run["data"]["params"] == [{"key": "p", "value": ""}]


def test_a_path_that_leads_elsewhere_is_refused_in_two_words(
    http_: httpx.Client, run_id: str
) -> None:
    for path, query in (
        (f"{API}/artifacts/list", {"run_id": run_id, "path": "../path"}),
        (f"{API}/artifacts/list", {"run_id": run_id, "path": "/path"}),
        ("/get-artifact", {"run_id": run_id, "path": "../path"}),
        ("/model-versions/get-artifact", {"name": "m", "version": 1, "path": "../path"}),
    ):
        assert refusal(http_.get(path, params=query)) == "Invalid path"


# -- what MLflow's pages ask -------------------------------------------------------------------


def test_the_histories_of_many_runs_come_together(http_: httpx.Client) -> None:
    runs = sorted(new_run(http_) for _ in range(2))
    for run_id in runs:
        log(http_, run_id, "loss", [0.5, 0.25])
    answer = http_.get(
        f"{PAGES}/metrics/get-history-bulk", params={"run_id": runs, "metric_key": "loss"}
    )
    assert answer.json()["metrics"] == [
        {"key": "loss", "value": value, "timestamp": 5000 - step, "step": step, "run_id": run_id}
        for run_id in runs
        for step, value in ((1, 0.25), (0, 0.5))
    ]
    first = {"run_id": runs[0], "metric_key": "loss", "max_results": 1}
    assert len(http_.get(f"{PAGES}/metrics/get-history-bulk", params=first).json()["metrics"]) == 1
    none = {"run_id": "none", "metric_key": "loss"}
    assert http_.get(f"{PAGES}/metrics/get-history-bulk", params=none).json() == {"metrics": []}


def test_histories_are_thinned_out_for_charts(http_: httpx.Client) -> None:
    long, short = new_run(http_), new_run(http_)
    log(http_, long, "loss", [float(n) for n in range(1000)])
    log(http_, short, "loss", [1.0, 2.0])

    def steps(**query: Any) -> list[tuple[str, int]]:
        asked = {"run_ids": [long, short], "metric_key": "loss", **query}
        answer = http_.get(f"{PAGES}/metrics/get-history-bulk-interval", params=asked)
        return [(metric["run_id"], metric["step"]) for metric in answer.json()["metrics"]]

    assert steps(max_results=3) == [(long, 0), (long, 334), (long, 999), (short, 0), (short, 1)]
    assert steps(max_results=2, start_step=10, end_step=20) == [(long, 10), (long, 20)]
    assert len(steps()) == 1002


def test_the_data_sets_of_experiments_are_listed(http_: httpx.Client, run_id: str) -> None:
    dataset = {"name": "iris", "digest": "1", "source_type": "local", "source": "x"}
    context = {"key": "mlflow.data.context", "value": "training"}
    given = [{"dataset": dataset, "tags": [context]}, {"dataset": {**dataset, "name": "wine"}}]
    http_.post(f"{API}/runs/log-inputs", json={"run_id": run_id, "datasets": given})
    asked = {"experiment_ids": ["0", "1"]}
    answer = http_.post(f"{PAGES}/experiments/search-datasets", json=asked)
    assert answer.json()["dataset_summaries"] == [
        {"experiment_id": "0", "name": "iris", "digest": "1", "context": "training"},
        {"experiment_id": "0", "name": "wine", "digest": "1"},
    ]


def test_what_the_pages_ask_has_limits(http_: httpx.Client) -> None:
    def got(path: str, **query: Any) -> str:
        return refusal(http_.get(f"{PAGES}/metrics/{path}", params=query))

    bulk, thinned = "get-history-bulk", "get-history-bulk-interval"
    many = [f"id_{n}" for n in range(1000)]
    assert "at least one run_id" in got(bulk, metric_key="k")
    assert "cannot specify more than 100 run_ids" in got(bulk, metric_key="k", run_id=many)
    assert "must specify a metric_key" in got(bulk, run_id="1")
    assert "'run_ids'" in got(thinned, metric_key="k")
    assert "at most 100 run_ids" in got(thinned, metric_key="k", run_ids=many)
    assert "'metric_key'" in got(thinned, run_ids="1")
    one = {"metric_key": "k", "run_ids": "1"}
    assert "between 1 and 2500" in got(thinned, **one, max_results=0)
    assert "between 1 and 2500" in got(thinned, **one, max_results=2501)
    assert "end_step must be greater" in got(thinned, **one, start_step=1, end_step=0)
    assert "both must be specified" in got(thinned, **one, start_step=1)
    datasets = f"{PAGES}/experiments/search-datasets"
    assert "at least one experiment_id" in refusal(http_.post(datasets, json={}))
    ids = {"experiment_ids": [str(n) for n in range(21)]}
    assert "more than 20 experiment_ids" in refusal(http_.post(datasets, json=ids))


def test_all_of_a_run_is_the_folder_dot(http_: httpx.Client, run_id: str) -> None:
    root = f"0/{run_id}/artifacts"
    http_.put(f"{FILES}/{root}/a/b.txt", content=b"x")
    listed = [http_.get(FILES, params={"path": p}).json() for p in (root, f"{root}/.")]
    assert listed[0] == listed[1] == {"files": [{"path": "a", "is_dir": True}]}
    assert http_.get(FILES, params={"path": f"{root}/./a"}).json()["files"][0]["path"] == "b.txt"


def test_an_infinity_that_was_read_and_logged_again_is_one_point(
    http_: httpx.Client, run_id: str
) -> None:
    def points(value: float | str) -> list[dict[str, Any]]:
        point = {"key": "m", "value": value, "timestamp": 1, "step": 0}
        body = {"run_id": run_id, "metrics": [point]}
        assert http_.post(f"{API}/runs/log-batch", json=body).status_code == 200
        query = {"run_id": run_id, "metric_key": "m"}
        return http_.get(f"{API}/metrics/get-history", params=query).json()["metrics"]

    (read,) = points("-Infinity")
    assert points(read["value"]) == [read]
    for text, found in ((repr(read["value"]), 1), (repr(-read["value"]), 0)):
        search = {"experiment_ids": ["0"], "filter": f"metrics.m = {text}"}
        runs = http_.post(f"{API}/runs/search", json=search).json().get("runs", [])
        assert len(runs) == found
