"""The other ways in and out: in parts, by an address that was given, and from a page.

Each takes paths, and each refuses what the plain PUT and GET refuse.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.abuse.test_paths_and_sources import REFUSED, Attacker, corpus
from tests.conftest import StartServer

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts"
JSON = "application/json"


@pytest.fixture
def intruder(start_server: StartServer, tmp_path: Path) -> Iterator[Attacker]:
    with closing(Attacker(start_server(data_dir=tmp_path / "data"))) as attacker:
        attacker.made("registered-models/create", name="m")
        yield attacker


def frozen(attacker: Attacker, run: str) -> str:
    assert attacker.send("PUT", f"{PROXY}/artifacts/0/{run}/artifacts/a/b", b"mine")[0] == 200
    attacker.made("model-versions/create", name="m", source=f"runs:/{run}/a", run_id=run)
    uri = attacker.send("GET", f"{API}/model-versions/get-download-uri?name=m&version=1")[1]
    return json.loads(uri)["artifact_uri"].removeprefix("mlflow-artifacts:/")


def presign(attacker: Attacker, run: str, path: str) -> tuple[int, bytes]:
    body = json.dumps({"run_id": run, "path": path}).encode()
    return attacker.send("POST", f"{API}/artifacts/presigned-upload-url", body, JSON)


def listed(attacker: Attacker, folder: str) -> list[str]:
    answer = attacker.send("GET", f"{PROXY}/artifacts?path={folder}")[1]
    return [file["path"] for file in json.loads(answer).get("files", [])]


def test_a_path_that_could_mean_another_place_is_refused_by_every_way(
    intruder: Attacker, tmp_path: Path
) -> None:
    run = intruder.run()
    model = intruder.made("logged-models", experiment_id="0", name="n")["model"]["info"]["model_id"]
    inside = f"0/{run}/artifacts"
    own = frozen(intruder, run)
    create = json.dumps({"path": "x", "num_parts": 1}).encode()
    finish = json.dumps({"path": "x", "upload_id": "y", "parts": []}).encode()
    page = "/ajax-api/2.0/mlflow/upload-artifact"
    for payload in corpus():
        for prefix in ("", f"{inside}/", f"{own}/"):
            sent = intruder.send("GET", f"{PROXY}/presigned/{prefix}{payload}")
            assert sent[0] in REFUSED, (prefix, payload)
        for step, body in (("create", create), ("complete", finish), ("abort", finish)):
            target = f"{PROXY}/mpu/{step}/{inside}/{payload}"
            # "a/" is the folder "a".
            assert intruder.send("POST", target, body, JSON)[0] in REFUSED or payload.endswith(
                ("/", "%2F", "%2f")
            ), (step, payload)
        assert intruder.send("POST", f"{page}?run_uuid={run}&path={payload}", b"x")[0] in REFUSED
        files = f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files"
        sent = intruder.send("GET", f"{files}?artifact_file_path={payload}")
        assert sent[0] in REFUSED, payload
        for method in ("GET", "PUT"):
            sent = intruder.send(method, f"{PROXY}/signed/{payload}", b"x")
            assert sent[0] in REFUSED, (method, payload)
        assert intruder.send("PUT", f"{PROXY}/mpu/part/{payload}", b"x")[0] in REFUSED, payload
    assert listed(intruder, "") == ["0"]
    assert listed(intruder, inside) == ["a"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".log") == ["data"]
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_of_a_clients_own_path_the_name_alone_counts(intruder: Attacker) -> None:
    for path, name in (
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ann\\w.bin", "w.bin"),
        ("./w", "w"),
    ):
        made = intruder.send(
            "POST", f"{PROXY}/mpu/create/in/{name}", json.dumps({"path": path}).encode(), JSON
        )
        assert made[0] == 200, path
        upload = json.loads(made[1])
        target = upload["credentials"][0]["url"].removeprefix(intruder.server.url)
        assert intruder.send("PUT", target, b"mine")[0] == 200
        etag = "fbb2bdb2b9ae8aa4d6a8df9d7d68e1a0a2e21c0e77b3aa49d0b1c8c6f6c0a2b1"
        body = {"path": path, "upload_id": upload["upload_id"]}
        wrong = json.dumps(body | {"parts": [{"part_number": 1, "etag": etag}]}).encode()
        assert intruder.send("POST", f"{PROXY}/mpu/complete/in/{name}", wrong, JSON)[0] == 400
    for path in ("", "/", "..", ".", "a/", "a\\", "/a/..", " ", "a\x00", "..\\..", "．．", "a\n"):
        body = json.dumps({"path": path}).encode()
        assert intruder.send("POST", f"{PROXY}/mpu/create/in", body, JSON)[0] == 400, path
    # A client reads in the message that it is to upload plainly, which takes the name alone.
    for path in ("../b.bin", "/a/../b", "..\\b", "a\\..\\b", "%2e%2e/b", "a/%252e%2e/b", "．．/b"):
        for step, more in (("create", {}), ("complete", {"upload_id": "x"})):
            body = json.dumps({"path": path, **more}).encode()
            status, answer = intruder.send("POST", f"{PROXY}/mpu/{step}/in", body, JSON)
            assert status == 400, path
            assert json.loads(answer)["message"].startswith("Multipart upload is not supported")
    assert listed(intruder, "") == []


def test_no_way_leads_into_what_is_frozen(intruder: Attacker) -> None:
    run = intruder.run()
    own = frozen(intruder, run)
    for folder in (own, "modelkeep", "modelkeep/versions", f"{own}/deep"):
        for step in ("create", "complete", "abort"):
            body = json.dumps({"path": "b", "upload_id": "x", "parts": []}).encode()
            status, answer = intruder.send("POST", f"{PROXY}/mpu/{step}/{folder}", body, JSON)
            assert (status, json.loads(answer)["error_code"]) == (403, "PERMISSION_DENIED"), folder
    body = json.dumps({"path": "modelkeep"}).encode()
    assert intruder.send("POST", f"{PROXY}/mpu/create/", body, JSON)[0] == 403
    # An upload to a run is no upload to a version, whoever it is shown to.
    body = json.dumps({"path": "b"}).encode()
    made = json.loads(intruder.send("POST", f"{PROXY}/mpu/create/0/{run}", body, JSON)[1])
    done = {"path": "b", "upload_id": made["upload_id"], "parts": []}
    sent = intruder.send("POST", f"{PROXY}/mpu/complete/{own}", json.dumps(done).encode(), JSON)
    assert sent[0] == 403
    status, answer = presign(intruder, run, "c")
    assert status == 200
    token = json.loads(answer)["presigned_url"].rsplit("/", 1)[1]
    for method in ("GET", "HEAD", "POST", "DELETE"):
        assert intruder.send(method, f"{PROXY}/signed/{token}")[0] in (403, 405)
    for path in (quote(f"../../../../{own}/b", safe=""), f"../../../{own}/b"):
        assert presign(intruder, run, path)[0] == 400
    assert intruder.send("GET", f"{PROXY}/artifacts/{own}/b") == (200, b"mine")


def test_a_key_of_one_server_opens_nothing_of_another(
    intruder: Attacker, start_server: StartServer, tmp_path: Path
) -> None:
    assert (tmp_path / "data" / "signing.key").stat().st_mode & 0o777 == 0o600
    with closing(Attacker(start_server(data_dir=tmp_path / "other"))) as other:
        for attacker in (intruder, other):
            assert attacker.send("PUT", f"{PROXY}/artifacts/a", b"mine")[0] == 200
        url = json.loads(other.send("GET", f"{PROXY}/presigned/a")[1])["url"]
        target = url.removeprefix(other.server.url)
        assert other.send("GET", target) == (200, b"mine")
        assert intruder.send("GET", target)[0] == 403
