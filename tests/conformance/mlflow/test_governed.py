"""The main story: a team keeps its stock MLflow client, and a policy comes into force.

Ann trains and registers, Olga applies the policy, Bob approves; the command line does what MLflow
has no word for.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.clients import ROOT, Client
from tests.support.server import Server

POLICY = ROOT / "examples" / "production_config.yaml"
READY = ("tested", "reviewed", "approved", "performance_validated")

# `ask` says how a call ended: "done", or how the client raised what the server said.
_HEAD = """
import json, os, tempfile
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import RestException

client = MlflowClient()
seen = {}

def ask(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except RestException as error:
        return f"{error.error_code} {error.get_http_status_code()} {error}"
    return "done"

move = lambda *a, **k: ask(client.transition_model_version_stage, "credit", *a, **k)

def tag(version, *keys, **values):
    for key, value in {**dict.fromkeys(keys, "true"), **values}.items():
        client.set_model_version_tag("credit", version, key, value)

def stages():
    found = client.search_model_versions("name='credit'")
    return {int(v.version): v.current_stage for v in found}
"""


def told(client: Client, server: Server, script: str, user: str | None = "ann") -> dict[str, Any]:
    whole = _HEAD + textwrap.dedent(script) + "\nprint('\\n' + json.dumps(seen))\n"
    return json.loads(client.run(whole, url=server.url, user=user).splitlines()[-1])


def request_in(text: str) -> str:
    found = re.search(r"modelkeep approve (\d+)", text)
    assert found, text
    return found[1]


@pytest.mark.client
def test_nothing_enters_production_unasked_and_stock_clients_are_told_why(
    mlflow: Client, server: Server
) -> None:
    told(
        mlflow,
        server,
        """
        mlflow.set_experiment("credit")
        client.create_registered_model("credit")
        for accuracy in (0.95, 0.97, 0.85):
            with mlflow.start_run() as run:
                mlflow.log_metrics({"accuracy": accuracy, "f1_score": accuracy - 0.01})
                mlflow.log_text(f"weights of {accuracy}", "model/weights")
            client.create_model_version(
                "credit", f"runs:/{run.info.run_id}/model", run.info.run_id)
        """,
    )
    applied = modelkeep("policy", "apply", POLICY, url=server.url, user="olga")
    assert applied.code == 0
    assert "Policy revision 1 is in force." in applied.out
    assert re.search(r"^  enforced +\S*None -> Staging.required_tags", applied.out, re.MULTILINE)
    assert re.search(r"^  not enforced +deployment.replicas", applied.out, re.MULTILINE)

    seen = told(
        mlflow,
        server,
        """
        seen["name"] = ask(client.create_registered_model, "Credit-Scores")
        seen["straight"] = move("3", "Production")
        tag("3", "tested")
        seen["untagged"] = move("3", "Staging")
        tag("3", "reviewed", "approved", "performance_validated")
        seen["staged"] = move("3", "Staging")
        seen["worse"] = move("3", "Production")
        tag("1", "tested", "reviewed", "approved", "performance_validated")
        seen["staged too"] = move("1", "Staging")
        tag("1", **{"modelkeep.reason": "best of three"})
        seen["waits"] = move("1", "Production")
        seen["again"] = move("1", "Production", archive_existing_versions=True)
        seen["by alias"] = ask(client.set_registered_model_alias, "credit", "champion", "1")
        seen["other alias"] = ask(client.set_registered_model_alias, "credit", "challenger", "3")
        seen["stages"] = stages()
        seen["champion"] = ask(client.get_model_version_by_alias, "credit", "champion")
        """,
    )
    assert "does not match the policy's pattern" in seen["name"]
    denied = "PERMISSION_DENIED 403 PERMISSION_DENIED: "
    for refused in ("straight", "untagged", "worse", "waits", "again", "by alias"):
        assert seen[refused].startswith(denied), refused
    assert "None -> Production" in seen["straight"]
    assert "Staging -> Production" in seen["straight"]
    assert "[failed] tags: tag reviewed is not on the version" in seen["untagged"]
    assert "[passed] metrics: accuracy is 0.85, f1_score is 0.84" in seen["untagged"]
    assert "[passed] tags" in seen["worse"]
    assert "[failed] metrics: accuracy is 0.85, required >= 0.90" in seen["worse"]
    assert "approval" in seen["worse"]
    assert "Mend what failed and ask again." in seen["worse"]
    assert "[pending] approval" in seen["waits"]
    assert (seen["staged"], seen["staged too"], seen["other alias"]) == ("done",) * 3
    request = request_in(seen["waits"])
    assert request == request_in(seen["again"]) == request_in(seen["by alias"])
    assert seen["stages"] == {"1": "Staging", "2": "None", "3": "Staging"}
    assert "alias champion not found" in seen["champion"]

    (waiting,) = modelkeep("requests", "--json", url=server.url).json
    assert {k: waiting[k] for k in ("model", "version", "target", "requested_by", "reason")} == {
        "model": "credit",
        "version": 1,
        "target": "Production",
        "requested_by": "ann",
        "reason": "best of three",
    }
    for author in ("ann", " ANN", ""):
        assert modelkeep("approve", request, url=server.url, user=author).code == 1
    comment = ("--comment", "looked at both")
    approved = modelkeep("approve", request, *comment, "--json", url=server.url, user="bob")
    assert (approved.code, approved.json["result"], approved.json["epoch"]) == (0, "moved", 1)

    seen = told(
        mlflow,
        server,
        """
        champion = client.get_model_version_by_alias("credit", "champion")
        seen["champion"] = [int(champion.version), champion.current_stage]
        seen["spent"] = "modelkeep.reason" in champion.tags
        seen["bytes"] = mlflow.artifacts.load_text(
            client.get_model_version_download_uri("credit", champion.version) + "/weights")
        seen["unset"] = ask(client.delete_registered_model_alias, "credit", "champion")
        seen["delete"] = ask(client.delete_model_version, "credit", "1")
        seen["delete all"] = ask(client.delete_registered_model, "credit")
        seen["emptied"] = move("1", "None")
        seen["archived"] = move("1", "Archived")
        tag("2", "tested", "reviewed", "approved", "performance_validated")
        del os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
        seen["staged"] = move("2", "Staging")
        seen["waits"] = move("2", "Production")
        with mlflow.start_run(run_id=client.get_model_version("credit", "2").run_id):
            mlflow.log_metric("accuracy", 0.1)
        """,
    )
    assert seen["champion"] == [1, "Production"]
    assert not seen["spent"]
    assert seen["bytes"] == "weights of 0.95"
    assert "follows Production" in seen["unset"]
    assert "in Production" in seen["delete"]
    assert "in Production" in seen["delete all"]
    assert "PERMISSION_DENIED" in seen["emptied"]
    assert "[failed] reason" in seen["archived"]
    assert seen["staged"] == "done"
    second = request_in(seen["waits"])

    # What was asked for is judged on what was frozen then: the 0.1 logged since changes nothing.
    moved = modelkeep("approve", second, "--json", url=server.url, user="bob")
    assert (moved.code, moved.json["version"]["stage"], moved.json["epoch"]) == (0, "Production", 2)
    verdicts = {v["gate"]: v for v in moved.json["decision"]["verdicts"]}
    assert verdicts["metrics"]["message"].startswith("accuracy is 0.97")

    seen = told(
        mlflow,
        server,
        """
        seen["stages"] = stages()
        seen["champion"] = int(client.get_model_version_by_alias("credit", "champion").version)
        latest = client.get_latest_versions("credit", ["Production"])
        seen["latest"] = [int(v.version) for v in latest]
        """,
        user=None,
    )
    assert seen["stages"] == {"1": "Archived", "2": "Production", "3": "Staging"}
    assert (seen["champion"], seen["latest"]) == (2, [2])

    back = ("rollback", "credit", "--reason", "complaints", "--json")
    rolled = modelkeep(*back, url=server.url, user="bob")
    assert (rolled.code, rolled.json["result"], rolled.json["version"]["version"]) == (
        0,
        "moved",
        1,
    )
    assert rolled.json["version"]["aliases"] == ["champion"]
    again = modelkeep(*back, url=server.url, user="bob")
    assert again.code == 1
    assert "nothing to return to" in again.err
    assert modelkeep("audit", "verify", url=server.url).code == 0


# -- the command line, over both databases -----------------------------------------------------


class Wire:
    """MLflow's REST calls, by hand."""

    def __init__(self, server: Server, user: str) -> None:
        self._url, self._auth = server.url, (user, "-")

    def __call__(self, path: str, **body: Any) -> Any:
        return self._send("POST", f"/api/2.0/mlflow/{path}", json=body)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        with httpx.Client(auth=self._auth, trust_env=False) as http:
            return http.request(method, self._url + path, **content)

    def version(self, name: str, accuracy: float, tags: tuple[str, ...] = ()) -> None:
        """A version in Staging, if the policy lets it."""
        created = self("runs/create", experiment_id="0").json()
        run_id = created["run"]["info"]["run_id"]
        points = [{"key": k, "value": accuracy, "timestamp": 1} for k in ("accuracy", "f1_score")]
        assert self("runs/log-batch", run_id=run_id, metrics=points).status_code == 200
        file = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/model/weights"
        assert self._send("PUT", file, content=f"{name} {accuracy}".encode()).status_code == 200
        made = self(
            "model-versions/create",
            name=name,
            source=f"runs:/{run_id}/model",
            run_id=run_id,
            tags=[{"key": key, "value": "true"} for key in tags],
        )
        number = made.json()["model_version"]["version"]
        self("model-versions/transition-stage", name=name, version=number, stage="Staging")


@pytest.fixture
def governed(start_server: StartServer, database_url: str) -> Server:
    """A server with the seed's policy, and three versions of `credit` in Staging."""
    server = start_server(database_url=database_url)
    assert modelkeep("policy", "apply", POLICY, url=server.url, user="olga").code == 0
    ann = Wire(server, "ann")
    ann("registered-models/create", name="credit")
    for accuracy in (0.91, 0.93, 0.85):
        ann.version("credit", accuracy, READY)
    return server


@pytest.mark.parametrize("database_url", [""])
def test_the_command_line_tells_by_its_exit_code_how_it_ended(governed: Server) -> None:
    def run(*args: str | Path, user: str = "bob", url: str = governed.url) -> int:
        return modelkeep(*args, url=url, user=user).code

    done, refused, waiting, unreachable, misused = 0, 1, 2, 3, 64
    promote = ("--to", "Production", "--reason", "r")
    assert run("promote", "credit/3", *promote) == refused
    assert run("promote", "credit/1", *promote, user="ann") == waiting
    assert run("approve", "1", user="ann") == refused
    assert run("reject", "1", "--reason", "not yet") == done
    assert run("approve", "1") == refused
    assert run("promote", "credit/1", *promote, user="ann") == waiting
    assert run("approve", "2") == done
    assert run("promote", "credit/1", *promote) == done  # it is there already
    assert run("promote", "credit/2", *promote, "--epoch", "0") == refused
    assert run("promote", "credit/2", *promote, "--epoch", "1", user="ann") == waiting
    assert run("approve", "3") == done
    assert run("rollback", "credit", "--reason", "r", "--epoch", "1") == refused
    assert run("rollback", "credit", "--reason", "r", "--epoch", "2") == done
    assert run("promote", "credit/77", *promote) == refused
    assert run("promote", "credit/x", *promote) == misused  # may be a stage, for all it knows
    assert run("at", "nobody", "2026-11-20T10:00") == refused
    for wrong in (
        ("promote", "credit/1", "--to", "Moon"),
        ("at", "credit", "yesterday"),
        ("policy", "apply", governed.data_dir / "no.yaml"),
        ("promote", "credit", *promote),
        ("promote", "credit/", *promote),
        ("promote", "credit/1"),
        ("rollback", "credit"),
        ("reject", "1"),
        ("approve", "one"),
        ("history", "credit", "--limit", "0"),
        ("sing",),
    ):
        assert run(*wrong) == misused, wrong
    governed.stop()
    assert run("requests") == unreachable
    assert run("requests", url="not a url") == misused
    governed.start()
    assert run("audit", "verify") == done


def test_the_past_can_be_asked_for(governed: Server) -> None:
    def run(*args: str, user: str = "bob") -> Any:
        ended = modelkeep(*args, "--json", url=governed.url, user=user)
        assert ended.code in (0, 2), ended.err
        return ended.json

    for version in ("credit/1", "credit/2"):
        asked = run("promote", version, "--to", "Production", "--reason", "good", user="ann")
        run("approve", str(asked["request"]), "--comment", "seen")
    run("rollback", "credit", "--reason", "complaints")

    def held(model: str, moment: str) -> dict[str, int]:
        return {s["slot"]: s["version"] for s in run("at", model, moment)["slots"]}

    entries = run("history", "credit")[::-1]
    moves = [e for e in entries if "slots" in e["post"]]
    times = [e["t"] for e in moves if any("Production" in s["slot"] for s in e["post"]["slots"])]
    assert len(times) == 3
    expected = [1, 2, 1]
    for moment, version in zip(times, expected, strict=True):
        now = held("credit", moment)
        assert (now["stage:Production"], now["alias:champion"]) == (version, version)
    assert "stage:Production" not in held("credit", entries[0]["t"])
    naive = times[1].removesuffix("Z")
    assert held("credit", naive)["stage:Production"] == 2

    assert (
        Wire(governed, "ann")(
            "registered-models/rename", name="credit", new_name="scores"
        ).status_code
        == 403  # what stands in production keeps its model's name
    )
    governed.restart()
    then = run("at", "credit", times[1])
    assert (
        then["name_then"],
        {s["slot"]: s["version"] for s in then["slots"]}["stage:Production"],
    ) == ("credit", 2)
    assert held("credit", times[1])["stage:Production"] == 2

    told = [e["act"] for e in run("history", "credit")]
    assert told[:2] == ["version:stage:refused", "version:stage:rolled-back"]
    rolled = next(e for e in run("history", "credit") if e["act"] == "version:stage:rolled-back")
    assert (rolled["texts"]["actor"], rolled["texts"]["reason"]) == ("bob", "complaints")
    assert rolled["actor"]["verified"] is False
    shown = run("audit", "show")
    assert [e["index"] for e in shown] == list(range(len(shown)))
    assert sorted(e["t"] for e in shown) == [e["t"] for e in shown]
    assert [r["status"] for r in run("requests", "--status", "all")] == ["approved", "approved"]


def test_a_journal_tampered_with_is_found_out(governed: Server, database_url: str) -> None:
    modelkeep("promote", "credit/3", "--to", "Production", url=governed.url, user="bob")
    over_the_api = modelkeep("audit", "verify", "--json", url=governed.url)
    assert over_the_api.code == 0
    assert over_the_api.json["intact"]
    assert over_the_api.json["cannot_see"]
    if database_url:
        itself = modelkeep("audit", "verify", "--database-url", database_url, "--json")
        assert (itself.code, itself.json["root"]) == (0, over_the_api.json["root"])
        return
    itself = modelkeep("audit", "verify", "--data-dir", governed.data_dir, "--json")
    assert (itself.code, itself.json["root"]) == (0, over_the_api.json["root"])  # beside the server
    entries = modelkeep("audit", "show", "--json", url=governed.url).json
    bad = next(e["index"] for e in entries if e["act"] == "version:stage:refused")
    governed.stop()
    copy = governed.data_dir.with_name("copy")
    shutil.copytree(governed.data_dir, copy)
    with contextlib.closing(sqlite3.connect(copy / "modelkeep.db")) as db, db:
        forged = "CAST(replace(CAST(body AS TEXT), 'stage:refused', 'stage:granted') AS BLOB)"
        assert db.execute(f"UPDATE journal_leaves SET body = {forged} WHERE idx = ?", (bad,))
    found = modelkeep("audit", "verify", "--data-dir", copy, "--json")
    assert (found.code, found.json["first_bad_entry"]) == (2, bad)
    assert "TAMPERED" in modelkeep("audit", "verify", "--data-dir", copy).out
