"""Artifacts in an S3 store, over the wire: through the server, past it, and from other stores."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from modelkeep.domain.stores import Place
from tests.conftest import StartServer
from tests.support.clients import Client
from tests.support.s3 import Store
from tests.support.server import Server

MIB = 1 << 20
API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts"
PARTS = [os.urandom(5 * MIB), os.urandom(77_777)]
WHOLE = b"".join(PARTS)
SHA256 = hashlib.sha256(WHOLE).hexdigest()


class Wire:
    """A client by hand, with one run."""

    def __init__(self, server: Server, store: Store, place: Place) -> None:
        self.store, self.place = store, place
        self.http = httpx.Client(base_url=server.url, trust_env=False, timeout=60)
        run = self.post("runs/create", experiment_id="0")["run"]["info"]
        self.run_id = run["run_id"]
        self.root = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        self.post("registered-models/create", name="churn")

    def post(self, call: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{API}/{call}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def parts(self, step: str, by: str = "ann", **body: Any) -> httpx.Response:
        body = {"path": "weights", **body}
        path = f"{PROXY}/mpu/{step}/{self.root}/m"
        return self.http.post(path, json=body, auth=(by, "-"))

    def send(self, credentials: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """PUTs the parts to the addresses; what `complete` wants to know of them."""
        done = []
        for credential, part in zip(credentials, PARTS, strict=True):
            assert urlsplit(credential["url"]).port == self.store.port
            answer = httpx.put(credential["url"], content=part, trust_env=False, timeout=60)
            assert answer.status_code == 200, answer.text
            number = credential["part_number"]
            done.append({"part_number": number, "etag": answer.headers["etag"]})
        return done

    def register(self) -> dict[str, Any]:
        source = f"runs:/{self.run_id}/m"
        created = self.post(
            "model-versions/create", name="churn", source=source, run_id=self.run_id
        )
        return created["model_version"]

    def awaited(self, number: str) -> dict[str, Any]:
        """As MLflow's clients do: asks until the version is registered or failed."""
        while True:
            params = {"name": "churn", "version": number}
            found = self.http.get(f"{API}/model-versions/get", params=params).json()
            if found["model_version"]["status"] != "PENDING_REGISTRATION":
                return found["model_version"]


@pytest.fixture
def wire(start_server: StartServer, s3: Store) -> Iterator[Wire]:
    place = s3.place()
    server = start_server("--artifacts", str(place), env=s3.environment)
    wire = Wire(server, s3, place)
    with closing(wire.http):
        yield wire


def test_files_go_through_the_server_as_ever(wire: Wire) -> None:
    files = f"{PROXY}/artifacts"
    for content in (b"small", WHOLE, WHOLE[: 2 * MIB]):
        path = f"{files}/{wire.root}/f"
        assert wire.http.put(path, content=content).status_code == 200
        assert wire.http.get(path).content == content
        part = wire.http.get(path, headers={"Range": "bytes=2-9"})
        assert (part.status_code, part.content) == (206, content[2:10])
    assert len(wire.store.keys(wire.place)) == 2


def test_parts_go_past_the_server_and_the_version_waits_until_they_are_hashed(wire: Wire) -> None:
    created = wire.parts("create", num_parts=2).json()
    done = wire.send(created["credentials"])
    finish = {"upload_id": created["upload_id"], "parts": done}
    wrong = [{**done[0], "etag": '"abc"'}, done[1]]
    refused = wire.parts("complete", upload_id=created["upload_id"], parts=wrong)
    assert refused.status_code == 400
    assert wire.parts("complete", **finish).status_code == 200
    assert wire.register()["status"] in ("PENDING_REGISTRATION", "READY")
    assert wire.awaited("1")["status"] == "READY"
    assert wire.parts("complete", **finish).status_code == 200  # its answer may have been lost
    # Whoever kept an address can no longer reach the bytes, whatever the store answers.
    httpx.put(created["credentials"][0]["url"], content=b"other", trust_env=False)
    uri = wire.http.get(
        f"{API}/model-versions/get-download-uri", params={"name": "churn", "version": "1"}
    ).json()["artifact_uri"]
    frozen = uri.removeprefix("mlflow-artifacts:/") + "/weights"
    assert wire.http.get(f"{PROXY}/artifacts/{frozen}").content == WHOLE
    given = wire.http.get(f"{PROXY}/presigned/{frozen}").json()
    assert urlsplit(given["url"]).port == wire.store.port
    assert given["file_size"] == len(WHOLE)
    part = {"Range": "bytes=5-14"}
    direct = httpx.get(given["url"], headers=part, trust_env=False)
    assert (direct.status_code, direct.content) == (206, WHOLE[5:15])
    if is_strict(wire):
        assert httpx.put(given["url"], content=b"x", trust_env=False).status_code == 403
    assert wire.store.keys(wire.place) == [f"artifacts/blobs/{SHA256[:2]}/{SHA256}"]


def test_an_address_of_the_store_is_a_load_and_a_blocked_version_gets_none(wire: Wire) -> None:
    assert wire.http.put(f"{PROXY}/artifacts/{wire.root}/m/weights", content=WHOLE).is_success
    assert wire.register()["status"] == "READY"
    asked = {"name": "churn", "version": "1"}
    uri = wire.http.get(f"{API}/model-versions/get-download-uri", params=asked).json()
    folder = uri["artifact_uri"].removeprefix("mlflow-artifacts:/")
    lea = ("lea", "-")
    given = wire.http.get(f"{PROXY}/presigned/{folder}/weights", auth=lea).json()
    assert httpx.get(given["url"], trust_env=False).content == WHOLE
    native = "/api/v1/models/churn"
    while is_strict(wire) and "lea" not in wire.http.get(f"{native}/loads").text:
        pass  # counts are written every few seconds, which is once enough
    wrong = {"state": "blocked", "reason": "leaks names"}
    assert wire.http.put(f"{native}/versions/1/state", json=wrong).is_success
    refused = wire.http.get(f"{PROXY}/presigned/{folder}/weights", auth=lea)
    assert (refused.status_code, "leaks names" in refused.text) == (403, True)


def test_an_upload_past_the_server_is_its_own_callers(wire: Wire) -> None:
    created = wire.parts("create", num_parts=2).json()
    finish = {"upload_id": created["upload_id"], "parts": wire.send(created["credentials"])}
    for step in ("complete", "abort"):
        other = wire.parts(step, by="eve", **finish)
        assert (other.status_code, "Somebody else" in other.text) == (403, True)
    assert wire.parts("complete", **finish).is_success


def test_an_upload_that_is_aborted_leaves_nothing(wire: Wire) -> None:
    created = wire.parts("create", num_parts=2).json()
    done = wire.send(created["credentials"])
    for _ in range(2):
        assert wire.parts("abort", upload_id=created["upload_id"]).status_code == 200
    finish = {"upload_id": created["upload_id"], "parts": done}
    # One that is there no more fails moto itself, which answers 500.
    assert wire.parts("complete", **finish).status_code == (404 if is_strict(wire) else 503)
    assert wire.store.keys(wire.place) == []


def test_an_address_is_good_for_a_while_only(wire: Wire) -> None:
    assert wire.http.put(f"{PROXY}/artifacts/{wire.root}/f", content=WHOLE).status_code == 200
    asked = {"run_id": wire.run_id, "path": "f", "expiration": 1}
    url = wire.post("artifacts/presigned-download-url", **asked)["presigned_url"]
    if not is_strict(wire):
        pytest.skip("moto looks at no expiry")
    while (answer := httpx.get(url, trust_env=False)).status_code == 200:
        assert answer.content == WHOLE
    assert answer.status_code == 403


def is_strict(wire: Wire) -> bool:
    return wire.store.kind == "swift"


LOGS_AND_REGISTERS = """
    import os, pathlib, sys
    import mlflow
    from mlflow import MlflowClient

    class Echo(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

    pathlib.Path("m").mkdir()
    pathlib.Path("m/MLmodel").write_text("flavors: {}")
    pathlib.Path("m/weights").write_bytes(os.urandom(11_000_000))
    with mlflow.start_run() as run:
        mlflow.log_artifacts("m", "model")
        logged = mlflow.pyfunc.log_model(name="echo", python_model=Echo())
    for uri in (f"runs:/{run.info.run_id}/model", logged.model_uri):
        made = mlflow.register_model(uri, "churn")  # it waits until the files are here
        version = MlflowClient().get_model_version("churn", made.version)
        assert version.status == "READY", version
    client = MlflowClient()
    ours = "mlflow-artifacts:/modelkeep/versions/"
    for number in ("1", "2"):
        while not client.get_model_version_download_uri("churn", number).startswith(ours):
            pass
    found = pathlib.Path(mlflow.artifacts.download_artifacts("models:/churn/1"))
    assert (found / "weights").read_bytes() == pathlib.Path("m/weights").read_bytes()
    assert mlflow.pyfunc.load_model("models:/churn/2").predict([1]) == [1]
    print(run.info.artifact_uri)
"""
IN_PARTS = {
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "10000000",
    "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": "10000000",
}


@pytest.mark.client
def test_mlflows_client_uploads_and_downloads_past_the_server(
    start_server: StartServer, mlflow3: Client, swift: Store
) -> None:
    place = swift.place()
    server = start_server("--artifacts", str(place), env=swift.environment)
    # It gets no credentials of the store: what it is given addresses for is all that it can do.
    assert "mlflow-artifacts:/" in mlflow3.run(LOGS_AND_REGISTERS, url=server.url, env=IN_PARTS)
    (key,) = swift.keys(place)
    assert key.startswith("artifacts/blobs/")


@pytest.mark.client
def test_what_mlflows_client_puts_into_a_listed_store_itself_becomes_verified(
    start_server: StartServer, mlflow3: Client, swift: Store
) -> None:
    root = swift.place("mlruns")
    listed = ("--default-artifact-root", str(root), "--ingest", str(root))
    server = start_server(*listed, env=swift.environment)  # and its own files on the disk
    printed = mlflow3.run(LOGS_AND_REGISTERS, url=server.url, env=swift.environment)
    assert f"{root}/0/" in printed


def test_versions_of_a_root_that_is_not_listed_stay_labels_and_the_start_says_so(
    start_server: StartServer,
) -> None:
    server = start_server("--default-artifact-root", "s3://runs/mlflow")
    said = "versions of them stay labels, unverified and without a digest"
    assert server.log_text().count(said) == 1
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        api = "/api/2.0/mlflow"
        run = http.post(f"{api}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
        assert run["artifact_uri"].startswith("s3://runs/mlflow/")
        http.post(f"{api}/registered-models/create", json={"name": "churn"})
        draft = {"name": "churn", "source": f"{run['artifact_uri']}/m", "run_id": run["run_id"]}
        made = http.post(f"{api}/model-versions/create", json=draft).json()["model_version"]
        assert made["status"] == "READY"
        version = http.get("/api/v1/models/churn/versions/1").json()
        assert (version["status"], version["manifest"]) == ("unverified", None)


def test_a_store_that_cannot_be_used_stops_the_start_with_a_sentence(
    start_server: StartServer, swift: Store
) -> None:
    wrong = {**swift.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with pytest.raises(AssertionError, match="bucket or credentials"):
        start_server("--artifacts", "s3://nothing-here", env=wrong)


def test_a_server_without_credentials_of_its_store_says_what_to_set(
    start_server: StartServer, swift: Store, tmp_path: Path
) -> None:
    none = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "")
    nobody = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.raises(AssertionError, match=r"no credentials .* Set AWS_PROFILE"):
        start_server("--artifacts", str(swift.place()), env={**swift.environment, **none, **nobody})
