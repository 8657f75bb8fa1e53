"""Sixty-four promoters on one stage, and a server that is killed under them.

Each reads the stage's epoch and asks for its own version at that epoch. What they were told, and
what they never were, must fit one order of steps. MODELKEEP_KILL_ROUNDS sets how often the server
is killed.
"""

import os
import random
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.conftest import StartServer
from tests.support.linearizability import Seen, State, is_linearizable
from tests.support.server import Server

KILLS = int(os.environ.get("MODELKEEP_KILL_ROUNDS", "4"))
PROMOTERS = 64
TLS = ssl.create_default_context()  # made once: it takes longer than a call
API, NATIVE = "/api/2.0/mlflow", "/api/v1"
STAGES = ("None", "Production", "Archived")
WAYS = ", ".join(f"{a} -> {b}: {{}}" for a in STAGES for b in STAGES if a != b)
POLICY = f"model_registry: {{stage_transitions: {{{WAYS}}}}}"


class Promoter:
    """Asks for its version again and again, and remembers what it saw."""

    def __init__(self, url: str, version: int, over: threading.Event) -> None:
        self._url, self._version, self._over = url, version, over
        self._choose = random.Random(version)
        self.seen: list[Seen] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with httpx.Client(
                    base_url=self._url, verify=TLS, trust_env=False, timeout=30
                ) as http:
                    while not self._over.is_set():
                        self._promote(http, self._read(http))
                        time.sleep(self._choose.uniform(0.1, 0.6))
            except httpx.TransportError:
                time.sleep(0.05)  # it is being started again

    def _read(self, http: httpx.Client) -> State:
        began = time.monotonic()
        found = http.get(f"{NATIVE}/models/m/slots").raise_for_status().json()
        slot = next(slot for slot in found if slot["slot"] == "stage:Production")
        state = (slot["epoch"], next(iter(slot["versions"]), None))
        self.seen.append(Seen(began, time.monotonic(), told=state))
        return state

    def _promote(self, http: httpx.Client, state: State) -> None:
        body = {"model": "m", "version": self._version, "stage": "Production", "epoch": state[0]}
        began, asked = time.monotonic(), (self._version, state[0])
        try:
            answer = http.post(f"{NATIVE}/promotions", json=body)
        except httpx.TransportError:
            self.seen.append(Seen(began, time.monotonic(), *asked, "lost"))
            raise
        ended, told = time.monotonic(), answer.json()
        if answer.status_code == 200:
            made = (told["epoch"], self._version)
            self.seen.append(Seen(began, ended, *asked, made))
        elif answer.status_code == 409:
            self.seen.append(Seen(began, ended, *asked))
        else:
            assert answer.status_code == 503, answer.text
            self.seen.append(Seen(began, ended, *asked, "lost"))


def test_promoters_see_one_order_of_steps_however_often_the_server_is_killed(
    start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    prepare(server)
    over, choose = threading.Event(), random.Random()
    promoters = [Promoter(server.url, number, over) for number in range(1, PROMOTERS + 1)]
    with ThreadPoolExecutor(PROMOTERS) as threads:
        running = [threads.submit(promoter.run) for promoter in promoters]
        try:
            for _ in range(KILLS):
                await_another_move(promoters)
                time.sleep(choose.uniform(0.0, 0.5))
                server.kill()
                server.start()
            await_another_move(promoters)
        finally:
            over.set()
        for ended in running:
            ended.result()
    assert is_linearizable([call for promoter in promoters for call in promoter.seen])


def moves(promoters: Sequence[Promoter]) -> int:
    seen = (call for promoter in promoters for call in list(promoter.seen))
    return sum(isinstance(call.told, tuple) and call.version is not None for call in seen)


def await_another_move(promoters: Sequence[Promoter]) -> None:
    """Until somebody was told of a move: a machine may be slow, a kill must cost something."""
    before, deadline = moves(promoters), time.monotonic() + 30
    while moves(promoters) == before:
        assert time.monotonic() < deadline, "nobody moved anything for half a minute"
        time.sleep(0.02)


def prepare(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        http.post(f"{NATIVE}/policy", json={"source": POLICY}).raise_for_status()
        http.post(f"{API}/registered-models/create", json={"name": "m"}).raise_for_status()
        for _ in range(PROMOTERS):
            body = {"name": "m", "source": "s3://bucket/m"}
            http.post(f"{API}/model-versions/create", json=body).raise_for_status()
