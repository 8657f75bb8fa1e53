"""Stages of one's own, Dev -> Test -> Prod, in the hands of stock clients and the command line."""

import json
from pathlib import Path

import pytest

from tests.support.cli import modelkeep
from tests.support.clients import Client
from tests.support.server import Server

REFUSED = 1

POLICY = """
model_registry:
  version_policy: {max_versions: 2, archive_stages: [Archived]}
  lifecycles:
    - name: credit
      models: [credit_*]
      stages: [Dev, Test, Prod]
      production: Prod
      stage_transitions:
        None -> Dev: {}
        Dev -> Test: {required_tags: [tested]}
        Test -> Prod: {required_metrics: ["auc >= 0.8"]}
        Prod -> Archived: {reason_required: true}
"""

# What was registered is loaded by its stage; every call that knows stages knows these.
_STORY = """
import json, mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

client = MlflowClient()
seen = {}

def ask(call, *args, **facts):
    try:
        return getattr(call(*args, **facts), "current_stage", "done")
    except MlflowException as error:
        return f"{getattr(error, 'error_code', '')} {error}"

def move(name, stage, **facts):
    return ask(client.transition_model_version_stage, name, "1", stage, **facts)

for name in ("credit_risk", "churn"):
    with mlflow.start_run():
        mlflow.log_metric("auc", 0.9)
        mlflow.pyfunc.log_model("model", python_model=Echo(), registered_model_name=name,
                                pip_requirements=[])
seen["unknown"] = [move("credit_risk", "Staging"), move("churn", "Dev")]
seen["moved"] = [move("churn", "staging"), move("credit_risk", "dev")]
seen["refused"] = move("credit_risk", "Test")
client.set_model_version_tag("credit_risk", "1", "tested", "yes")
seen["tested"] = move("credit_risk", "Test", archive_existing_versions=True)
seen["archive"] = move("credit_risk", "Archived", archive_existing_versions=True)
seen["made it"] = move("credit_risk", "Prod")
latest = client.get_latest_versions("credit_risk", stages=["prod", "Dev"])
seen["latest"] = {v.current_stage: v.version for v in latest}
seen["no stage"] = ask(client.get_latest_versions, "credit_risk", stages=["Production"])
found = client.search_model_versions("name = 'credit_risk'")
seen["found"] = {v.version: [v.current_stage, list(v.aliases)] for v in found}
model = client.get_registered_model("credit_risk")
seen["of_model"] = [v.current_stage for v in model.latest_versions]
seen["loaded"] = [list(mlflow.pyfunc.load_model(uri).predict([1, 2])) for uri in
                  ("models:/credit_risk/Prod", "models:/credit_risk/prod",
                   "models:/credit_risk@champion")]
seen["nothing"] = ask(mlflow.pyfunc.load_model, "models:/credit_risk/Staging")
seen["renamed"] = ask(client.rename_registered_model, "credit_risk", "churn_b")
seen["deleted"] = ask(client.delete_model_version, "credit_risk", "1")
print("\\n" + json.dumps(seen))
"""


def apply(server: Server, folder: Path, text: str) -> None:
    file = folder / "policy.yaml"
    file.write_text(text)
    assert modelkeep("policy", "apply", file, url=server.url, user="olga").code == 0


def test_a_stock_client_moves_and_loads_by_stages_of_ones_own(
    server: Server, mlflow: Client, tmp_path: Path
) -> None:
    apply(server, tmp_path, POLICY)
    seen = json.loads(mlflow.run(_STORY, url=server.url, user="ann").splitlines()[-1])
    of_credit, of_churn = seen["unknown"]
    assert of_credit.startswith("INVALID_PARAMETER_VALUE")
    assert "stage: Staging. Value must be one of None, Dev, Test, Prod, Archived." in of_credit
    assert "stage: Dev. Value must be one of None, Staging, Production, Archived." in of_churn
    assert seen["moved"] == ["Staging", "Dev"]
    assert seen["refused"].startswith("PERMISSION_DENIED")
    assert "tag tested is not on the version" in seen["refused"]
    assert (seen["tested"], seen["made it"]) == ("Test", "Prod")
    assert "'Archived' is not an Active stage. Valid stages are Dev, Test, Prod." in seen["archive"]
    assert seen["latest"] == {"Prod": "1"}
    assert "Invalid Model Version stage: Production" in seen["no stage"]
    assert seen["found"] == {"1": ["Prod", ["champion"]]}
    assert seen["of_model"] == ["Prod"]
    assert seen["loaded"] == [[1, 2]] * 3
    assert "Invalid Model Version stage: Staging" in seen["nothing"]
    assert "it is in Prod, which lifecycle credit guards" in seen["renamed"]
    assert "it is in Prod, which the policy guards" in seen["deleted"]


@pytest.fixture
def populated(server: Server, tmp_path: Path) -> Server:
    """`credit_risk` with a version in Dev, `churn` with four archived ones."""
    import httpx

    def call(path: str, **body: object) -> None:
        httpx.post(f"{server.url}/api/2.0/mlflow/{path}", json=body).raise_for_status()

    for name, versions, stage in (("credit_risk", 1, "Dev"), ("churn", 4, "Archived")):
        call("registered-models/create", name=name)
        for number in range(1, versions + 1):
            call("model-versions/create", name=name, source=f"s3://bucket/{number}")
        if name == "credit_risk":
            apply(server, tmp_path, POLICY)
        for number in range(1, versions + 1):
            call("model-versions/transition-stage", name=name, version=str(number), stage=stage)
    return server


def test_a_lifecycle_is_drawn_with_its_gates_and_who_is_where(populated: Server) -> None:
    drawn = modelkeep("lifecycle", "show", "credit_risk", url=populated.url)
    lines = [line.rstrip() for line in drawn.out.splitlines()]
    assert lines[0] == "credit_risk has the lifecycle credit, of credit_*."
    for line in (
        "  Dev       version 1",
        "  Prod      empty  (production; holds one; whom it displaces goes to Archived;"
        " @champion follows)",
        "      <- Test",
        "           metrics: auc >= 0.8",
    ):
        assert line in lines
    found = modelkeep("lifecycle", "show", "credit_risk", "--json", url=populated.url).json
    assert [stage["name"] for stage in found["stages"]] == [
        "None",
        "Dev",
        "Test",
        "Prod",
        "Archived",
    ]
    assert found["stages"][2]["ways"] == [
        {"source": "Dev", "gates": [{"name": "tags", "asks": "tested"}]}
    ]
    shown = modelkeep("policy", "show", url=populated.url).out
    assert "credit (credit_*): None -> Dev -> Test -> Prod -> Archived" in shown
    assert "default (all other models): None -> Staging -> Production -> Archived" in shown


def test_what_time_will_do_is_told_before_it_is_done(populated: Server) -> None:
    plan = modelkeep("retention", "plan", url=populated.url)
    assert plan.out.splitlines()[1].split() == [
        *("churn/1", "Archived", "retire", "it", "is", "not", "among", "the", "newest", "2"),
    ]
    done = modelkeep("retention", "run", "churn", "--json", url=populated.url, user="olga").json
    assert [due["version"] for due in done[0]["due"]] == [1, 2]
    assert done[0]["complete"]
    assert modelkeep("retention", "run", url=populated.url).out == "Nothing was due.\n"
    told = modelkeep("versions", "list", "churn", "--json", url=populated.url).json
    assert [version["version"] for version in told["versions"]] == [4, 3]
    assert modelkeep("retention", "plan", "nope", url=populated.url).code == REFUSED
