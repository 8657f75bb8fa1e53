"""Dry runs and documents on the command line, against a running server."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep

MLFLOW = "/api/2.0/mlflow"
POLICY = """
model_registry:
  stage_transitions:
    None -> Production:
      required_metrics: ["accuracy >= 0.9"]
      required_documents: [card]
      expressions: ["card.risk == 'low'"]
      approvals: {quorum: 1}
"""


def register(url: str, accuracy: float) -> None:
    """A version of churn, from a run with this accuracy, by ann."""
    with httpx.Client(base_url=url + MLFLOW, auth=("ann", ""), trust_env=False) as http:

        def post(path: str, **body: Any) -> Any:
            return http.post(path, json=body).raise_for_status().json()

        run_id = post("/runs/create", experiment_id="0")["run"]["info"]["run_id"]
        post("/runs/log-metric", run_id=run_id, key="accuracy", value=accuracy, timestamp=1)
        http.post("/registered-models/create", json={"name": "churn"})
        post("/model-versions/create", name="churn", source="s3://b/m", run_id=run_id)


def test_gates_are_tried_before_anyone_is_asked(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()

    def run(*args: str | Path, user: str = "rob") -> Outcome:
        return modelkeep(*args, url=server.url, user=user)

    policy, card = tmp_path / "policy.yaml", tmp_path / "card.json"
    policy.write_text(POLICY)
    register(server.url, 0.95)
    assert run("gate", "check", "churn/1", "--to", "Production").code == 0
    assert run("promote", "churn/1", "--to", "Production").code == 0

    tried = run("policy", "test", policy, "--since", "2026-01-01", "--json")
    assert tried.code == 1
    (move,) = tried.json["differences"]
    assert (move["was"], move["would_be"], move["exact"]) == ("passed", "refused", False)
    assert run("policy", "show", "--json").json["revision"] == 0

    assert run("policy", "apply", policy).code == 0
    register(server.url, 0.97)
    refused = run("gate", "check", "churn/2", "--to", "production")
    assert (refused.code, "card is not attached" in refused.out) == (1, True)
    card.write_text(json.dumps({"risk": "low"}))
    assert run("documents", "attach", "churn/2", "card", card).code == 0
    waiting = run("gate", "check", "churn/2", "--to", "Production", "--json")
    assert (waiting.code, waiting.json["outcome"]) == (2, "waiting")
    assert [v["outcome"] for v in waiting.json["verdicts"]].count("pending") == 1

    assert run("promote", "churn/2", "--to", "Production").code == 2
    assert run("approve", "1", user="bob").code == 0
    assert run("documents", "list", "churn/2", "--json").json[0]["name"] == "card"
    assert run("documents", "show", "churn/2", "card").out.strip() == '{"risk": "low"}'
    assert run("policy", "test", policy, "--since", "2999-01-01").code == 0
    assert run("audit", "verify").code == 0
