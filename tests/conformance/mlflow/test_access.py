"""Stock MLflow clients against a server with accounts."""

import pytest

from tests.conftest import StartServer
from tests.support.clients import Client
from tests.support.office import Office

pytestmark = pytest.mark.client


def test_a_client_works_with_a_token_by_basic_and_by_bearer(
    mlflow: Client, start_server: StartServer
) -> None:
    server = start_server("--auth", "on")
    office = Office(server)
    token = office.user("ann", "contributor", "prefix:fraud-")
    mlflow.run(
        """
        import os

        import mlflow
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client, token = MlflowClient(), os.environ["TOKEN"]


        def refused(call, *args):
            try:
                call(*args)
            except MlflowException as error:
                return error.error_code
            raise AssertionError(f"{call} was allowed")


        def work(name):
            with mlflow.start_run() as run:
                mlflow.log_metric("auc", 0.9)
                mlflow.log_text("weights", "model/weights.txt")
            client.create_registered_model(name)
            version = client.create_model_version(
                name, f"runs:/{run.info.run_id}/model", run.info.run_id
            )
            client.set_registered_model_alias(name, "champion", version.version)
            assert client.get_model_version_by_alias(name, "champion").user_id == "ann"
            path = mlflow.artifacts.download_artifacts(f"models:/{name}@champion")
            assert open(f"{path}/weights.txt").read() == "weights"


        os.environ["MLFLOW_TRACKING_USERNAME"] = "ann"
        os.environ["MLFLOW_TRACKING_PASSWORD"] = token
        work("fraud-eu")
        del os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        work("fraud-us")
        names = [model.name for model in client.search_registered_models()]
        assert names == ["fraud-eu", "fraud-us"], names
        assert refused(client.get_registered_model, "churn") == "RESOURCE_DOES_NOT_EXIST"
        assert refused(client.create_registered_model, "churn") == "PERMISSION_DENIED"
        os.environ["MLFLOW_TRACKING_TOKEN"] = token[:-1]
        assert refused(client.search_registered_models) == "UNAUTHENTICATED"
        """,
        url=server.url,
        env={"TOKEN": token},
    )
