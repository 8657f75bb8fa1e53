"""What is remembered is answered without the application, and nobody can tell by the answer."""

import re
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pytest

from modelkeep.domain.errors import Unavailable
from modelkeep.protocols.entrance import FrontDoor
from modelkeep.protocols.mlflow.answers import refusal
from modelkeep.protocols.shortcut import Recollection, Shortcut
from modelkeep.telemetry.tallies import ROUTE
from tests.support.server import Server
from tests.support.wire import Answer, Wire

API = "/api/2.0/mlflow"
ALIAS = f"{API}/registered-models/alias?name=churn&alias=champion"
VERSION = f"{API}/model-versions/get?name=churn&version=1"


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One for all, whose alias `champion` names the first of two versions."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database()
    server = Server(tmp_path_factory.mktemp("shortcut") / "data", database_url=url)
    server.start()
    with Wire(server.url) as wire:
        post(wire, "registered-models/create", name="churn")
        for _ in range(2):
            post(wire, "model-versions/create", name="churn", source="s3://bucket/churn")
    yield server
    server.kill()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server.url) as wire:
        move(wire, 1)
        yield wire


def post(wire: Wire, call: str, **body: Any) -> None:
    assert wire.request("POST", f"{API}/{call}", json=body).status_code == 200


def move(wire: Wire, number: int) -> None:
    call = "registered-models/alias"
    post(wire, call, name="churn", alias="champion", version=str(number))


def remembered(wire: Wire) -> int:
    """Reads that were."""
    told = wire.request("GET", "/metrics").text
    found = re.search(r'modelkeep_reads_total\{kind="remembered"\} ([\d.]+)', told)
    assert found
    return int(float(found[1]))


def without_id(answer: Answer) -> list[tuple[str, str]]:
    return sorted((n.lower(), v) for n, v in answer.headers.items() if n.lower() != "x-request-id")


@pytest.mark.parametrize("target", [ALIAS, VERSION])
def test_a_remembered_answer_is_what_the_application_says(wire: Wire, target: str) -> None:
    first = wire.request("GET", target)
    before = remembered(wire)
    again = wire.request("GET", target)
    by_application = wire.request("GET", f"{target}&unknown=field")
    assert remembered(wire) == before + 2
    for other in (again, by_application):
        assert (other.status_code, other.content) == (first.status_code, first.content)
        assert without_id(other) == without_id(first)
    assert re.fullmatch("[0-9a-f]{16}", again.headers["X-Request-Id"])
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_it_is_counted_as_every_request(wire: Wire) -> None:
    before = counted(wire)
    for _ in range(5):
        wire.request("GET", ALIAS)
    assert counted(wire) == before + 5


def counted(wire: Wire) -> int:
    """Requests for an alias that were answered."""
    told = wire.request("GET", "/metrics").text
    assert re.search(r"modelkeep_http_requests_in_flight\S* 1.0", told)  # this very one
    route = r'modelkeep_http_requests_total\{[^}]*"GET"[^}]*registered-models/alias[^}]*\} ([\d.]+)'
    return sum(int(float(count)) for count in re.findall(route, told))


def test_each_move_is_seen_over_other_connections_at_once(server: Server, wire: Wire) -> None:
    with Wire(server.url) as another:
        for turn in range(30):
            number = turn % 2 + 1
            move(wire, number)
            for reader in (another, wire, another):
                found = reader.request("GET", ALIAS).json()["model_version"]
                assert found["version"] == str(number)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 403),
        ({"Authorization": "Basic !"}, 400),
        ({"Origin": "http://elsewhere.example"}, 200),  # which may read as it may elsewhere
        ({"X-Request-Id": "mine"}, 200),
    ],
)
def test_what_a_request_says_besides_means_what_it_always_does(
    wire: Wire, headers: dict[str, str], status: int
) -> None:
    wire.request("GET", ALIAS)
    answer = wire.request("GET", ALIAS, headers=headers)
    assert answer.status_code == status
    assert (answer.headers["X-Request-Id"] == "mine") == ("X-Request-Id" in headers)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{API}/registered-models/alias?name=churn", 400),
        (f"{ALIAS}&name=other", 404),
        (f"{ALIAS}&alias=other", 400),
        (f"{API}/registered-models/alias?name=%ff&alias=champion", 400),
        (f"{ALIAS.replace('/api/', '/ajax-api/')}", 200),
        (f"/{ALIAS}", 200),
    ],
)
def test_other_questions_about_it_are_the_applications(
    wire: Wire, target: str, status: int
) -> None:
    wire.request("GET", ALIAS)
    for _ in range(2):
        assert wire.request("GET", target).status_code == status


def exchange(server: Server, sent: bytes) -> bytes:
    """All that comes until the server closes."""
    at, told = urlsplit(server.url), b""
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=60) as connection:
        connection.sendall(sent)
        while chunk := connection.recv(1 << 16):
            told += chunk
    return told


def asked(target: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join(
        (f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")
    ).encode()


@pytest.mark.usefixtures("wire")
def test_many_in_one_packet_are_answered_in_order(server: Server) -> None:
    unknown = f"{API}/registered-models/get?name=missing"
    asked_for = [unknown if n % 7 == 3 else ALIAS for n in range(2000)]
    last = asked("/version", "Connection: close")
    told = exchange(server, b"".join(map(asked, asked_for)) + last)
    statuses = [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", told)]
    assert statuses == [404 if target == unknown else 200 for target in asked_for] + [200]


@pytest.mark.usefixtures("wire")
def test_who_wants_the_connection_closed_gets_that(server: Server) -> None:
    for _ in range(2):
        told = exchange(server, asked(ALIAS, "Connection: close"))
        assert told.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in told


@pytest.mark.usefixtures("wire")
def test_a_head_has_no_body(server: Server) -> None:
    two = asked(ALIAS) + asked(ALIAS, "Connection: close", method="HEAD")
    assert exchange(server, two).endswith(b"\r\n\r\n")


@pytest.mark.usefixtures("wire")
def test_who_leaves_before_the_answer_harms_nobody(server: Server, wire: Wire) -> None:
    at = urlsplit(server.url)
    for _ in range(50):
        with socket.create_connection((at.hostname or "", at.port or 0), timeout=60) as connection:
            connection.sendall(asked(ALIAS))
    assert wire.request("GET", ALIAS).status_code == 200


def test_where_nobody_can_say_that_is_said_as_everywhere() -> None:
    def recollect(tell: Any, *_: Any) -> None:
        tell(Unavailable("The database does not answer."))

    known = Recollection(recollect, (), "/path")
    door, told = FrontDoor(refused, {"localhost"}), list[bytes | None]()
    shortcut = Shortcut(door, lambda *_: known, recollect, refusal)
    scope = {"path": "/path", "query_string": b"", "method": "GET"}
    scope["headers"] = [(b"host", b"localhost:5000"), (b"x-request-id", b"mine")]
    assert shortcut.ask(scope, told.append)
    (answer,) = told
    assert answer is not None
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 503 " + HTTPStatus(503).phrase.encode()
    assert {b"retry-after: 1", b"x-request-id: mine", b"content-length: %d" % len(body)} < {
        *headers
    }
    assert b"TEMPORARILY_UNAVAILABLE" in body
    (route,) = door.tally.routes.values()
    assert (scope[ROUTE], route.statuses[5], door.tally.in_flight) == ("/path", 1, 0)


async def refused(*_: Any) -> None:
    raise AssertionError("the application was asked")
