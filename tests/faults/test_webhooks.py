"""Killed at any moment, with receivers that fail in every way: no event is lost, no id changes.

Each round lets clients register models while the receiver answers badly as often as well, kills
the server in the middle of that, and starts it again. MODELKEEP_KILL_ROUNDS sets how many rounds,
MODELKEEP_KILL_SEED the moments.
"""

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from modelkeep.channels.webhook import ATTEMPT_S
from tests.conftest import StartServer
from tests.support.receiver import Answer, Received, Receiver, answer, reset

ROUNDS = int(os.environ.get("MODELKEEP_KILL_ROUNDS", "4"))
SEED = int(os.environ.get("MODELKEEP_KILL_SEED", "1"))
CLIENTS = 4
MOST_CHANGES = 25  # acknowledged in one round, at most, before the kill
API = "/api/2.0/mlflow"
SECRET = b"swordfish"
EVENTS = [{"entity": "REGISTERED_MODEL", "action": action} for action in ("CREATED", "UPDATED")]


def subscribe(url: str, to: str) -> None:
    body = {"name": "hook", "url": to, "events": EVENTS, "secret": SECRET.decode()}
    answered = httpx.post(f"{url}{API}/webhooks", json=body, trust_env=False)
    assert answered.status_code == 200, answered.text


class Names:
    """What the server acknowledged: every one of them must arrive, as both events."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.lock = threading.Lock()

    def work(self, url: str, worker: str, over: threading.Event) -> None:
        with httpx.Client(base_url=f"{url}{API}", trust_env=False, timeout=60) as http:
            for number in range(10_000):
                if over.is_set():
                    return
                name = f"{worker}-{number}"
                try:
                    made = http.post("/registered-models/create", json={"name": name})
                    told = {"name": name, "description": "d"}
                    changed = http.patch("/registered-models/update", json=told)
                except httpx.TransportError:
                    return
                if (made.status_code, changed.status_code) == (200, 200):
                    with self.lock:
                        self.acknowledged.append(name)


def misbehave(choose: random.Random) -> Answer:
    """Each request another fate; most end well, and the third of a delivery always: after a fourth
    that does not it is tried again in five minutes, and what comes later of its model waits no
    longer."""

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(choose.random() * 0.05)  # the receiver's slowness, not the test's patience
        answer(200)(handler)

    good = [answer(204), answer(200, b"ok"), slow]
    bad = [answer(500), reset, answer(302, b"", {"location": "http://127.0.0.1:1/"})]
    failed, lock = Counter[str](), threading.Lock()

    def fate(handler: BaseHTTPRequestHandler) -> None:
        delivery = handler.headers["webhook-id"]
        with lock:
            chosen = choose.choices(good + bad, weights=(10, 5, 3, 1, 1, 1))[0]
            if chosen in bad:
                failed[delivery] += 1
            if failed[delivery] > 2:
                chosen = good[0]
        chosen(handler)

    return fate


def names_of(received: list[Received], action: str) -> set[str]:
    return {request.data["name"] for request in received if request.json["action"] == action}


@pytest.mark.timeout(400 + 30 * ROUNDS)
def test_no_event_is_lost_and_no_id_changes_however_often_the_server_is_killed(
    start_server: StartServer, receiver: Receiver
) -> None:
    print(f"MODELKEEP_KILL_SEED={SEED}")
    choose, names = random.Random(SEED), Names()
    receiver.otherwise = misbehave(random.Random(SEED))
    server = start_server("--webhook-allow-private")
    subscribe(server.url, receiver.url)
    for round_ in range(ROUNDS):
        over, target = threading.Event(), len(names.acknowledged) + choose.randint(1, MOST_CHANGES)
        with ThreadPoolExecutor(CLIENTS) as threads:
            workers = [
                threads.submit(names.work, server.url, f"{round_}-{i}", over)
                for i in range(CLIENTS)
            ]
            while len(names.acknowledged) < target and not all(w.done() for w in workers):
                over.wait(0.001)
            over.wait(choose.random() * 0.02)  # between a commit and a delivery, or in one
            server.kill()
            over.set()
            for worker in workers:
                worker.result()
        server.start()
    receiver.otherwise = answer(204)
    everything = set(names.acknowledged)
    received = receiver.until(
        lambda found: (
            everything <= names_of(found, "created") and everything <= names_of(found, "updated")
        )
    )
    by_event: dict[tuple[str, str], set[str]] = {}
    bodies: dict[str, set[bytes]] = {}
    for request in received:
        assert request.is_signed(SECRET)
        assert request.is_signed(SECRET, "webhook-signature")
        event = (request.json["action"], request.data["name"])
        by_event.setdefault(event, set()).add(request.id)
        bodies.setdefault(request.id, set()).add(request.body)
    assert all(len(ids) == 1 for ids in by_event.values()), "an event keeps its id"
    assert all(len(found) == 1 for found in bodies.values()), "an id keeps its body"
    assert len(by_event) == len(bodies), "no two events share an id"
    order = [(r.data["name"], r.json["action"]) for r in received]
    for name in everything:
        assert order.index((name, "created")) < order.index((name, "updated"))
    assert len(everything) >= ROUNDS


def test_a_receiver_that_hangs_delays_no_other_and_no_caller(
    start_server: StartServer, receiver: Receiver
) -> None:
    let_go = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        let_go.wait(60)

    receiver.otherwise = hang
    with Receiver().running() as other:
        server = start_server("--webhook-allow-private")
        began_s = time.monotonic()
        subscribe(server.url, receiver.url)
        subscribe(server.url, other.url)
        with httpx.Client(base_url=f"{server.url}{API}", trust_env=False, timeout=60) as http:
            slowest = 0.0
            for i in range(30):
                began = time.monotonic()
                http.post("/registered-models/create", json={"name": f"m{i}"})
                slowest = max(slowest, time.monotonic() - began)
        other.wait(30)
        assert slowest < ATTEMPT_S - 1, "nobody waits for an attempt"
        hung = len(receiver.wait(4))
        turns = 1 + int((time.monotonic() - began_s) / ATTEMPT_S)  # others follow what was given up
        assert 4 <= hung <= 4 * turns, "its share of the attempts"
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < ATTEMPT_S
        let_go.set()
        receiver.otherwise = answer(204)
        server.start()
        found = receiver.until(lambda found: len({r.id for r in found}) == 30)
    names = [request.data["name"] for request in found]
    assert set(names) == {f"m{i}" for i in range(30)}


@pytest.mark.postgresql
def test_two_replicas_over_one_database_share_the_deliveries(
    start_server: StartServer, receiver: Receiver, postgres
) -> None:
    url = postgres.create_database()
    env = {"MODELKEEP_SECRETS_KEY": "A" * 43 + "="}
    servers = [start_server("--webhook-allow-private", database_url=url, env=env) for _ in range(2)]
    subscribe(servers[0].url, receiver.url)
    names = [f"m{i}" for i in range(40)]
    for i, name in enumerate(names):
        body = {"name": name}
        httpx.post(
            f"{servers[i % 2].url}{API}/registered-models/create", json=body, trust_env=False
        )
    found = receiver.wait(len(names))
    assert sorted(request.data["name"] for request in found) == sorted(names), "each once"
    assert all(request.is_signed(SECRET) for request in found), "whichever sent it"
    for server in servers:
        server.stop()
    assert len(receiver.received) == len(names)
    postgres.drop_database(url)
