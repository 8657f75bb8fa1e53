"""The questions that MLflow's pages ask by GraphQL."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def http_(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


def made(http_: httpx.Client, path: str, **body: Any) -> Any:
    return http_.post(f"{API}/{path}", json=body).raise_for_status().json()


def asked(http_: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    answer = http_.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def data(http_: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    answer = asked(http_, query, **variables)
    assert answer["errors"] is None
    return answer["data"]


def new_run(http_: httpx.Client, experiment_id: str) -> str:
    return made(http_, "runs/create", experiment_id=experiment_id, start_time=7)["run"]["info"][
        "run_id"
    ]


@pytest.fixture
def experiment_id(http_: httpx.Client) -> str:
    return made(http_, "experiments/create", name="churn")["experiment_id"]


@pytest.fixture
def run_id(http_: httpx.Client, experiment_id: str) -> str:
    return new_run(http_, experiment_id)


def test_a_run_comes_with_its_experiment_and_the_versions_made_of_it(
    http_: httpx.Client, run_id: str
) -> None:
    made(http_, "registered-models/create", name="m")
    made(http_, "model-versions/create", name="m", source=f"runs:/{run_id}/a", run_id=run_id)
    made(http_, "runs/log-metric", run_id=run_id, key="auc", value="NaN", timestamp=1)
    made(http_, "runs/set-tag", run_id=run_id, key="k", value="v")
    query = """
      query Page($data: MlflowGetRunInput!) @component(name: "run") {
        mlflowGetRun(input: $data) {
          apiError { code message }
          run {
            __typename
            info { runId status startTime endTime lifecycleStage }
            data { metrics { key value step } tags { key value } params { key } }
            experiment { name lastUpdateTime tags { key } }
            modelVersions { name version status aliases }
          }
        }
      }
    """
    found = data(http_, query, data={"runId": run_id, "runUuid": None})["mlflowGetRun"]
    assert found["apiError"] is None
    run = found["run"]
    assert run["__typename"] == "MlflowRunExtension"
    # 64-bit integers are texts, and one that is not set is 0.
    assert run["info"] == {
        "runId": run_id,
        "status": "RUNNING",
        "startTime": "7",
        "endTime": "0",
        "lifecycleStage": "active",
    }
    assert run["data"]["metrics"] == [{"key": "auc", "value": None, "step": "0"}]
    assert {"key": "k", "value": "v"} in run["data"]["tags"]
    assert run["data"]["params"] == []
    assert run["experiment"]["name"] == "churn"
    assert run["experiment"]["lastUpdateTime"].isdigit()
    assert run["modelVersions"] == [{"name": "m", "version": "1", "status": "READY", "aliases": []}]


def test_searches_are_queries_or_mutations_and_take_what_the_rest_calls_take(
    http_: httpx.Client, experiment_id: str, run_id: str
) -> None:
    later = new_run(http_, experiment_id)
    made(http_, "runs/delete", run_id=run_id)
    for kind in ("query", "mutation"):
        query = f"""
          {kind} Search($in: MlflowSearchRunsInput!) {{
            mlflowSearchRuns(input: $in) {{ runs {{ info {{ runId }} }} nextPageToken }}
          }}
        """
        deleted = {"experimentIds": [experiment_id], "runViewType": "DELETED_ONLY"}
        found = data(http_, query, **{"in": deleted})["mlflowSearchRuns"]
        assert found == {"runs": [{"info": {"runId": run_id}}], "nextPageToken": ""}
        first = {"experimentIds": [experiment_id], "runViewType": "ALL", "maxResults": 1}
        page = data(http_, query, **{"in": first})["mlflowSearchRuns"]
        rest = {**first, "pageToken": page["nextPageToken"]}
        page["runs"] += data(http_, query, **{"in": rest})["mlflowSearchRuns"]["runs"]
        assert {run["info"]["runId"] for run in page["runs"]} == {run_id, later}


def test_files_histories_data_sets_and_versions_are_found(
    http_: httpx.Client, experiment_id: str, run_id: str
) -> None:
    http_.put(f"{FILES}/{experiment_id}/{run_id}/artifacts/d/f.txt", content=b"12345")
    for step in range(3):
        made(http_, "runs/log-metric", run_id=run_id, key="m", value=step, timestamp=9, step=step)
    dataset = {"name": "n", "digest": "d", "source_type": "s", "source": "{}"}
    made(http_, "runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset}])
    query = f"""
      fragment Listed on MlflowListArtifactsResponse {{ files {{ path isDir fileSize }} }}
      {{
        top: mlflowListArtifacts(input: {{runId: "{run_id}"}}) {{ ...Listed }}
        inner: mlflowListArtifacts(input: {{runId: "{run_id}", path: "d"}}) {{ ...Listed }}
        mlflowGetMetricHistoryBulkInterval(
          input: {{runIds: ["{run_id}"], metricKey: "m", startStep: 1, endStep: 2}}
        ) {{ metrics {{ key value step runId }} }}
        mlflowSearchModelVersions(input: {{filter: "name = 'm'", maxResults: 5}}) {{
          modelVersions {{ name }}
        }}
      }}
    """
    found = data(http_, query)
    assert found["top"]["files"] == [{"path": "d", "isDir": True, "fileSize": "0"}]
    assert found["inner"]["files"] == [{"path": "d/f.txt", "isDir": False, "fileSize": "5"}]
    assert found["mlflowGetMetricHistoryBulkInterval"]["metrics"] == [
        {"key": "m", "value": float(step), "step": str(step), "runId": run_id} for step in (1, 2)
    ]
    assert found["mlflowSearchModelVersions"] == {"modelVersions": []}
    uses = f"""
      mutation {{ mlflowSearchDatasets(input: {{experimentIds: ["{experiment_id}"]}}) {{
        datasetSummaries {{ experimentId name digest context }}
      }} }}
    """
    assert data(http_, uses)["mlflowSearchDatasets"]["datasetSummaries"] == [
        {"experimentId": experiment_id, "name": "n", "digest": "d", "context": ""}
    ]


def test_what_goes_wrong_is_a_text_beside_what_was_found(
    http_: httpx.Client, experiment_id: str
) -> None:
    query = f"""
      {{
        mlflowGetExperiment(input: {{experimentId: "{experiment_id}"}}) {{ experiment {{ name }} }}
        mlflowGetRun(input: {{runId: "none"}}) {{ run {{ info {{ runId }} }} }}
        test(inputString: "abc") {{ output }}
      }}
    """
    answer = asked(http_, query)
    assert answer["data"]["mlflowGetExperiment"] == {"experiment": {"name": "churn"}}
    assert answer["data"]["mlflowGetRun"] is None
    assert answer["data"]["test"] == {"output": "abc"}
    assert answer["errors"] == ["Run with id=none not found"]
