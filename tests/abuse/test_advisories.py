"""What was published against MLflow servers, one trick a test: none reads, writes or connects.

Each is answered 400, 403 or 404, and in MLflow's shape where MLflow's clients read it. The numbers
are those of the advisories; some pairings of a number and a trick come from prose alone.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
REFUSED = (400, 403, 404)
SECRET = "canary-51c0"
JSON_TYPE = "application/json"


class Target:
    """A server with a run, a logged model and a version in it, and whoever listens for it."""

    def __init__(self, server: Server, listener: socket.socket) -> None:
        self.server, self.listener = server, listener
        self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        self.run, self.other = (self._run() for _ in range(2))
        made = self.call("logged-models", experiment_id="0", name="n", source_run_id=self.run)
        self.logged = made[1]["model"]["info"]["model_id"]
        assert self.call("registered-models/create", name="m")[0] == 200
        self.files = f"{FILES}/0/{self.run}/artifacts"
        assert self.send("PUT", f"{self.files}/a/b", b"mine")[0] == 200
        version = {"name": "m", "source": f"runs:/{self.run}/a", "run_id": self.run}
        assert self.call("model-versions/create", **version)[0] == 200

    def _run(self) -> str:
        return self.call("runs/create", experiment_id="0")[1]["run"]["info"]["run_id"]

    def send(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)) as link:
            link.putrequest(method, target, skip_host="Host" in headers)
            for name, value in headers.items():
                link.putheader(name.replace("_", "-"), value)
            if body is not None:
                link.putheader("Content-Length", str(len(body)))
            link.endheaders(body)
            answer = link.getresponse()
            return answer.status, answer.read()

    def call(self, path: str, **body: Any) -> tuple[int, Any]:
        content = json.dumps(body).encode()
        status, answer = self.send("POST", f"{API}/{path}", content, Content_Type=JSON_TYPE)
        return status, json.loads(answer)

    def filled(self, text: str) -> str:
        """A trick with what is known of this server in it."""
        names = {"RUN": self.run, "OTHER": self.other, "LOGGED": self.logged, "HOST": self.host}
        for name, value in {**names, "DATA": str(self.server.data_dir)}.items():
            text = text.replace(f"<{name}>", value)
        return text

    def state(self) -> tuple[Any, ...]:
        """All that a trick could have changed: versions, artifacts, files beside the data."""
        found = self.send("GET", f"{API}/model-versions/search")[1]
        listed = self.send("GET", f"{FILES}?path=0/{self.run}/artifacts/a")[1]
        beside = sorted(p.name for p in self.server.data_dir.parent.iterdir())
        return json.loads(found), listed, beside, self.send("GET", f"{self.files}/a/b")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("advisories")
    (folder / "canary.txt").write_text(SECRET)
    server = Server(folder / "data")
    server.start()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        yield Target(server, listener)
    server.kill()


@pytest.fixture(autouse=True)
def unharmed(target: Target) -> Iterator[None]:
    """Whatever a test sends, nothing was changed by it, and nobody was connected to."""
    before = target.state()
    yield
    assert target.state() == before
    with pytest.raises(BlockingIOError):
        target.listener.accept()


def is_refused(status: int, answer: bytes) -> bool:
    return status in REFUSED and SECRET.encode() not in answer and b"root:" not in answer


# -- A. sources of versions --------------------------------------------------------------------

PROMPT = {"tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
WITH_RUN = {"run_id": "<RUN>"}

SOURCES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("CVE-2023-1177", "file:///etc/", {}),
    ("CVE-2023-1177 with a run", "file:///etc/", WITH_RUN),
    ("CVE-2023-2356", "file://HOST/../../../../../../../", {}),
    ("CVE-2023-2780", "file:///..\\..\\", {}),
    ("CVE-2023-2780 by a drive", "C:\\..\\..\\", WITH_RUN),
    ("CVE-2023-6977", "//proc/self/root", {}),
    ("CVE-2023-6977 with a run", "//proc/self/root", WITH_RUN),
    ("CVE-2023-6909", "http:///?/../../../../../../../etc/", WITH_RUN),
    ("CVE-2024-1483", "http:///#/../../../etc/", WITH_RUN),
    ("CVE-2024-3848", "http://host#/../../../../etc/", WITH_RUN),
    ("CVE-2024-1593", "http://host/a;/../../../etc", WITH_RUN),
    ("CVE-2024-8859", "dbfs:/<RUN>/artifacts/a%3f/../../../../", WITH_RUN),
    ("CVE-2025-11201", "mlflow-artifacts:/0/<RUN>/artifacts/../../../../etc", WITH_RUN),
    ("CVE-2026-2614", "file:///etc/", PROMPT),
    ("CVE-2026-2614 with a run", "file:///etc/", PROMPT | WITH_RUN),
    ("a prompt that names files", "runs:/<RUN>/a", PROMPT | WITH_RUN),
    ("a prompt that names a bucket", "s3://bucket/x", PROMPT),
    ("a placeholder without a prompt", "dummy-source", WITH_RUN),
    ("CVE-2023-6018", "http://<HOST>/api/2.0/mlflow-artifacts/artifacts/", {}),
    ("CVE-2023-6018 as a proxy", "mlflow-artifacts://<HOST>/0/<RUN>/artifacts", WITH_RUN),
    ("a file server", "ftp://<HOST>/x", {}),
    ("a file server over SSH", "sftp://<HOST>/x", {}),
    ("a cluster", "hdfs://<HOST>/x", {}),
    ("a cluster's view", "viewfs://<HOST>/x", {}),
    ("the metadata service", "http://169.254.169.254/api/2.0/mlflow-artifacts/artifacts/", {}),
    ("encoded once", "mlflow-artifacts:/..%2f..%2f", {}),
    ("encoded twice", "mlflow-artifacts:/%252e%252e%252fetc", {}),
    ("encoded three times", "mlflow-artifacts:/%25252e%25252e%25252fetc", {}),
    ("half encoded in a bucket", "s3://b/a%2e%2e/../x", {}),
    ("NUL", "s3://b/x\x00", {}),
    ("an encoded NUL", "s3://b/x%00", {}),
    ("a host in models:", "models://<HOST>/..", {}),
    ("a host in runs:", "runs://<HOST>/<RUN>/a", WITH_RUN),
    ("another run's files", "runs:/<OTHER>/a", WITH_RUN),
    ("another run's folder", "mlflow-artifacts:/0/<OTHER>/artifacts", WITH_RUN),
    ("a folder of nobody's", "mlflow-artifacts:/0", WITH_RUN),
    ("another logged model", "models:/<LOGGED>", {"model_id": "m-" + "0" * 32}),
    ("a logged model of another run", "models:/<LOGGED>", {"run_id": "<OTHER>"}),
    ("a logged model that is none", "models:/m-" + "0" * 32, {}),
    ("the data folder", "<DATA>", WITH_RUN),
    ("the data folder as a URI", "file://<DATA>/blobs", WITH_RUN),
    ("a path of no scheme", "path/to/source", WITH_RUN),
    ("a database", "sqlite:<DATA>/x/../registry.sqlite3", {}),
    ("an archive's inside", "jar:file:///etc!/passwd", {}),
    ("no host at all", "mlflow-artifacts://[", {}),
)


@pytest.mark.parametrize(
    ("source", "more"), [case[1:] for case in SOURCES], ids=[case[0] for case in SOURCES]
)
def test_a_source_that_leads_elsewhere_is_refused(
    target: Target, source: str, more: dict[str, Any]
) -> None:
    given = json.loads(target.filled(json.dumps({"source": source, **more})))
    status, answer = target.call("model-versions/create", name="m", **given)
    assert status in REFUSED, answer
    assert answer["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    for path in ("passwd", "etc/passwd", "canary.txt"):
        page = f"/model-versions/get-artifact?name=m&version=2&path={path}"
        assert is_refused(*target.send("GET", page))


LOCATIONS = (
    "http:///?/../../../../../../../etc/",  # CVE-2023-6909
    "http:///#/../../../etc/",  # CVE-2024-1483, CVE-2024-2928
    "http://host#/../../../../etc/",  # CVE-2024-3848
    "http://host/;/../../../etc",  # CVE-2024-1593
    "dbfs:/",  # CVE-2024-8859
    "file:///etc",
    "file://<DATA>",  # ZDI-26-105
    "<DATA>",
)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_that_leads_elsewhere_is_refused(target: Target, location: str) -> None:
    where = target.filled(location)
    status, answer = target.call("experiments/create", name="e", artifact_location=where)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


# -- B. artifact routes ------------------------------------------------------------------------

UP = "..%2f..%2f..%2f..%2fetc%2fpasswd"
ROUTES = (
    ("CVE-2023-30172", "GET", "/get-artifact?path=../../../../etc/passwd&run_uuid=<RUN>"),
    ("CVE-2023-30172 by run_id", "GET", "/get-artifact?path=../../../../etc/passwd&run_id=<RUN>"),
    ("CVE-2023-6831", "DELETE", f"{FILES}/%252E%252E%252F%252E%252E%252Fetc%252fpasswd"),
    ("CVE-2023-6831 once", "DELETE", f"{FILES}/{UP}"),
    ("CVE-2024-1560", "DELETE", f"{FILES}/" + UP.replace("%", "%25252525")),
    ("CVE-2023-3765", "GET", "/ajax-api/2.0/mlflow-artifacts/artifacts?path=C:/"),
    ("CVE-2023-3765 encoded", "GET", f"{FILES}?path=C%3A%2F"),
    ("a listing above", "GET", f"{FILES}?path=../"),
    ("CVE-2024-8859", "PUT", f"{FILES}/0/<RUN>/artifacts/a%3f/../../../x"),
    ("a backslash", "PUT", f"{FILES}/..%5c..%5cx"),
    ("the server's own folder", "PUT", f"{FILES}/modelkeep/versions/1/a"),
    ("a deleted freeze", "DELETE", f"{FILES}/modelkeep/versions/1/b"),
    ("the canary", "GET", f"{FILES}/..%2fcanary.txt"),
    (
        "the canary of a version",
        "GET",
        "/model-versions/get-artifact?name=m&version=1&path=..%2fcanary.txt",
    ),
    ("the canary of a run", "GET", f"{API}/artifacts/list?run_id=<RUN>&path=..%2f.."),
    ("a number that is none", "GET", "/model-versions/get-artifact?name=m&version=1/../2&path=b"),
)


@pytest.mark.parametrize(
    ("method", "route"), [case[1:] for case in ROUTES], ids=[case[0] for case in ROUTES]
)
def test_a_path_that_leads_elsewhere_is_refused(target: Target, method: str, route: str) -> None:
    body = b"evil" if method == "PUT" else None
    assert is_refused(*target.send(method, target.filled(route), body))


# -- C and E. who asks, and how ----------------------------------------------------------------

CREATE = f"{API}/registered-models/create"
BODY = b'{"name": "evil"}'
ASKERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("CVE-2023-43472", {"Content_Type": "text/plain"}),
    ("a form", {"Content_Type": "application/x-www-form-urlencoded"}),
    ("a form of parts", {"Content_Type": "multipart/form-data; boundary=x"}),
    ("no type", {}),
    ("two types in one", {"Content_Type": "text/plain, application/json"}),
    ("CVE-2023-6568", {"Content_Type": "<script>alert(1)</script>"}),
    ("another page", {"Content_Type": JSON_TYPE, "Origin": "http://evil.example"}),
    ("a page of no origin", {"Content_Type": JSON_TYPE, "Origin": "null"}),
    ("another port's page", {"Content_Type": JSON_TYPE, "Origin": "http://127.0.0.1:1"}),
    ("a rebound name", {"Content_Type": JSON_TYPE, "Host": "evil.example"}),
    ("a rebound name with a port", {"Content_Type": JSON_TYPE, "Host": "evil.example:5000"}),
    ("a host that is none", {"Content_Type": JSON_TYPE, "Host": "127.0.0.1/evil"}),
)


@pytest.mark.parametrize(
    "headers", [headers for _, headers in ASKERS], ids=[name for name, _ in ASKERS]
)
def test_a_call_that_a_page_could_send_is_refused(target: Target, headers: dict[str, str]) -> None:
    status, answer = target.send("POST", CREATE, BODY, **headers)
    assert is_refused(status, answer)
    assert b"script" not in answer  # nothing of a request's headers comes back
    status, _ = target.send("GET", f"{API}/registered-models/get?name=evil")
    assert status == 404


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/api/2.0/preview/mlflow/experiments/list"),  # CVE-2023-43472
        ("POST", "/ajax-api/3.0/jobs/"),  # CVE-2026-2652
        ("POST", "/ajax-api/3.0/jobs/search"),
        ("POST", "/v1/traces"),
        ("POST", "/api/2.0/mlflow/users/create"),  # CVE-2023-6014
        ("GET", "/api/2.0/mlflow/users/get?username=admin"),  # CVE-2026-2635
        ("POST", "/signup"),  # CVE-2025-1473
        ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=http://<HOST>/"),  # CVE-2025-52967
        ("POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ],
)
def test_a_route_that_was_left_open_elsewhere_is_not_here(
    target: Target, method: str, route: str
) -> None:
    body = b'{"gateway_path": "http://<HOST>/"}' if method == "POST" else None
    status, answer = target.send(method, target.filled(route), body, Content_Type=JSON_TYPE)
    assert status == 404
    assert json.loads(answer)["error_code"] == "ENDPOINT_NOT_FOUND"
