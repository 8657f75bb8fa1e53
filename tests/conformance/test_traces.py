"""Traces, as a collector gets them from a real server by OTLP; and none where nobody asks."""

import subprocess
import sys

import httpx

from tests.conftest import StartServer
from tests.support.collector import running_collector
from tests.support.ward import TLS

API = "/api/2.0/mlflow"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SIGNED = "/api/2.0/mlflow-artifacts/signed/a-grant-that-is-none"


def test_a_request_is_a_span_of_its_callers_trace_with_what_it_waited_for(
    start_server: StartServer,
) -> None:
    with running_collector() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        server = start_server("--log-format", "json", "--access-log", "on", env=environment)
        with httpx.Client(base_url=server.url, verify=TLS, trust_env=False) as http:
            carried = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r1"}
            path = f"{API}/registered-models/create"
            assert http.post(path, json={"name": "a"}, headers=carried).status_code == 200
            assert http.post(path, json={"name": "a"}).status_code == 400
            assert http.get(f"{API}/registered-models/search?filter=x").status_code == 400
            assert http.get(f"{API}/registered-models/search").status_code == 200
            assert http.get("/api/v1/models/a").status_code == 200
            assert not http.get(SIGNED).is_success
            assert not http.get(f"{server.url}/{SIGNED}").is_success  # as some clients ask
        assert server.stop() == 0
    assert collector.services == {"modelkeep"}
    by_id = {span.id: span for span in collector.spans}
    first = next(span for span in collector.spans if span.trace == TRACE and span.kind == 2)
    assert (first.name, first.parent) == (f"POST {API}/registered-models/create", PARENT)
    assert (
        first.facts.items()
        >= {
            "http.request.method": "POST",
            "http.route": f"{API}/registered-models/create",
            "http.response.status_code": 200,
            "url.path": f"{API}/registered-models/create",
            "url.scheme": "http",
            "server.port": server.port,
            "client.address": "127.0.0.1",
            "modelkeep.request_id": "r1",
        }.items()
    )
    within = [span for span in collector.spans if span.parent in by_id]
    assert all(span.trace == by_id[span.parent].trace for span in within)
    told = [(by_id[s.parent].name, s.name, s.facts["modelkeep.use_case"]) for s in within]
    assert (first.name, "commit", "create_model") in told
    assert (f"GET {API}/registered-models/search", "search", "_models_page") in told
    failed = [s.facts.get("error.type") for s in within if s.facts.get("error.type")]
    assert failed == ["AlreadyExists"]
    assert "GET /api/v1/models/{name}" in {span.name for span in collector.spans}
    assert not any(span.error for span in collector.spans)  # clients' mistakes are not ours
    assert "a-grant-that-is-none" not in str(collector.spans)
    assert f'"trace_id": "{TRACE}"' in server.log_text()


def test_a_collector_that_is_away_delays_nobody(start_server: StartServer) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}  # nobody listens there
    server = start_server(env=environment)
    answer = httpx.get(f"{server.url}/version", verify=TLS, trust_env=False)
    assert answer.status_code == 200
    assert server.stop() == 0


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )


BEGIN = """
import os, sys
{before}
import modelkeep.server
from modelkeep.protocols import traces
from modelkeep.telemetry import logs
logs.configure("info")
print(traces.begin(os.environ), [m for m in sys.modules if m.startswith(("opentel", "prometheus"))])
"""


def test_nothing_is_imported_where_nobody_asks() -> None:
    told = python(BEGIN.format(before=""), OTEL_SERVICE_NAME="x")
    assert (told.stdout, told.stderr) == ("None []\n", "")
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    assert python(BEGIN.format(before=""), **off).stdout == "None []\n"


def test_without_the_library_there_is_one_warning() -> None:
    without = "sys.modules['opentelemetry'] = None"
    asked = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    told = python(BEGIN.format(before=without), **asked)
    assert told.stdout.startswith("None ")
    assert told.stderr.count("\n") == 1
    assert "pip install 'modelkeep[otel]'" in told.stderr
