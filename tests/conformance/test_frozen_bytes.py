"""A version is its bytes: whatever happens to the files it came from, it stays what it was."""

import json
from typing import Any

import httpx
import pytest

from tests.support.clients import Client
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def path_of(uri: str) -> str:
    assert uri.startswith("mlflow-artifacts:/")
    return uri.removeprefix("mlflow-artifacts:/")


class Wire:
    """The calls of a client, by hand."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, trust_env=False)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{API}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.http.get(f"{API}/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, content: bytes) -> int:
        return self.http.put(f"{FILES}/{path}", content=content).status_code

    def run_root(self) -> str:
        run = self.post("runs/create", experiment_id="0")["run"]
        return path_of(run["info"]["artifact_uri"])

    def version(self, source: str, **more: Any) -> str:
        """A new version of model `m`, and where it is to be downloaded."""
        made = self.post("model-versions/create", name="m", source=source, **more)
        number = made["model_version"]["version"]
        return path_of(
            self.get("model-versions/get-download-uri", name="m", version=number)["artifact_uri"]
        )


def run_of(root: str) -> str:
    return root.split("/")[1]


@pytest.fixture
def wire(server: Server) -> Any:
    wire = Wire(server)
    with wire.http:
        wire.post("registered-models/create", name="m")
        yield wire


@pytest.mark.client
def test_every_address_of_a_version_gives_the_old_bytes_to_either_client(
    mlflow3: Client, mlflow2: Client, server: Server
) -> None:
    written = mlflow3.run(
        """
        import mlflow
        from mlflow import MlflowClient

        client = MlflowClient()
        client.create_registered_model("m")
        with mlflow.start_run() as run:
            mlflow.log_text("old", "model/a.txt")
            mlflow.log_text("old too", "model/deep/b.txt")
        client.create_model_version("m", f"runs:/{run.info.run_id}/model", run.info.run_id)
        client.set_registered_model_alias("m", "champion", "1")
        client.transition_model_version_stage("m", "1", "Production")
        client.log_text(run.info.run_id, "new", "model/a.txt")
        client.log_text(run.info.run_id, "more", "model/c.txt")
        print(run.info.run_id)
        """,
        url=server.url,
    )
    run_id = written.split()[-1]
    gone = f"{server.url}{FILES}/0/{run_id}/artifacts/model/deep"
    assert httpx.delete(gone, trust_env=False).status_code == 200
    script = """
        import json, sys
        from pathlib import Path

        import mlflow
        from mlflow import MlflowClient

        def tree(uri):
            root = Path(mlflow.artifacts.download_artifacts(uri))
            return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}

        client = MlflowClient()
        own = client.get_model_version_download_uri("m", "1")
        print(json.dumps({
            "version": [tree(uri) for uri in
                        ("models:/m/1", "models:/m@champion", "models:/m/Production",
                         "models:/m/latest", own)],
            "run": tree(f"runs:/{sys.argv[1]}/model"),
        }))
        """
    for client in (mlflow3, mlflow2):
        told = json.loads(client.run(script, run_id, url=server.url).splitlines()[-1])
        assert told["version"] == [{"a.txt": "old", "deep/b.txt": "old too"}] * 5, client.name
        assert told["run"] == {"a.txt": "new", "c.txt": "more"}, client.name
    page = f"{server.url}/model-versions/get-artifact"
    for path, content in (("a.txt", "old"), ("deep/b.txt", "old too")):
        params = {"name": "m", "version": "1", "path": path}
        assert httpx.get(page, params=params, trust_env=False).text == content
    new = httpx.get(page, params={"name": "m", "version": "1", "path": "c.txt"}, trust_env=False)
    assert new.status_code == 404


def test_a_version_of_a_logged_model_is_frozen_too(wire: Wire) -> None:
    made = wire.post("logged-models", experiment_id="0", name="n")["model"]["info"]
    root = path_of(made["artifact_uri"])
    assert wire.put(f"{root}/weights", b"old") == 200
    own = wire.version(f"models:/{made['model_id']}", model_id=made["model_id"])
    assert wire.put(f"{root}/weights", b"new") == 200
    assert wire.put(f"{root}/more", b"new") == 200
    assert wire.http.get(f"{FILES}/{own}/weights").content == b"old"
    assert [f["path"] for f in wire.http.get(FILES, params={"path": own}).json()["files"]] == [
        "weights"
    ]
    assert wire.http.get(f"{FILES}/{root}/weights").content == b"new"


def test_a_copy_of_a_version_has_its_bytes_though_the_original_is_deleted(wire: Wire) -> None:
    root = wire.run_root()
    assert wire.put(f"{root}/model/weights", b"old") == 200
    first = wire.version(f"mlflow-artifacts:/{root}/model", run_id=run_of(root))
    assert wire.put(f"{root}/model/weights", b"new") == 200
    by_number = wire.version("models:/m/1")
    by_address = wire.version(f"mlflow-artifacts:/{first}")
    wire.http.request("DELETE", f"{API}/model-versions/delete", json={"name": "m", "version": "1"})
    assert wire.http.get(f"{FILES}/{first}/weights").status_code == 404
    for own in (by_number, by_address):
        assert wire.http.get(f"{FILES}/{own}/weights").content == b"old"


def test_nobody_writes_under_a_versions_own_address(wire: Wire) -> None:
    root = wire.run_root()
    assert wire.put(f"{root}/model/weights", b"old") == 200
    own = wire.version(f"mlflow-artifacts:/{root}/model", run_id=run_of(root))
    folder, _, number = own.rpartition("/")
    for path in (
        f"{own}/weights",
        f"{own}/more",
        own,
        f"{folder}/{int(number) + 1}/weights",
        folder,
        f"{folder}/x",
        folder.split("/", 1)[0],
        f"{folder.split('/', 1)[0]}/x",
        f"{own}/weights/deeper",
    ):
        for method in ("PUT", "DELETE"):
            answer = wire.http.request(method, f"{FILES}/{path}", content=b"evil")
            assert answer.status_code == 403, (method, path)
            assert answer.json()["error_code"] == "PERMISSION_DENIED"
    assert wire.http.get(f"{FILES}/{own}/weights").content == b"old"


def test_a_version_without_bytes_of_ours_gives_back_its_label(wire: Wire) -> None:
    root = wire.run_root()
    for source in (
        "s3://bucket/model",
        f"mlflow-artifacts:/{root}/nothing",
        f"runs:/{run_of(root)}/none",
    ):
        given = {"name": "m", "source": source, "run_id": run_of(root)}
        made = wire.post("model-versions/create", **given)["model_version"]
        given = wire.get("model-versions/get-download-uri", name="m", version=made["version"])
        assert (made["source"], given["artifact_uri"]) == (source, source)
    # Files that come later are the run's, not the version's.
    assert wire.put(f"{root}/none/weights", b"late") == 200
    params = {"name": "m", "version": "3", "path": "weights"}
    assert wire.http.get("/model-versions/get-artifact", params=params).status_code == 404
