"""Every path and method that MLflow's own server has, as its package lists them.

What is outside modelkeep's scope is told so in a shape that every client reads: 404
ENDPOINT_NOT_FOUND, under both prefixes, with any method, whatever is sent along. Of the rest no
path may answer as if the client's method were wrong, or fail.
"""

import json
import re

import httpx
import pytest

from tests.support.clients import Client
from tests.support.server import Server

pytestmark = pytest.mark.client

# The generative surface, workspaces, and the jobs and pages of MLflow's own server.
OUT_OF_SCOPE = re.compile(
    r"/(ajax-)?api/\d\.0/mlflow/(traces|unified-traces|get-online-trace-details|datasets"
    r"|demo|gateway|genai|issues|jobs|label-schemas|prompt-optimization|review-queues|scorers?|workspaces)(/.*)?"
)
# What is meant to be served and is not: nothing may join them.
NOT_YET = re.compile(
    r"/api/2\.0/mlflow(-artifacts/presigned/1|/artifacts/presigned-(up|down)load-url"
    r"|/metrics/get-history-bulk-interval|/webhooks.*)|/api/2\.0/?mlflow/experiments/search-datasets"
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def endpoints(client: Client, server: Server) -> list[tuple[str, str]]:
    """(method, path) of MLflow's server, with something in place of each parameter."""
    told = client.run(
        """
        import json
        from mlflow.server.handlers import get_endpoints
        print(json.dumps([[m, path] for path, _, methods in get_endpoints() for m in methods]))
        """,
        url=server.url,
    )
    found = json.loads(told.splitlines()[-1])
    return sorted({(method, re.sub(r"<[^>]*>", "1", path)) for method, path in found})


def test_what_mlflow_has_and_we_do_not_is_said_so_and_nothing_else_fails(
    mlflow3: Client, server: Server
) -> None:
    known = endpoints(mlflow3, server)
    assert len(known) > 300
    outside = {path for _, path in known if OUT_OF_SCOPE.fullmatch(path)}
    assert len(outside) > 150
    absent: set[str] = set()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for method, path in known:
            if path in outside:
                continue
            answer = http.request(method, path, json=None if method == "GET" else {})
            assert answer.status_code not in (405, 500), (method, path, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["error_code"], (method, path)
                if answer.json()["error_code"] == "ENDPOINT_NOT_FOUND":
                    absent.add(path.replace("/ajax-api/", "/api/"))
        for path in outside:
            for method in METHODS:
                answer = http.request(method, path, json=None if method == "GET" else {})
                assert answer.status_code == 404, (method, path)
                assert answer.json()["error_code"] == "ENDPOINT_NOT_FOUND", (method, path)
    assert not {path for path in absent if not NOT_YET.fullmatch(path)}
