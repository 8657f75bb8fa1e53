"""A genuine MLflow server, filled by its own client, is brought over by `modelkeep import mlflow`.

One source serves the whole module, for it takes long to start. What a test changes there it
changes for those that follow; those that count everything come first.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer, installed
from tests.support.cli import Outcome, modelkeep
from tests.support.clients import Client
from tests.support.mlflow_server import MlflowServer
from tests.support.server import Server

# The first test of all waits for the source to be started and filled.
pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

API = "/api/2.0/mlflow"

FILL = """
import json, os, tempfile, warnings
warnings.simplefilter("ignore")
import mlflow, numpy, pandas
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

client = MlflowClient()
x, y = numpy.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
made = {"runs": [], "children": []}
mlflow.set_experiment("träin – α")
mlflow.set_experiment_tag("purpose", "tests")
for i in range(3):
    with mlflow.start_run(run_name=f"run {i}") as run:
        mlflow.log_params({"C": i + 1, "größe": "é"})
        for step in range(6):
            mlflow.log_metric("acc/val", step / 10 + i, step=step)
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "low": float("-inf")})
        frame = pandas.DataFrame({"a": [1, 2]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="ds"), context="training")
        mlflow.log_text("hallo", "notes/ünï cødé.txt")
        if i == 0:
            mlflow.log_table({"question": ["q"], "answer": ["a"]}, "table.json")
        model = LogisticRegression(C=i + 1).fit(x, y)
        # Without its requirements the client would load the model in another process to find them.
        named = {"name": "model", "registered_model_name": "churn"}
        info = mlflow.sklearn.log_model(model, pip_requirements=["scikit-learn"], **named)
        mlflow.log_metric("lm", 0.5 + i, model_id=info.model_id)
        made["runs"].append(run.info.run_id)
        with mlflow.start_run(nested=True, run_name="child") as child:
            mlflow.log_metric("x", i)
            made["children"].append(child.info.run_id)
client.delete_model_version("churn", 2)
client.transition_model_version_stage("churn", 3, "Production")
client.transition_model_version_stage("churn", 1, "Staging")
client.set_registered_model_alias("churn", "champion", 3)
client.set_model_version_tag("churn", 1, "reviewed by", "ann lee")
client.update_model_version("churn", 1, "the first")
client.update_registered_model("churn", "who leaves")
client.set_registered_model_tag("churn", "team", "a")
client.delete_run(made["runs"][1])

# A version of a run's own files, as 2.x clients make them, and a copy of it under another name.
folder = tempfile.mkdtemp()
with open(os.path.join(folder, "weights.bin"), "wb") as file:
    file.write(os.urandom(3_000_000))
client.log_artifacts(made["runs"][0], folder, "raw")
root = client.get_run(made["runs"][0]).info.artifact_uri
client.create_registered_model("raw")
client.create_model_version("raw", root + "/raw", made["runs"][0])
client.copy_model_version("models:/raw/1", "copied")
client.create_registered_model("elsewhere")
client.create_model_version("elsewhere", "s3://bucket/model")

gone = client.create_experiment("gone", tags={"k": "v"})
client.create_run(gone, run_name="of the past")
client.delete_experiment(gone)
mlflow.genai.register_prompt("greet", "Hello {{name}}")
print()
print(json.dumps(made))
"""

FILL_OLD = """
import json
import mlflow
from mlflow import MlflowClient

client = MlflowClient()
mlflow.set_experiment("old")
with mlflow.start_run(run_name="it") as run:
    mlflow.log_param("C", 1)
    for step in range(30):
        mlflow.log_metric("acc", step / 10, step=step)
    for _ in range(2):  # such a server keeps both; here they are one
        client.log_metric(run.info.run_id, "acc", 9.0, timestamp=5, step=99)
    mlflow.log_metric("nan", float("nan"))
    mlflow.log_text("weights", "model/weights.txt")
run_id = run.info.run_id
client.create_registered_model("churn", {"team": "a"})
for _ in range(3):
    client.create_model_version("churn", f"{run.info.artifact_uri}/model", run_id)
client.delete_model_version("churn", "1")
client.set_registered_model_alias("churn", "champion", "2")
client.transition_model_version_stage("churn", "3", "Staging")
print()
print(json.dumps({"run": run_id}))
"""


@dataclass(frozen=True)
class Source:
    """A filled MLflow server: `made` is what the script that filled it says of it."""

    server: MlflowServer
    made: dict[str, Any]

    @property
    def url(self) -> str:
        return self.server.url

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One call of MLflow's REST API."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as http:
            answer = http.request(method, f"{API}/{path}", json=body)
            assert answer.status_code == HTTPStatus.OK, answer.text
            return answer.json()

    def put(self, run_id: str, path: str, content: bytes) -> None:
        self._artifact("PUT", run_id, path, content)

    def delete(self, run_id: str, path: str) -> None:
        self._artifact("DELETE", run_id, path)

    def _artifact(self, method: str, run_id: str, path: str, content: bytes = b"") -> None:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as http:
            run = http.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]
            root = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
            address = f"/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
            assert http.request(method, address, content=content).status_code == HTTPStatus.OK


@contextmanager
def filled(
    client: Client, script: str, folder: Path, *, over_files: bool = False
) -> Iterator[Source]:
    server = MlflowServer(client, folder, over_files=over_files)
    server.start()
    try:
        told = client.run(script, url=server.url).splitlines()
        yield Source(server, json.loads(told[-1]))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("source")
    with filled(installed("mlflow3", folder / "client"), FILL, folder) as source:
        yield source


def bring(source: Source, server: Server, *args: str, user: str = "ann") -> Outcome:
    return modelkeep("import", "mlflow", source.url, *args, "--json", url=server.url, user=user)


def brought(source: Source, server: Server, *args: str) -> dict[str, Any]:
    """The report of an import after which both sides agree."""
    ended = bring(source, server, *args)
    assert (ended.code, ended.err) == (0, ""), ended.out[-3000:] + ended.err
    return ended.json


def new_or_changed(report: dict[str, Any]) -> dict[str, int]:
    """Kind -> how many were brought."""
    counts = report["counts"].items()
    return {k: c["created"] + c["changed"] for k, c in counts if c["created"] + c["changed"]}


def journal_size(server: Server) -> int:
    report = modelkeep("audit", "verify", "--json", url=server.url)
    assert report.code == 0, report.out
    return report.json["entries"]


# -- everything --------------------------------------------------------------------------------


def test_a_whole_server_comes_over_and_a_second_time_nothing_is_new(
    source: Source, start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    report = brought(source, server)
    counts = {kind: count["here"] for kind, count in report["counts"].items()}
    assert counts["experiments"] == 3  # Default, the deleted one, and this one
    assert (counts["runs"], counts["logged models"]) == (7, 3)
    assert (counts["models"], counts["versions"], counts["aliases"]) == (5, 6, 1)
    assert counts["metric points"] == 3 * (6 + 3 + 1 + 1)
    assert report["files_compared_by_digest"] == report["counts"]["files"]["source"] == 20
    assert report["bytes_read"] > 3_000_000
    size = journal_size(server)
    again = brought(source, server)
    assert (again["anything_new"], new_or_changed(again)) == (False, {})
    assert journal_size(server) == size


def test_stock_clients_find_it_as_it_was(source: Source, server: Server, mlflow3: Client) -> None:
    brought(source, server)
    told = mlflow3.run(LOOK, json.dumps(source.made), url=server.url)
    assert json.loads(told.splitlines()[-1]) == {
        "predicted": [0, 1],
        "numbers": [["1", "Staging", "the first"], ["3", "Production", ""]],
        "next": "4",
        "history": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "nan": "nan",
        "parent": source.made["runs"][0],
        "dataset": ["ds", "training"],
        "table": ["a"],
        "text": "hallo",
        "deleted": ["run 1", "of the past"],
        "prompt": "Hello {{name}}",
        "raw": 3_000_000,
        "copied": 3_000_000,
        "elsewhere": "s3://bucket/model",
    }


LOOK = """
import json, math, os, sys, warnings
warnings.simplefilter("ignore")
import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

made, client, seen = json.loads(sys.argv[1]), MlflowClient(), {}
model = mlflow.sklearn.load_model("models:/churn@champion")
seen["predicted"] = [int(p) for p in model.predict([[0.0], [3.0]])]
found = sorted(client.search_model_versions("name = 'churn'"), key=lambda v: int(v.version))
seen["numbers"] = [[str(v.version), v.current_stage, v.description or ""] for v in found]
first = made["runs"][0]
seen["history"] = [m.value for m in client.get_metric_history(first, "acc/val")]
seen["nan"] = str(client.get_run(first).data.metrics["nan"])
experiment = mlflow.set_experiment("träin – α").experiment_id
where = f"tags.`mlflow.parentRunId` = '{first}'"
child = client.search_runs([experiment], where)[0]
seen["parent"] = child.data.tags["mlflow.parentRunId"]
given = client.get_run(first).inputs.dataset_inputs[0]
seen["dataset"] = [given.dataset.name, given.tags[0].value]
seen["table"] = list(mlflow.load_table("table.json", run_ids=[first])["answer"])
place = mlflow.artifacts.download_artifacts(run_id=first, artifact_path="notes/ünï cødé.txt")
seen["text"] = open(place, encoding="utf-8").read()
gone = [e.experiment_id for e in client.search_experiments(view_type=ViewType.DELETED_ONLY)]
deleted = client.search_runs([experiment, *gone], run_view_type=ViewType.DELETED_ONLY)
seen["deleted"] = sorted((r.info.run_name for r in deleted), reverse=True)
seen["prompt"] = mlflow.genai.load_prompt("prompts:/greet/1").template
for name in ("raw", "copied"):
    folder = mlflow.artifacts.download_artifacts(f"models:/{name}/1")
    seen[name] = os.path.getsize(os.path.join(folder, "weights.bin"))
seen["elsewhere"] = client.get_model_version_download_uri("elsewhere", "1")
root = client.get_run(first).info.artifact_uri
seen["next"] = str(client.create_model_version("churn", root + "/raw", first).version)
print()
print(json.dumps(seen))
"""


def test_only_what_is_new_or_changed_at_the_source_comes_the_next_time(
    source: Source, server: Server
) -> None:
    brought(source, server)
    child = source.made["children"][2]
    fresh = source.call("POST", "runs/create", experiment_id="0", run_name="fresh", start_time=1)
    fresh_id = fresh["run"]["info"]["run_id"]
    point = {"key": "acc", "value": 1.0, "timestamp": 5, "step": 5}
    source.call("POST", "runs/log-metric", run_id=child, **point)
    source.call("POST", "runs/set-tag", run_id=child, key="seen", value="again")
    source.put(fresh_id, "model/a.bin", b"one")
    root = fresh["run"]["info"]["artifact_uri"]
    named = {"name": "raw", "source": f"{root}/model", "run_id": fresh_id}
    number = source.call("POST", "model-versions/create", **named)["model_version"]["version"]
    source.call("POST", "registered-models/alias", name="raw", alias="newest", version=number)
    report = brought(source, server)
    assert new_or_changed(report) == {
        "runs": 2, "metric points": 1, "versions": 1, "aliases": 1, "files": 1,
    }  # fmt: skip
    source.put(fresh_id, "model/a.bin", b"two")  # of the same size: only reading it tells
    assert not brought(source, server)["anything_new"]
    assert new_or_changed(brought(source, server, "--verify")) == {"files": 1}
    source.call("DELETE", "registered-models/alias", name="raw", alias="newest")
    assert new_or_changed(brought(source, server)) == {"aliases": 1}


def made(source: Source, name: str) -> tuple[str, str, str]:
    """An experiment, a run and a logged model in it, and a model with two versions at the source;
    the ids of the first three."""
    id = source.call("POST", "experiments/create", name=name)["experiment_id"]
    run = source.call("POST", "runs/create", experiment_id=id, run_name="its run", start_time=3)
    run_id = run["run"]["info"]["run_id"]
    logged = source.call("POST", "logged-models", experiment_id=id, name="m")["model"]
    source.call("POST", "registered-models/create", name=name)
    for _ in range(2):
        source.call("POST", "model-versions/create", name=name, source="s3://bucket/x")
    source.call("POST", "registered-models/alias", name=name, alias="best", version="2")
    return id, run_id, logged["info"]["model_id"]


def only_here(report: dict[str, Any]) -> dict[str, int]:
    """Kind -> how many are only here."""
    counts = report["counts"].items()
    return {kind: count["only_here"] for kind, count in counts if count["only_here"]}


def test_what_is_renamed_there_is_renamed_here_and_what_is_gone_there_is_told(
    source: Source, server: Server
) -> None:
    (id, run_id, logged_id), first = made(source, "it"), brought(source, server)
    source.call("POST", "experiments/update", experiment_id=id, new_name="it was")
    source.call("POST", "registered-models/rename", name="it", new_name="it was")
    other_id, other_run, _ = made(source, "it")  # both names are free, and taken again
    report = brought(source, server)
    assert report["counts"]["models"]["here"] == first["counts"]["models"]["here"] + 1
    with httpx.Client(base_url=server.url + API, trust_env=False) as http:
        experiment = http.get("/experiments/get-by-name", params={"experiment_name": "it was"})
        run = http.get("/runs/get", params={"run_id": run_id}).json()["run"]
        here_id = experiment.json()["experiment"]["experiment_id"]
        assert run["info"]["experiment_id"] == here_id

        source.call("DELETE", "model-versions/delete", name="it was", version="1")
        source.call("DELETE", f"logged-models/{logged_id}")
        source.server.purge("runs", "run_uuid", run_id)
        source.call("DELETE", "registered-models/delete", name="it")
        for table in ("logged_models", "runs", "experiments"):
            source.server.purge(table, "experiment_id", other_id)
        gone = {"experiments": 1, "runs": 2, "logged models": 2, "models": 1, "versions": 3}
        told = modelkeep("import", "mlflow", source.url, url=server.url)
        assert (told.code, "10 are only here; nothing was deleted" in told.out) == (1, True)
        foreseen = bring(source, server, "--dry-run")
        assert only_here(foreseen.json) == {**gone, "aliases": 1}
        names = {line["name"] for line in foreseen.json["differences"]}
        assert {"it", "it/1", "it/2", "it@best", "it was/1", f"{run_id} 'its run'"} <= names
        for part in ("experiments=it was", "models=it was"):
            alone = bring(source, server, "--only", part).json
            assert sum(only_here(alone).values()) == (2 if part.startswith("exp") else 1)

        # What is deleted here as well is a difference no more.
        it_id = http.get("/experiments/get-by-name", params={"experiment_name": "it"}).json()
        body = {"experiment_id": it_id["experiment"]["experiment_id"]}
        assert http.post("/experiments/delete", json=body).is_success
        assert http.post("/runs/delete", json={"run_id": run_id}).is_success
        listed = http.post(
            "/logged-models/search", json={"experiment_ids": [here_id, *body.values()]}
        )
        for model in listed.json()["models"]:
            assert http.delete(f"/logged-models/{model['info']['model_id']}").is_success
        model = {"name": "it was", "version": "1"}
        assert http.request("DELETE", "/model-versions/delete", json=model).is_success
        assert http.request("DELETE", "/registered-models/delete", json={"name": "it"}).is_success
        assert http.get("/runs/get", params={"run_id": other_run}).is_success
    assert not brought(source, server)["anything_new"]


def test_what_is_changed_here_stays_and_is_told(source: Source, server: Server) -> None:
    brought(source, server)
    run_id = source.made["children"][0]
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        body = {"run_id": run_id, "key": "team", "value": "ours"}
        assert http.post(f"{API}/runs/set-tag", json=body).status_code == HTTPStatus.OK
        body = {"name": "churn", "alias": "champion", "version": "1"}
        assert http.post(f"{API}/registered-models/alias", json=body).is_success
    ended = bring(source, server)
    assert ended.code == 1
    told = {line["name"]: line["why"] for line in ended.json["differences"]}
    assert "changed here since" in told[run_id]
    assert "moved here since" in told["churn@champion -> 3"]
    assert set(told) == {run_id, "churn@champion -> 3"}


# -- in the middle -----------------------------------------------------------------------------


class Tripwire:
    """Stands between an importer and its target, and kills the importer at one of its calls."""

    def __init__(self, target: str, at: int) -> None:
        self.calls = 0
        self.victim: subprocess.Popen[bytes] | None = None
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                with wire.gate:
                    wire.calls += 1
                    if wire.calls == at and wire.victim:
                        wire.victim.kill()
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                kept = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                answer = httpx.request(
                    self.command, target + self.path, content=body, headers=kept, trust_env=False
                )
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers.get("content-type", ""))
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PUT = forward  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.gate = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("at", [5, 40])
def test_an_importer_that_was_killed_goes_on_where_it_was(
    source: Source, server: Server, at: int
) -> None:
    wire = Tripwire(server.url, at)
    command = ["-m", "modelkeep", "import", "mlflow", source.url, "--url", wire.url]
    importer = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wire.victim = importer
    assert importer.wait(180) == -9, f"it made {wire.calls} calls in all"
    wire.close()
    report = brought(source, server)
    assert report["anything_new"]
    assert journal_size(server) > 0


# -- rules of this side ------------------------------------------------------------------------

POLICY = """
model_registry:
  stage_transitions:
    None -> Staging: {}
    None -> Production: {approval_required: true}
"""


def test_a_policy_here_is_asked_as_by_anyone(
    source: Source, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    modelkeep("policy", "apply", tmp_path / "policy.yaml", url=server.url)
    ended = bring(source, server)
    assert ended.code == 1
    told = {line["name"]: line["why"] for line in ended.json["differences"]}
    assert set(told) == {"churn/3 Production", "churn@champion -> 3"}
    assert all(why.startswith("waits for an approval") for why in told.values())
    assert modelkeep("approve", "1", url=server.url, user="ann").code == 1  # she imported it
    assert modelkeep("approve", "1", url=server.url, user="bob").code == 0
    after = brought(source, server)
    assert not after["anything_new"]


def test_names_that_may_not_be_here_are_told_and_not_mangled(
    source: Source, server: Server
) -> None:
    source.call("POST", "registered-models/create", name="50%25 off")
    try:
        ended = bring(source, server, "--only", "models=50%25 off,raw")
        assert ended.code == 1
        (line,) = ended.json["differences"]
        assert line["name"] == "50%25 off"
        assert "percent-encoded" in line["why"]
        assert ended.json["counts"]["models"]["here"] == 1
    finally:
        source.call("DELETE", "registered-models/delete", name="50%25 off")


def test_a_version_is_not_frozen_before_all_its_files_are_here(
    source: Source, server: Server
) -> None:
    run = source.call("POST", "runs/create", experiment_id="0", run_name="odd", start_time=2)
    run_id, root = run["run"]["info"]["run_id"], run["run"]["info"]["artifact_uri"]
    source.put(run_id, "model/fine.txt", b"fine")
    source.put(run_id, "model/odd%20%20%20.txt%20", b"a name that ends with a space")
    source.call("POST", "registered-models/create", name="odd")
    version = {"name": "odd", "source": f"{root}/model", "run_id": run_id}
    source.call("POST", "model-versions/create", **version)
    try:
        ended = bring(source, server, "--only", "models=odd")
        told = {line["kind"]: line["why"] for line in ended.json["differences"]}
        assert (ended.code, set(told)) == (1, {"files", "versions"})
        assert "Invalid path" in told["files"]
        assert "waits for it" in told["versions"]
        assert ended.json["counts"]["versions"]["here"] == 0
    finally:
        source.call("DELETE", "registered-models/delete", name="odd")
        source.delete(run_id, "model/odd%20%20%20.txt%20")


def test_only_what_is_named_comes_with_what_it_stands_on(source: Source, server: Server) -> None:
    report = brought(source, server, "--only", "models=copied,churn")
    counts = {kind: count["here"] for kind, count in report["counts"].items()}
    assert (counts["models"], counts["logged models"]) == (2, 2)
    assert counts["runs"] == 2  # of the first and the last, which made what is registered
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        found = http.get(f"{API}/registered-models/get", params={"name": "raw"})
        assert found.status_code == HTTPStatus.NOT_FOUND
        params = {"name": "copied", "version": "1"}
        uri = http.get(f"{API}/model-versions/get-download-uri", params=params).json()
        assert uri["artifact_uri"].startswith("mlflow-artifacts:/modelkeep/versions/")
    named = brought(source, server, "--only", "experiments=gone,Default")
    assert named["counts"]["experiments"]["here"] == 2
    missing = bring(source, server, "--only", "experiments=nowhere")
    assert (missing.code, len(missing.json["differences"])) == (1, 1)


def test_a_dry_run_counts_and_writes_nothing(source: Source, server: Server) -> None:
    counted = bring(source, server, "--dry-run")
    assert (counted.code, counted.json["dry_run"], counted.json["agrees"]) == (0, True, None)
    versions = counted.json["counts"]["versions"]
    assert versions["source"] == versions["missing"] >= 6
    assert journal_size(server) == 0
    without = brought(source, server, "--no-artifacts", "--only", "models=raw")
    assert without["counts"]["files"]["source"] == 0
    told = modelkeep("import", "mlflow", source.url, "--only", "models=raw", url=server.url)
    assert (told.code, "and the same" in told.out) == (0, True)
    stages = ["Experiments, runs and logged models", "Models, versions and aliases"]
    stages.append("What is here only")
    lines = told.err.splitlines()
    assert [line.removesuffix(" …") for line in lines if line.endswith(" …")] == stages
    done = [line.partition(": done in ") for line in lines if ": done in " in line]
    assert [stage for stage, _, _ in done] == stages
    assert all("experiments " in counted and "runs " in counted for _, _, counted in done)


def test_a_dry_run_says_what_would_come_what_is_here_and_what_differs(
    source: Source, server: Server
) -> None:
    brought(source, server, "--only", "models=raw")
    described = {"name": "raw", "version": "1", "description": "ours"}
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        assert http.patch(f"{API}/model-versions/update", json=described).is_success
    args = ("--only", "models=raw,churn", "--dry-run", "--quiet")
    told = modelkeep("import", "mlflow", source.url, *args, url=server.url)
    head, *rows, difference, _ = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    columns = ["source", "to bring", "already here", "differ", "only here"]
    assert re.split(" {2,}", head.strip()) == columns
    cells = {row[:13].strip(): row[13:].split() for row in rows}
    assert cells["versions"][1:] == ["2", str(int(cells["versions"][0]) - 3), "1", "0"]
    assert (cells["models"], cells["aliases"][1]) == (["2", "1", "1", "0", "0"], "1")
    assert len({len(line) for line in (head, *rows)}) == 1
    assert difference == "  versions  raw/1: description is '' there and 'ours' here"


def test_a_server_is_not_imported_into_itself(server: Server) -> None:
    told = modelkeep(
        "import", "mlflow", server.url.replace("127.0.0.1", "localhost"), url=server.url
    )
    assert (told.code, "is this modelkeep itself" in told.err) == (64, True)


def test_nobody_who_answers_is_code_3_and_wrong_usage_is_64(server: Server) -> None:
    nowhere = "http://127.0.0.1:1"
    assert modelkeep("import", "mlflow", nowhere, url=server.url).code == 3
    assert modelkeep("import", "mlflow", "mlruns", url=server.url).code == 64
    assert modelkeep("import", "mlflow", nowhere, "--only", "x", url=server.url).code == 64


# -- the oldest --------------------------------------------------------------------------------


def test_a_server_of_2_10_over_files_comes_over_as_well(
    server: Server, mlflow2: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    with filled(mlflow2, FILL_OLD, folder, over_files=True) as old:
        report = brought(old, server)
        counts = {kind: count["here"] for kind, count in report["counts"].items()}
        assert (counts["versions"], counts["stages"], counts["aliases"]) == (2, 1, 1)
        assert (counts["metric points"], counts["files"]) == (32, 1)
        assert not brought(old, server)["anything_new"]
    params = {"name": "churn", "alias": "champion"}
    found = httpx.get(
        f"{server.url}{API}/registered-models/alias", params=params, trust_env=False
    ).json()["model_version"]
    # Its source was a folder of that server's disk; here it is ours, and the note says what it was.
    assert found["version"] == "2"
    assert found["source"].startswith("mlflow-artifacts:/")
    (note,) = found["tags"]
    assert (note["key"], note["value"].startswith("/")) == ("modelkeep.imported.source", True)
