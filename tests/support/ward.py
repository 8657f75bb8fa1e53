"""A small registry for tests of faults: the flows that must be whole, and what is left of one."""

import hashlib
import json
import shutil
import sqlite3
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from modelkeep.bootstrap import Running
from modelkeep.domain import audit as verifier
from modelkeep.operations import open_export
from modelkeep.settings import Settings

TLS = ssl.create_default_context()  # made once: it takes longer than a call
API, NATIVE = "/api/2.0/mlflow", "/api/v1"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
LARGE = hashlib.shake_256(b"weights").digest(200_000)  # beyond what lies beside its row
WARM = b"warm" * 20_000
POLICY = """
model_registry:
  single: [Staging]
  stage_transitions:
    None -> Staging: {}
    None -> Production: {required_tags: [tested], approvals: 2}
    Production -> Archived: {}
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a flow, by whom, and the status that acknowledges it."""

    by: str
    method: str
    path: str
    body: Any
    status: int = 200

    def send(self, url: str) -> httpx.Response:
        is_file = isinstance(self.body, bytes)
        content, json = (self.body, None) if is_file else (None, self.body)
        with httpx.Client(verify=TLS, trust_env=False, timeout=60) as http:
            return http.request(
                self.method, url + self.path, auth=(self.by, "-"), content=content, json=json
            )


@dataclass(frozen=True, slots=True)
class Flow:
    """What is asked, one call after another; `warm_up` brings the server's threads to life."""

    name: str
    calls: tuple[Call, ...]
    warm_up: tuple[Call, ...] = ()


def _promote(version: int, stage: str) -> Call:
    body = {"model": "m", "version": version, "stage": stage, "reason": "better"}
    return Call("rob", "POST", f"{NATIVE}/promotions", body)


def _approve(request: int, by: str) -> Call:
    return Call(by, "POST", f"{NATIVE}/requests/{request}/approve", {"comment": "seen"})


def flows(run: str) -> list[Flow]:
    """The flows over what `prepare` has made."""
    files = f"{FILES}/0/{run}/artifacts"
    version = {"name": "m", "source": f"runs:/{run}/new", "run_id": run}
    return [
        Flow(
            "register",
            (
                Call("ann", "PUT", f"{files}/new/small", b"small"),
                Call("ann", "PUT", f"{files}/new/large", LARGE),
                Call("ann", "POST", f"{API}/model-versions/create", version),
            ),
            (Call("ann", "PUT", f"{files}/warm", WARM),),
        ),
        Flow("promote", (_promote(5, "Staging"), _promote(6, "Production"))),
        Flow("approve", (_approve(3, "bob"), _approve(3, "cid"))),
        Flow(
            "roll back",
            (Call("rob", "POST", f"{NATIVE}/rollbacks", {"model": "m", "reason": "it is worse"}),),
        ),
    ]


def prepare(url: str) -> str:
    """Versions 1 and 2 were in production one after the other, 3 is in staging, 4 waits for votes
    on request 3, and 5 and 6 are new. The run that they are of."""

    def send(path: str, by: str = "ann", method: str = "POST", **body: Any) -> Any:
        return Call(by, method, path, body).send(url).raise_for_status().json()

    send(f"{NATIVE}/policy", source=POLICY)
    send(f"{API}/registered-models/create", name="m")
    run = send(f"{API}/runs/create", experiment_id="0")["run"]["info"]["run_id"]
    Call("ann", "PUT", f"{FILES}/0/{run}/artifacts/model/weights", b"w").send(url)
    Call("ann", "PUT", f"{FILES}/0/{run}/artifacts/warm", WARM).send(url)
    tags = [{"key": "tested", "value": "yes"}]
    for _ in range(6):
        source = f"runs:/{run}/model"
        send(f"{API}/model-versions/create", name="m", source=source, run_id=run, tags=tags)
    steps = [_promote(1, "Production"), _approve(1, "bob"), _approve(1, "cid")]
    steps += [_promote(2, "Production"), _approve(2, "bob"), _approve(2, "cid")]
    for step in (*steps, _promote(3, "Staging"), _promote(4, "Production")):
        step.send(url).raise_for_status()
    return run


# -- what is left --------------------------------------------------------------------------------

State = dict[str, list[str]]


def survived(data_dir: Path) -> State:
    """What a server finds that starts on what another has left; fails for anything by half."""
    Running(Settings(data_dir=data_dir)).close()
    assert list((data_dir / "incoming").iterdir()) == [], "what had only begun is swept"
    return shown(data_dir)


def crash_image(data_dir: Path, to: Path) -> Path:
    """What the disk would hold if the server died now, between two calls; but for what it is
    about to give its name, which may have it before it is copied."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(data_dir, to, ignore=shutil.ignore_patterns("*-shm", "*.new", "lock"))
    return to


def shown(data_dir: Path) -> State:
    """What the tables and the journal say now, without times; fails unless all of it agrees."""
    export = list(open_export(data_dir))
    report = verifier.verify(export)
    assert report.is_intact, report
    entries = [json.loads(line["body"]) for line in export if line["kind"] == "entry"]
    state = {"journal": [entry["act"] for entry in entries]}
    for line in export:
        if line["kind"] == "row":
            state.setdefault(line["table"], []).append(_timeless(line["row"]))
    state["artifact"] = _files(data_dir)
    return state


def serves(url: str, state: State) -> bool:
    """Whether the server resolves `champion` as a state has it: to whoever is in production."""
    alias = f"{API}/registered-models/alias?name=m&alias=champion"
    told = Call("ann", "GET", alias, None).send(url).raise_for_status().json()["model_version"]
    rows = [json.loads(row) for row in state["version"]]
    (champion,) = [str(row["number"]) for row in rows if row["stage"] == "Production"]
    return (told["version"], told["current_stage"]) == (champion, "Production")


def _timeless(row: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in row.items() if not k.endswith("_ms")}, sort_keys=True)


def _files(data_dir: Path) -> list[str]:
    """Every path that names bytes; fails where the bytes are not those that it names."""
    with closing(sqlite3.connect(f"file:{data_dir}/modelkeep.db?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        named = db.execute("SELECT path, sha256, size_bytes FROM artifacts ORDER BY path")
        rows = named.fetchall()
        small = dict(db.execute("SELECT sha256, content FROM small_blobs"))
        frozen = db.execute("SELECT path, sha256, size_bytes FROM manifest_files").fetchall()
    for path, sha256, size in (*rows, *frozen):
        content = small.get(sha256)
        if content is None:
            content = (data_dir / "blobs" / sha256[:2] / sha256).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size), path
    return [f"{path} {sha256}" for path, sha256, _ in rows]
