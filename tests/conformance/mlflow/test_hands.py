"""Two people with stock MLflow clients: each in their own runs, and neither past the other."""

import re

import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.clients import Client
from tests.support.office import Office
from tests.support.server import Server

pytestmark = pytest.mark.client

POLICY = """
model_registry:
  stage_transitions:
    None -> Production:
      approvals: {quorum: 1, role: reviewer}
      expressions: ["true", "metrics.auc > 0.5"]
"""


def test_who_slips_a_file_into_anothers_run_cannot_approve_what_it_becomes(
    mlflow: Client, server: Server
) -> None:
    policy = mlflow.folder / "policy.yaml"
    policy.write_text(POLICY)
    applied = modelkeep("policy", "apply", policy, url=server.url, user="olga")
    assert applied.code == 0, applied.err
    assert "Warning: default, None -> Production: it asks for the role reviewer" in applied.out
    assert "the expression 'true' says the same of every version." in applied.out
    asked = mlflow.run(
        """
        import os

        import mlflow
        from mlflow import MlflowClient
        from mlflow.exceptions import RestException

        client = MlflowClient()
        with mlflow.start_run() as run:
            mlflow.log_metric("auc", 0.9)
            mlflow.log_text("honest", "model/weights.txt")
        run_id = run.info.run_id
        os.environ["MLFLOW_TRACKING_USERNAME"] = "bob"
        client.log_text(run_id, "poisoned", "model/weights.txt")
        os.environ["MLFLOW_TRACKING_USERNAME"] = "ann"
        client.create_registered_model("credit")
        client.create_model_version("credit", f"runs:/{run_id}/model", run_id)
        try:
            client.transition_model_version_stage("credit", "1", "Production")
        except RestException as error:
            print(error)
        """,
        url=server.url,
        user="ann",
    )
    found = re.search(r"modelkeep approve (\d+)", asked)
    assert found, asked
    words = "approve", found[1], "--comment", "looks fine"
    refused = modelkeep(*words, url=server.url, user="bob")
    assert refused.code == 1
    assert "bob added or changed files of its run; someone else must decide." in refused.out
    shown = modelkeep("requests", found[1], url=server.url)
    assert "bob may not vote: bob added or changed files of its run." in shown.out
    assert modelkeep(*words, url=server.url, user="eve").code == 0


def test_two_people_share_an_experiment_and_neither_rewrites_the_others_runs(
    mlflow3: Client, start_server: StartServer
) -> None:
    server = start_server("--auth", "on")
    office = Office(server)
    tokens = {name: office.user(name, "contributor", "prefix:iris-") for name in ("ann", "bob")}
    made = mlflow3.run(
        """
        import mlflow
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression

        mlflow.set_experiment("iris")
        mlflow.sklearn.autolog(serialization_format="pickle")
        with mlflow.start_run() as outer:
            LogisticRegression(max_iter=200).fit(*load_iris(return_X_y=True))
            with mlflow.start_run(nested=True):
                mlflow.log_metric("inner", 1)
        with mlflow.start_run(run_id=outer.info.run_id):
            mlflow.log_metric("auc", 0.9)
            mlflow.log_text("notes", "notes.txt")
        (model,) = mlflow.search_logged_models(output_format="list")
        print(outer.info.run_id, model.model_id)
        """,
        url=server.url,
        env={"MLFLOW_TRACKING_TOKEN": tokens["ann"]},
    ).split()[-2:]
    mlflow3.run(
        """
        import sys

        import mlflow
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        run_id, model_id = sys.argv[1:]
        client = MlflowClient()


        def refused(call, *args, **kwargs):
            try:
                call(*args, **kwargs)
            except Exception as error:
                assert "403" in str(error) or "PERMISSION_DENIED" in str(error), error
                return
            raise AssertionError(f"{call} was allowed")


        mlflow.set_experiment("iris")
        with mlflow.start_run():
            mlflow.log_metric("auc", 0.8)
        refused(client.log_metric, run_id, "auc", 0.99)
        refused(client.set_tag, run_id, "note", "mine")
        refused(client.log_text, run_id, "poisoned", "notes.txt")
        refused(client.delete_run, run_id)
        refused(client.set_logged_model_tags, model_id, {"a": "b"})
        refused(mlflow.start_run, run_id=run_id)
        # What is another's can be read, and registered under one's own name.
        assert client.get_run(run_id).data.metrics["auc"] == 0.9
        version = mlflow.register_model(f"models:/{model_id}", "iris-bob")
        assert mlflow.sklearn.load_model(f"models:/iris-bob/{version.version}") is not None
        """,
        *made,
        url=server.url,
        env={"MLFLOW_TRACKING_TOKEN": tokens["bob"]},
    )
