"""What whoever watches a server is told: metrics, readiness, the access log."""

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.services import readiness
from tests.conftest import StartServer
from tests.support.clock import MovedClock
from tests.support.estate import Estate
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.ward import TLS

API, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts"
HOW_TO = Path(__file__).parents[2] / "docs/how-to/observe.md"
WAIT_S = 60.0

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that logs all it can."""
    args = ("--log-format", "json", "--access-log", "on", "--log-level", "debug")
    server = Server(tmp_path_factory.mktemp("watched") / "data", args=args)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def http(watched: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=watched.url, verify=TLS, trust_env=False, timeout=60) as http:
        yield http


def test_a_scrape_counts_what_was_asked(http: httpx.Client) -> None:
    route, labels = f"{API}/registered-models/create", {"dialect": "mlflow", "method": "POST"}
    for name in ("a", "b", "b"):
        http.post(route.replace("/api/", "/ajax-api/"), json={"name": name})
    http.get("/api/v1/models/a")
    http.get(f"{API}/registered-models/search")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = parsed(answer.text)
    total = "modelkeep_http_requests_total"
    assert value(found, total, route=route, status="2xx", **labels) == 2
    assert value(found, total, route=route, status="4xx", **labels) == 1
    took = "modelkeep_http_request_duration_seconds"
    assert value(found, f"{took}_count", route=route, **labels) == 3
    assert value(found, f"{took}_bucket", route=route, le="+Inf", **labels) == 3
    assert 0 < value(found, f"{took}_sum", route=route, **labels) < WAIT_S
    assert value(found, "modelkeep_http_received_bytes_total", route=route, **labels) == 36
    native = {"dialect": "native", "method": "GET", "route": "/api/v1/models/{name}"}
    assert value(found, total, status="2xx", **native) == 1
    assert value(found, "modelkeep_http_requests_in_flight") == 1  # this one
    assert value(found, "modelkeep_journal_events_total", event="model:created") == 2
    assert value(found, "modelkeep_commits_total", outcome="stored") >= 3
    assert value(found, "modelkeep_searches_total", kind="quick") == 1
    assert value(found, "modelkeep_journal_entries") == 2
    assert value(found, "modelkeep_check_ok", check="database") == 1
    build = next(labels for name, labels in found if name == "modelkeep_build_info")
    assert dict(build).keys() == {"version", "schema", "database"}
    assert ("process_open_fds", frozenset()) in found


def test_openmetrics_is_spoken_too(http: httpx.Client) -> None:
    answer = http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "modelkeep_commits" in {family.name for family in openmetrics(answer.text)}


def test_no_client_can_add_a_label(http: httpx.Client) -> None:
    for number in range(20):
        http.get(f"/nowhere/{number}")
        http.get(f"/api/v1/nowhere/{number}")
        http.get(f"/api/v1/models/m{number}")
        http.put(f"{FILES}/artifacts/f{number}", content=b"x")
        http.request("PROPFIND", f"{FILES}/artifacts/f{number}")
        http.request("LOCK", f"{API}/registered-models/get")
    found = parsed(http.get("/metrics").text)
    routes = {dict(labels)["route"] for name, labels in found if name.endswith("requests_total")}
    assert "none" in routes
    assert f"{FILES}/artifacts/{{path}}" in routes
    assert not [route for route in routes if re.search(r"\d$", route)]
    methods = {dict(labels).get("method") for _, labels in found}
    assert "other" in methods
    assert "LOCK" not in methods


def test_an_access_log_tells_of_every_request_and_of_no_secret(
    watched: Server, http: httpx.Client
) -> None:
    token = mint(TokenKind.PERSONAL).text
    basic = "Basic " + base64.b64encode(f"ann:{token}".encode()).decode()
    path = f"{API}/registered-models/get?name=a&password=hunter22"
    http.get(path, headers={"authorization": basic})
    http.get(f"{FILES}/signed/{token}", headers={"x-request-id": "r-signed"})
    http.put(f"{FILES}/mpu/part/grant.of.ann", content=b"x")
    http.get("/api/v1/models/x%0a%7b%22level%22:%22critical%22%7d", headers={"x-request-id": "r2"})
    http.post(f"{API}/webhooks", json={"name": "w", "url": "https://h", "secret": "hush-hush-1"})
    http.get("/health", headers={"x-request-id": "r-last"})
    deadline = time.monotonic() + WAIT_S
    while "r-last" not in (text := watched.log_text().rpartition("\n")[0]):  # whole lines
        assert time.monotonic() < deadline
    lines = [json.loads(line) for line in text.splitlines()]
    asked = {line["request_id"]: line for line in lines if line["logger"] == "modelkeep.access"}
    last = asked["r-last"]
    assert last["duration_ms"] > 0
    assert (last["method"], last["status"], last["bytes_out"]) == ("GET", 200, 2)
    assert (last["route"], last["path"], last["peer"]) == ("/health", "/health", "127.0.0.1")
    assert asked["r-signed"]["path"] == f"{FILES}/signed/[grant]"
    assert asked["r2"]["path"] == '/api/v1/models/x\n{"level":"critical"}'
    assert {line["level"] for line in lines} <= {"debug", "info", "warning"}
    assert "ann" in {line.get("actor") for line in asked.values()}
    encoded = basic.split()[1]
    for secret in (token, token[16:], encoded, "hunter22", "grant.of.ann", "hush-hush-1"):
        assert secret not in text


def test_metrics_need_a_role_that_may_read_everything(
    tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LIMIT_S", WAIT_S)  # however busy the machine is
    estate = Estate(tmp_path / "data", "", clock)
    try:
        estate.user("vera", "viewer model:churn")
        estate.service("prometheus", "boss", "viewer")
        assert estate.call("GET", "/metrics").status_code == 401
        assert estate.call("GET", "/metrics", "vera").status_code == 403
        found = parsed(estate.call("GET", "/metrics", "prometheus").text)
        assert value(found, "modelkeep_check_ok", check="database") == 1
        assert estate.call("GET", "/ready").json()["ready"] is True  # asks nobody
        assert estate.call("POST", "/ready").status_code == 405
        estate.running.writer.close()
        deadline = time.monotonic() + WAIT_S
        while (answer := estate.call("GET", "/ready")).status_code != 503:
            assert time.monotonic() < deadline
        down = {"ok": False, "why": "The server's log says why."}
        assert answer.json()["checks"]["database"] == down
    finally:
        estate.close()


@pytest.mark.postgresql
def test_a_server_without_its_database_says_so_and_is_ready_again_with_it(
    start_server: StartServer, postgres: Postgres
) -> None:
    url = postgres.create_database()
    server = start_server("--workers", "2", database_url=url)

    def ready() -> dict[str, Any]:
        return httpx.get(f"{server.url}/ready", verify=TLS, trust_env=False, timeout=60).json()

    def scraped() -> dict[str, float]:
        """What `/metrics` says of the database, by process."""
        scrape = httpx.get(f"{server.url}/metrics", verify=TLS, trust_env=False, timeout=60)
        return {
            dict(labels)["process"]: value
            for (name, labels), value in parsed(scrape.text).items()
            if name == "modelkeep_check_ok" and ("check", "database") in labels
        }

    def until(is_ready: bool) -> dict[str, Any]:
        """What is told once both checks that ask the database say so: each may say for a second
        what it found before."""
        deadline = time.monotonic() + WAIT_S
        while {(found := ready())["ready"], *oks(found, "database", "schema")} != {is_ready}:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found["checks"]

    def oks(found: dict[str, Any], *names: str) -> list[bool]:
        return [found["checks"][name]["ok"] for name in names]

    until(True)
    postgres.crash()
    try:
        down = until(False)
        assert down["disk"] == {"ok": True}
        assert httpx.get(f"{server.url}/health", verify=TLS, trust_env=False).text == "OK"
        deadline = time.monotonic() + WAIT_S
        while set((told := scraped()).values()) != {0.0}:
            assert time.monotonic() < deadline, told
            time.sleep(0.1)  # each of the two may say for a second what it found before
        assert told.keys() < {"1", "2"}  # whichever answered, and it alone
    finally:
        postgres.start()
    until(True)
    password = url.partition("@")[0].rpartition(":")[2]
    assert password not in server.log_text()
    server.kill()
    postgres.drop_database(url)


def test_the_how_to_names_every_metric_that_there_is_and_no_other(http: httpx.Client) -> None:
    text = HOW_TO.read_text()
    family = {family.name for family in text_string_to_metric_families(http.get("/metrics").text)}
    known = {name for name, _ in parsed(http.get("/metrics").text)} | family
    # Of what is not there before the journal is signed for the first time.
    known |= {"modelkeep_checkpoint_age_seconds", "modelkeep_checkpoint_entries"}
    named = set(re.findall(r"\b(?:modelkeep|process)_\w+", text))
    assert named <= known, named - known
    assert {name for name in family if name.startswith("modelkeep_")} <= named | {
        name.removesuffix("_total") for name in named
    }
