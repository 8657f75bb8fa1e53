"""A server that is told to stop: nobody who called in time notices."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.support.postgres import Postgres
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
CLIENTS = 4
CUT = (ConnectionResetError, BrokenPipeError)  # the latter if its head was sent by then
NOT_LET_IN = (ConnectionRefusedError, ConnectionResetError)  # the latter as the socket is closed
WAIT_S = 60.0


@pytest.fixture(params=["alone", pytest.param("of two", marks=pytest.mark.postgresql)])
def processes(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """One process on SQLite; two over one PostgreSQL. Arguments for `start_server`.

    The one is started as it is installed, for what `ready` does otherwise.
    """
    if request.param == "alone":
        yield {"args": (), "python": Path(sys.executable)}
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.create_database()
    yield {"args": ("--workers", "2"), "database_url": url}
    postgres.drop_database(url)


def started(start_server: StartServer, processes: dict[str, Any], *args: str) -> Server:
    rest = {k: v for k, v in processes.items() if k != "args"}
    return start_server(*processes["args"], *args, **rest)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def connected(server: Server) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    return connection


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> http.client.HTTPResponse:
    content = json.dumps(body) if body is not None else None
    connection.request(method, path, content, {"content-type": "application/json"})
    return connection.getresponse()


def is_listening(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S).close()
    except NOT_LET_IN:
        return False
    return True


class Registrar(threading.Thread):
    """Creates one model after another over a connection that it keeps for as long as it may."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self._server, self._number = server, number
        self.stored: list[tuple[float, str]] = []
        self.failures: list[str] = []
        self.was_cut = False  # before its connection had carried anything

    def run(self) -> None:
        with ExitStack() as opened:
            self._register(opened)

    def _register(self, opened: ExitStack) -> None:
        connection: http.client.HTTPConnection | None = None
        is_new = True
        for count in range(100_000):
            name = f"m{self._number}-{count}"
            try:
                is_new = connection is None
                connection = connection or opened.enter_context(closing(connected(self._server)))
            except NOT_LET_IN as error:
                self.was_cut = isinstance(error, ConnectionResetError)
                return
            try:
                answer = ask(connection, "POST", f"{API}/registered-models/create", {"name": name})
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.was_cut = is_new and isinstance(error, CUT)
                if not self.was_cut:
                    self.failures.append(f"{name}: {error!r}")
                return
            if answer.status != 200:
                self.failures.append(f"{name}: {answer.status}")
                return
            self.stored.append((time.monotonic(), name))
            if answer.will_close:
                opened.close()
                connection = None


def test_a_server_that_drains_answers_all_who_call_and_forgets_nothing(
    start_server: StartServer, processes: dict[str, Any]
) -> None:
    server = started(start_server, processes, "--drain-s", "5")
    idle = connected(server)
    assert ask(idle, "GET", "/health").read() == b"OK"
    registrars = [Registrar(server, number) for number in range(CLIENTS)]
    for registrar in registrars:
        registrar.start()
    until(lambda: all(len(registrar.stored) >= 5 for registrar in registrars))
    told_s = time.monotonic()
    server.terminate()
    statuses: list[int] = []
    while is_listening(server) and 503 not in statuses:
        with closing(connected(server)) as probe:
            statuses.append(ask(probe, "GET", "/ready").status)
    assert statuses[-1] == 503
    with closing(connected(server)) as probe:
        told = json.load(ask(probe, "GET", "/ready"))
        assert told["checks"]["process"] == {"ok": False, "why": "The server is stopping."}
        assert told["checks"]["database"] == {"ok": True}
    assert server.wait() == 0
    for registrar in registrars:
        registrar.join(WAIT_S)
    assert [failure for registrar in registrars for failure in registrar.failures] == []
    # Who had connected, and did not come to ask within the fifth of a second that there is for it.
    assert sum(registrar.was_cut for registrar in registrars) <= CLIENTS // 2
    last_s = max(registrar.stored[-1][0] for registrar in registrars)
    assert last_s - told_s > 0.8  # it went on taking calls
    assert idle.sock.recv(1) == b""  # closed in order, not reset
    idle.close()

    server.start()
    with closing(connected(server)) as again:
        path = f"{API}/registered-models/search?max_results=1000"
        found: set[str] = set()
        token = ""
        while True:
            page = json.load(ask(again, "GET", f"{path}&page_token={token}"))
            found |= {model["name"] for model in page["registered_models"]}
            if not (token := page.get("next_page_token", "")):
                break
    stored = {name for registrar in registrars for _, name in registrar.stored}
    assert stored <= found


def begun_upload(server: Server, content: bytes) -> http.client.HTTPConnection:
    """An upload of which half has arrived."""
    connection = connected(server)
    connection.putrequest("PUT", f"{FILES}/late.bin")
    connection.putheader("content-length", str(len(content)))
    connection.putheader("expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(content[: len(content) // 2])
    return connection


def test_what_is_under_way_has_a_while_to_end_and_nobody_is_let_in(
    start_server: StartServer,
) -> None:
    server = start_server("--grace-s", "8")
    content = b"late" * 20_000
    upload, never = begun_upload(server, content), begun_upload(server, content)
    server.terminate()
    until(lambda: not is_listening(server))
    upload.send(content[len(content) // 2 :])
    answer = upload.getresponse()
    assert (answer.status, answer.getheader("connection")) == (200, "close")
    assert server.wait() == 0  # without the one that took too long
    never.close()
    server.start()
    with closing(connected(server)) as again:
        assert ask(again, "GET", f"{FILES}/late.bin").read() == content


def test_a_second_signal_ends_it_at_once(
    start_server: StartServer, processes: dict[str, Any]
) -> None:
    server = started(start_server, processes, "--grace-s", "60")
    upload = begun_upload(server, b"never" * 1000)
    server.terminate()
    until(lambda: not is_listening(server))
    os.kill(server.pid, signal.SIGINT)
    assert server.wait() == 1
    upload.close()
