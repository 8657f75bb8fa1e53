"""A version's end as stock clients, the command line and the SDK see it, on one server."""

import time

import pytest

from modelkeep_client import Blocked, Client, Refused
from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.clients import Client as Mlflow

pytestmark = pytest.mark.client

REGISTER = """
import mlflow

class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2

mlflow.create_experiment("churn")
mlflow.set_experiment("churn")
for _ in range(2):
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model("model", python_model=Twice(), pip_requirements=["mlflow"])
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "churn")
mlflow.pyfunc.load_model("models:/churn/1")
"""
LOAD = """
import mlflow
from mlflow.exceptions import MlflowException

client = mlflow.MlflowClient()
print(client.get_model_version("churn", "1").status_message)
for uri in ("models:/churn/1", client.get_model_version_download_uri("churn", "2")):
    try:
        mlflow.pyfunc.load_model(uri)
        print("loaded")
    except MlflowException as error:
        print(error)
"""
LIMIT_S = 60.0  # on a busy machine


def test_the_end_of_a_version_from_the_first_warning_to_the_last_refusal(
    start_server: StartServer, mlflow3: Mlflow
) -> None:
    server = start_server()
    url = server.url

    def run(*args: str, code: int = 0) -> str:
        done = modelkeep(*args, url=url, user="dan")
        assert done.code == code, done
        return done.out + done.err

    mlflow3.run(REGISTER, url=url, user="ann")
    asked = ("--reason", "old data", "--replacement", "2", "--blocks", "2099-01-31")
    told = run("deprecate", "churn/1", *asked)
    said = "churn/1 is deprecated: old data. Use models:/churn/2 instead."
    assert said in told
    assert "blocked from 2099-01-31T00:00:00.000Z on" in told
    assert "verified, deprecated" in run("versions", "list", "churn")
    assert said in run("lineage", "churn/1")
    assert mlflow3.run(LOAD, url=url, user="eve").splitlines() == [said, "loaded", "loaded"]

    def loaders() -> set[str | None]:
        with Client(url) as client:
            return {load.name for load in client.loads("churn", 1)}

    deadline = time.monotonic() + LIMIT_S
    while "eve" not in loaders() and time.monotonic() < deadline:  # written every five seconds
        time.sleep(0.1)
    assert loaders() == {"ann", "eve"}
    table = run("loads", "churn/1", "--days", "7")
    assert "eve (says)" in table
    assert "mlflow-python-client/" in table
    assert "version:loaded" in run("history", "churn")

    run("block", "churn/1", "--reason", "CVE-2026-1 in a dependency")
    said = "churn/1 is blocked: CVE-2026-1 in a dependency. Use models:/churn/2 instead."
    printed = mlflow3.run(LOAD, url=url, user="eve").splitlines()
    assert printed == [said, f"PERMISSION_DENIED: {said}", "loaded"]
    refused = run("promote", "churn/1", "--to", "Production", code=1)
    assert said in refused
    with Client(url, user="dan") as client:
        assert client.version("churn", 1).state == "blocked"
        with pytest.raises(Blocked, match="CVE-2026-1"):
            client.download("churn", 1, server.data_dir.parent / "there")
        assert client.reinstate("churn", 1, reason="patched").ending is None
        client.promote("churn", 1, "Production")
        with pytest.raises(Refused, match="it is in Production"):
            client.retire("churn", 1, reason="over")
        client.promote("churn", 2, "Production")
        client.promote("churn", 1, "Archived")
        ending = client.retire("churn", 1, reason="over").ending
        assert ending is not None
        assert ending.warning == "churn/1 is retired: over."
        deprecated = client.deprecate("churn", 2, reason="soon over")
        assert (deprecated.state, client.version("churn", "latest").version) == ("deprecated", 2)
    assert "retired, which is for good" in run("reinstate", "churn/1", "--reason", "x", code=1)
    assert "it is in Production" in run("retire", "churn/2", "--reason", "x", code=1)
