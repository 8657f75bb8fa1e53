"""The whole story, told by real users: a server, stock MLflow clients, real models on real data.

`make demo` runs it. Every line that it prints came back from a running process. It exits 0 only
if each step ended as the story says it must. `KEEP=1` leaves the server running at the end, and
`MODELKEEP_DEMO_SVG=FILE` keeps a picture of some chapters (docs/demo.svg was made so).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NoReturn

from rich.console import Console

HERE = Path(__file__).parent
POLICY = HERE.parent / "examples" / "production_config.yaml"
NAME = "tumour_classifier"
START_LIMIT_S = 60

PICTURE = os.environ.get("MODELKEEP_DEMO_SVG")
PICTURE_WIDTH = 118

console = Console(highlight=False, soft_wrap=not PICTURE, width=PICTURE_WIDTH if PICTURE else None)


def main() -> None:
    client_python = os.environ.get("MODELKEEP_CLIENT_PYTHON", "")
    if not Path(client_python).exists():
        stop("MODELKEEP_CLIENT_PYTHON must name a Python with mlflow and scikit-learn.")
    folder = Path(tempfile.mkdtemp(prefix="modelkeep-demo-"))
    server = Server(folder / "data")
    keep = bool(os.environ.get("KEEP"))
    try:
        Story(server, client_python, folder).tell()
        if PICTURE:
            save_picture(Path(PICTURE))
        if keep:
            say_kept(server, folder)
    finally:
        if not keep:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)


class Server:
    """`modelkeep serve` on a free port with a data directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = data_dir.with_suffix(".log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modelkeep", "serve", "--port", str(port),
             "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        for _ in range(START_LIMIT_S * 50):
            try:
                with urllib.request.urlopen(f"{self.url}/health"):
                    return
            except OSError:
                time.sleep(0.02)
        log = Path(self._log.name).read_text(errors="replace")
        stop(f"the server did not start. Its log ends:\n{log[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._log.close()


class Person:
    """Somebody with a terminal: runs client scripts and the `modelkeep` command under a name."""

    def __init__(self, name: str, server: Server, client_python: str) -> None:
        self.name, self._python = name, client_python
        self._env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MODELKEEP_"))},
            "MLFLOW_TRACKING_URI": server.url,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": "unused",  # the client sends a name only with a password
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "GIT_PYTHON_REFRESH": "quiet",
            "PYTHONWARNINGS": "ignore",
            "MODELKEEP_URL": server.url,
            "MODELKEEP_USER": name,
        }

    def script(self, name: str) -> "subprocess.Popen[str]":
        """Starts one of the client scripts; lines go in, lines of JSON come out."""
        return subprocess.Popen(
            [self._python, str(HERE / name), NAME], env=self._env, text=True, cwd=HERE,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def modelkeep(self, *args: str, expect: int = 0, show: bool = True) -> str:
        """Runs a command, shows it and its answer, and insists on the exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "modelkeep", *args],
            env=self._env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        told = (done.stdout + done.stderr).strip()
        if show:
            console.print(f"  [bold]{self.name}[/]$ modelkeep {' '.join(map(quoted, args))}")
            quote_lines(told)
            if expect:
                console.print(f"  [dim]exit code {done.returncode}[/]")
        if done.returncode != expect:
            stop(f"modelkeep {args[0]} exited {done.returncode}, not {expect}:\n{told}")
        return done.stdout


class Story:
    """The story, a chapter a method. Versions: 1 good, 2 worse, 3 better on paper."""

    def __init__(self, server: Server, client_python: str, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.ann = Person("ann", server, client_python)
        self.bob = Person("bob", server, client_python)
        self.clinic = Person("clinic", server, client_python)

    def tell(self) -> None:
        began = time.monotonic()
        self.train()
        self.apply_policy()
        mover = self.ann.script("move.py")
        app = self.clinic.script("serve_champion.py")
        self.refuse_the_worse(mover)
        self.promote_the_good(mover, app)
        self.promote_the_better(mover)
        self.find_a_regression(app)
        before = datetime.now(UTC)
        self.roll_back(app)
        self.ask_the_past(before)
        self.prove()
        for process in (mover, app):
            finish(process)
        console.print(f"\n[bold green]Done[/] in {time.monotonic() - began:.0f} s.")

    def train(self) -> None:
        chapter("Ann trains three classifiers and registers them, with stock MLflow")
        note(f"MLFLOW_TRACKING_URI={self.server.url}; nothing else is new to her.")
        training = self.ann.script("train.py")
        for number, line in enumerate(lines_of(training), 1):
            made = json.loads(line)
            console.print(
                f"  version {number}: {made['title']:<21} "
                f"accuracy {made['accuracy']:.3f}, f1 {made['f1_score']:.3f}"
            )
        finish(training)

    def apply_policy(self) -> None:
        chapter("A policy is put in force: from now on nothing enters Production unasked")
        self.ann.modelkeep("policy", "apply", str(POLICY.relative_to(HERE.parent)))

    def refuse_the_worse(self, mover: "subprocess.Popen[str]") -> None:
        chapter("Ann asks for version 2, the worse one; MLflow tells her why not", pictured=True)
        staged = ["tested", "reviewed", "approved", "performance_validated"]
        self._ask(mover, 2, "Staging", staged, wants="stage")
        self._ask(mover, 2, "Production", wants="accuracy is")

    def promote_the_good(
        self, mover: "subprocess.Popen[str]", app: "subprocess.Popen[str]"
    ) -> None:
        chapter("Version 1 passes every gate, and waits for a second person", pictured=True)
        staged = ["tested", "reviewed", "approved", "performance_validated"]
        self._ask(mover, 1, "Staging", staged, wants="stage")
        self._ask(mover, 1, "Production", wants="waits")
        self.ann.modelkeep("approve", "1", "--comment", "mine is fine", expect=1)
        chapter("Bob looks at what it rests on: the evidence, frozen when it was asked for")
        self.bob.modelkeep("requests")
        self.bob.modelkeep("requests", "1")
        chapter("Bob approves; the alias champion comes along", pictured=True)
        self.bob.modelkeep("approve", "1", "--comment", "looked at the confusion matrix")
        self._serve(app, expect="1")

    def promote_the_better(self, mover: "subprocess.Popen[str]") -> None:
        chapter("Version 3 is better still, and takes its place")
        staged = ["tested", "reviewed", "approved", "performance_validated"]
        self._ask(mover, 3, "Staging", staged, wants="stage")
        self._ask(mover, 3, "Production", wants="waits")
        self.bob.modelkeep("approve", "2", "--comment", "two points more on the held-out patients")

    def find_a_regression(self, app: "subprocess.Popen[str]") -> None:
        chapter("In service, a new clinic's machine does not measure all that version 3 needs")
        seen = self._serve(app, expect="3")
        if seen["new_clinic"] > 0.8:
            stop("the regression that the story is about did not happen")

    def roll_back(self, app: "subprocess.Popen[str]") -> None:
        chapter("Bob rolls back: the stage and its alias, in one stroke", pictured=True)
        reason = "useless without the worst values, which the new clinic lacks"
        self.bob.modelkeep("rollback", NAME, "--reason", reason)
        seen = self._serve(app, expect="1")
        if seen["new_clinic"] < 0.8:
            stop("the version rolled back to does not serve the new clinic")

    def ask_the_past(self, before: datetime) -> None:
        chapter("What was in production before that, and what is now?")
        then = before.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        shown = self.bob.modelkeep("at", NAME, then)
        insist("stage:Production  3" in shown, "version 3 was in production before")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        shown = self.bob.modelkeep("at", NAME, now)
        insist("stage:Production  1" in shown, "version 1 is in production now")

    def prove(self) -> None:
        chapter("Can it be proven? The journal is verified; then a copy is tampered with")
        self.bob.modelkeep("audit", "verify")
        copy = self.folder / "journal.jsonl"
        self.bob.modelkeep("audit", "export", str(copy))
        lines = [json.loads(line) for line in copy.read_text().splitlines()]
        entry = next(x for x in reversed(lines) if "rolled-back" in x.get("body", ""))
        entry["body"] = entry["body"].replace('"version":1', '"version":2')
        copy.write_text("".join(json.dumps(line) + "\n" for line in lines))
        index = entry["index"]
        note(f"In the copy, entry {index} (the rollback) now says version 2 instead of 1.")
        shown = self.bob.modelkeep("audit", "verify", "--file", str(copy), expect=2)
        insist(f"The first bad entry is {index}." in shown, f"entry {index} is named")

    def _ask(
        self,
        mover: "subprocess.Popen[str]",
        version: int,
        stage: str,
        tags: Sequence[str] = (),
        *,
        wants: str,
    ) -> None:
        if tags:
            console.print(f"  [bold]ann[/]: tags version {version} {', '.join(tags)}")
        console.print(f"  [bold]ann[/]: transition_model_version_stage({version}, {stage!r})")
        said = converse(mover, {"version": str(version), "stage": stage, "tags": list(tags)})
        quote_lines(said.get("error") or f"version {version} is in {said['stage']}")
        insist(wants in json.dumps(said), f"{wants!r} in the answer")

    def _serve(self, app: "subprocess.Popen[str]", expect: str) -> dict[str, Any]:
        console.print(f'  [bold]clinic[/]: mlflow.pyfunc.load_model("models:/{NAME}@champion")')
        seen = converse(app, {})
        quote_lines(
            f"version {seen['version']}: accuracy {seen['accuracy']} on held-out patients, "
            f"{seen['new_clinic']} on the new clinic's"
        )
        insist(seen["version"] == expect, f"the champion is version {expect}")
        return seen


# -- telling -------------------------------------------------------------------------------------


def chapter(title: str, *, pictured: bool = False) -> None:
    console.record = pictured and bool(PICTURE)
    console.print(f"\n[bold cyan]■ {title}[/]")


def note(text: str) -> None:
    console.print(f"  [dim]{text}[/]")


def quote_lines(text: str) -> None:
    for line in text.splitlines():
        console.print(f"    │ {line}", markup=False)


def quoted(arg: str) -> str:
    return f'"{arg}"' if " " in arg else arg


def converse(process: "subprocess.Popen[str]", order: dict[str, Any]) -> dict[str, Any]:
    """One line in, one line out."""
    stdin, stdout = pipe(process.stdin), pipe(process.stdout)
    stdin.write(json.dumps(order) + "\n")
    stdin.flush()
    line = stdout.readline()
    if not line:
        stop(pipe(process.stderr).read()[-2000:])
    return json.loads(line)


def lines_of(process: "subprocess.Popen[str]") -> Any:
    """Its lines of JSON, as they come; other chatter of the client is left out."""
    pipe(process.stdin).close()
    return (line for line in pipe(process.stdout) if line.startswith("{"))


def finish(process: "subprocess.Popen[str]") -> None:
    if process.stdin and not process.stdin.closed:
        process.stdin.close()
    errors = pipe(process.stderr).read()
    if process.wait(30) != 0:
        stop(errors[-2000:])


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def insist(holds: bool, what: str) -> None:
    if not holds:
        stop(f"the story expects that {what}")


def stop(why: str) -> NoReturn:
    console.print(f"[bold red]The demo failed:[/] {why}", markup=True)
    raise SystemExit(1)


def save_picture(file: Path) -> None:
    """What was recorded, as an SVG that loads nothing from anywhere."""
    console.record = True
    drawn = console.export_svg(title="make demo")
    plain = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    file.write_text(plain.replace("Fira Code", "DejaVu Sans Mono"))


def say_kept(server: Server, folder: Path) -> None:
    pid = server.process.pid
    console.print(f"\nThe server is still up: [bold]{server.url}[/]  (process {pid})")
    console.print(f"  export MLFLOW_TRACKING_URI={server.url} MODELKEEP_URL={server.url}")
    console.print(f"  its data: {folder}; stop it with: kill {pid}")


if __name__ == "__main__":
    main()
