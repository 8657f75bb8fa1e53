"""Sixty-four promoters on one stage, and servers that are killed under them, database included.

Each reads the stage's epoch and asks for its own version at that epoch. What they were told, and
what they never were, must fit one order of steps. MODELKEEP_KILL_ROUNDS sets how often the server
is killed; MODELKEEP_REPLICA_ROUNDS how many rounds two replicas and their database have to stand,
each on a model of its own.
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

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.linearizability import Seen, State, is_linearizable
from tests.support.namespaces import Apart, cable
from tests.support.postgres import Postgres, running_postgres
from tests.support.proxy import Proxy
from tests.support.server import Server

ROUNDS, ROUND_S = int(os.environ.get("MODELKEEP_REPLICA_ROUNDS", "1")), 8
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
        return httpx.Client(base_url="http://127.0.0.1", transport=through, timeout=30)
    return httpx.Client(base_url=door, verify=TLS, trust_env=False, timeout=30)


class Away(Exception):
    """The server has no database just now."""


class Promoter:
    """Asks for its version again and again, of one server or another, and remembers what it saw."""

    def __init__(
        self, doors: Sequence[Door], version: int, over: threading.Event, model: str = "m"
    ) -> None:
        self._doors, self._version, self._over, self._model = doors, version, over, model
        self._choose = random.Random(version)
        self.seen: list[Seen] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with opened(self._choose.choice(self._doors)) as http:
                    while not self._over.is_set():
                        self._promote(http, self._read(http))
                        time.sleep(self._choose.uniform(0.1, 0.6))
            except (httpx.TransportError, Away):
                time.sleep(0.05)  # it is being started again

    def _read(self, http: httpx.Client) -> State:
        began = time.monotonic()
        answer = http.get(f"{NATIVE}/models/{self._model}/slots")
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
            if "nothing of it remains" not in answer.text:
                self.seen.append(Seen(began, ended, *asked, "lost"))
            raise Away


def test_promoters_see_one_order_of_steps_however_often_the_server_is_killed(
    start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    prepare(server)
    over, choose = threading.Event(), random.Random()
    promoters = [Promoter([server.url], number, over) for number in range(1, PROMOTERS + 1)]
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


@pytest.mark.postgresql
@pytest.mark.timeout(ROUNDS * 120)
def test_promoters_see_one_order_over_two_replicas_and_a_database_that_crashes(
    start_server: StartServer,
) -> None:
    """Replicas are killed and cut off, and the database crashes, in any order."""
    with running_postgres() as postgres:
        url = postgres.create_database()
        proxy = Proxy(url)
        servers = [start_server(database_url=url), start_server(database_url=proxy.url)]
        for number in range(ROUNDS):
            prepare(servers[0], f"m{number}")
            promote_while_disturbed(servers, postgres, proxy, f"m{number}")
        for server in servers:  # which says that the journal is whole, and agrees with the tables
            told = modelkeep("audit", "verify", url=server.url)
            assert told.code == 0, told.out + told.err
            server.stop()
        proxy.close()


@pytest.mark.postgresql
@pytest.mark.timeout(240)
def test_a_replica_that_is_cut_off_from_the_database_makes_no_champion_of_its_own(
    start_server: StartServer, tmp_path: Path
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
            contextlib.closing(Apart(at, tmp_path / "far", url.replace("127.0.0.1", at.here)))
        )
        far.start()
        prepare(near)
        over = threading.Event()
        promoters = [Promoter([near.url], n, over) for n in range(1, PROMOTERS, 2)]
        cut_off = [Promoter([far.door], n, over) for n in range(2, PROMOTERS + 1, 2)]
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
    servers: list[Server], postgres: Postgres, proxy: Proxy, model: str
) -> None:
    over, urls = threading.Event(), [server.url for server in servers]
    promoters = [Promoter(urls, number, over, model) for number in range(1, PROMOTERS + 1)]
    with ThreadPoolExecutor(PROMOTERS) as threads:
        running = [threads.submit(promoter.run) for promoter in promoters]
        try:
            disturb(servers, postgres, proxy)
        finally:
            over.set()
        for ended in running:
            ended.result()
    history = [call for promoter in promoters for call in promoter.seen]
    moves = [call for call in history if isinstance(call.told, tuple) and call.version]
    assert len(moves) > ROUND_S
    assert is_linearizable(history)


def disturb(servers: list[Server], postgres: Postgres, proxy: Proxy) -> None:
    choose, end = random.Random(), time.monotonic() + ROUND_S
    count = 0
    while time.monotonic() < end:
        time.sleep(choose.uniform(0.2, 1.0))
        count += 1
        if count % 8 == 1:
            postgres.crash()
            time.sleep(choose.uniform(0, 0.3))
            postgres.start()
        elif count % 8 == 5:
            proxy.freeze()
            time.sleep(choose.uniform(0.5, 6))
            proxy.thaw()
        else:
            replica = choose.choice(servers)
            replica.kill()
            replica.start()


def prepare(server: Server, model: str = "m") -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        http.post(f"{NATIVE}/policy", json={"source": POLICY}).raise_for_status()
        http.post(f"{API}/registered-models/create", json={"name": model}).raise_for_status()
        for _ in range(PROMOTERS):
            body = {"name": model, "source": "s3://bucket/m"}
            http.post(f"{API}/model-versions/create", json=body).raise_for_status()
