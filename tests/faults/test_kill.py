"""Killed at any moment: what was acknowledged is there, and nothing is half done.

Each round lets several clients register and promote, kills the server (or the database under it)
in the middle of that, and looks at what is left. MODELKEEP_KILL_ROUNDS sets how many rounds, and
MODELKEEP_KILL_SEED the moments, as far as threads can be repeated; `make soak` takes others each
time. A failure prints it.
"""

import os
import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.postgres import PostgresMissing, running_postgres
from tests.support.server import Server

ROUNDS = int(os.environ.get("MODELKEEP_KILL_ROUNDS", "4"))
SEED = int(os.environ.get("MODELKEEP_KILL_SEED", "1"))
CLIENTS = 6
MOST_CHANGES = 60  # acknowledged in one round, at most, before the kill
FEWEST_MOVES = 2  # of them, so that there is something to look for, however slow the machine
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
NATIVE = "/api/v1"
STAGES = ("Production", "Staging", "Archived")
TRANSITIONS = ", ".join(f"{a} -> {b}: {{}}" for a in ("None", *STAGES) for b in STAGES if a != b)
POLICY = f"model_registry: {{single: [Staging], stage_transitions: {{{TRANSITIONS}}}}}"


@dataclass
class Ledger:
    """What the server has acknowledged, kept by the clients."""

    bytes_of: dict[int, bytes] = field(default_factory=dict)  # version -> its weights
    moves: list[tuple[int, str]] = field(default_factory=list)  # (version, stage)
    odd: list[str] = field(default_factory=list)  # answers that should not have come
    changes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, write: Callable[[], None]) -> None:
        with self.lock:
            write()
            self.changes += 1


def work(url: str, ledger: Ledger, over: threading.Event, choose: random.Random) -> None:
    """Registers and promotes until the server is gone, or this is over."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        while not over.is_set():
            try:
                register(http, ledger)
                move(http, ledger, choose)
            except httpx.TransportError:
                return
            except Refused as refused:
                if refused.status != 503:
                    ledger.odd.append(str(refused))
                return


class Refused(Exception):
    """The server answered something else than 200."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.status_code} {answer.text[:300]}")
        self.status = answer.status_code


def post(http: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = http.post(path if path.startswith("/") else f"{API}/{path}", json=body)
    if answer.status_code != 200:
        raise Refused(answer)
    return answer.json()


def register(http: httpx.Client, ledger: Ledger) -> None:
    weights = uuid.uuid4().hex.encode() * 3
    run = post(http, "runs/create", experiment_id="0")["run"]["info"]["run_id"]
    answer = http.put(f"{FILES}/0/{run}/artifacts/model/weights", content=weights)
    if answer.status_code != 200:
        raise Refused(answer)
    tag = {"key": "weights", "value": weights.decode()}
    made = post(
        http, "model-versions/create", name="m", source=f"runs:/{run}/model", run_id=run, tags=[tag]
    )
    number = int(made["model_version"]["version"])
    ledger.note(lambda: ledger.bytes_of.update({number: weights}))


def move(http: httpx.Client, ledger: Ledger, choose: random.Random) -> None:
    with ledger.lock:
        number = choose.choice(list(ledger.bytes_of))
    stage = choose.choice(STAGES)
    answer = http.get(f"{API}/model-versions/get?name=m&version={number}")
    if answer.status_code != 200:
        raise Refused(answer)
    if answer.json()["model_version"]["current_stage"] == stage:
        return
    moved = post(
        http, "model-versions/transition-stage", name="m", version=str(number), stage=stage
    )
    if moved["model_version"]["current_stage"] != stage:
        raise AssertionError(moved)
    ledger.note(lambda: ledger.moves.append((number, stage)))


def interrupted(
    url: str, ledger: Ledger, choose: random.Random, strike: Callable[[], None]
) -> None:
    """Lets the clients work, and strikes after some acknowledged changes, in the midst of more."""
    over = threading.Event()
    seeds = [random.Random(choose.random()) for _ in range(CLIENTS)]
    target = ledger.changes + choose.randint(3, MOST_CHANGES)
    moves = len(ledger.moves) + FEWEST_MOVES

    def may_strike() -> bool:
        return ledger.changes >= target and len(ledger.moves) >= moves

    with ThreadPoolExecutor(CLIENTS) as threads:
        working = [threads.submit(work, url, ledger, over, seed) for seed in seeds]
        try:
            while not (may_strike() or all(w.done() for w in working)):
                over.wait(0.001)
            over.wait(choose.random() * 0.01)  # anywhere within the next few commits
            strike()
        finally:
            over.set()
        for worker in working:
            worker.result()


def check(server: Server, ledger: Ledger) -> None:
    """All that must hold of what is left, whenever the blow fell."""
    assert ledger.odd == [], server.log_text()[-8000:]
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        found = http.get(f"{API}/model-versions/search").json().get("model_versions", [])
        versions = {int(v["version"]): v for v in found}
        assert sorted(versions) == list(range(1, len(found) + 1)), "numbers are dense"
        assert ledger.bytes_of.keys() <= versions.keys(), "what was acknowledged is there"
        for number, version in versions.items():
            weights = version["tags"][0]["value"].encode()
            assert ledger.bytes_of.setdefault(number, weights) == weights
            params = {"name": "m", "version": str(number), "path": "weights"}
            assert http.get("/model-versions/get-artifact", params=params).content == weights

        holders = {s: [n for n, v in versions.items() if v["current_stage"] == s] for s in STAGES}
        model = http.get(f"{API}/registered-models/get?name=m").json()["registered_model"]
        champion = [int(a["version"]) for a in model.get("aliases", []) if a["alias"] == "champion"]
        assert len(holders["Production"]) <= 1
        assert len(holders["Staging"]) <= 1
        assert champion == holders["Production"], "the alias moved with the stage"

        told = history(http)
        epochs = {stage: [e for s, e, _ in told if s == stage] for stage in STAGES}
        for stage, seen in epochs.items():
            assert seen == list(range(1, len(seen) + 1)), f"the epochs of {stage} are dense"
        entered = [(n, stage) for stage, _, moved in told for n in moved]
        assert set(ledger.moves) <= set(entered), "every acknowledged move is in the journal"
        time_now = datetime.now(UTC).isoformat()
        at = http.get(f"{NATIVE}/models/m/at", params={"time": time_now}).json()["slots"]
        held = {s: sorted(x["version"] for x in at if x["slot"] == f"stage:{s}") for s in STAGES}
        assert held == {stage: sorted(numbers) for stage, numbers in holders.items()}


def history(http: httpx.Client) -> list[tuple[str, int, list[int]]]:
    """(stage, its new epoch, who entered it) of every change of a stage, oldest first."""
    found: list[tuple[str, int, list[int]]] = []
    before: int | None = None
    while True:
        params = {"limit": 1000} | ({} if before is None else {"before": before})
        entries = http.get(f"{NATIVE}/models/m/history", params=params).json()
        for entry in entries:
            after = entry["post"]
            for slot in after.get("slots", ()):
                kind, _, stage = slot["slot"].partition(":")
                if kind == "stage":
                    into = [s["version"] for s in after["stages"] if s["stage"] == stage]
                    found.append((stage, slot["epoch"], into))
        if len(entries) < 1000:
            return found[::-1]
        before = entries[-1]["index"]


def verify(*args: str | Path, url: str = "") -> None:
    ended = modelkeep("audit", "verify", *args, url=url)
    assert ended.code == 0, ended.out + ended.err


def prepare(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        post(http, f"{NATIVE}/policy", source=POLICY)
        post(http, "registered-models/create", name="m")


@pytest.mark.timeout(400 + 30 * ROUNDS)
def test_a_server_killed_at_any_moment_has_kept_its_word(
    start_server: StartServer, database_url: str
) -> None:
    print(f"MODELKEEP_KILL_SEED={SEED}")
    choose, ledger = random.Random(SEED), Ledger()
    server = start_server(database_url=database_url)
    direct = ("--database-url", database_url) if database_url else ("--data-dir", server.data_dir)
    prepare(server)
    for _ in range(ROUNDS):
        interrupted(server.url, ledger, choose, server.kill)
        verify(*direct)  # as the kill left it
        server.start()
        check(server, ledger)
        verify(url=server.url)
    assert len(ledger.moves) >= ROUNDS * FEWEST_MOVES


@pytest.mark.postgresql
@pytest.mark.timeout(400 + 30 * ROUNDS)
def test_a_server_outlives_its_database(start_server: StartServer) -> None:
    print(f"MODELKEEP_KILL_SEED={SEED}")
    choose, ledger = random.Random(SEED), Ledger()
    try:
        with running_postgres() as postgres:
            url = postgres.create_database()
            server = start_server(database_url=url)
            prepare(server)
            for _ in range(ROUNDS // 2):
                interrupted(server.url, ledger, choose, postgres.crash)
                without_a_database(server)
                postgres.start()
                until_it_answers(server)
                check(server, ledger)
            verify("--database-url", url)
            server.kill()
    except PostgresMissing as missing:
        pytest.skip(str(missing))
    assert len(ledger.moves) >= ROUNDS // 2 * FEWEST_MOVES


def without_a_database(server: Server) -> None:
    """While it is away every call is told so, at once; the server itself is well."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        assert http.get("/health").status_code == 200
        for _ in range(3):  # connections that broke are not handed out again
            for answer in (
                http.get(f"{API}/registered-models/get?name=m"),
                http.get(f"{API}/registered-models/alias?name=m&alias=champion"),
                http.get(f"{API}/model-versions/search"),
                http.post(f"{API}/registered-models/create", json={"name": "n"}),
                http.put(f"{FILES}/a/b", content=b"x"),
                http.get(f"{FILES}/a/b"),
                http.get(f"{NATIVE}/requests"),
                http.get(f"{NATIVE}/journal/export"),
                http.post(f"{NATIVE}/rollbacks", json={"model": "m", "reason": "r"}),
            ):
                assert answer.status_code == 503, (answer.request.url, answer.text)
                assert "unavailable" in answer.text.lower()


def until_it_answers(server: Server) -> None:
    """Both sides find the database again by themselves, each within a few calls."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for method, path, body in (
            ("GET", "registered-models/get?name=m", None),
            ("PATCH", "registered-models/update", {"name": "m", "description": uuid.uuid4().hex}),
        ):
            statuses = []
            while 200 not in statuses:
                statuses.append(http.request(method, f"{API}/{path}", json=body).status_code)
                assert statuses[-1] in (200, 503)
                assert len(statuses) < 20, statuses
