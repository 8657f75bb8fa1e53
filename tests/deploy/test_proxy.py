"""The reverse proxy's configuration, in a real nginx before two real servers."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.certificates import of_this_machine
from tests.support.clients import Client
from tests.support.deploying import program
from tests.support.nginx import running_nginx
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
HALF = os.urandom(8 << 20)
WAIT_LIMIT_S = 60.0


class Fleet:
    """Two servers over one database and one directory, behind one address."""

    def __init__(self, url: str, servers: tuple[Server, Server]) -> None:
        self.url, self.servers = url, servers
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=60, auth=("ann", "-"))

    def new_folder(self) -> str:
        """Where the files of a new run go, as part of a path."""
        answer = self.http.post(f"{API}/runs/create", json={"experiment_id": "0"})
        return answer.json()["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")


@pytest.fixture(scope="module")
def servers(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("fleet")
    url = postgres.create_database()
    one, two = (Server(folder / "data", database_url=url) for _ in range(2))
    try:
        one.start()
        two.start()
        yield one, two
    finally:
        one.kill()
        two.kill()
        postgres.drop_database(url)


@pytest.fixture(scope="module")
def fleet(
    servers: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("proxy") / "nginx"
    with running_nginx(program("nginx"), folder, [s.port for s in servers]) as url:
        fleet = Fleet(url, servers)
        with fleet.http:
            yield fleet


def test_an_mlflow_client_works_through_it(fleet: Fleet, mlflow3: Client) -> None:
    told = mlflow3.run(
        """
        import mlflow, os, pathlib
        from mlflow import MlflowClient
        client = MlflowClient()
        big = os.urandom(3 << 20)
        pathlib.Path("weights").write_bytes(big)
        with mlflow.start_run() as run:
            mlflow.log_metric("auc", 0.9)
            mlflow.log_artifact("weights", "m")
        client.create_registered_model("churn")
        for number in ("1", "2"):
            source = f"runs:/{run.info.run_id}/m"
            version = client.create_model_version("churn", source, run.info.run_id)
            assert (version.version, version.status) == (number, "READY"), version
        client.set_registered_model_alias("churn", "champion", "2")
        got = mlflow.artifacts.download_artifacts("models:/churn@champion")
        assert (pathlib.Path(got) / "weights").read_bytes() == big
        client.delete_registered_model_alias("churn", "champion")
        client.delete_model_version("churn", "1")
        print([v.version for v in client.search_model_versions("name = 'churn'")])
        """,
        url=fleet.url,
        user="ann",
    )
    assert told.strip().endswith("['2']")


def test_an_upload_streams_to_a_server_while_it_is_being_sent(fleet: Fleet) -> None:
    path = f"{FILES}/{fleet.new_folder()}/weights"
    incoming = fleet.servers[0].data_dir / "incoming"

    def sent() -> Iterator[bytes]:
        yield HALF
        deadline = time.monotonic() + WAIT_LIMIT_S
        while sum(part.stat().st_size for part in incoming.iterdir()) < len(HALF) // 2:
            assert time.monotonic() < deadline, "the proxy keeps the upload to itself"
            time.sleep(0.01)
        yield HALF

    assert fleet.http.put(path, content=sent()).status_code == 200
    assert fleet.http.get(path).content == HALF + HALF
    part = fleet.http.get(path, headers={"Range": f"bytes={len(HALF) - 2}-{len(HALF) + 1}"})
    assert (part.status_code, part.content) == (206, HALF[-2:] + HALF[:2])


def test_presigned_addresses_name_the_proxy_and_hold_at_either_server(fleet: Fleet) -> None:
    folder = fleet.new_folder()
    assert fleet.http.put(f"{FILES}/{folder}/f", content=b"bytes").status_code == 200
    given = fleet.http.get(f"/api/2.0/mlflow-artifacts/presigned/{folder}/f").json()["url"]
    assert given.startswith(f"{fleet.url}/")
    for server in fleet.servers:
        address = given.replace(fleet.url, server.url)
        assert httpx.get(address, trust_env=False).content == b"bytes"
    assert httpx.get(given, trust_env=False).content == b"bytes"


def test_readers_do_not_see_that_a_server_is_killed(fleet: Fleet) -> None:
    folder = fleet.new_folder()
    fleet.http.put(f"{FILES}/{folder}/f", content=b"bytes")
    is_over = threading.Event()
    found: list[list[int]] = [[] for _ in range(4)]

    def read(found: list[int]) -> None:
        with httpx.Client(base_url=fleet.url, trust_env=False, timeout=60) as http:
            while not is_over.is_set():
                found.append(http.get(f"{FILES}/{folder}/f").status_code)

    def until_each_has(count: int) -> None:
        deadline = time.monotonic() + WAIT_LIMIT_S
        while min(map(len, found)) < count and not any(reader.done() for reader in readers):
            assert time.monotonic() < deadline, found
            time.sleep(0.01)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, statuses) for statuses in found]
        try:
            until_each_has(1)
            fleet.servers[0].kill()
            before = max(map(len, found))
            for _ in range(20):  # a change that finds nobody there is taken to the other
                assert fleet.new_folder()
            until_each_has(before + 10)
        finally:
            is_over.set()
            fleet.servers[0].start()
        for reader in readers:
            reader.result(WAIT_LIMIT_S)
    assert {status for statuses in found for status in statuses} == {200}


class Fickle:
    """Takes each request, and hangs up instead of answering; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536).partition(b" ")[0].decode())


@pytest.fixture
def fickle() -> Iterator[tuple[Fickle, Fickle]]:
    both = Fickle(), Fickle()
    yield both
    for server in both:
        server.close()


def answered(url: str, method: str, body: bytes | None) -> int:
    """The status of a call whose head and body come at once, so that nginx could repeat both."""
    address = urlsplit(url)
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    head = f"{method} / HTTP/1.1\r\nHost: {address.netloc}\r\n{length}Connection: close\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head.encode() + (body or b""))
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("method", "body", "times"),
    [
        ("GET", None, 2),
        ("POST", b"{}", 1),
        ("POST", None, 1),
        ("PUT", b"bytes", 1),
        ("PUT", b"", 1),
        ("PATCH", b"{}", 1),
        ("DELETE", b"{}", 1),
        ("DELETE", None, 1),
    ],
)
def test_what_may_have_happened_is_not_asked_of_another_server(
    fickle: tuple[Fickle, Fickle], tmp_path: Path, method: str, body: bytes | None, times: int
) -> None:
    ports = [server.port for server in fickle]
    with running_nginx(program("nginx"), tmp_path / "nginx", ports) as url:
        assert answered(url, method, body) == 502
    assert [*fickle[0].asked, *fickle[1].asked] == [method] * times


def test_with_tls_the_addresses_that_clients_are_given_are_https(
    servers: tuple[Server, Server], tmp_path: Path
) -> None:
    certificate, key = of_this_machine(tmp_path)
    port = free_port()

    def changed(configuration: str) -> str:
        for said, here in (
            ("#tls ", ""),
            ("listen 443", f"listen 127.0.0.1:{port}"),
            ("/etc/nginx/tls/registry.pem", str(certificate)),
            ("/etc/nginx/tls/registry.key", str(key)),
        ):
            assert said in configuration
            configuration = configuration.replace(said, here)
        return configuration

    trusted = ssl.create_default_context(cafile=str(certificate))
    base = f"https://127.0.0.1:{port}"
    ports = [server.port for server in servers]
    with (
        running_nginx(program("nginx"), tmp_path / "nginx", ports, changed) as plain,
        httpx.Client(base_url=base, trust_env=False, verify=trusted, timeout=60) as http,
    ):
        fleet: Any = Fleet.__new__(Fleet)
        fleet.http = http
        path = f"{fleet.new_folder()}/f"
        assert http.put(f"{FILES}/{path}", content=b"bytes").status_code == 200
        given = http.get(f"/api/2.0/mlflow-artifacts/presigned/{path}").json()["url"]
        assert given.startswith(f"{base}/")
        assert http.get(given).content == b"bytes"
        refused = httpx.get(f"{plain}/health", trust_env=False)
        assert (refused.status_code, refused.headers["location"][:8]) == (308, "https://")
