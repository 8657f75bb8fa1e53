"""Sixteen at once: whoever races for a slot, one holds it, and the history tells the order."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.server import Server

API = "/api/2.0/mlflow"
NATIVE = "/api/v1"
RACERS = 16
WAIT_S = 60.0
# A policy without a gate: it admits one to Production, and asks nothing of anyone.
OPEN = """
model_registry:
  stage_transitions:
    None -> Production: {}
    Archived -> Production: {}
    Production -> Archived: {}
"""


@pytest.fixture
def running(start_server: StartServer, database_url: str) -> Server:
    """A server with a model of sixteen versions."""
    server = start_server(database_url=database_url)
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        create(http, "registered-models/create", name="m")
        for _ in range(RACERS):
            create(http, "model-versions/create", name="m", source="s3://bucket/m")
    return server


def create(http: httpx.Client, path: str, **body: Any) -> None:
    assert http.post(f"{API}/{path}", json=body).status_code == 200


def race(server: Server, run: Callable[[httpx.Client, int], None]) -> None:
    """Runs `run(client, number)` for 1 … 16, each in a thread with a connection, from one mark."""
    mark = threading.Barrier(RACERS)

    def one(number: int) -> None:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
            assert http.get("/health").status_code == 200
            mark.wait()
            run(http, number)

    with ThreadPoolExecutor(RACERS) as threads:
        list(threads.map(one, range(1, RACERS + 1)))


def promote(http: httpx.Client, number: int) -> None:
    body = {
        "name": "m",
        "version": str(number),
        "stage": "Production",
        "archive_existing_versions": True,
    }
    answer = http.post(f"{API}/model-versions/transition-stage", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model_version"]["current_stage"] == "Production"


def winners(server: Server) -> list[tuple[int, int]]:
    """(epoch of Production, version) of every move into it, as the journal tells them."""
    history = httpx.get(f"{server.url}{NATIVE}/models/m/history?limit=1000", trust_env=False).json()
    found = []
    for entry in reversed(history):
        into = [s["version"] for s in entry["post"].get("stages", ()) if s["stage"] == "Production"]
        epochs = [
            s["epoch"] for s in entry["post"].get("slots", ()) if s["slot"] == "stage:Production"
        ]
        found += list(zip(epochs, into, strict=False))
    return found


def stages(server: Server) -> dict[int, str]:
    answer = httpx.get(f"{server.url}{API}/model-versions/search", trust_env=False).json()
    return {int(v["version"]): v["current_stage"] for v in answer["model_versions"]}


@pytest.mark.parametrize("policy", ["", OPEN], ids=["no policy", "a policy"])
def test_of_sixteen_that_promote_at_once_one_holds_production(running: Server, policy: str) -> None:
    if policy:
        applied = httpx.post(
            f"{running.url}{NATIVE}/policy", json={"source": policy}, trust_env=False
        )
        assert applied.status_code == 200, applied.text
    race(running, promote)
    told = winners(running)
    assert [epoch for epoch, _ in told] == list(range(1, RACERS + 1))
    assert sorted(version for _, version in told) == list(range(1, RACERS + 1))
    now = stages(running)
    last = told[-1][1]
    assert now == {n: "Production" if n == last else "Archived" for n in range(1, RACERS + 1)}
    params = {"time": datetime.now(UTC).isoformat()}
    at = httpx.get(f"{running.url}{NATIVE}/models/m/at", params=params, trust_env=False).json()
    held = {s["slot"]: s["version"] for s in at["slots"] if s["slot"] != "stage:Archived"}
    assert held == {"stage:Production": last} | ({"alias:champion": last} if policy else {})


def test_of_sixteen_that_name_the_same_epoch_one_moves(running: Server) -> None:
    results: list[tuple[int, int]] = []

    def run(http: httpx.Client, number: int) -> None:
        body = {"model": "m", "version": number, "stage": "Production", "epoch": 0}
        results.append((http.post(f"{NATIVE}/promotions", json=body).status_code, number))

    race(running, run)
    assert sorted(status for status, _ in results) == [200] + [409] * (RACERS - 1)
    (winner,) = (number for status, number in results if status == 200)
    assert winners(running) == [(1, winner)]


def test_versions_registered_at_once_are_numbered_densely(running: Server) -> None:
    numbers: list[int] = []

    def run(http: httpx.Client, _: int) -> None:
        for _ in range(5):
            body = {"name": "m", "source": "s3://bucket/m"}
            made = http.post(f"{API}/model-versions/create", json=body).json()
            numbers.append(int(made["model_version"]["version"]))

    race(running, run)
    assert sorted(numbers) == list(range(RACERS + 1, RACERS * 6 + 1))


def test_no_read_begun_after_a_move_was_acknowledged_shows_the_old_holder(running: Server) -> None:
    """Ever later versions get the alias; a reader must not see one older than acknowledged."""
    acknowledged = read_after = 0
    done = threading.Event()
    stale: list[tuple[int, int]] = []

    def read(_: int) -> None:
        nonlocal read_after
        with httpx.Client(base_url=running.url, trust_env=False) as http:
            while not done.is_set():
                before = acknowledged
                answer = http.get(f"{API}/registered-models/alias?name=m&alias=champion")
                seen = (
                    int(answer.json()["model_version"]["version"])
                    if answer.status_code == 200
                    else 0
                )
                if seen < before:
                    stale.append((seen, before))
                read_after = max(read_after, before)

    with (
        ThreadPoolExecutor(4) as readers,
        httpx.Client(base_url=running.url, trust_env=False) as http,
    ):
        watching = [readers.submit(read, n) for n in range(4)]
        try:
            for number in range(1, RACERS + 1):
                promote(http, number)
                create(
                    http, "registered-models/alias", name="m", alias="champion", version=str(number)
                )
                acknowledged, deadline = number, time.monotonic() + WAIT_S
                while read_after < number:  # however slow the readers are, there is a read of each
                    assert time.monotonic() < deadline, "nobody reads any more"
                    done.wait(0.001)
        finally:
            done.set()
        for watcher in watching:
            watcher.result()
    assert stale == []


def test_sixteen_votes_at_once_are_one_approval(
    start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    source = "model_registry: {stage_transitions: {None -> Production: {approval_required: true}}}"
    with httpx.Client(base_url=server.url, trust_env=False, auth=("ann", "-")) as http:
        assert http.post(f"{NATIVE}/policy", json={"source": source}).status_code == 200
        create(http, "registered-models/create", name="m")
        create(http, "model-versions/create", name="m", source="s3://bucket/m")
        asked = http.post(
            f"{NATIVE}/promotions", json={"model": "m", "version": 1, "stage": "Production"}
        )
        assert asked.json()["result"] == "waiting"
    ends: list[str] = []

    def vote(http: httpx.Client, number: int) -> None:
        path = f"{NATIVE}/requests/1/{'reject' if number % 2 else 'approve'}"
        answer = http.post(path, json={"comment": "c"}, auth=(f"voter{number}", "-"))
        ends.append(answer.json()["result"])

    race(server, vote)
    moved = ends.count("moved")
    assert (moved, ends.count("rejected")) in ((1, 0), (0, 1))
    assert ends.count("refused") == RACERS - 1
    assert stages(server) == {1: "Production" if moved else "None"}
