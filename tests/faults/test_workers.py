"""Several processes over one PostgreSQL: one address, and each task done by one of them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.server import Server

API = "/api/2.0/mlflow"
WAIT_S = 60.0


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(server: Server) -> set[int]:
    found = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return set(map(int, found))


def create(server: Server, name: str) -> None:
    body = json.dumps({"name": name}).encode()
    call = urllib.request.Request(
        f"{server.url}{API}/registered-models/create", body, {"content-type": "application/json"}
    )
    urllib.request.urlopen(call, timeout=60).close()


def count(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}{API}/registered-models/search") as answer:
        return len(json.load(answer)["registered_models"])


@pytest.mark.postgresql
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_one_of_several_processes_that_dies_is_replaced_and_all_of_them_stop(
    start_server: StartServer, url: str, how: signal.Signals
) -> None:
    server = start_server("--workers", "2", database_url=url)
    before = children(server)
    assert len(before) == 2
    for number in range(10):
        create(server, f"m{number}")
        assert count(server) == number + 1  # whichever process answers
    killed = min(before)
    os.kill(killed, how)
    until(lambda: killed not in children(server) and len(children(server)) == 2)
    until(lambda: count(server) == 10)
    last = children(server)
    assert server.stop() == 0
    assert not [process for process in last if Path(f"/proc/{process}").exists()]


@pytest.mark.postgresql
def test_processes_end_with_a_parent_that_was_killed(start_server: StartServer, url: str) -> None:
    server = start_server("--workers", "2", database_url=url)
    orphans = children(server)
    server.kill()
    until(lambda: not [process for process in orphans if Path(f"/proc/{process}").exists()])


def test_several_processes_are_refused_on_sqlite(tmp_path: Path) -> None:
    told = modelkeep("serve", "--workers", "2", "--data-dir", tmp_path / "data")
    assert told.code == 64
    assert "workers must be 1 on SQLite" in told.err
    assert not (tmp_path / "data").exists()


@pytest.mark.postgresql
def test_one_replica_signs_and_when_it_is_killed_the_other_goes_on(
    start_server: StartServer, url: str, tmp_path: Path
) -> None:
    shared = tmp_path / "data"  # its keys, and so the right to sign
    first = start_server(database_url=url, data_dir=shared)
    with psycopg.connect(url, autocommit=True) as db:

        def one(sql: str) -> object:
            row = db.execute(sql.encode()).fetchone()
            return row[0] if row else None

        def is_signed() -> bool:
            size = one("SELECT max(size) FROM checkpoints")
            return size == one("SELECT size FROM journal_state")

        create(first, "a")
        until(is_signed)
        holder = one("SELECT holder FROM leases WHERE task = 'checkpoints'")
        second = start_server(database_url=url, data_dir=shared)
        create(second, "b")
        until(is_signed)  # by the first, although it was the other's change
        assert one("SELECT holder FROM leases WHERE task = 'checkpoints'") == holder
        first.kill()
        create(second, "c")
        until(is_signed)
        assert one("SELECT holder FROM leases WHERE task = 'checkpoints'") != holder


@pytest.mark.postgresql
def test_work_alone_does_what_servers_do_and_needs_no_port(url: str, tmp_path: Path) -> None:
    told = modelkeep("migrate", "--database-url", url, "--data-dir", tmp_path / "data")
    assert told.code == 0, told.err
    options = ("--database-url", url, "--data-dir", str(tmp_path / "data"))
    with subprocess.Popen([sys.executable, "-m", "modelkeep", "work", *options]) as worker:
        try:
            with psycopg.connect(url, autocommit=True) as db:
                until(lambda: bool(db.execute("SELECT 1 FROM journal_origins").fetchone()))
            worker.terminate()
            assert worker.wait(WAIT_S) == 0
            with psycopg.connect(url) as db:  # another need not wait for its leases to run out
                left = "SELECT max(until_ms) - extract(epoch FROM now()) * 1000 FROM leases"
                row = db.execute(left).fetchone()
                assert row is not None
                assert row[0] < 0
        finally:
            worker.kill()


@pytest.mark.postgresql
@pytest.mark.parametrize("auth", ["off", "on"])
def test_work_answers_who_watches_it_and_nobody_else(url: str, tmp_path: Path, auth: str) -> None:
    port = free_port()
    options = ("--database-url", url, "--data-dir", str(tmp_path / "data"))
    watched = ("--metrics-port", str(port))
    settings = {"MODELKEEP_AUTH": auth, "MODELKEEP_DRAIN_S": "3600"}
    command = [sys.executable, "-m", "modelkeep", "work", *options, *watched]
    with (
        subprocess.Popen(command, env={**os.environ, **settings}) as worker,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        try:
            until(lambda: answers(http, "/ready"))
            assert http.get("/health").text == "OK"
            assert http.get("/ready").json()["checks"]["store"] == {"ok": True}
            scraped = http.get("/metrics")
            if auth == "on":
                assert scraped.status_code == 401
            else:
                assert 'modelkeep_check_ok{check="database"} 1.0' in scraped.text
                assert 'route="/ready"' in scraped.text
                assert http.get("/api/2.0/mlflow/registered-models/search").status_code == 404
            assert http.get("/health", headers={"host": "elsewhere"}).status_code == 403
            worker.terminate()
            assert worker.wait(WAIT_S) == 0
        finally:
            worker.kill()


def answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).status_code == 200
    except httpx.TransportError:
        return False
