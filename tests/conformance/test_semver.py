"""Semantic versions of real models, as stock clients, the command line and the API see them."""

from typing import Any

import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.server import Server

pytestmark = pytest.mark.client
REFUSED, MISUSED = 1, 64

# Models of the wines of Piedmont (178 real ones, by 13 measurements), each logged in another way.
_STORY = """
import mlflow
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

wines, kinds = load_wine(return_X_y=True, as_frame=True)
client = mlflow.MlflowClient()

def register(rows, columns, optional=(), tags={}, **facts):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[columns], kinds)
    found = infer_signature(rows[columns], model.predict(rows[columns]))
    inputs = [*found.inputs.inputs, *(ColSpec("double", name, required=False) for name in optional)]
    signature = ModelSignature(Schema(inputs), found.outputs)
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, "model", signature=signature, pip_requirements=["numpy"],
                                 **facts)
        mlflow.log_param("columns", len(inputs))
    source = f"runs:/{run.info.run_id}/model"
    return mlflow.register_model(source, "wine", tags=tags).version

every = list(wines.columns)
registered = [
    register(wines, every),
    register(wines * 1.01, every),
    register(wines, every, optional=["vintage"]),
    register(wines, every[1:], tags={"semantic_version": "v1.2.0"}),
    register(wines, every[1:], metadata={"classes": ["barolo", "grignolino", "barbera"]}),
    register(wines, every[1:], metadata={"classes": ["barolo", "grignolino"]}),
]
assert registered in ([1, 2, 3, 4, 5, 6], list("123456")), registered
"""
NUMBERS = ["1.0.0", "1.0.1", "1.1.0", "2.0.0", "2.1.0", "3.0.0"]

_RESOLVING = """
import mlflow
from mlflow.exceptions import MlflowException

client = mlflow.MlflowClient()
for named, number in {"1.0.0": 1, "~1.0": 2, "^1": 3, "v2.0.0": 4, "2": 2}.items():
    ours = mlflow.artifacts.download_artifacts(f"models:/wine/{named}/MLmodel")
    theirs = mlflow.artifacts.download_artifacts(f"models:/wine/{number}/MLmodel")
    assert open(ours).read() == open(theirs).read(), named
    assert int(client.get_model_version("wine", named).version) == number
assert len(mlflow.pyfunc.load_model("models:/wine/~1").metadata.get_input_schema().inputs) == 14
assert mlflow.register_model("models:/wine/~1.0", "copy").version in (1, "1")
for named, said in {"~7": "No versions of model", "9.9.9": "No versions of model",
                    "1.0": "write ~1.0", "1.0.0-rc.1": "pre-release"}.items():
    try:
        mlflow.artifacts.download_artifacts(f"models:/wine/{named}")
    except MlflowException as error:
        assert said in str(error), error
    else:
        raise AssertionError(named)
"""


@pytest.mark.parametrize(
    ("client", "database_url"),
    [
        ("mlflow3", "sqlite"),
        pytest.param("mlflow2", "postgresql", marks=pytest.mark.postgresql),
    ],
    indirect=["database_url"],
)
def test_numbers_follow_from_what_changed_and_are_resolved_everywhere(
    client: str, database_url: str, start_server: StartServer, request: pytest.FixtureRequest
) -> None:
    server = start_server(database_url=database_url)
    mlflow = request.getfixturevalue(client)
    mlflow.run(_STORY, url=server.url, user="ann")
    mlflow.run(_RESOLVING, url=server.url, user="ann")
    listed = _json(server, "versions", "list", "wine")["versions"]
    assert [v["semver"] for v in reversed(listed)] == NUMBERS
    assert [v["claim"] for v in reversed(listed)] == [None, None, None, "v1.2.0", None, None]
    assert [v["tags"] for v in listed] == [{}, {}, {"semantic_version": "v1.2.0"}, {}, {}, {}]
    _check_diffs(server)
    _check_commands(server)
    assert modelkeep("audit", "verify", url=server.url).code == 0


def _json(server: Server, *args: str) -> Any:
    said = modelkeep(*args, "--json", url=server.url, user="bob")
    assert said.code == 0, said
    return said.json


def _check_diffs(server: Server) -> None:
    found = _json(server, "diff", "wine/1", "wine/3")
    assert (found["bump"], found["reasons"]) == (
        "minor",
        [{"bump": "minor", "message": "input 'vintage' is new and optional"}],
    )
    assert found["params"] == [{"name": "columns", "before": "13", "after": "14"}]
    assert "MLmodel" in [file["path"] for file in found["files"]["changed"]]
    assert [fact["name"] for fact in found["facts"]] == ["run", "source"]
    assert _json(server, "diff", "wine/1", "wine/2")["bump"] == "patch"
    assert _json(server, "diff", "wine/5", "wine/6")["reasons"] == [
        {"bump": "major", "message": "class 'barbera' is gone"}
    ]
    told = modelkeep("diff", "wine/2.0.0", url=server.url)
    gone = "input 'alcohol' is gone; input 'vintage' is gone"
    lines = told.out.splitlines()
    assert lines[0] == "wine/3 (1.1.0) -> wine/4 (2.0.0): major"
    assert lines[1] == "  major  input 'alcohol' is gone"
    assert f"wine/4 claims v1.2.0, is at least 2.0.0 because, since 1.1.0, {gone}." in lines
    assert (
        f"claims v1.2.0, is at least 2.0.0 because, since 1.1.0, {gone}"
        in modelkeep("lineage", "wine/4", url=server.url).out
    )


def _check_commands(server: Server) -> None:
    assert "2.0.0 (claims v1.2.0)" in modelkeep("versions", "list", "wine", url=server.url).out
    assert _json(server, "promote", "wine/~1", "--to", "Staging")["version"]["version"] == 3
    assert (
        _json(server, "promote", "wine@latest", "--to", "Staging")["version"]["semver"] == "3.0.0"
    )
    assert _json(server, "artifacts", "list", "wine/^2")["version"] == 5
    compared = _json(server, "compare", "wine", "1.0.0", "~1.0")["versions"]
    assert [version["version"] for version in compared] == [1, 2]
    less = modelkeep("versions", "bump", "wine/5", "--to", "2.0.5", url=server.url)
    assert less.code == REFUSED
    assert "2.0.5 claims too little: this version is at least 2.1.0 because" in less.err
    assert _json(server, "versions", "bump", "wine/latest", "--to", "4.2.0")["semver"] == "4.2.0"
    assert modelkeep("versions", "bump", "wine/6", url=server.url).code == MISUSED
    assert "semver 4.2.0" in modelkeep("history", "wine", url=server.url).out
    assert _json(server, "models", "list")["models"][1]["semver"] == "4.2.0"
