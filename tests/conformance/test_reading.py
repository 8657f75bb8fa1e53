"""The commands that read, as a person or a script uses them, on a real server."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep
from tests.support.clients import Client
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
REFUSED, UNREACHABLE, MISUSED = 1, 3, 64

# The tutorial's three versions (its register_model.py and compare_versions.py), with real models.
_TUTORIAL = """
import mlflow, pandas as pd
from sklearn.linear_model import LogisticRegression

frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1]})
data = mlflow.data.from_pandas(frame, name="fgedu_training_data_2026q1", targets="y")
mlflow.set_experiment("fgedu_classifier_experiment")
rows = [(0.95, 0.94, 0.96, "RandomForest"), (0.85, 0.83, 0.87, "XGBoost"),
        (float("nan"), 0.93, 0.95, "RandomForest")]
for index, (accuracy, precision, recall, kind) in enumerate(rows):
    with mlflow.start_run(run_name=f"fgedu_classifier_v1.{index}"):
        mlflow.log_input(data, context="training")
        mlflow.log_params({"model_type": kind, "n_estimators": 100})
        mlflow.log_metrics({"accuracy": accuracy, "precision": precision, "recall": recall,
                            "log_loss": accuracy / 2})
        mlflow.set_tags({"data_version": "v2.1.0", "author": "fgedu_ml_team"})
        model = LogisticRegression(C=index + 1).fit(frame[["x"]], frame.y)
        mlflow.sklearn.log_model(model, name="model", registered_model_name="fgedu_classifier",
                                 pip_requirements=["scikit-learn"])  # guessing them takes long
client = mlflow.MlflowClient()
client.set_registered_model_alias("fgedu_classifier", "champion", "1")
client.transition_model_version_stage("fgedu_classifier", "1", "Production")
client.transition_model_version_stage("fgedu_classifier", "2", "Archived")
client.copy_model_version("models:/fgedu_classifier/1", "fgedu_copy")
"""
_PREDICT = """
import sys, mlflow, pandas as pd
print(*mlflow.sklearn.load_model(sys.argv[1]).predict(pd.DataFrame({"x": [0.0, 3.0]})))
"""


def matches(lines: list[str], said: Outcome) -> None:
    for line in lines:
        assert re.search(f"^{line}$", said.out, re.MULTILINE), f"{line!r} in\n{said.out}"


@pytest.mark.client
def test_the_tutorials_tables_can_be_read(mlflow3: Client, server: Server, tmp_path: Path) -> None:
    mlflow3.run(_TUTORIAL, url=server.url, user="fgedu")

    def run(*args: str | Path) -> Outcome:
        ended = modelkeep(*args, url=server.url)
        assert (ended.code, ended.err) == (0, ""), args
        return ended

    when = r"\d{4}-\d\d-\d\d \d\d:\d\dZ"
    hexes = "[0-9a-f]"
    matches(
        [
            r"Name +Version +Semver +Production +Aliases +Versions +Updated +Description",
            rf"fgedu_classifier +3 +3\.0\.0 +1 +champion: 1 +3 +{when}",
            rf"fgedu_copy +1 +1\.0\.0 +- +1 +{when}",
        ],
        run("models", "list"),
    )
    matches(
        [
            r"Version +Semver +Stage +Status +Created +Aliases +Author +Run ID +Digest +Source",
            rf" +3 +3\.0\.0 +None +verified +{when} +fgedu +{hexes}{{8}} +{hexes}{{12}}"
            r" +models:/m-.*",
            rf" +1 +1\.0\.0 +Production +verified +{when} +champion +fgedu +{hexes}{{8}} .*",
        ],
        run("versions", "list", "fgedu_classifier"),
    )
    matches(
        [
            r"Version +Stage +Status +Created +accuracy +log_loss +precision +recall +model_type"
            r" +Run ID",
            rf" +1 +Production +verified +{when} +0.95\* +0.475 +0.94\* +0.96\* +RandomForest"
            rf" +{hexes}{{8}}",
            rf" +2 +Archived +verified +{when} +0.85 +0.425\* +0.83 +0.87 +XGBoost +{hexes}{{8}}",
            rf" +3 +None +verified +{when} +NaN +NaN +0.93 +0.95 +RandomForest +{hexes}{{8}}",
            r"  1 by accuracy, precision, recall",
            r"  2 by log_loss \(lower is better\)",
        ],
        run("compare", "fgedu_classifier"),
    )
    told = run("lineage", "fgedu_classifier@champion")
    branch = "[│├└─ ]+"
    matches(
        [
            r"Model Lineage for fgedu_classifier v1",
            rf"{branch}Run Information",
            rf"{branch}Run ID: {hexes}{{32}}",
            rf"{branch}Experiment ID: 1 \(fgedu_classifier_experiment\)",
            rf"{branch}Start Time: {when[:-1]}:\d\dZ",
            rf"{branch}Status: FINISHED",
            rf"{branch}model_type: RandomForest",
            rf"{branch}accuracy: 0.95",
            rf"{branch}data_version: v2.1.0",
            rf"{branch}fgedu_training_data_2026q1 {hexes}+ \(training\) from .*",
            rf"{branch}to fgedu_copy/1 \(None\)",
            rf"{branch}stage:Production since {when}",
        ],
        told,
    )
    assert "mlflow." not in told.out.replace("mlflow.source", "").replace("mlflow.user", "")
    matches([rf"{branch}from fgedu_classifier/1 \(Production\)"], run("lineage", "fgedu_copy/1"))

    listed = run("artifacts", "list", "fgedu_classifier/Production", "--json").json
    said = run("artifacts", "list", "fgedu_classifier/Production")
    digest = f"Manifest {listed['manifest']}"
    matches([r"Artifacts for fgedu_classifier v1:", rf"MLmodel +[0-9.]+ K?B +{hexes}{{12}}",
             rf"{len(listed['files'])} files, .*  {digest}"], said)  # fmt: skip

    folder = tmp_path / "fgedu_classifier_v1"
    said = run("artifacts", "download", "models:/fgedu_classifier/1", folder)
    count = len(listed["files"])
    matches([f"Model downloaded to: {folder}", rf"{count} files, .* downloaded, 0 there already.",
             rf"Every file .* {digest}"], said)  # fmt: skip
    assert mlflow3.run(_PREDICT, str(folder), url=server.url).split() == ["0", "1"]
    (folder / "conda.yaml").unlink()
    again = run("artifacts", "download", "fgedu_copy/latest", folder, "--json").json
    states = {f["path"] for f in again["files"] if f["state"] == "downloaded"}
    assert (states, again["manifest"]) == ({"conda.yaml"}, listed["manifest"])


class Wire:
    """The calls of an MLflow client, by hand."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, trust_env=False, auth=("ann", "-"))

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(f"{API}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, metrics: dict[str, float | str]) -> str:
        run = self.post("runs/create", experiment_id="0", start_time=0)["run"]["info"]
        points = [{"key": k, "value": v, "timestamp": 1} for k, v in metrics.items()]
        self.post("runs/log-batch", run_id=run["run_id"], metrics=points)
        return run["run_id"]

    def version(self, name: str, metrics: dict[str, float | str]) -> None:
        run_id = self.run(metrics)
        put = self.http.put(f"{FILES}/0/{run_id}/artifacts/model/weights", content=b"w")
        assert put.status_code == 200
        self.post("model-versions/create", name=name, source=f"runs:/{run_id}/model", run_id=run_id)


@pytest.fixture
def wire(server: Server) -> Any:
    wire = Wire(server)
    with wire.http:
        yield wire


def test_long_lists_come_in_pages_and_say_that_there_are_more(wire: Wire, server: Server) -> None:
    wire.post("registered-models/create", name="churn")
    for _ in range(12):
        wire.post("model-versions/create", name="churn", source="s3://bucket/model")

    def page(*args: str) -> tuple[list[int], str | None]:
        found = modelkeep("versions", "list", "churn", *args, "--json", url=server.url).json
        return [v["version"] for v in found["versions"]], found["next"]

    assert page("--limit", "5") == ([12, 11, 10, 9, 8], "8")
    assert page("--limit", "5", "--cursor", "8") == ([7, 6, 5, 4, 3], "3")
    assert page("--limit", "2000") == ([*range(12, 0, -1)], None)
    said = modelkeep("versions", "list", "churn", "--limit", "5", url=server.url)
    assert said.out.splitlines()[-1] == "There are more: --limit, or --cursor '8'."
    assert "unverified" in said.out
    named = modelkeep("models", "list", "--filter", "name LIKE 'ch%'", "--json", url=server.url)
    assert [(m["name"], m["versions"]) for m in named.json["models"]] == [("churn", 12)]
    assert modelkeep("models", "list", "--filter", "name = 'x'", url=server.url).out == (
        "No models.\n"
    )
    behind = modelkeep("models", "list", "--cursor", "zzz", url=server.url)
    assert (behind.code, behind.out) == (0, "No models after 'zzz'.\n")


def test_a_script_reads_errors_as_json_from_every_command(wire: Wire, server: Server) -> None:
    wire.post("registered-models/create", name="churn")
    wire.post("model-versions/create", name="churn", source="s3://bucket/model")

    def error(*args: str, url: str = server.url) -> tuple[int, str]:
        ended = modelkeep(*args, "--json", url=url)
        told = json.loads(ended.err)
        assert set(told) == {"error"}
        assert set(told["error"]) == {"code", "message"}
        assert told["error"]["message"]
        assert ended.out == ""
        return ended.code, told["error"]["code"]

    gone = "http://127.0.0.1:1"
    for args, end in {
        ("versions", "list", "nobody"): (REFUSED, "not_found"),
        ("lineage", "churn/9"): (REFUSED, "not_found"),
        ("lineage", "churn/v1"): (MISUSED, "invalid_input"),
        ("versions", "list", "churn", "--cursor", "x"): (MISUSED, "invalid_call"),
        ("approve", "77"): (REFUSED, "not_found"),
        ("at", "churn", "yesterday"): (MISUSED, "invalid_input"),
        ("models", "list", "--filter", "x y"): (MISUSED, "invalid_input"),
        ("promote", "churn/1", "--to", "Elsewhere"): (MISUSED, "invalid_input"),
        ("webhooks", "create", "w", "http://x", "--event", "A/B"): (MISUSED, "invalid_input"),
        ("webhooks", "create", "w", "http://x", "--event", "A/B", "--secret-file", "no"): (
            MISUSED,
            "wrong_usage",
        ),
        ("policy", "apply", "no.yaml"): (MISUSED, "wrong_usage"),
        ("audit", "verify", "--file", "no.jsonl"): (MISUSED, "wrong_usage"),
        ("lineage", "churn"): (MISUSED, "wrong_usage"),
        ("sing",): (MISUSED, "wrong_usage"),
    }.items():
        assert error(*args) == end, args
    assert error("models", "list", url=gone) == (UNREACHABLE, "no_answer")
    for wrong in ("foo", "ftp://here", "http://", "http://[::1", "127.0.0.1:5000"):
        assert error("models", "list", url=wrong) == (MISUSED, "wrong_usage"), wrong
        assert error("audit", "verify", url=wrong) == (MISUSED, "wrong_usage"), wrong
    assert error("models", "list", url=f"{server.url}/health?") == (UNREACHABLE, "no_answer")


def test_a_comparison_marks_no_nan_and_can_be_read_the_other_way(
    wire: Wire, server: Server
) -> None:
    wire.post("registered-models/create", name="churn")
    for value in ("NaN", 0.5, 0.25, "Infinity"):
        wire.version("churn", {"score": value, "gini": 1})

    def compared(*args: str) -> tuple[list[int], list[Any]]:
        found = modelkeep("compare", "churn", *args, "--json", url=server.url).json
        metrics = {metric["name"]: metric for metric in found["metrics"]}
        assert metrics["gini"]["best"] == []
        return metrics["score"]["best"], metrics["score"]["values"]

    assert compared() == ([4], ["NaN", 0.5, 0.25, "Infinity"])
    assert compared("--lower", "score") == ([3], ["NaN", 0.5, 0.25, "Infinity"])
    assert compared("1", "2") == ([2], ["NaN", 0.5])


# -- on a terminal -----------------------------------------------------------------------------


def on_terminal(columns: int, *args: str, url: str, **env: str) -> str:
    """What the command shows on a terminal of so many columns, which it exits with 0."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "modelkeep", *args, "--url", url],
        env={**inherited, "TERM": "xterm", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def test_tables_fit_the_terminal_and_colour_is_for_terminals_alone(
    wire: Wire, server: Server
) -> None:
    from rich.cells import cell_len

    wire.post("registered-models/create", name="客戶流失預測", description="模型" * 40)
    for value in (0.9, 0.8):
        wire.version("客戶流失預測", {f"metric_{i}": value for i in range(9)})
    commands = (
        ("models", "list"),
        ("versions", "list", "客戶流失預測"),
        ("compare", "客戶流失預測"),
    )
    escape = "\x1b"
    for args in commands:
        for columns in (60,):
            plain = on_terminal(columns, *args, url=server.url, NO_COLOR="1")
            assert escape not in plain
            table = plain.partition("Best")[0].partition("Not shown")[0].splitlines()
            assert max(map(cell_len, table)) <= columns, (args, columns, plain)
        assert escape in on_terminal(80, *args, url=server.url)
        piped = modelkeep(*args, url=server.url)
        assert escape not in piped.out
        assert "Not shown" not in piped.out
    assert "Not shown for want of width" in on_terminal(60, *commands[0], url=server.url)
    narrow = on_terminal(60, *commands[2], url=server.url, NO_COLOR="1")
    assert re.search(r"^metric_0 +0\.9\* +0\.8$", narrow, re.MULTILINE)


def test_what_others_wrote_does_not_steer_the_terminal(wire: Wire, server: Server) -> None:
    wire.post("registered-models/create", name="churn", description="a\x1b[2Jb\u202ec\nd")
    run_id = wire.run({"score": 1.0})
    wire.post("runs/set-tag", run_id=run_id, key="note", value="x\x1b]0;y\x07\nz")
    wire.post("model-versions/create", name="churn", source=f"s3://b/{'x' * 300}", run_id=run_id)
    for args in (("models", "list"), ("versions", "list", "churn"), ("lineage", "churn/1")):
        said = modelkeep(*args, url=server.url)
        assert said.code == 0, said.err
        for steering in ("\x1b", "\x07", "\u202e"):
            assert steering not in said.out
    assert "a\\x1b[2Jb\\x202ec" in modelkeep("models", "list", url=server.url).out
    assert "note: x\\x1b]0;y\\x07" in modelkeep("lineage", "churn/1", url=server.url).out


def test_a_terminal_without_the_letters_is_shown_their_codes(wire: Wire, server: Server) -> None:
    wire.post("registered-models/create", name="客戶")
    wire.post("model-versions/create", name="客戶", source="s3://bucket/model")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    said = modelkeep("lineage", "客戶/1", url=server.url, env=ascii_only)
    assert said.code == 0, said.err
    assert r"Model Lineage for \u5ba2\u6236 v1" in said.out
    assert "|- Version 1" in said.out


def test_a_shell_completes_the_commands() -> None:
    asked = {"_MODELKEEP_COMPLETE": "complete_bash", "COMP_WORDS": "modelkeep art",
             "COMP_CWORD": "1"}  # fmt: skip
    assert modelkeep(env=asked).out.split() == ["artifacts"]


def test_the_server_warns_of_a_misspelt_setting(start_server: StartServer) -> None:
    server = start_server(env={"MODELKEEP_LOGLEVEL": "debug", "MODELKEEP_URL": "http://x"})
    said = server.log_text()
    assert "MODELKEEP_LOGLEVEL is no setting" in said
    assert "Did you mean MODELKEEP_LOG_LEVEL?" in said
    assert "MODELKEEP_URL" not in said
