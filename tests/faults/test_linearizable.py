"""Sixty-four promoters on one stage, and servers that are killed under them, database included.

Each reads the stage's epoch and asks for its own version at that epoch. What they were told, and
what they never were, must fit one order of steps, and a server that lives answers each call soon.
MODELKEEP_KILL_ROUNDS sets how often the server is killed; MODELKEEP_REPLICA_ROUNDS how many rounds
of ten blows two replicas and their database have to stand, each on a model of its own;
MODELKEEP_KILL_SEED the moments.
"""

import contextlib
import os
import random
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.linearizability import Seen, State, is_linearizable
from tests.support.namespaces import Apart, cable
from tests.support.postgres import Postgres, running_postgres
from tests.support.proxy import Proxy
from tests.support.server import Server

ROUNDS = int(os.environ.get("MODELKEEP_REPLICA_ROUNDS", "1"))
SEED = int(os.environ.get("MODELKEEP_KILL_SEED", "1"))
# The database crashes, or is stopped, at the beginning of each round.
IS_LONG = "MODELKEEP_REPLICA_ROUNDS" in os.environ
BLOWS = 10 if IS_LONG else 4
# While a batch loses its database, and another asks for it; among other tests, what that takes.
ANSWER_LIMIT_S = 15.0 if IS_LONG else 40.0
CUTS = int(os.environ.get("MODELKEEP_REPLICA_ROUNDS", "2"))
LAST_WORD_S = 0.5  # for an answer that was on its way when the network was pulled out
KILLS = int(os.environ.get("MODELKEEP_KILL_ROUNDS", "4"))
PROMOTERS = 64
TLS = ssl.create_default_context()  # made once: it takes longer than a call
API, NATIVE = "/api/2.0/mlflow", "/api/v1"
STAGES = ("None", "Production", "Archived")
WAYS = ", ".join(f"{a} -> {b}: {{}}" for a in STAGES for b in STAGES if a != b)
POLICY = f"model_registry: {{stage_transitions: {{{WAYS}}}}}"


Door = str | Path  # a server's address, or a socket of the file system that leads to it


def opened(door: Door) -> httpx.Client:
    if isinstance(door, Path):
        through = httpx.HTTPTransport(uds=str(door), verify=TLS)
        return httpx.Client(base_url="http://127.0.0.1", transport=through, timeout=ANSWER_LIMIT_S)
    return httpx.Client(base_url=door, verify=TLS, trust_env=False, timeout=ANSWER_LIMIT_S)


class Away(Exception):
    """The server has no database just now."""


class Deaths:
    """Which server was dead, and when."""

    def __init__(self) -> None:
        self._spans: dict[Door, list[tuple[float, float]]] = {}

    def restart(self, server: Server) -> None:
        spans, began = self._spans.setdefault(server.url, []), time.monotonic()
        spans.append((began, float("inf")))
        server.kill()
        server.start()
        spans[-1] = (began, time.monotonic())

    def had(self, door: Door, since: float) -> bool:
        """Whether a connection can have broken by one, that was opened at a moment."""
        return any(ended >= since for _, ended in self._spans.get(door, []))


class Promoter:
    """Asks for its version again and again, of one server or another, and remembers what it saw."""

    def __init__(
        self,
        doors: Sequence[Door],
        version: int,
        over: threading.Event,
        deaths: Deaths,
        model: str = "m",
    ) -> None:
        self._doors, self._version, self._over, self._model = doors, version, over, model
        self._choose, self._deaths = random.Random(version), deaths
        self.seen: list[Seen] = []
        self.calls, self.slowest_s = 0, 0.0

    def run(self) -> None:
        while not self._over.is_set():
            door, since = self._choose.choice(self._doors), time.monotonic()
            try:
                with opened(door) as http:
                    while not self._over.is_set():
                        self._promote(http, self._read(http))
                        time.sleep(self._choose.uniform(0.1, 0.6))
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                assert self._deaths.had(door, since), f"{door} hung up, and was not killed"
                time.sleep(0.05)  # it is being started again
            except Away:
                time.sleep(0.05)

    def look(self) -> None:
        """Reads once, of its first server, as soon as that has its database."""
        deadline = time.monotonic() + ANSWER_LIMIT_S
        with opened(self._doors[0]) as http:
            while True:
                try:
                    self._read(http)
                    return
                except Away:
                    assert time.monotonic() < deadline, "its database is there, and it is not"
                    time.sleep(0.05)

    def _ask(self, http: httpx.Client, method: str, path: str, body: Any = None) -> httpx.Response:
        began = time.monotonic()
        try:
            return http.request(method, NATIVE + path, json=body)
        finally:
            self.calls, took = self.calls + 1, time.monotonic() - began
            self.slowest_s = max(self.slowest_s, took)

    def _read(self, http: httpx.Client) -> State:
        began = time.monotonic()
        answer = self._ask(http, "GET", f"/models/{self._model}/slots")
        if answer.status_code == 503:
            raise Away
        found = answer.raise_for_status().json()
        slot = next(slot for slot in found if slot["slot"] == "stage:Production")
        state = (slot["epoch"], next(iter(slot["versions"]), None))
        self.seen.append(Seen(began, time.monotonic(), told=state))
        return state

    def _promote(self, http: httpx.Client, state: State) -> None:
        body = {"model": self._model, "version": self._version, "stage": "Production"}
        body |= {"epoch": state[0]}
        began, asked = time.monotonic(), (self._version, state[0])
        try:
            answer = self._ask(http, "POST", "/promotions", body)
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
            if "nothing of it remains" not in answer.text:
                self.seen.append(Seen(began, ended, *asked, "lost"))
            raise Away


def test_promoters_see_one_order_of_steps_however_often_the_server_is_killed(
    start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    prepare(server)
    print(f"MODELKEEP_KILL_SEED={SEED}")
    over, choose, deaths = threading.Event(), random.Random(SEED), Deaths()
    promoters = [Promoter([server.url], n, over, deaths) for n in range(1, PROMOTERS + 1)]
    with ThreadPoolExecutor(PROMOTERS) as threads:
        running = [threads.submit(promoter.run) for promoter in promoters]
        try:
            for _ in range(KILLS):
                await_another_move(promoters)
                time.sleep(choose.uniform(0.0, 0.5))
                deaths.restart(server)
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
    before, deadline = moves(promoters), time.monotonic() + 60
    while moves(promoters) == before:
        assert time.monotonic() < deadline, "nobody moved anything for half a minute"
        time.sleep(0.02)


@pytest.mark.postgresql
@pytest.mark.timeout(400 + ROUNDS * 60)
def test_promoters_see_one_order_over_two_replicas_and_a_database_that_crashes(
    start_server: StartServer,
) -> None:
    """Replicas are killed and cut off, and the database crashes, in any order."""
    print(f"MODELKEEP_KILL_SEED={SEED}")
    choose = random.Random(SEED)
    with running_postgres() as postgres:
        url = postgres.create_database()
        proxy = Proxy(url)
        servers = [start_server(database_url=url), start_server(database_url=proxy.url)]
        for number in range(ROUNDS):
            prepare(servers[0], f"m{number}")
            promote_while_disturbed(servers, postgres, proxy, f"m{number}", choose)
        for server in servers:  # which says that the journal is whole, and agrees with the tables
            told = modelkeep("audit", "verify", url=server.url)
            assert told.code == 0, told.out + told.err
            server.stop()
        proxy.close()


@pytest.mark.postgresql
@pytest.mark.timeout(600)
def test_a_replica_that_is_cut_off_from_the_database_makes_no_champion_of_its_own(
    start_server: StartServer,
) -> None:
    """Its network is pulled out and put back, in the middle of batches; its clients stay."""
    try:
        held = cable()
        at = held.__enter__()
    except PermissionError as error:
        pytest.skip(str(error))
    with contextlib.ExitStack() as stack:
        stack.push(held)
        postgres = stack.enter_context(running_postgres(also_at=at.here))
        url = postgres.create_database()
        near = start_server(database_url=url)
        far = stack.enter_context(
            contextlib.closing(Apart(at, near.data_dir, url.replace("127.0.0.1", at.here)))
        )
        far.start()
        prepare(near)
        over, nobody = threading.Event(), Deaths()
        promoters = [Promoter([near.url], n, over, nobody) for n in range(1, PROMOTERS, 2)]
        cut_off = [Promoter([far.door], n, over, nobody) for n in range(2, PROMOTERS + 1, 2)]
        with ThreadPoolExecutor(PROMOTERS) as threads:
            running = [threads.submit(promoter.run) for promoter in promoters + cut_off]
            try:
                for _ in range(CUTS):
                    await_another_move(cut_off)
                    at.pull()
                    before = time.monotonic()
                    await_another_move(promoters)  # the batch that was cut off holds nobody up
                    assert moves_since(cut_off, before + LAST_WORD_S) == 0
                    at.put_back()
                await_another_move(cut_off)
            finally:
                over.set()
                at.put_back()
            for ended in running:
                ended.result()
        assert is_linearizable([call for p in promoters + cut_off for call in p.seen])
        told = modelkeep("audit", "verify", url=near.url)
        assert told.code == 0, told.out + told.err
        near.kill()


def moves_since(promoters: Sequence[Promoter], moment_s: float) -> int:
    """Acknowledged moves that were asked for after a moment."""
    seen = (call for promoter in promoters for call in list(promoter.seen))
    return sum(
        isinstance(call.told, tuple) and call.version is not None and call.began > moment_s
        for call in seen
    )


def promote_while_disturbed(
    servers: list[Server], postgres: Postgres, proxy: Proxy, model: str, choose: random.Random
) -> None:
    over, deaths, urls = threading.Event(), Deaths(), [server.url for server in servers]
    promoters = [Promoter(urls, n, over, deaths, model) for n in range(1, PROMOTERS + 1)]
    with ThreadPoolExecutor(PROMOTERS) as threads:
        running = [threads.submit(promoter.run) for promoter in promoters]
        try:
            for number in range(BLOWS):
                await_another_move(promoters)
                time.sleep(choose.uniform(0, 1))
                strike(number, servers, postgres, proxy, deaths, choose)
            await_another_move(promoters)
        finally:
            over.set()
        for ended in running:
            ended.result()
    for url in urls:  # what was told last is there as well
        promoters.append(Promoter([url], 0, over, deaths, model))
        promoters[-1].look()
    history = [call for promoter in promoters for call in promoter.seen]
    moves = [call for call in history if isinstance(call.told, tuple) and call.version]
    slowest_s = max(promoter.slowest_s for promoter in promoters)
    count = sum(promoter.calls for promoter in promoters)
    print(f"\n{model}: {count} calls, {len(moves)} moves, the slowest answer {slowest_s:.1f} s")
    assert slowest_s < ANSWER_LIMIT_S
    assert is_linearizable(history)


def strike(
    number: int,
    servers: list[Server],
    postgres: Postgres,
    proxy: Proxy,
    deaths: Deaths,
    choose: random.Random,
) -> None:
    if number == 0:
        choose.choice((postgres.crash, postgres.stop))()
        time.sleep(choose.uniform(0, 0.3))
        postgres.start()
    elif number % 8 == 4:
        proxy.freeze()
        time.sleep(choose.uniform(0.5, 6))
        proxy.thaw()
    else:
        deaths.restart(choose.choice(servers))


def prepare(server: Server, model: str = "m") -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        http.post(f"{NATIVE}/policy", json={"source": POLICY}).raise_for_status()
        http.post(f"{API}/registered-models/create", json={"name": model}).raise_for_status()
        for _ in range(PROMOTERS):
            body = {"name": model, "source": "s3://bucket/m"}
            http.post(f"{API}/model-versions/create", json=body).raise_for_status()
