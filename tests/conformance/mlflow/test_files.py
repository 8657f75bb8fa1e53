"""Files through stock MLflow clients: folders of many, large ones in parts, there and back."""

from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.server import Server

pytestmark = pytest.mark.client

THERE_AND_BACK = """
    import json, os, sys
    from pathlib import Path

    import mlflow
    from mlflow import MlflowClient

    def tree(root):
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    source = Path("source")
    (source / "many" / "deep").mkdir(parents=True)
    (source / "large.bin").write_bytes(os.urandom(3_500_000))
    (source / "empty").write_bytes(b"")
    (source / "ünïcode name.txt").write_text("ü")
    for number in range(150):
        folder = source / "many" / ("deep" if number % 3 else ".")
        (folder / f"{number}.txt").write_text(str(number))
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(source), "in")
        mlflow.log_artifact(str(source / "large.bin"))
    run_id = run.info.run_id
    client = MlflowClient()
    back = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="in"))
    assert tree(back) == tree(source)
    one = Path(client.download_artifacts(run_id, "large.bin"))
    assert one.read_bytes() == (source / "large.bin").read_bytes()
    listed = {f.path: (f.is_dir, f.file_size) for f in client.list_artifacts(run_id, "in")}
    assert listed["in/large.bin"] == (False, 3_500_000)
    assert listed["in/many"][0]
    assert len(client.list_artifacts(run_id, "in/many/deep")) == 100
    print(json.dumps({"run_id": run_id}))
"""


SHARED = """
    import sys
    from pathlib import Path

    import mlflow
    from mlflow import MlflowClient

    shared, client = Path(sys.argv[1]), MlflowClient()
    experiment = client.create_experiment("shared", artifact_location=str(shared))
    assert client.get_experiment(experiment).artifact_location == str(shared)
    mlflow.set_experiment("shared")
    with mlflow.start_run() as run:
        mlflow.log_text("mine", "in/a.txt")
        model = mlflow.pyfunc.log_model(
            "model", loader_module="m", pip_requirements=[], registered_model_name="of the run"
        )
    run_id = run.info.run_id
    assert (shared / run_id / "artifacts" / "in" / "a.txt").read_text() == "mine"
    assert [f.path for f in client.list_artifacts(run_id, "in")] == ["in/a.txt"]
    back = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="in/a.txt")
    assert Path(back).read_text() == "mine"
    mlflow.register_model(model.model_uri, "of the run")
    for number in ("1", "2"):
        whole = mlflow.artifacts.download_artifacts(f"models:/of the run/{number}")
        assert (Path(whole) / "MLmodel").is_file()
"""


def test_clients_that_share_a_folder_keep_their_artifacts_there(
    mlflow: Client, server: Server, tmp_path: Path
) -> None:
    """The server notes the path, which it never opens."""
    mlflow.run(SHARED, str(tmp_path / "shared"), url=server.url)


def test_a_folder_of_files_goes_there_and_back(mlflow: Client, server: Server) -> None:
    mlflow.run(THERE_AND_BACK, url=server.url)


def test_large_files_go_there_and_back_in_parts(mlflow3: Client, server: Server) -> None:
    sizes = {
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000000",
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "1000000",
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": "900000",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
    }
    # Of uploads the server says that it can: nobody needs to tell the client.
    mlflow3.run(THERE_AND_BACK, url=server.url, env=sizes)
    closed = list((server.data_dir / "uploads").glob("*/closed"))
    assert len(closed) == 2, "both large files came in parts"
    kept = [p for p in (server.data_dir / "uploads").rglob("*") if p.is_file()]
    assert sorted(kept) == sorted(closed)


def test_a_client_that_would_lose_its_parts_uploads_plainly(
    mlflow2: Client, server: Server
) -> None:
    """The 2.10 client leaves the run's folder out when it is told to upload in parts."""
    asked = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000000",
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "2000000",
    }
    mlflow2.run(THERE_AND_BACK, url=server.url, env=asked)
    assert list((server.data_dir / "uploads").iterdir()) == []
