"""The registry, as stock MLflow clients use it: every call of `MlflowClient`, models and bytes.

Each client runs one long script a test and prints what it saw as JSON: starting one costs seconds.
"""

import json
import textwrap
from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.server import Server

pytestmark = pytest.mark.client

# What every script begins with: `seen` is printed at the end; `said` is what an error says.
_HEAD = """
import atexit, json, os, tempfile, warnings
warnings.simplefilter("ignore")
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()
seen = {}

def said(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except MlflowException as error:
        return [error.error_code, str(error)]
    return "nothing"

def view(v):
    return [v.name, int(v.version), v.current_stage, dict(v.tags), v.description or ""]

def folder(**files):
    place = tempfile.mkdtemp()
    for name, text in files.items():
        with open(os.path.join(place, name), "w") as file:
            file.write(text)
    return place
"""


def told(client: Client, server: Server, script: str, user: str = "ann") -> dict[str, Any]:
    """What a script left in `seen`."""
    whole = _HEAD + textwrap.dedent(script) + "\nprint('\\n' + json.dumps(seen))\n"
    return json.loads(client.run(whole, url=server.url, user=user).splitlines()[-1])


def test_registered_models_go_through_their_whole_life(mlflow: Client, server: Server) -> None:
    seen = told(
        mlflow,
        server,
        """
        made = client.create_registered_model("churn", {"team": "a", "tier": "1"}, "who leaves")
        seen["made"] = [made.name, dict(made.tags), made.description, made.creation_timestamp > 0]
        seen["again"] = said(client.create_registered_model, "churn")
        seen["bad names"] = [said(client.create_registered_model, n) for n in ("", "a/b", "a:b")]
        client.update_registered_model("churn", "who leaves us")
        client.set_registered_model_tag("churn", "owner", "ann lee")
        client.delete_registered_model_tag("churn", "tier")
        got = client.get_registered_model("churn")
        seen["got"] = [got.description, dict(got.tags), list(got.latest_versions)]
        seen["later"] = got.last_updated_timestamp >= made.last_updated_timestamp
        for name in ("credit", "Credit", "fraud"):
            client.create_registered_model(name, {"team": "b"})

        def names(*args, **kwargs):
            return [m.name for m in client.search_registered_models(*args, **kwargs)]

        seen["names"] = names()
        seen["ilike"] = names("name ILIKE 'c%'")
        seen["like"] = names("name LIKE 'c%'", order_by=["name DESC"])
        seen["tagged"] = names("tag.team = 'b' AND name != 'fraud'")
        seen["quoted"] = names("tags.`owner` = 'ann lee'")
        seen["newest"] = names(order_by=["last_updated_timestamp DESC", "name ASC"], max_results=1)
        first = client.search_registered_models(max_results=3)
        rest = client.search_registered_models(max_results=3, page_token=first.token)
        seen["pages"] = [[m.name for m in first], [m.name for m in rest], rest.token or None]
        seen["bad filter"] = said(client.search_registered_models, "colour = 'red'")
        seen["bad order"] = said(client.search_registered_models, order_by=["colour"])
        seen["bad size"] = said(client.search_registered_models, max_results=1001)
        seen["bad token"] = said(client.search_registered_models, page_token="%%")

        client.rename_registered_model("churn", "churn_eu")
        renamed = client.get_registered_model("churn_eu")
        seen["renamed"] = [renamed.name, dict(renamed.tags)]
        seen["gone"] = said(client.get_registered_model, "churn")
        seen["taken"] = said(client.rename_registered_model, "churn_eu", "fraud")
        client.delete_registered_model("churn_eu")
        seen["deleted"] = said(client.get_registered_model, "churn_eu")
        seen["left"] = names()
        client.create_registered_model("churn_eu")
        seen["anew"] = [dict(client.get_registered_model("churn_eu").tags)]
        """,
    )
    assert seen["made"] == ["churn", {"team": "a", "tier": "1"}, "who leaves", True]
    code, text = seen["again"]
    assert code == "RESOURCE_ALREADY_EXISTS"
    assert "Registered Model (name=churn) already exists." in text
    assert [code for code, _ in seen["bad names"]] == ["INVALID_PARAMETER_VALUE"] * 3
    assert "Invalid model name 'a/b'" in seen["bad names"][1][1]
    assert seen["got"] == ["who leaves us", {"team": "a", "owner": "ann lee"}, []]
    assert seen["later"]
    assert seen["names"] == ["Credit", "churn", "credit", "fraud"]
    assert seen["ilike"] == ["Credit", "churn", "credit"]
    assert seen["like"] == ["credit", "churn"]
    assert seen["tagged"] == ["Credit", "credit"]
    assert seen["quoted"] == ["churn"]
    assert seen["newest"] == ["fraud"]
    assert seen["pages"] == [["Credit", "churn", "credit"], ["fraud"], None]
    for wrong in ("bad filter", "bad order", "bad size", "bad token"):
        assert seen[wrong][0] == "INVALID_PARAMETER_VALUE", wrong
    assert "Invalid page token" in seen["bad token"][1]
    assert seen["renamed"] == ["churn_eu", {"team": "a", "owner": "ann lee"}]
    assert seen["gone"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert "Registered Model with name=churn not found" in seen["gone"][1]
    assert seen["taken"][0] == "RESOURCE_ALREADY_EXISTS"
    assert seen["deleted"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["left"] == ["Credit", "credit", "fraud"]
    assert seen["anew"] == [{}]


def test_versions_go_through_their_whole_life(mlflow: Client, server: Server) -> None:
    seen = told(
        mlflow,
        server,
        """
        mlflow.set_experiment("iris")
        with mlflow.start_run() as run:
            mlflow.log_artifacts(folder(weights="1 2 3", notes="n"), "model")
        run_id = run.info.run_id
        source = f"runs:/{run_id}/model"
        client.create_registered_model("churn")
        made = [
            client.create_model_version(
                "churn", source, run_id, tags={"n": str(n)}, description=f"number {n}"
            )
            for n in range(1, 6)
        ]
        seen["made"] = [view(v) for v in made]
        seen["first"] = [made[0].status, made[0].run_id == run_id, made[0].source == source]
        seen["no model"] = said(client.create_model_version, "nope", source, run_id)
        seen["other run"] = said(client.create_model_version, "churn", source, "0" * 32)
        seen["no source"] = said(client.create_model_version, "churn", "", run_id)
        seen["file"] = said(client.create_model_version, "churn", "file:///etc/", run_id)
        seen["local"] = said(client.create_model_version, "churn", "path/to/source", run_id)

        client.update_model_version("churn", "1", "the first")
        client.set_model_version_tag("churn", "1", "checked", "yes")
        client.delete_model_version_tag("churn", "1", "n")
        seen["updated"] = view(client.get_model_version("churn", "1"))
        seen["missing"] = said(client.get_model_version, "churn", "99")
        seen["no number"] = said(client.get_model_version, "churn", "abc")
        uri = client.get_model_version_download_uri("churn", "1")
        seen["uri"] = [uri.startswith("mlflow-artifacts:/"), run_id in uri]

        move = client.transition_model_version_stage
        seen["staged"] = move("churn", "1", "staging").current_stage
        move("churn", "2", "Production")
        move("churn", "3", "Production")
        stages = lambda: [v.current_stage for v in sorted(
            client.search_model_versions("name='churn'"), key=lambda v: int(v.version))]
        seen["many"] = stages()
        seen["archived"] = view(move("churn", "4", "Production", archive_existing_versions=True))
        seen["one"] = stages()
        seen["bad stage"] = said(move, "churn", "1", "Foo")
        seen["not active"] = said(move, "churn", "1", "None", archive_existing_versions=True)
        latest = lambda *a, **k: sorted(
            (v.current_stage, int(v.version)) for v in client.get_latest_versions("churn", *a, **k))
        seen["latest"] = [latest(), latest(["Production"]), latest(stages=["None", "Archived"])]
        model = client.get_registered_model("churn")
        seen["of model"] = sorted(int(v.version) for v in model.latest_versions)

        client.set_registered_model_alias("churn", "champion", "4")
        client.set_registered_model_alias("churn", "challenger", "5")
        seen["champion"] = int(client.get_model_version_by_alias("churn", "champion").version)
        client.set_registered_model_alias("churn", "champion", "3")
        seen["moved"] = int(client.get_model_version_by_alias("churn", "champion").version)
        aliases = client.get_registered_model("churn").aliases
        seen["aliases"] = {a: int(v) for a, v in aliases.items()}
        seen["of version"] = list(client.get_model_version("churn", "5").aliases)
        client.delete_registered_model_alias("churn", "challenger")
        client.delete_registered_model_alias("churn", "challenger")
        seen["no alias"] = said(client.get_model_version_by_alias, "churn", "challenger")
        alias = client.set_registered_model_alias
        seen["bad aliases"] = [said(alias, "churn", a, "1") for a in ("v1", "latest", "a b")]
        seen["alias of none"] = said(alias, "churn", "x", "99")

        copied = client.copy_model_version("models:/churn/4", "churn_eu")
        seen["copied"] = [copied.name, int(copied.version), copied.run_id == run_id]
        where = client.get_model_version_download_uri("churn_eu", "1")
        with open(os.path.join(mlflow.artifacts.download_artifacts(where), "weights")) as file:
            seen["copied bytes"] = file.read()
        client.delete_registered_model("churn_eu")

        def numbers(*args, **kwargs):
            return [int(v.version) for v in client.search_model_versions(*args, **kwargs)]

        seen["by run"] = numbers(f"run_id = '{run_id}'", order_by=["version_number ASC"])
        seen["by tag"] = numbers("name='churn' and tags.n = '2'")
        seen["by number"] = numbers("version_number > 3", order_by=["version_number DESC"])
        seen["by source"] = len(numbers(f"source_path LIKE '%{run_id}%'"))
        seen["first last"] = numbers("name='churn'")[0]  # the one updated last comes first
        page = client.search_model_versions("name='churn'", 2, ["version_number ASC"])
        pages = [[int(v.version) for v in page]]
        while page.token:
            page = client.search_model_versions(
                "name='churn'", 2, ["version_number ASC"], page_token=page.token)
            pages.append([int(v.version) for v in page])
        seen["pages"] = pages
        seen["bad key"] = said(client.search_model_versions, "foo = 'x'")
        seen["bad size"] = said(client.search_model_versions, max_results=-1)

        client.delete_model_version("churn", "3")
        seen["deleted"] = said(client.get_model_version, "churn", "3")
        seen["its alias"] = said(client.get_model_version_by_alias, "churn", "champion")
        seen["no bytes"] = said(client.get_model_version_download_uri, "churn", "3")
        seen["next"] = int(client.create_model_version("churn", source, run_id).version)
        seen["label"] = client.get_model_version_download_uri(
            "churn", client.create_model_version("churn", "s3://bucket/a/model").version)
        """,
    )
    assert seen["made"] == [["churn", n, "None", {"n": str(n)}, f"number {n}"] for n in range(1, 6)]
    assert seen["first"] == ["READY", True, True]
    assert seen["no model"][0] == "RESOURCE_DOES_NOT_EXIST"
    for refused in ("other run", "no source", "file", "local"):
        assert seen[refused][0] == "INVALID_PARAMETER_VALUE", refused
    assert "Invalid model version source" in seen["file"][1]
    assert seen["updated"] == ["churn", 1, "None", {"checked": "yes"}, "the first"]
    assert seen["missing"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert "Model Version (name=churn, version=99) not found" in seen["missing"][1]
    assert seen["no number"][0] == "INVALID_PARAMETER_VALUE"
    assert "Parameter 'version' must be an integer, got 'abc'" in seen["no number"][1]
    assert seen["uri"] == [True, False]
    assert seen["staged"] == "Staging"
    assert seen["many"] == ["Staging", "Production", "Production", "None", "None"]
    assert seen["archived"][1:3] == [4, "Production"]
    assert seen["one"] == ["Staging", "Archived", "Archived", "Production", "None"]
    assert seen["bad stage"][0] == "INVALID_PARAMETER_VALUE"
    assert "Invalid Model Version stage: Foo" in seen["bad stage"][1]
    assert seen["not active"][0] == "INVALID_PARAMETER_VALUE"
    assert "is not an Active stage" in seen["not active"][1]
    everything = [["Archived", 3], ["None", 5], ["Production", 4], ["Staging", 1]]
    assert seen["latest"] == [everything, [["Production", 4]], everything[:2]]
    assert seen["of model"] == [1, 3, 4, 5]
    assert (seen["champion"], seen["moved"]) == (4, 3)
    assert seen["aliases"] == {"champion": 3, "challenger": 5}
    assert seen["of version"] == ["challenger"]
    assert seen["no alias"][0] == "INVALID_PARAMETER_VALUE"
    assert "Registered model alias challenger not found." in seen["no alias"][1]
    assert [code for code, _ in seen["bad aliases"]] == ["INVALID_PARAMETER_VALUE"] * 3
    assert seen["alias of none"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["copied"] == ["churn_eu", 1, True]
    assert seen["copied bytes"] == "1 2 3"
    assert seen["by run"] == [1, 2, 3, 4, 5]
    assert seen["by tag"] == [2]
    assert seen["by number"] == [5, 4]
    assert seen["by source"] == 5
    assert seen["first last"] in (2, 3, 4)
    assert seen["pages"] == [[1, 2], [3, 4], [5]]
    assert seen["bad key"][0] == "INVALID_PARAMETER_VALUE"
    assert "Invalid attribute key 'foo' specified" in seen["bad key"][1]
    assert "It must be a positive integer" in seen["bad size"][1]
    assert seen["deleted"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert "Registered model alias champion not found." in seen["its alias"][1]
    assert seen["no bytes"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["next"] == 6
    assert seen["label"] == "s3://bucket/a/model"


def test_models_are_logged_registered_and_loaded_by_every_address(
    mlflow: Client, server: Server
) -> None:
    seen = told(
        mlflow,
        server,
        """
        from sklearn.datasets import load_iris
        from sklearn.tree import DecisionTreeClassifier

        rows, labels = load_iris(return_X_y=True)
        kinds = {} if mlflow.__version__ < "3" else {"serialization_format": "cloudpickle"}

        def fitted(depth):
            return DecisionTreeClassifier(max_depth=depth, random_state=7).fit(rows, labels)

        mlflow.set_experiment("iris")
        with mlflow.start_run() as run:
            mlflow.log_metric("accuracy", 0.9)
            mlflow.sklearn.log_model(fitted(1), artifact_path="model", pip_requirements=[],
                                     registered_model_name="iris", **kinds)
        with mlflow.start_run() as other:
            mlflow.sklearn.log_model(fitted(3), artifact_path="model", pip_requirements=[], **kinds)
        made = mlflow.register_model(f"runs:/{other.info.run_id}/model", "iris", tags={"a": "b"})
        seen["made"] = [int(made.version), made.status, made.run_id == other.info.run_id,
                        dict(made.tags)]
        first = client.get_model_version("iris", "1")
        seen["first"] = [first.run_id == run.info.run_id, first.status]

        client.set_registered_model_alias("iris", "champion", "2")
        client.transition_model_version_stage("iris", "1", "Production")
        addresses = ["models:/iris@champion", "models:/iris/1", "models:/iris/Production",
                     "models:/iris/latest", f"runs:/{run.info.run_id}/model"]
        seen["depths"] = [mlflow.sklearn.load_model(a).get_depth() for a in addresses]
        seen["predicted"] = len(mlflow.pyfunc.load_model("models:/iris@champion").predict(rows))
        seen["unknown"] = said(mlflow.sklearn.load_model, "models:/iris@nobody")
        seen["no stage"] = said(mlflow.sklearn.load_model, "models:/iris/Staging")

        place = mlflow.artifacts.download_artifacts("models:/iris/1")
        seen["files"] = sorted(os.listdir(place))
        one = mlflow.artifacts.download_artifacts("models:/iris/1/MLmodel")
        seen["one file"] = open(one).read() == open(os.path.join(place, "MLmodel")).read()
        if hasattr(mlflow.artifacts, "list_artifacts"):
            listed = mlflow.artifacts.list_artifacts("models:/iris/2")
            seen["listed"] = sorted(os.path.basename(f.path) for f in listed)
            seen["sized"] = all(f.file_size > 0 for f in listed if not f.is_dir)
        text = mlflow.artifacts.load_text(
            client.get_model_version_download_uri("iris", "1") + "/MLmodel")
        seen["loader"] = "mlflow.sklearn" in text

        if hasattr(client, "get_logged_model"):
            found = mlflow.search_logged_models(output_format="list")
            logged = next(m for m in found if m.source_run_id == run.info.run_id)
            seen["logged"] = json.loads(logged.tags["mlflow.modelVersions"])
        """,
    )
    assert seen["made"] == [2, "READY", True, {"a": "b"}]
    assert seen["first"] == [True, "READY"]
    assert seen["depths"] == [3, 1, 1, 3, 1]
    assert seen["predicted"] == 150
    assert "Registered model alias nobody not found" in seen["unknown"][1]
    assert "No versions of model with name 'iris' and stage 'Staging' found" in seen["no stage"][1]
    assert {"MLmodel", "model.pkl", "requirements.txt"} <= set(seen["files"])
    assert seen["one file"]
    assert seen["loader"]
    if mlflow.name == "MLflow 3":
        assert seen["sized"]
        assert {"MLmodel", "model.pkl"} <= set(seen["listed"])
        # The server notes the version, then the client does, in its own spelling.
        assert seen["logged"] == [{"name": "iris", "version": v} for v in (1, "1")]
