"""Files over HTTP: every way in, every way out, in whole and in part."""

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.server import Server

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts"
FILES = f"{PROXY}/artifacts"
MIB = 1 << 20
LARGE = os.urandom(2 * MIB + 77)
CONTENTS = {"small": bytes(range(256)), "middle": LARGE[:100_000], "large": LARGE, "empty": b""}


class Wire:
    """A client by hand, with one run, one logged model and one version that have files."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.url, trust_env=False, timeout=60)
        run = self.post("runs/create", experiment_id="0")["run"]["info"]
        model = self.post("logged-models", experiment_id="0", name="n")["model"]["info"]
        self.run_id, self.root = run["run_id"], self._path_of(run)
        self.model_id, self.model_root = model["model_id"], self._path_of(model)
        self._before: set[str] = set()
        self._before = set(self.uploads())

    @staticmethod
    def _path_of(info: dict[str, Any]) -> str:
        return info["artifact_uri"].removeprefix("mlflow-artifacts:/")

    def post(self, call: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{API}/{call}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, content: bytes) -> None:
        assert self.http.put(f"{FILES}/{path}", content=content).status_code == 200

    def places(self, name: str, content: bytes) -> list[str]:
        """Puts a file everywhere, and tells every address that it is downloaded from."""
        self.put(f"{self.root}/m/{name}", content)
        self.put(f"{self.model_root}/{name}", content)
        model = f"of {self.run_id}"
        self.post("registered-models/create", name=model)
        source = f"runs:/{self.run_id}/m"
        self.post("model-versions/create", name=model, source=source, run_id=self.run_id)
        version = self.http.get(
            f"{API}/model-versions/get-download-uri", params={"name": model, "version": "1"}
        ).json()["artifact_uri"]
        by_id = f"/ajax-api/2.0/mlflow/logged-models/{self.model_id}/artifacts/files"
        return [
            f"{FILES}/{self.root}/m/{name}",
            f"{FILES.replace('/api', '/ajax-api', 1)}/{self.root}/m/{name}",
            f"{FILES}/{version.removeprefix('mlflow-artifacts:/')}/{name}",
            f"/get-artifact?run_id={self.run_id}&path=m/{name}",
            f"/model-versions/get-artifact?name={model}&version=1&path={name}",
            f"{by_id}?artifact_file_path={name}",
            self.http.get(f"{PROXY}/presigned/{self.root}/m/{name}").json()["url"],
        ]

    # -- in parts --------------------------------------------------------------------------

    def mpu(self, step: str, folder: str, **body: Any) -> httpx.Response:
        return self.http.post(f"{PROXY}/mpu/{step}/{folder}", json=body)

    def open(self, name: str, parts: int) -> tuple[str, list[str]]:
        made = self.mpu("create", self.root, path=f"/home/ann/{name}", num_parts=parts).json()
        numbers = [c["part_number"] for c in made["credentials"]]
        assert numbers == list(range(1, parts + 1))
        return made["upload_id"], [c["url"] for c in made["credentials"]]

    def send(self, url: str, content: bytes) -> str:
        answer = httpx.put(url, content=content, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.headers["etag"]

    def complete(self, name: str, upload_id: str, etags: list[str]) -> httpx.Response:
        parts = [{"part_number": n, "etag": e, "url": "x"} for n, e in enumerate(etags, 1)]
        return self.mpu("complete", self.root, path=name, upload_id=upload_id, parts=parts)

    def uploads(self) -> list[str]:
        """What is kept on the disk of this client's uploads that were not completed."""
        folders = (self.server.data_dir / "uploads", self.server.data_dir / "incoming")
        found = (p for folder in folders for p in folder.rglob("*"))
        files = [str(p) for p in found if p.is_file() and p.name != "closed"]
        return [path for path in files if path not in self._before]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all: each test has a run, a logged model and a version of its own."""
    server = Server(tmp_path_factory.mktemp("files") / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def wire(shared: Server) -> Iterator[Wire]:
    wire = Wire(shared)
    with closing(wire.http):
        yield wire


# -- downloads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(CONTENTS))
def test_every_download_answers_the_whole_its_parts_and_its_head(wire: Wire, name: str) -> None:
    content = CONTENTS[name]
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    for place in wire.places(name, content):
        whole = wire.http.get(place)
        assert (whole.status_code, whole.content) == (200, content), place
        assert whole.headers["etag"] == etag
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["content-disposition"] == f"attachment; filename={name}"
        assert whole.headers["content-type"] == "application/octet-stream"

        head = wire.http.head(place)
        assert (head.status_code, head.content) == (200, b"")
        for field in ("content-length", "etag", "content-type", "accept-ranges"):
            assert head.headers[field] == whole.headers[field]

        known = wire.http.get(place, headers={"If-None-Match": etag})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)

        none = wire.http.get(place, headers={"Range": f"bytes={len(content)}-"})
        assert (none.status_code, none.headers["content-range"]) == (416, f"bytes */{len(content)}")
        assert none.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        if not content:
            continue
        last = len(content) - 1
        for asked, start, stop in (
            ("0-0", 0, 1),
            (f"{last - 5}-{last}", last - 5, last + 1),
            (f"{last // 2}-", last // 2, last + 1),
            ("-7", last - 6, last + 1),
            ("1-99999999999", 1, last + 1),
        ):
            part = wire.http.get(place, headers={"Range": f"bytes={asked}", "If-Range": etag})
            assert (part.status_code, part.content) == (206, content[start:stop]), (place, asked)
            assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"
            assert part.headers["etag"] == etag
        for headers in (
            {"Range": "bytes=0-1", "If-Range": '"other"'},
            {"Range": "bytes=0-1,4-5"},
            {"Range": "bytes=5-1"},
            {"If-None-Match": '"other"'},
        ):
            assert wire.http.get(place, headers=headers).content == content, headers


def test_what_is_not_there_is_404_at_every_address(wire: Wire) -> None:
    for place in (
        f"{FILES}/{wire.root}/none",
        f"{PROXY}/presigned/{wire.root}/none",
        f"/get-artifact?run_id={wire.run_id}&path=none",
        f"/get-artifact?run_id={'0' * 32}&path=none",
        f"/ajax-api/2.0/mlflow/logged-models/{wire.model_id}/artifacts/files"
        "?artifact_file_path=none",
        "/ajax-api/2.0/mlflow/logged-models/m-0/artifacts/files?artifact_file_path=none",
    ):
        for method in ("GET", "HEAD"):
            if method == "GET" or "presigned" not in place:
                answer = wire.http.request(method, place, headers={"Range": "bytes=0-1"})
                assert answer.status_code == 404, place


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain"),
        ("b.pkl", "application/octet-stream"),
        ("c.png", "image/png"),
        ("d.pdf", "application/pdf"),
        ("e.json", "text/plain"),
        ("MLmodel", "text/plain"),
        ("mlproject", "text/plain"),
        ("x.html", "text/plain"),
        ("x.svg", "text/plain"),
        ("x.xhtml", "text/plain"),
        ("x", "application/octet-stream"),
    ],
)
def test_a_file_is_an_attachment_of_a_harmless_type(wire: Wire, name: str, kind: str) -> None:
    wire.put(f"{wire.root}/{name}", b"<script>")
    answer = wire.http.get(f"/get-artifact?run_uuid={wire.run_id}&path={name}")
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == f"attachment; filename={name}"
    assert answer.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dog+step+20.png", "filename=dog+step+20.png"),
        ("a b.txt", 'filename="a b.txt"'),
        ('q".txt', 'filename="q\\".txt"'),
        ("é.txt", "filename=e.txt; filename*=UTF-8''%C3%A9.txt"),
        ("日本", "filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
    ],
)
def test_a_file_keeps_its_name(wire: Wire, name: str, said: str) -> None:
    wire.put(f"{wire.root}/{name}", b"x")
    answer = wire.http.get("/get-artifact", params={"run_id": wire.run_id, "path": name})
    assert answer.headers["content-disposition"] == f"attachment; {said}"


def test_damaged_bytes_are_served_in_no_way(wire: Wire) -> None:
    content = LARGE[::-1]
    places = wire.places("large", content)
    sha256 = hashlib.sha256(content).hexdigest()
    blob = wire.server.data_dir / "blobs" / sha256[:2] / sha256
    with blob.open("r+b") as file:
        file.seek(MIB + 5)
        file.write(bytes([content[MIB + 5] ^ 1]))
    for place in places:
        answer = wire.http.get(place, headers={"Range": f"bytes={MIB}-{MIB + 9}"})
        assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
        with pytest.raises(httpx.RemoteProtocolError):
            wire.http.get(place)  # cut off before the damage shows
    assert wire.server.log_text().count(f"sha256:{sha256} are damaged") >= 2 * len(places)


# -- addresses that were given -------------------------------------------------------------------


def test_a_presigned_download_tells_all_that_a_client_needs(wire: Wire) -> None:
    wire.put(f"{wire.root}/a", LARGE)
    answer = wire.http.get(f"{PROXY}/presigned/{wire.root}/a")
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert (found["headers"], found["file_size"]) == ({}, len(LARGE))
    asked = {"run_id": wire.run_id, "path": "a", "expiration": 60}
    by_run = wire.post("artifacts/presigned-download-url", **asked)
    assert by_run["file_size"] == len(LARGE)
    for url in (found["url"], by_run["presigned_url"]):
        assert httpx.get(url, trust_env=False).content == LARGE


def test_a_presigned_upload_is_for_one_path(wire: Wire) -> None:
    asked = {"path": "deep/a", "expiration": 60}
    in_run = wire.post("artifacts/presigned-upload-url", run_id=wire.run_id, **asked)
    in_model = wire.post("artifacts/presigned-upload-url", model_id=wire.model_id, **asked)
    for made, root in ((in_run, wire.root), (in_model, wire.model_root)):
        for content in (b"small", LARGE):
            assert httpx.put(made["presigned_url"], content=content).status_code == 200
            assert wire.http.get(f"{FILES}/{root}/deep/a").content == content
        assert wire.http.get(made["presigned_url"]).status_code == 403


def test_what_cannot_be_presigned_is_refused_in_words(wire: Wire) -> None:
    url = f"{API}/artifacts/presigned-upload-url"
    run = {"run_id": wire.run_id}
    for body, status, words in (
        ({"path": "a"}, 400, "Exactly one of run_id and model_id must be provided."),
        ({"path": "a", **run, "model_id": wire.model_id}, 400, "Exactly one of"),
        (run, 400, "Missing value for required parameter 'path'"),
        ({"path": "../a", **run}, 400, "Invalid path"),
        ({"path": "a", **run, "expiration": 0}, 400, "between 1 and 604800 seconds (got 0)"),
        ({"path": "a", **run, "expiration": "x"}, 400, "expiration"),
        ({"path": "a", "run_id": "0" * 32}, 404, "not found"),
    ):
        answer = wire.http.post(url, json=body)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["message"]
    down = wire.http.post(f"{API}/artifacts/presigned-download-url", json={"path": "a"})
    assert "'run_id'" in down.json()["message"]
    made = wire.post("experiments/create", name="s3", artifact_location="s3://bucket/x")
    away = wire.post("runs/create", experiment_id=made["experiment_id"])["run"]["info"]["run_id"]
    for path in ("presigned-upload-url", "presigned-download-url"):
        answer = wire.http.post(f"{API}/artifacts/{path}", json={"run_id": away, "path": "a"})
        assert (answer.status_code, "does not keep" in answer.text) == (400, True)


def test_a_forged_or_expired_address_opens_nothing(wire: Wire) -> None:
    wire.put(f"{wire.root}/a", b"secret")
    asked = {"run_id": wire.run_id, "path": "a", "expiration": 1}
    url = wire.post("artifacts/presigned-download-url", **asked)["presigned_url"]
    other = wire.post("artifacts/presigned-upload-url", run_id=wire.run_id, path="b")
    _, (part, _) = wire.open("c", 2)
    base, token = url.rsplit("/", 1)
    for forged in (
        f"{base}/{token[:-1]}",
        f"{base}/{token}A",
        f"{base}/A{token[1:]}",
        f"{base}/{token.partition('.')[0]}",
        f"{base}/{token}/x",
        f"{base}/",
        f"{base}/%00",
        f"{base}/../{token}",
        f"{base}/é",
        other["presigned_url"],
        part.replace("/mpu/part/", "/signed/"),
    ):
        answer = wire.http.get(forged)
        assert answer.status_code in (403, 404), forged
        assert "secret" not in answer.text
        assert wire.http.put(forged, content=b"x").status_code in (403, 404, 405) or (
            forged == other["presigned_url"]
        )
    deadline = time.monotonic() + 60
    while (answer := wire.http.get(url)).status_code == 200 and time.monotonic() < deadline:
        assert answer.content == b"secret"
    assert (answer.status_code, "expired" in answer.text) == (403, True)


def test_addresses_are_given_where_they_are_known_to_lead_back(
    wire: Wire, start_server: StartServer
) -> None:
    wire.put(f"{wire.root}/a", b"x")
    forwarded = {"X-Forwarded-Host": "ml.example.org", "X-Forwarded-Proto": "https"}
    prefixed = forwarded | {"X-Forwarded-Prefix": "/team"}
    for headers, base in (
        ({}, wire.server.url),
        ({"Host": "localhost:7"}, "http://localhost:7"),
        (forwarded, "https://ml.example.org"),
        (prefixed, "https://ml.example.org/team"),
        ({"X-Forwarded-For": "10.0.0.1"}, None),
        ({"Via": "1.1 squid"}, None),
    ):
        info = wire.http.get("/ajax-api/3.0/mlflow/server-info", headers=headers).json()
        down = wire.http.get(f"{PROXY}/presigned/{wire.root}/a", headers=headers)
        mpu = wire.http.post(f"{PROXY}/mpu/create/x", json={"path": "a"}, headers=headers)
        for capability in ("multipart_uploads_enabled", "presigned_upload_run_id_supported"):
            assert info[capability] is (base is not None)
        if base is None:
            # What the clients fall back on.
            assert (down.status_code, mpu.status_code) == (501, 501)
            assert mpu.json()["message"].startswith("Multipart upload is not supported for the")
        else:
            assert down.json()["url"].startswith(f"{base}{PROXY}/signed/")
            assert mpu.json()["credentials"][0]["url"].startswith(f"{base}{PROXY}/mpu/part/")
    told = start_server("--public-url", "https://ml.example.org/x/")
    made = httpx.post(
        f"{told.url}/ajax-api/2.0/mlflow-artifacts/mpu/create/x",
        json={"path": "a"},
        headers={"Via": "1.1 squid"},
    ).json()
    expected = "https://ml.example.org/x/ajax-api/2.0/mlflow-artifacts/mpu/part/"
    assert made["credentials"][0]["url"].startswith(expected)


# -- in parts ------------------------------------------------------------------------------------


def test_parts_become_one_file_in_their_order(wire: Wire) -> None:
    upload_id, urls = wire.open("a.bin", 3)
    pieces = [LARGE[:MIB], LARGE[MIB : 2 * MIB], LARGE[2 * MIB :]]
    etags = ["", "", ""]
    for number in (2, 0, 1):
        etags[number] = wire.send(urls[number], pieces[number])
    assert etags == [f'"{hashlib.sha256(piece).hexdigest()}"' for piece in pieces]
    assert wire.http.get(f"{FILES}/{wire.root}/a.bin").status_code == 404
    for _ in range(2):  # an answer may be lost: the same call again does no harm
        assert wire.complete("/other/place/a.bin", upload_id, etags).json() == {}
    assert wire.http.get(f"{FILES}/{wire.root}/a.bin").content == LARGE
    assert wire.uploads() == []
    listed = wire.http.get(FILES, params={"path": wire.root}).json()["files"]
    assert [(f["path"], f["file_size"]) for f in listed] == [("a.bin", len(LARGE))]
    # Nothing of a completed upload can be used again.
    assert httpx.put(urls[0], content=b"evil").status_code == 404
    wire.put(f"{wire.root}/a.bin", b"newer")
    assert wire.complete("a.bin", upload_id, etags).status_code == 200
    assert wire.http.get(f"{FILES}/{wire.root}/a.bin").content == b"newer"


def test_an_empty_file_has_no_parts(wire: Wire) -> None:
    upload_id, _ = wire.open("empty", 0)
    assert wire.complete("empty", upload_id, []).status_code == 200
    assert wire.http.get(f"{FILES}/{wire.root}/empty").content == b""


def test_a_part_can_be_sent_again_and_the_last_counts(wire: Wire) -> None:
    upload_id, urls = wire.open("a", 2)
    first, again = wire.send(urls[0], b"first"), wire.send(urls[0], b"again")
    other = wire.send(urls[1], b"+")
    assert wire.complete("a", upload_id, [first, other]).status_code == 400
    assert wire.complete("a", upload_id, [again, other]).status_code == 200
    assert wire.http.get(f"{FILES}/{wire.root}/a").content == b"again+"


def test_what_does_not_fit_together_is_not_completed(wire: Wire) -> None:
    upload_id, urls = wire.open("a", 2)
    one, two = wire.send(urls[0], b"one"), wire.send(urls[1], b"two")
    for etags, words in (
        ([one], "parts 1 to 2"),
        ([], "parts 1 to 2"),
        ([one, two, two], "parts 1 to 2"),
        ([two, one], "Part 1 was not uploaded"),
        ([one, '"abc"'], "etag of part 2"),
        ([one, ""], "etag of part 2"),
        ([one, '"' + "0" * 64 + '"'], "Part 2 was not uploaded"),
    ):
        answer = wire.complete("a", upload_id, etags)
        assert (answer.status_code, words in answer.text) == (400, True), answer.text
    parts = [{"part_number": 1, "etag": one}, {"part_number": 1, "etag": one}]
    answer = wire.mpu("complete", wire.root, path="a", upload_id=upload_id, parts=parts)
    assert answer.status_code == 400
    assert wire.http.get(f"{FILES}/{wire.root}/a").status_code == 404
    # The path, the folder and the id belong together.
    assert wire.complete("b", upload_id, [one, two]).status_code == 403
    assert wire.mpu("abort", "0", path="a", upload_id=upload_id).status_code == 403
    assert wire.complete("a", upload_id[:-1], [one, two]).status_code == 403
    assert wire.complete("a", "", [one, two]).status_code == 400
    assert wire.complete("a", upload_id, [one, two]).status_code == 200


def test_an_aborted_upload_is_gone(wire: Wire) -> None:
    upload_id, urls = wire.open("a", 1)
    etag = wire.send(urls[0], b"x")
    for _ in range(2):
        assert wire.mpu("abort", wire.root, path="a", upload_id=upload_id).status_code == 200
    assert wire.uploads() == []
    assert httpx.put(urls[0], content=b"x").status_code == 404
    assert wire.complete("a", upload_id, [etag]).status_code == 404
    assert wire.http.get(f"{FILES}/{wire.root}/a").status_code == 404


def test_the_parts_of_an_upload_are_limited(wire: Wire) -> None:
    for parts in (-1, 10_001, 2**40):
        answer = wire.mpu("create", wire.root, path="a", num_parts=parts)
        assert (answer.status_code, "num_parts must be 0 to 10000" in answer.text) == (400, True)
    _, (url,) = wire.open("a", 1)
    with closing(socket.create_connection(("127.0.0.1", wire.server.port), 60)) as raw:
        head = f"PUT {urlsplit(url).path} HTTP/1.1\r\nHost: localhost\r\n"
        raw.sendall(f"{head}Content-Length: {(5 << 30) + 1}\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 400")
    assert wire.uploads() == []


def test_a_client_that_leaves_the_runs_folder_out_is_sent_back_to_plain_uploads(
    wire: Wire,
) -> None:
    for agent, status in (("2.10.0", 501), ("2.11.3", 501), ("2.12.0", 200), ("3.17.2", 200)):
        headers = {"User-Agent": f"mlflow-python-client/{agent}"}
        made = wire.http.post(f"{PROXY}/mpu/create/model", json={"path": "a"}, headers=headers)
        assert made.status_code == status, agent


# -- what MLflow's pages upload ------------------------------------------------------------------


def test_a_page_uploads_into_a_run(wire: Wire) -> None:
    url = "/ajax-api/2.0/mlflow/upload-artifact"
    for field in ("run_uuid", "run_id"):
        params = {field: wire.run_id, "path": f"deep/{field}.json"}
        answer = wire.http.post(url, params=params, content=b"{}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/json"
        assert wire.http.get(f"{FILES}/{wire.root}/deep/{field}.json").content == b"{}"
    limit = 10 << 20
    good = {"run_uuid": wire.run_id, "path": "a"}
    for params, content, status, words in (
        ({"path": "a"}, b"x", 400, "Request must specify run_uuid."),
        ({"run_uuid": wire.run_id}, b"x", 400, "Request must specify path."),
        (good, b"", 400, "Request must specify data."),
        (good, iter([b""]), 400, "Request must specify data."),
        (good, b"x" * (limit + 1), 400, "Artifact size is too large. Max size is 10MB."),
        (good, iter([b"x" * MIB] * 11), 400, "Artifact size is too large. Max size is 10MB."),
        ({"run_uuid": wire.run_id, "path": "../a"}, b"x", 400, "Invalid path"),
        ({"run_uuid": "0" * 32, "path": "a"}, b"x", 404, "not found"),
    ):
        answer = wire.http.post(url, params=params, content=content)
        assert (answer.status_code, words in answer.json()["message"]) == (status, True), words
    assert wire.http.get(f"{FILES}/{wire.root}/a").status_code == 404
    assert wire.http.post(url, params=good, content=b"x" * limit).status_code == 200
