"""Stock MLflow clients against a server with accounts."""

from pathlib import Path

import pytest

from tests.conformance.test_access import Person, bootstrap_token
from tests.conftest import StartServer
from tests.support.clients import Client

pytestmark = pytest.mark.client

SCRIPT = """
    import mlflow, os, sys
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.9)
        mlflow.log_text("weights", "model/weights.txt")
    uri = f"runs:/{run.info.run_id}/model"
    client.create_registered_model("fraud-eu")
    version = client.create_model_version("fraud-eu", uri, run.info.run_id)
    client.set_registered_model_alias("fraud-eu", "champion", version.version)
    assert client.get_model_version_by_alias("fraud-eu", "champion").user_id == "ann"
    path = mlflow.artifacts.download_artifacts("models:/fraud-eu@champion")
    assert open(f"{path}/weights.txt").read() == "weights"
    assert [m.name for m in client.search_registered_models()] == ["fraud-eu"]
    for refused in ("secret", "churn"):
        try:
            client.get_registered_model("secret")
        except MlflowException as error:
            assert error.error_code == "RESOURCE_DOES_NOT_EXIST", error
        else:
            sys.exit("it was shown")
    try:
        client.create_registered_model("churn")
    except MlflowException as error:
        assert error.error_code == "PERMISSION_DENIED", error
    else:
        sys.exit("it was made")
    client.delete_registered_model("fraud-eu")
"""
STRANGER = """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient().search_registered_models()
    except MlflowException as error:
        print(error)
"""


def test_a_client_works_with_a_token_by_basic_and_by_bearer(
    mlflow: Client, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server("--auth", "on")
    home = tmp_path / "home"
    home.mkdir()
    token = bootstrap_token(server)
    assert Person(server, home, token).with_password("users", "first", "boss").code == 0
    boss = Person(server, home)
    assert boss.with_password("login", "boss").code == 0
    assert boss.does("users", "add", "ann", "--no-password").code == 0
    assert boss.does("grants", "add", "ann", "contributor", "--on", "prefix:fraud-").code == 0
    token = boss.does("tokens", "create", "--of", "ann").out.strip()
    mlflow.run(
        SCRIPT,
        url=server.url,
        env={"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": token},
    )
    mlflow.run(SCRIPT, url=server.url, env={"MLFLOW_TRACKING_TOKEN": token})
    refused = mlflow.run(STRANGER, url=server.url, env={"MLFLOW_TRACKING_TOKEN": f"{token}x"})
    assert "401" in refused or "UNAUTHENTICATED" in refused
