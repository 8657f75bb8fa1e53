"""No path and no source that a client names ever reaches a file that is not its own.

The payloads are those of MLflow's published advisories (a family of 29: a client's URI that reaches
the file layer) and encodings of them. Wherever strace is at hand it watches the server the while.
"""

import http.client
import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.conftest import StartServer
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
SECRET = "canary-7f3a"
REFUSED = (400, 403, 404)
PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


class Attacker:
    """Sends requests exactly as written, and looks for what must never come back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def send(
        self, method: str, target: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, bytes]:
        connection = self._connection
        connection.putrequest(method, target)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        if kind:
            connection.putheader("Content-Type", kind)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        assert b"root:" not in content, (method, target)
        assert SECRET.encode() not in content, (method, target)
        assert answer.status < 500, (method, target, content)
        return answer.status, content

    def call(self, path: str, method: str = "POST", **body: Any) -> tuple[int, Any]:
        content = json.dumps(body).encode()
        status, answer = self.send(method, f"{API}/{path}", content, "application/json")
        return status, json.loads(answer)

    def made(self, path: str, **body: Any) -> Any:
        status, answer = self.call(path, **body)
        assert status == 200, answer
        return answer

    def run(self, experiment_id: str = "0") -> str:
        return self.made("runs/create", experiment_id=experiment_id)["run"]["info"]["run_id"]

    def close(self) -> None:
        self._connection.close()


class Watch:
    """strace over a running server: which files it asks the system for."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._report = folder / "strace.txt"
        self._process = subprocess.Popen(
            [
                "strace",
                "-f",
                "-qq",
                "-s",
                "4096",
                "-e",
                "trace=%file",
                "-o",
                self._report,
                "-p",
                str(pid),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def sees(self, word: str, poke: Callable[[], object]) -> bool:
        """Whether it sees what `poke` makes the server open; False where the system forbids it."""
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            poke()
            if self._report.exists() and word in self._report.read_text(errors="replace"):
                return True
        return False

    def stop(self) -> str:
        self._process.terminate()
        self._process.wait(20)
        return self._report.read_text(errors="replace") if self._report.exists() else ""


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file beside the data directory that nobody has any business with."""
    path = tmp_path / "canary.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture
def attacker(start_server: StartServer, canary: Path) -> Iterator[Attacker]:
    with closing(Attacker(start_server(data_dir=canary.parent / "data"))) as attacker:
        attacker.made("registered-models/create", name="m")
        yield attacker


# -- sources -----------------------------------------------------------------------------------


def evil_sources(run: str, other: str, data: Path, canary: Path) -> list[str]:
    """Sources that must be refused, whatever else the request says."""
    return [
        "file:///etc/",  # CVE-2023-1177
        "file:/etc",
        "FILE:///etc",
        "file:etc",
        " file:///etc",
        "file\t:///etc",
        "file://HOST/../../../../../../../",
        "file://localhost/etc",  # CVE-2023-2356
        "file:///..\\..\\",
        "file:///etc/..\\..\\",
        "..\\..\\etc",
        "C:\\Windows",
        "C:/Windows",  # CVE-2023-2780
        "//proc/self/root",
        "/proc/self/root",
        "/etc/",
        "./",
        "../",
        "path/to/source",
        "etc",  # CVE-2023-6977
        "http:///?/../../../../../../../etc/",
        "http:///#/../../../etc/",  # CVE-2023-6909, CVE-2024-1483
        "http://host#/../../../../etc/",
        "http://host/a;/../../etc",  # CVE-2024-3848, CVE-2024-1593
        f"dbfs:/{run}/artifacts/a%3f/../../../../",
        "dbfs:/a?/../../../etc",  # CVE-2024-8859
        "http://169.254.169.254/api/2.0/mlflow-artifacts/artifacts/",
        "https://evil.example/m",  # CVE-2023-6018
        "ftp://evil/x",
        "sftp://evil/x",
        "hdfs://evil/x",
        "gopher://evil",
        "jar:file:///etc!/passwd",
        "data:,x",
        "mlflow-artifacts:/..%2f..%2f",
        "mlflow-artifacts:/%2e%2e/%2e%2e/etc",
        "mlflow-artifacts:/%252e%252e/etc",
        "mlflow-artifacts:/%25252e%25252e%25252fetc",
        f"mlflow-artifacts:/0/{run}/artifacts/../../../etc",
        f"mlflow-artifacts:/0/{run}/artifacts/%2e%2e/x",
        "mlflow-artifacts://evil.example/0/x",
        f"mlflow-artifacts://127.0.0.1:1/0/{run}/artifacts",
        "mlflow-artifacts:/",
        "mlflow-artifacts:",
        f"mlflow-artifacts:/0/{run}/artifacts?x",
        f"mlflow-artifacts:/0/{run}/artifacts#x",
        f"mlflow-artifacts:/0/{run}/artifacts;x",
        "mlflow-artifacts:/C:/etc",
        f"mlflow-artifacts:/{data}/../../etc",
        "mlflow-artifacts:/modelkeep/versions/..",
        "mlflow-artifacts:/a\\..\\b",
        "s3://b/a%2e%2e/../x",
        "s3://b/../x",
        "s3://b/%2e%2e/x",
        "s3://b/a/..;/x",
        "gs://b/%252e%252e/x",
        "s3://b/\\..\\x",
        f"runs:/{run}/../../etc",
        f"runs:/{run}/%2e%2e/etc",
        f"runs://evil/{run}/model",
        f"runs:/{other}/model",
        "runs:/",
        "runs:/../x",
        f"runs:/{run}/a?b",
        f"runs:/{run}/a#b",
        f"runs:/{run}//etc",
        "models://host/..",
        "models:/../../etc",
        "models:/m/../1",
        "models:/m/%2e%2e",
        "models:/m@champion",
        "models:/m-" + "0" * 32,
        "models:/",
        "models:",
        "models:/m/99",
        str(data),
        f"file://{data}",
        f"{data}/blobs",
        str(canary),
        f"file://{canary}",
        "\x00",
        "s3://b/\x00",
        "s3://b/%00",
    ]


def test_a_source_that_means_another_place_is_refused_whatever_the_tags_say(
    attacker: Attacker, canary: Path
) -> None:
    run, other = attacker.run(), attacker.run()
    sources = evil_sources(run, other, attacker.server.data_dir, canary)
    ways: list[dict[str, Any]] = [
        {"run_id": run},
        {"run_id": run, "tags": PROMPT},
        {"run_id": run, "model_id": "m-1"},
    ]
    for source, more in itertools.product(sources, ways):
        status, answer = attacker.call("model-versions/create", name="m", source=source, **more)
        assert status in (400, 404), (source, more, answer)
        assert answer["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    # Nor do they pass without a run, not even the one that only disagreed with it.
    for source, tags in itertools.product(sources, ([], PROMPT)):
        status, answer = attacker.call("model-versions/create", name="m", source=source, tags=tags)
        assert status in (400, 404), (source, answer)
    for path, number in itertools.product(
        ("passwd", "etc/passwd", "canary.txt", "etc"), range(1, 4)
    ):
        attacker.send("GET", f"/model-versions/get-artifact?name=m&version={number}&path={path}")


def test_a_source_of_someone_elses_run_or_model_is_refused(attacker: Attacker) -> None:
    run, other = attacker.run(), attacker.run()
    logged = attacker.made("logged-models", experiment_id="0", name="n", source_run_id=run)
    model = logged["model"]["info"]["model_id"]
    root = f"mlflow-artifacts:/0/{other}/artifacts"
    for source, claimed in (
        (f"runs:/{other}/model", {"run_id": run}),
        (f"{root}/model", {"run_id": run}),
        (root, {"run_id": run}),
        (f"mlflow-artifacts:/0/models/{model}/artifacts", {"run_id": other}),
        (f"mlflow-artifacts:/0/models/{model}/artifacts", {"model_id": "m-" + "1" * 32}),
        (f"models:/{model}", {"model_id": "m-" + "1" * 32}),
        (f"models:/{model}", {"run_id": other}),  # whose metrics would speak for this model
        (f"runs:/{other}/model", {"model_id": model}),
        ("mlflow-artifacts:/0", {"run_id": run}),
        (f"mlflow-artifacts:/0/{run}", {"run_id": run}),
        (f"{root}x", {"run_id": other}),
    ):
        status, answer = attacker.call("model-versions/create", name="m", source=source, **claimed)
        assert status == 400, (source, claimed, answer)


def test_a_label_is_given_back_and_never_opened(attacker: Attacker) -> None:
    """What is accepted though it is not ours: the server connects to nobody for it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        for source in (
            f"http://{here}/api/2.0/mlflow-artifacts/artifacts/",
            f"https://{here}/",
            f"mlflow-artifacts://{here}/",
        ):
            assert attacker.call("model-versions/create", name="m", source=source)[0] == 400
        for number, source in enumerate(
            (f"s3://{here}/model", f"gs://{here}", f"plug-in://{here}/x", "dbfs:/x"), 1
        ):
            attacker.made("model-versions/create", name="m", source=source)
            attacker.made("model-versions/create", name="m", source=f"models:/m/{2 * number - 1}")
            for version in (2 * number - 1, 2 * number):
                query = f"name=m&version={version}"
                status, answer = attacker.send(
                    "GET", f"{API}/model-versions/get-download-uri?{query}"
                )
                assert status == 200
                assert json.loads(answer)["artifact_uri"] == source
                for path in ("passwd", "MLmodel", "."):
                    page = f"/model-versions/get-artifact?{query}&path={path}"
                    assert attacker.send("GET", page)[0] in (400, 404)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_location_that_means_another_place_is_refused(attacker: Attacker, canary: Path) -> None:
    data = attacker.server.data_dir
    locations = [
        "http:///?/../../../../../../../etc/",
        "http:///#/../../../etc/",
        "http://host#/../../../../etc/",
        "http://host/;/../../../etc",
        "https://evil.example/a",
        "ftp://evil/a",
        "hdfs://evil/a",
        "dbfs:/",
        "dbfs:/x",
        "modelkeep",
        "etc/../..",
        "file:///etc",
        "file:etc",
        "FILE:///etc",
        "/etc",
        ".",
        "..",
        "./mlruns",
        "//proc/self/root",
        "C:\\x",
        f"file://{data}",
        f"file://{canary}",
        str(data),
        f"{data}/",
        f"{data}/blobs",
        str(data).upper(),
        f"{data.parent}/./data",
        f"{data.parent}//data",
        f"{data.parent}/x/../data",
        f"{data.parent}/%2e%2e/data",
        f"{canary}?x",
        f"{canary}#x",
        f"{canary}%00",
        "/",
        "/etc/",
        "/ETC/x",
        "/proc/self/root/tmp",
        "/tmp/..",
        "/tmp/a\\b",
        f"mlflow-artifacts:/{data}",
        "mlflow-artifacts:/../..",
        "mlflow-artifacts:/a/%2e%2e/b",
        "mlflow-artifacts:/%252e%252e",
        "mlflow-artifacts://evil/a",
        "mlflow-artifacts:/a?b",
        "mlflow-artifacts:/a%3fb",
        "mlflow-artifacts:/a%253fb",
        "mlflow-artifacts:/a#b",
        "mlflow-artifacts:/a;b",
        "mlflow-artifacts:/modelkeep",
        "mlflow-artifacts:/modelkeep/versions/1",
        "mlflow-artifacts:/MODELKEEP/versions/1",
        "mlflow-artifacts:/a\\..\\b",
        "mlflow-artifacts:/a/\x00",
        "mlflow-artifacts:/ a",
        "mlflow-artifacts:/",
        "mlflow-artifacts:",
        "s3://b/../x",
        "s3://b/%2e%2e/x",
        "s3://b/a?x=../y",
        "s3://b/a#../y",
        "s3:///x",
        "s3:/x",
        "s3://",
        "javascript:alert(1)",
        "\x00",
        "runs:/a/b",
        "models:/m/1",
        "$HOME",
        "${PATH}",
        "~/x",
    ]
    for number, location in enumerate(locations):
        name = f"e{number}"
        status, answer = attacker.call("experiments/create", name=name, artifact_location=location)
        assert status == 400, (location, answer)
        assert answer["error_code"] == "INVALID_PARAMETER_VALUE"
    # A location of ours may lie inside nobody's files by accident only: a run's path has its id.
    made = attacker.made(
        "experiments/create", name="own", artifact_location="mlflow-artifacts:/own/place"
    )
    run = attacker.run(made["experiment_id"])
    assert attacker.send("PUT", f"{FILES}/own/place/{run}/artifacts/a", b"x")[0] == 200
    assert attacker.send("GET", f"/get-artifact?run_id={run}&path=a") == (200, b"x")
    # Nor is a relative path one of the disk.
    made = attacker.made("experiments/create", name="etc", artifact_location="etc")
    run = attacker.run(made["experiment_id"])
    assert attacker.send("GET", f"/get-artifact?run_id={run}&path=../../passwd")[0] == 400
    assert attacker.send("GET", f"{FILES}/etc/passwd")[0] == 404
    bucket = attacker.made("experiments/create", name="s3", artifact_location="s3://bucket/x")
    run = attacker.run(bucket["experiment_id"])
    assert attacker.send("GET", f"/get-artifact?run_id={run}&path=a")[0] == 404


def test_a_path_that_clients_share_is_a_label_that_is_never_opened(
    attacker: Attacker, canary: Path
) -> None:
    """A stock client reads and writes there by itself; to the server it is no more than text."""
    shared = canary.parent / "shared"
    made = attacker.made("experiments/create", name="shared", artifact_location=str(shared))
    run = attacker.run(made["experiment_id"])
    root = f"{shared}/{run}/artifacts"
    logged = attacker.made("logged-models", experiment_id=made["experiment_id"], name="n")
    model = logged["model"]["info"]
    for folder in (root, model["artifact_uri"]):
        (Path(folder) / "a").mkdir(parents=True)
        (Path(folder) / "a" / "canary.txt").write_text(SECRET)
    attacker.made("model-versions/create", name="m", source=f"{root}/a", run_id=run)
    attacker.made("model-versions/create", name="m", source=f"runs:/{run}/a", run_id=run)
    of_model = {"source": model["artifact_uri"], "model_id": model["model_id"]}
    attacker.made("model-versions/create", name="m", **of_model)
    query = f"run_id={run}&path=a/canary.txt"
    files = f"/ajax-api/2.0/mlflow/logged-models/{model['model_id']}/artifacts"
    for method, target in (
        ("GET", f"/get-artifact?{query}"),
        ("GET", f"{API}/artifacts/list?run_id={run}"),
        ("GET", f"{API}/artifacts/list?{query}"),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}"),
        ("GET", f"{files}/directories"),
        ("GET", f"{files}/files?artifact_file_path=a/canary.txt"),
        *(
            ("GET", f"/model-versions/get-artifact?name=m&version={number}&path=canary.txt")
            for number in (1, 2, 3)
        ),
        ("GET", f"{FILES}{root}/a/canary.txt"),  # a relative path, of the server's own
        ("GET", f"{FILES}/{run}/artifacts/a/canary.txt"),
        *(
            (method, f"{FILES}/{quote(root, safe='')}/a/canary.txt")
            for method in ("GET", "PUT", "DELETE")
        ),
    ):
        assert attacker.send(method, target, b"evil")[0] in REFUSED, target
    for what in ("download", "upload"):
        asked = json.dumps({"run_id": run, "path": "a/canary.txt"}).encode()
        page = f"{API}/artifacts/presigned-{what}-url"
        assert attacker.send("POST", page, asked, "application/json")[0] == 400
    for source, claimed in (
        (f"{root}/a", {}),
        (f"{root}/a", {"run_id": attacker.run()}),
        (f"{root}/a", {"model_id": model["model_id"]}),
        (model["artifact_uri"], {"run_id": run}),
        (str(canary), {"run_id": run}),
        (str(shared), {"run_id": run}),
        (f"{root}x/a", {"run_id": run}),
        (f"{root}/../../../canary.txt", {"run_id": run}),
        (f"{root}/a/%2e%2e/b", {"run_id": run}),
        (f"{root}//a", {"run_id": run}),
        (f"/{root}/a", {"run_id": run}),
        (f"file://{root}/a", {"run_id": run}),
        (f"file:{root}/a", {"run_id": run, "tags": PROMPT}),
    ):
        status, answer = attacker.call("model-versions/create", name="m", source=source, **claimed)
        assert status == 400, (source, claimed, answer)
    for found in shared.rglob("canary.txt"):
        assert found.read_text() == SECRET


# -- paths -------------------------------------------------------------------------------------


def _encodings(path: str) -> Iterator[str]:
    """A path as it could be written in a URL, or in a query."""
    full = "".join(f"%{byte:02x}" for byte in path.encode())
    plain = quote(path, safe="/:;")  # as it stands, but for what a URL cannot hold
    yield plain
    yield quote(path, safe="")
    yield full
    yield full.upper().replace("%2F", "/")
    yield plain.replace(".", "%2e")
    yield plain.replace("..", "%2e.")
    for rounds in (1, 2, 3):
        yield quote(path, safe="").replace(".", "%2e").replace("%", "%" + "25" * rounds)
        yield full.replace("%", "%" + "25" * rounds)


EVIL_PATHS = (
    "../canary.txt",
    "../../canary.txt",
    "../../../../../../../../etc/passwd",
    "a/../../canary.txt",
    "a/../b",
    "./a",
    "a/./b",
    "a/..",
    "..",
    ".",
    "..\\canary.txt",
    "..\\..\\etc\\passwd",
    "a\\b",
    "/etc/passwd",
    "//etc/passwd",
    "a//b",
    "a/",
    "C:/",
    "C:\\x",
    "c:x",
    "..;/canary.txt/..",
    "a\x00.txt",
    "\x00",
    "../canary.txt\x00.png",
    " /a",
    "a/ ",
    "a /../b",
    ".. /x",
    "a\nb",
    "a\x7fb",
    "x" * 1100,
    "a/" + "y" * 300,
)
UNICODE_PATHS = (
    "．．/canary.txt",
    "‥/canary.txt",
    "a／..／b",
    "․․/x",
    "..／x",
    "e\u0301",
    "\u2028",
    "a\u0085b",
)
OVERLONG = (
    "%c0%ae%c0%ae/x",
    "%c0%ae%c0%ae%c0%afx",
    "%e0%80%ae%e0%80%ae/x",
    "%ff",
    "a%80b",
    "%ed%a0%80",
)


def corpus() -> list[str]:
    found = [e for path in (*EVIL_PATHS, *UNICODE_PATHS) for e in _encodings(path)]
    return list(dict.fromkeys([*found, *OVERLONG]))


def test_a_path_that_could_mean_another_place_is_refused_at_every_route(
    attacker: Attacker, canary: Path
) -> None:
    run = attacker.run()
    inside = f"0/{run}/artifacts"
    assert attacker.send("PUT", f"{FILES}/{inside}/a/b", b"mine")[0] == 200
    attacker.made("model-versions/create", name="m", source=f"runs:/{run}/a", run_id=run)
    own = json.loads(
        attacker.send("GET", f"{API}/model-versions/get-download-uri?name=m&version=1")[1]
    )
    frozen = own["artifact_uri"].removeprefix("mlflow-artifacts:/")
    payloads = corpus()
    assert len(payloads) >= 200
    for payload in payloads:
        for prefix in (FILES, FILES.replace("/api", "/ajax-api", 1)):
            for folder in ("", f"{inside}/", f"{frozen}/"):
                for method in ("PUT", "DELETE", "GET"):
                    body = b"evil" if method == "PUT" else None
                    status, _ = attacker.send(method, f"{prefix}/{folder}{payload}", body)
                    assert status in REFUSED, (method, folder, payload)
        pages = (
            f"/get-artifact?run_id={run}&path={payload}",
            f"/get-artifact?run_uuid={run}&path={payload}",  # CVE-2023-30172
            f"/model-versions/get-artifact?name=m&version=1&path={payload}",
        )
        for page in pages:
            assert attacker.send("GET", page)[0] in REFUSED, page
        for listing in (
            f"{FILES}?path={payload}",
            f"{API}/artifacts/list?run_id={run}&path={payload}",
        ):
            status, answer = attacker.send("GET", listing)
            # A folder that isn't there is empty, in MLflow's dialect; "a/" is the folder "a".
            found = [] if status in REFUSED else json.loads(answer).get("files", [])
            assert not found or unquote(payload) == "a/", listing
    assert attacker.send("GET", f"{FILES}/{inside}/a/b") == (200, b"mine")
    assert attacker.send("GET", f"{FILES}/{frozen}/b") == (200, b"mine")
    listed = json.loads(attacker.send("GET", f"{FILES}?path=")[1])
    assert [f["path"] for f in listed["files"]] == ["0"]
    kept = sorted(p.name for p in canary.parent.iterdir() if p.suffix != ".log")
    assert kept == ["canary.txt", "data"]


def test_routes_that_fetch_or_run_for_others_do_not_exist(attacker: Attacker) -> None:
    for path in (
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/api/2.0/mlflow/gateway-proxy",
        "/v1/traces",
        "/ajax-api/3.0/jobs/",
        "/ajax-api/3.0/jobs/search",
        "/api/2.0/mlflow/users/create",
        "/signup",
    ):
        for method in ("GET", "POST"):
            body = b'{"url": "http://169.254.169.254/"}' if method == "POST" else None
            assert attacker.send(method, path, body, "application/json")[0] == 404, path


# -- the disk ----------------------------------------------------------------------------------


def test_a_link_planted_in_the_store_is_not_followed(attacker: Attacker, canary: Path) -> None:
    content = (SECRET[:-1] + "!").encode() * 5000  # a small file is no file on the disk
    assert attacker.send("PUT", f"{FILES}/a/b", content)[0] == 200
    (blob,) = (p for p in (attacker.server.data_dir / "blobs").glob("??/*") if p.is_file())
    blob.unlink()
    blob.symlink_to(canary)
    status, answer = attacker.send("GET", f"{FILES}/a/b")
    assert (status, json.loads(answer)["error_code"]) == (409, "RESOURCE_CONFLICT")
    blob.unlink()
    blob.write_bytes(b"another " + SECRET.encode()[:-1] + b"?")
    assert attacker.send("GET", f"{FILES}/a/b")[0] == 409


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not on this machine")
def test_no_payload_makes_the_server_open_a_file_of_others(
    attacker: Attacker, canary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = attacker.run()
    assert attacker.send("PUT", f"{FILES}/0/{run}/artifacts/a", b"mine" * 10_000)[0] == 200
    watch = Watch(attacker.server.pid, tmp_path_factory.mktemp("strace"))
    try:
        if not watch.sees("/blobs/", lambda: attacker.send("GET", f"{FILES}/0/{run}/artifacts/a")):
            pytest.skip("strace may not look into processes on this machine")
        for source in evil_sources(run, run, attacker.server.data_dir, canary):
            for tags in ([], PROMPT):
                attacker.call(
                    "model-versions/create", name="m", source=source, run_id=run, tags=tags
                )
        for location in ("file:///etc", str(canary), "http:///#/../../etc/", "s3://b/x"):
            attacker.call("experiments/create", name=location[:9], artifact_location=location)
        shared = attacker.call(
            "experiments/get-by-name?experiment_name=" + quote(str(canary)[:9]), "GET"
        )
        label = attacker.run(shared[1]["experiment"]["experiment_id"])
        for target in (
            f"/get-artifact?run_id={label}&path=x",
            f"{API}/artifacts/list?run_id={label}",
        ):
            attacker.send("GET", target)
        for payload in (*corpus(), quote(str(canary)), quote(str(canary), safe="")):
            attacker.send("GET", f"{FILES}/{payload}")
            attacker.send("PUT", f"{FILES}/{payload}", b"evil")
            attacker.send("DELETE", f"{FILES}/{payload}")
            attacker.send("GET", f"/get-artifact?run_id={run}&path={payload}")
            attacker.send("GET", f"/model-versions/get-artifact?name=m&version=1&path={payload}")
            attacker.send("GET", f"{FILES}?path={payload}")
    finally:
        seen = watch.stop()
    named = [line.split('"')[1] for line in seen.splitlines() if line.count('"') > 1]
    data = str(attacker.server.data_dir)
    assert any(path.startswith(f"{data}/blobs/") for path in named)
    strange = {path for path in named if path != data and not path.startswith(f"{data}/")}
    # Python may look for modules of its own, and for the system's table of types; clients may not.
    own = (".py", ".pyc", ".so", "__pycache__", "mime.types")
    strange = {path for path in strange if not path.endswith(own)}
    for word in ("passwd", "canary", "etc", "..", "\\", "proc/self/root", "evil"):
        assert not [path for path in strange if word in path], word
    assert not [path for path in named if ".." in path or "canary" in path]
    assert canary.read_text() == SECRET
