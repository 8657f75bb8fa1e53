"""Semantic versions of real models, as stock clients, the command line and the API see them."""

from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep
from tests.support.office import NATIVE as API
from tests.support.server import Server

pytestmark = pytest.mark.client
REFUSED, MISUSED = 1, 64

# Models of the wines of Piedmont (178 real ones, by 13 measurements), each logged in another way.
_STORY = """
import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

wines, kinds = load_wine(return_X_y=True, as_frame=True)
client = mlflow.MlflowClient()

def register(rows, columns, optional=(), tags={}, classes=list("abc")):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[columns], kinds)
    found = infer_signature(rows[columns], model.predict(rows[columns]))
    inputs = [*found.inputs.inputs, *(ColSpec("double", name, required=False) for name in optional)]
    signature = ModelSignature(Schema(inputs), found.outputs)
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, "model", signature=signature, pip_requirements=["numpy"],
                                 metadata={"classes": classes})
        mlflow.log_param("columns", len(inputs))
    source = f"runs:/{run.info.run_id}/model"
    return mlflow.register_model(source, "wine", tags=tags).version

every = list(wines.columns)
registered = [
    register(wines, every),
    register(wines * 1.01, every),
    register(wines, every, optional=["vintage"]),
    register(wines, every[1:], tags={"semantic_version": "v1.2.0"}),
    register(wines, every[1:], classes=list("abcd")),
]
assert registered in ([1, 2, 3, 4, 5], list("12345")), registered

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
try:
    client.get_model_version("wine", "1.0")
except MlflowException as error:
    assert "must be an integer, got '1.0'" in str(error)
else:
    raise AssertionError("1.0")
"""
NUMBERS = ["1.0.0", "1.0.1", "1.1.0", "2.0.0", "2.1.0"]


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
    with httpx.Client(base_url=f"{server.url}{API}", trust_env=False) as api:
        _check_api(api)
    _check_commands(server)
    assert modelkeep("audit", "verify", url=server.url).code == 0


def _check_api(api: httpx.Client) -> None:
    def asked(path: str, **params: str | list[str]) -> Any:
        answer = api.get(f"/models/wine{path}", params=params)
        assert answer.is_success, answer.text
        return answer.json()

    listed = asked("/versions")["versions"]
    assert [v["semver"] for v in reversed(listed)] == NUMBERS
    assert [v["claim"] for v in reversed(listed)] == [None, None, None, "v1.2.0", None]
    assert [v["tags"] for v in listed] == [{}, {"semantic_version": "v1.2.0"}, {}, {}, {}]
    found = asked("/versions/~1.1/diff", **{"with": "1"})
    new = {"bump": "minor", "message": "input 'vintage' is new and optional"}
    assert (found["bump"], found["reasons"]) == ("minor", [new])
    assert found["params"] == [{"name": "columns", "before": "13", "after": "14"}]
    assert "MLmodel" in [file["path"] for file in found["files"]["changed"]]
    assert [fact["name"] for fact in found["facts"]] == ["run", "source"]
    retrained = asked("/versions/2/diff")
    assert (retrained["before"]["version"], retrained["bump"], retrained["reasons"]) == (
        1,
        "patch",
        [],
    )
    classes = asked("/versions/latest/diff", **{"with": "v2.0.0"})
    assert classes["reasons"] == [{"bump": "minor", "message": "class 'd' is new"}]
    back = asked("/versions/4/diff", **{"with": "5"})
    assert back["reasons"] == [{"bump": "major", "message": "class 'd' is gone"}]
    assert asked("/versions/^2/artifacts")["version"] == 5
    compared = asked("/comparison", version=["1.0.0", "~1.0"])["versions"]
    assert [version["version"] for version in compared] == [1, 2]


def _check_commands(server: Server) -> None:
    gone = "input 'alcohol' is gone; input 'vintage' is gone"
    why = f"claims v1.2.0, is at least 2.0.0 because, since 1.1.0, {gone}"
    told = _said(server, "diff", "wine/2.0.0").out.splitlines()
    assert told[:2] == [
        "wine/3 (1.1.0) -> wine/4 (2.0.0): major",
        "  major  input 'alcohol' is gone",
    ]
    assert f"wine/4 {why}." in told
    assert _said(server, "diff", "wine/1", "wine/2", "--json").json["bump"] == "patch"
    assert f"2.0.0; {why}" in _said(server, "lineage", "wine/4").out
    assert "2.0.0 (claims v1.2.0)" in _said(server, "versions", "list", "wine").out
    moved = _said(server, "promote", "wine/~1", "--to", "Staging", "--json").json["version"]
    assert (moved["version"], moved["semver"], moved["stage"]) == (3, "1.1.0", "Staging")
    less = _said(server, "versions", "bump", "wine/5", "--to", "2.0.5", code=MISUSED)
    assert "2.0.5 claims too little: this version is at least 2.1.0 because" in less.err
    assert "is 4.2.0" in _said(server, "versions", "bump", "wine@latest", "--to", "4.2.0").out
    _said(server, "versions", "bump", "wine/5", code=MISUSED)
    assert "semver 4.2.0" in _said(server, "history", "wine").out


def _said(server: Server, *args: str, code: int = 0) -> Outcome:
    said = modelkeep(*args, url=server.url, user="bob")
    assert said.code == code, said
    return said
