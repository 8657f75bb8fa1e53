"""The wire itself: who may call, what is refused and how, and that no call can hurt the server.

The tables walk every path of the MLflow dialect and of the native API: a route added later is
walked too.
"""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, cast

import httpx
import msgspec
import pytest

from modelkeep.protocols.mlflow import (
    artifacts,
    experiments,
    logged_models,
    metrics,
    registry,
    runs,
    webhooks,
)
from modelkeep.protocols.mlflow.routes import Dialect
from modelkeep.protocols.mlflow.wire import Message, Rpc
from modelkeep.services.app import App
from tests.conftest import StartServer
from tests.support.server import Server
from tests.support.wire import Answer, Wire

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
NATIVE = "/api/v1"
NAGLE_STALL_MS = 35.0  # a server without TCP_NODELAY needs 40 ms and more for a kept-alive answer

RPCS: tuple[Rpc, ...] = (
    *registry.RPCS,
    *experiments.RPCS,
    *runs.RPCS,
    *logged_models.RPCS,
    *artifacts.RPCS,
    *metrics.RPCS,
    *webhooks.RPCS,
)


@pytest.fixture
def http_(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server.url) as wire:
        yield wire


@pytest.fixture
def on_either(start_server: StartServer, database_url: str) -> Server:
    """What a value may be is the database's affair too."""
    return start_server(database_url=database_url)


def concrete(path: str) -> str:
    """A path of a template or pattern, with its parameters filled in."""
    return re.sub(r"\(\?P<\w+>[^)]*\)|\{\+?\w+(:\w+)?\}", "1", path)


def mlflow_paths() -> list[str]:
    return sorted({concrete(path) for path in Dialect(cast(App, None), 1).paths()})


def native_calls(client: httpx.Client | Wire) -> list[tuple[str, str]]:
    """(method, path) of every native route, from its own description."""
    described = client.get(f"{NATIVE}/openapi.json").json()["paths"]
    found = [(m.upper(), concrete(path)) for path, methods in described.items() for m in methods]
    assert len(found) > 10
    return found


def is_explained(answer: httpx.Response | Answer) -> bool:
    """A refusal says what was wrong, in JSON, as its dialect does."""
    body = answer.json()
    if answer.url.path.startswith(f"{NATIVE}/"):
        return is_problem(answer, body)
    return isinstance(body["error_code"], str) and len(body["message"]) > 5


def is_problem(answer: httpx.Response | Answer, body: dict[str, Any]) -> bool:
    """Whether a body is a problem document (RFC 9457) that tells of this answer."""
    told = {"type", "title", "status", "detail", "code", "request_id"} <= set(body)
    return (
        told
        and answer.headers["content-type"] == "application/problem+json"
        and body["status"] == answer.status_code
        and body["type"] == f"{NATIVE}/problems/{body['code']}"
        and body["request_id"] == answer.headers["x-request-id"]
        and len(body["detail"]) > 5
    )


# -- who may call ------------------------------------------------------------------------------


def test_a_foreign_host_is_refused_on_every_path(http_: httpx.Client, server: Server) -> None:
    paths = [*mlflow_paths(), *(path for _, path in native_calls(http_))]
    paths += ["/health", "/", "/none", f"{NATIVE}/openapi.json", f"{FILES}/a"]
    for path in paths:
        for method in ("GET", "POST"):
            answer = http_.request(method, path, headers={"Host": "evil.example"})
            assert answer.status_code == 403, (method, path)
            assert "Invalid Host header" in answer.text
    for host in (
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "127.0.0.1@evil.example",
        "evil.example#127.0.0.1",
    ):
        assert http_.get("/health", headers={"Host": host}).status_code == 403, host
    for host in (
        "localhost",
        "LOCALHOST:5000",
        "127.0.0.1",
        f"127.0.0.1:{server.port}",
        "[::1]:80",
    ):
        assert http_.get("/health", headers={"Host": host}).status_code == 200, host


@pytest.mark.parametrize(
    "hosts", ["", "Host: evil\r\nHost: localhost", "Host: localhost:5000\r\nHost: evil:80"]
)
def test_a_host_that_is_not_sent_or_sent_twice_is_refused(server: Server, hosts: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as raw:
        raw.sendall(f"GET /health HTTP/1.0\r\n{hosts}\r\n\r\n".encode())
        assert raw.recv(4096).split()[1] in (b"400", b"403")


def test_a_configured_host_is_answered(start_server: StartServer) -> None:
    server = start_server("--allowed-host", "models.example")
    for host, status in (("models.example:8080", 200), ("models.example.org", 403)):
        answer = httpx.get(f"{server.url}/health", headers={"Host": host}, trust_env=False)
        assert answer.status_code == status


def test_a_foreign_origin_changes_nothing(http_: httpx.Client, server: Server) -> None:
    create = f"{API}/registered-models/create"
    own = server.url
    for origin in (
        *("https://evil.example", "null", "http://127.0.0.1:1", "", f"{own}.evil", "http://["),
        *(f"https://evil.example/{own}", f"{own}@evil.example", "127.0.0.1"),
    ):
        headers = {"Origin": origin}
        for method, path in (
            ("POST", create),
            ("DELETE", f"{API}/registered-models/delete"),
            ("PATCH", f"{API}/registered-models/update"),
            ("PUT", f"{FILES}/a"),
            ("POST", f"{NATIVE}/policy"),
            ("POST", "/health"),
        ):
            answer = http_.request(method, path, json={"name": "m"}, headers=headers)
            assert answer.status_code == 403, (origin, method, path)
            assert "Cross-origin request blocked" in answer.text
    assert http_.get(f"{API}/registered-models/search").json() == {}
    same = http_.post(create, json={"name": "m"}, headers={"Origin": server.url})
    assert same.status_code == 200
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = http_.options(create, headers=preflight)
    assert not any(name.startswith("access-control-allow") for name in answer.headers)


def test_an_author_is_who_basic_authentication_says(http_: httpx.Client) -> None:
    for number, (credentials, status) in enumerate(
        (
            ("Basic YW5uOng=", 200),
            ("basic YW5uOng=", 200),
            ("Bearer abc", 200),
            ("Basic", 200),  # nobody
            ("Basic %%%", 400),
            ("Basic /////w==", 400),
            ("Basic YQBiOng=", 400),  # a NUL in the name
        )
    ):
        body = {"name": f"m{number}"}
        answer = http_.post(
            f"{API}/registered-models/create", json=body, headers={"Authorization": credentials}
        )
        assert answer.status_code == status, (credentials, answer.text)
        assert status == 200 or is_explained(answer)


# -- what is a call ----------------------------------------------------------------------------


def test_a_body_that_is_not_json_by_its_type_is_refused(http_: httpx.Client) -> None:
    create, body = f"{API}/registered-models/create", b'{"name": "m"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = http_.post(create, content=body, headers={"Content-Type": kind})
        assert answer.status_code == 400, kind
        assert "Content-Type must be one of ['application/json']" in answer.json()["message"]
    assert http_.get(f"{API}/registered-models/search").json() == {}
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert http_.post(create, content=body, headers=headers).status_code == 200


def test_a_body_over_the_limit_is_refused(start_server: StartServer) -> None:
    server = start_server("--max-body-bytes", "2000")
    with httpx.Client(base_url=server.url, trust_env=False) as client:

        def post(path: str, size: int, chunked: bool = False) -> httpx.Response:
            field = "source" if path.startswith(NATIVE) else "name"
            content = json.dumps({field: ""}).encode()
            content = content[:-2] + b"x" * (size - len(content)) + b'"}'
            headers = {"Content-Type": "application/json"}
            return client.post(
                path, content=iter([content]) if chunked else content, headers=headers
            )

        create = f"{API}/registered-models/create"
        for chunked in (False, True):
            within, beyond = post(create, 2000, chunked), post(create, 2001, chunked)
            assert "exceeds the maximum length" in within.json()["message"]
            assert (beyond.status_code, beyond.json()["error_code"]) == (
                *(400, "INVALID_PARAMETER_VALUE"),
            )
            assert "limit of 2000 bytes" in beyond.json()["message"]
            native = post(f"{NATIVE}/policy", 2001, chunked)
            assert native.status_code == 413
            assert is_explained(native)
        # An artifact is no body of a call.
        assert client.put(f"{FILES}/a", content=b"x" * 5000).status_code == 200


def test_a_wrong_method_is_405_and_an_unknown_path_404_in_mlflows_shape(
    http_: httpx.Client,
) -> None:
    by_path: dict[str, set[str]] = {}
    for rpc in RPCS:
        by_path.setdefault(concrete(rpc.path), set()).update(rpc.methods)
    for path, allowed in by_path.items():
        for prefix in (API, "/ajax-api/2.0/mlflow"):
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
                answer = http_.request(method, f"{prefix}/{path}", json={})
                assert answer.status_code == 405, (method, path)
                assert answer.headers["allow"] == ", ".join(sorted(allowed))
                assert is_explained(answer)
    assert http_.post(f"{FILES}/a", content=b"x").status_code == 405
    for path in (
        "/none",
        f"{API}/none",
        f"{API}/registered-models/get/",
        f"{API}//registered-models/get",
        "/api/2.0/preview/mlflow/experiments/list",
        "/api/2.0/mlflow/gateway-proxy",
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/ajax-api/3.0/jobs/",
        f"{API}/REGISTERED-models/get",
        f"{NATIVE}/none",
    ):
        for method in ("GET", "POST"):
            answer = http_.request(method, path, json={})
            assert answer.status_code == 404, (method, path)
            assert is_explained(answer)
    assert http_.get("/none").json()["error_code"] == "ENDPOINT_NOT_FOUND"


# -- bad calls, at every route -----------------------------------------------------------------

DEEP = b'{"name":' + b"[" * 100_000
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"}",
    b"nul",
    b"null",
    b"[]",
    b"1",
    b'"x"',
    b"\xff\xfe",
    b'{"name": "\xff"}',
    b'{"name": "\\ud800"}',
    b'{"name": NaN}',
    b'{"name": 1e999}',
    b'{"name": ' + b"9" * 5000 + b"}",
    b"{}{}",
    DEEP,
    DEEP + b"]" * 100_000 + b"}",
)
WRONG_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 2**64, 10**30, 1.5, 1e308),
    *("", "a\x00b", "\x00", "\ud800", "a\udfffb", "\u202e\u2066", "x" * 100_000, "é" * 300, " "),
    *("../../etc/passwd", "%00", "'; DROP TABLE models; --", "{}", "[]", "null", "-1", "9" * 30),
    *([], [None], [[]], ["a\x00b"], [1, 2, 3], ["1"] * 2000, {}, {"a": {"b": []}}),
    {"key": "a\x00b", "value": 1},
    [{"key": None, "value": []}],
    [{"key": "k" * 300, "value": "v"}],
    [{"key": "k", "value": "a\x00b"}],
    [{"key": "\ud800", "value": "\udfff"}],
    [{"key": "", "value": ""}],
    [{"key": "k", "value": "v"}, {"key": "k", "value": "w"}],
    [{"key": f"k{n}", "value": "v"} for n in range(1200)],
    [{"key": "m", "value": "NaN", "timestamp": 2**63 - 1, "step": -(2**63)}],
    [{"key": "m", "value": 1e999, "timestamp": -1, "step": 2**63}],
    [{"key": "m", "value": "1", "timestamp": 1, "model_id": "\x00", "dataset_name": "\ud800"}],
    [{"dataset": {"name": "a\x00", "digest": "\ud800", "source": {}}, "tags": [{}]}],
    [{"dataset": {"name": "n" * 600, "digest": "d" * 600, "source_type": "s", "source": "s"}}],
    [{"model_id": "\x00", "step": 1e30}],
    [{"field_name": "metrics.\x00", "ascending": "maybe", "dataset_name": []}],
)


def fields_of(request: type[Message]) -> list[msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(request)
    assert isinstance(info, msgspec.inspect.StructType)
    return list(info.fields)


def right_values(wire: Wire, fields: list[msgspec.inspect.Field]) -> dict[str, Any]:
    """A body that a call would take, as far as that can be said without knowing the call: one
    field of it can be wrong then without another being refused before."""

    def made(path: str, **body: Any) -> Any:
        return wire.post(f"{API}/{path}", json=body).json()

    made("registered-models/create", name="1")
    run = made("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    model = made("logged-models", experiment_id="0")["model"]["info"]["model_id"]
    made("model-versions/create", name="1", source=f"runs:/{run}/a", run_id=run)
    known = {
        "run_id": run,
        "run_uuid": run,
        "model_id": model,
        "experiment_id": "0",
        "source": f"runs:/{run}/a",
        "stage": "Staging",
        "status": "LOGGED_MODEL_READY" if "params" in [f.name for f in fields] else "FINISHED",
        "filter": "",
        "page_token": "",
        "view_type": "ALL",
        "run_view_type": "ALL",
        "artifact_location": "",
        "model_json": "{}",
        "url": "https://8.8.8.8/",  # to which nothing is sent: there are no such events
        "events": [{"entity": "BUDGET_POLICY", "action": "EXCEEDED"}],
    }
    if "secret" in [f.name for f in fields]:
        known["status"] = "ACTIVE"
    plain = {f.encode_name: f for f in fields if isinstance(f.type, msgspec.inspect.StrType)}
    return {name: known.get(name, "1") for name in plain} | {
        f.encode_name: known[f.name] for f in fields if f.name in known
    }


def test_no_malformed_body_brings_the_server_down(on_either: Server) -> None:
    """Every call, with every field of it wrong in every way of the tables."""
    with Wire(on_either.url) as wire:
        throw_bodies(wire)
    assert "Traceback" not in on_either.log_text()


def throw_bodies(wire: Wire) -> None:
    calls = [
        (m, f"{API}/{concrete(rpc.path)}", rpc) for rpc in RPCS for m in rpc.methods if m != "GET"
    ]
    assert {concrete(r.path) for _, _, r in calls} <= {
        p.removeprefix(f"{API}/") for p in mlflow_paths()
    }
    headers = {"Content-Type": "application/json"}
    for method, path, rpc in calls:
        for content in BODIES:
            answer = wire.request(method, path, content=content, headers=headers)
            assert answer.status_code < 500, (method, path, content[:50], answer.text)
            assert answer.status_code == 200 or is_explained(answer)
            if content and content != b"null" and content[:1] != b"{":
                assert answer.status_code == 400, (method, path, content[:50])
        fields = fields_of(rpc.request)
        for field in fields:
            right = right_values(wire, fields)
            for value in WRONG_VALUES:
                body = right | {field.encode_name: value}
                content = json.dumps(body).encode()
                answer = wire.request(method, path, content=content, headers=headers)
                assert answer.status_code < 500, (path, field.name, str(value)[:50], answer.text)
                assert answer.status_code == 200 or is_explained(answer)


def test_no_malformed_query_brings_the_server_down(wire: Wire, server: Server) -> None:
    calls = [
        (f"{API}/{concrete(rpc.path)}", [field.encode_name for field in fields_of(rpc.request)])
        for rpc in RPCS
        if "GET" in rpc.methods
    ]
    calls += [
        (path, ["time", "limit", "before", "start", "status"])
        for m, path in native_calls(wire)
        if m == "GET"
    ]
    calls += [
        ("/get-artifact", ["run_id", "run_uuid", "path"]),
        ("/model-versions/get-artifact", ["name", "version", "path"]),
        (FILES, ["path"]),
        (f"{API.replace('api', 'ajax-api', 1)}/artifacts/list", ["run_id", "path"]),
    ]
    raw = (
        "",
        "%00",
        "%ff",
        "%ED%A0%80",
        "-1",
        "9" * 30,
        "1.5",
        "NaN",
        "'",
        "%",
        "%2",
        "a" * 5000,
        "[]",
        "{}",
        "%E2%80%AE",
        "..%2f..%2fetc%2fpasswd",
        "1&1=1",
        "+",
        "%0a",
        "true",
        "null",
    )
    for path, names in calls:
        for value in raw:
            queries = [f"{name}={value}" for name in names]
            queries += [
                "&".join(f"{n}=1" if n != name else f"{n}={value}" for n in names) for name in names
            ]
            for query in [*queries, value, f"={value}", "&".join(queries), "a=1&" * 2000]:
                answer = wire.get(f"{path}?{query}")
                assert answer.status_code < 500, (path, query[:200], answer.text)
                if "a=1&" in query and path.startswith(f"{API}/"):
                    assert answer.status_code == 400, path
                assert answer.status_code == 200 or is_explained(answer), (path, query[:200])
    assert "Traceback" not in server.log_text()


def test_bytes_that_are_no_text_are_refused_where_text_is_meant(
    http_: httpx.Client, server: Server
) -> None:
    """Sent as they are: an ordinary client would encode them."""
    targets = [
        f"{API}/registered-models/get?name=\xff",
        f"{API}/logged-models/\xff",
        f"{FILES}/a\xff",
        f"{FILES}?path=\xff",
        "/get-artifact?run_id=1&path=\xff",
        "/model-versions/get-artifact?name=\xff&version=1&path=a",
        f"{NATIVE}/models/\xff/history",
        f"{NATIVE}/requests?status=\xff",
        "/\xff",
        "/health?\xff",
    ]
    targets += [target.replace("\xff", "%ff") for target in targets]
    for target in targets:
        for method in ("GET", "PUT", "DELETE"):
            with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as raw:
                head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                raw.sendall(head.encode("latin-1"))
                status = int(raw.recv(65536).split()[1])
            assert status < 500, (method, target)
            assert status >= 400 or target.startswith("/health"), (method, target)
    assert http_.get(FILES).json() == {}
    assert "Traceback" not in server.log_text()


def test_no_malformed_native_call_brings_the_server_down(wire: Wire, server: Server) -> None:
    headers = {"Content-Type": "application/json"}
    names = ("model", "version", "stage", "reason", "epoch", "comment", "source")
    for method, path in native_calls(wire):
        if method in ("GET", "HEAD"):
            continue
        for content in BODIES:
            answer = wire.request(method, path, content=content, headers=headers)
            assert answer.status_code < 500, (path, content[:50], answer.text)
            assert is_explained(answer), (path, content[:50], answer.text)
        for name in names:
            for value in WRONG_VALUES:
                content = json.dumps({name: value}).encode()
                answer = wire.request(method, path, content=content, headers=headers)
                assert answer.status_code < 500, (path, name, str(value)[:50], answer.text)
    wrong = {"model": "m", "version": 1, "stage": "Staging", "reason": "r"}
    for name in wrong:
        for value in WRONG_VALUES:
            content = json.dumps(wrong | {name: value}).encode()
            answer = wire.post(f"{NATIVE}/promotions", content=content, headers=headers)
            assert 400 <= answer.status_code < 500, (name, str(value)[:50], answer.text)
            assert is_explained(answer)
    for text in (
        "&a [*a]",
        "a: &x 1\nb: *x",
        "!!python/object/apply:os.system [id]",
        "a: 1\na: 2",
        "[" * 100_000,
        "{" * 5000,
        "model_registry: 1",
        "- " * 1000,
        "\x07",
        "\ud800"[:0],
        "? ? ?",
        "model_registry: {stage_transitions: {None -> Mars: {}}}",
        "a" * 300_000,
    ):
        answer = wire.post(f"{NATIVE}/policy", json={"source": text})
        assert answer.status_code == 400, (text[:50], answer.text)
        assert is_explained(answer)
    lone = b'{"source": "model_registry: {}\\ud800"}'
    assert wire.post(f"{NATIVE}/policy", content=lone, headers=headers).status_code == 400
    assert wire.get(f"{NATIVE}/policy").json()["revision"] == 0
    assert "Traceback" not in server.log_text()


def test_a_refusal_names_the_field_that_is_wrong(http_: httpx.Client) -> None:
    http_.post(f"{API}/registered-models/create", json={"name": "m"})
    for path, body, named in (
        ("registered-models/create", {}, "name"),
        ("registered-models/create", {"name": ["m"]}, "name"),
        ("registered-models/create", {"name": "n", "tags": [{"key": 1.5}]}, "tags"),
        ("registered-models/create", {"name": "n", "description": "a\x00b"}, "description"),
        (
            "registered-models/create",
            {"name": "n", "tags": [{"key": "k", "value": "\x00"}]},
            "tags",
        ),
        ("registered-models/set-tag", {"name": "m", "value": "v"}, "key"),
        ("registered-models/alias", {"name": "m", "alias": "a"}, "version"),
        ("registered-models/alias", {"name": "m", "alias": "a", "version": "x"}, "version"),
        ("registered-models/rename", {"name": "m"}, "new_name"),
        ("model-versions/create", {"name": "m"}, "source"),
        ("model-versions/create", {"name": "m", "source": {}}, "source"),
        ("model-versions/transition-stage", {"name": "m", "version": "1"}, "stage"),
        ("runs/search", {"max_results": "many"}, "max_results"),
        ("runs/search", {"max_results": 10**30}, "max_results"),
        ("runs/create", {"start_time": 2**63}, "start_time"),
    ):
        answer = http_.post(f"{API}/{path}", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (
            *(400, "INVALID_PARAMETER_VALUE"),
        ), (path, body)
        assert named in answer.json()["message"], (path, body, answer.text)


# -- connections -------------------------------------------------------------------------------


def test_a_kept_alive_connection_does_not_stall(server: Server) -> None:
    """Each answer on one connection comes at once, not after the client's delayed ACK."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:

        def took_ms(method: str, path: str, body: str | None = None) -> float:
            began = time.perf_counter()
            connection.request(
                method, path, body, {"Content-Type": "application/json"} if body else {}
            )
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            return (time.perf_counter() - began) * 1000

        took_ms("POST", f"{API}/registered-models/create", '{"name": "m"}')
        reads = [took_ms("GET", f"{API}/registered-models/get?name=m") for _ in range(200)]
        writes = [
            took_ms(
                "POST",
                f"{API}/registered-models/set-tag",
                f'{{"name":"m","key":"k","value":"{n}"}}',
            )
            for n in range(20)
        ]
        health = [took_ms("GET", "/health") for _ in range(200)]
    # Every answer would stall, but for the first sixteen or so. A machine that has much else to do
    # delays some: the quicker ones show that nothing of ours does.
    assert sorted(reads)[40] < NAGLE_STALL_MS
    assert sorted(health)[40] < NAGLE_STALL_MS
    # A write waits for the disk, which may be slow; the quickest shows that nothing else does.
    assert min(writes) < NAGLE_STALL_MS


POST = b"POST /none HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /health",
        b"GET /health?",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ",
        POST + b"0\r\nX-Late: ",
        POST + b"1;x=",
    ],
    ids=["path", "query", "name", "value", "trailer", "chunk"],
)
def test_what_comes_before_a_body_has_an_end(server: Server, beginning: bytes) -> None:
    """The parser would keep it all, and go through all of it again with every piece."""
    sent = 0
    with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as caller:
        caller.sendall(beginning)
        with suppress(ConnectionError):
            while sent < 16 << 20:
                sent += caller.send(b"a" * 65536)
    assert sent < 16 << 20


def test_a_head_that_is_too_large_is_refused_as_such(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as caller:
        caller.sendall(b"GET /health HTTP/1.1\r\nX: " + b"a" * 65536)
        told = caller.makefile("rb").read()
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert f"content-length: {len(body)}".encode() in head


def test_a_head_of_many_headers_is_taken(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        for _ in range(3):  # on one connection
            headers = {f"X-{number}": "a" * 500 for number in range(90)}
            connection.request("GET", "/health", headers=headers)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"OK")


@pytest.mark.parametrize("head", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_breaks_off_leaves_nothing(
    http_: httpx.Client, server: Server, head: str
) -> None:
    old = b"old" * 20_000
    assert http_.put(f"{FILES}/a/old", content=old).status_code == 200
    piece = b"x" * 100_000
    if "chunked" in head:
        piece = b"186a0\r\n" + piece + b"\r\n"
    for path in ("a/new", "a/old"):
        with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as raw:
            raw.sendall(
                f"PUT {FILES}/{path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode()
            )
            for _ in range(20):
                raw.sendall(piece)
    # The server has read the end of both connections once it has swept what they brought.
    incoming, deadline = server.data_dir / "incoming", time.monotonic() + 60
    while list(incoming.iterdir()):
        assert time.monotonic() < deadline, "what broke off lies there still"
        http_.get("/health")
    assert http_.get(f"{FILES}/a/new").status_code == 404
    assert http_.get(f"{FILES}/a/old").content == old
    assert [f["path"] for f in http_.get(FILES, params={"path": "a"}).json()["files"]] == ["old"]
    assert len([p for p in (server.data_dir / "blobs").glob("??/*") if p.is_file()]) == 1


def test_a_body_that_is_not_as_long_as_it_says_is_not_taken(
    http_: httpx.Client, server: Server
) -> None:
    """Longer: what is over the length is another call. Two lengths, or two framings: refused."""
    for head in (
        "Content-Length: 3\r\nContent-Length: 9",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: -3",
        "Content-Length: x",
        "Content-Length: 3, 4",
    ):
        with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as raw:
            request = f"PUT {FILES}/a HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\nabcdefghi"
            raw.sendall(request.encode())
            raw.shutdown(socket.SHUT_WR)
            status = raw.recv(4096)[:12]
        assert not status.startswith(b"HTTP/1.1 2"), (head, status)
        assert http_.get(f"{FILES}/a").status_code == 404, head
    with closing(socket.create_connection(("127.0.0.1", server.port), 60)) as raw:
        request = f"PUT {FILES}/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
        raw.sendall(request.encode() + b"DELETE /x HTTP/1.1\r\nHost: evil\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    assert http_.get(f"{FILES}/a").content == b"abc"


def test_the_server_is_up_and_says_what_it_is(http_: httpx.Client, server: Server) -> None:
    print(f"healthy {server.started_in_s:.2f} s after its start")
    assert http_.get("/health").text == "OK"
    assert re.fullmatch(r"\d+\.\d+\.\d+", http_.get("/version").text)
    info = http_.get("/api/3.0/mlflow/server-info").json()
    assert info["store_type"] == "SqlStore"
    assert info["multipart_uploads_enabled"] is True
    for path in ("/health", "/none", f"{API}/registered-models/search", f"{FILES}/none"):
        answer = http_.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers
    for path in ("/health", "/version", "/ajax-api/3.0/mlflow/server-info"):
        assert http_.post(path).status_code == 405
        head = http_.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(http_.get(path).content)


def test_an_address_may_end_with_a_slash(server: Server) -> None:
    for path in ("/health", f"{API}/experiments/get?experiment_id=0", f"{NATIVE}/policy"):
        assert httpx.get(f"{server.url}//{path[1:]}", trust_env=False).status_code == 200, path
