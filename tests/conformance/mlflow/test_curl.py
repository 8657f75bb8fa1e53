"""MLflow's REST API as its documentation writes it, with the `curl` that is on every machine.

No client of MLflow takes part: what is sent here is what other languages send.
"""

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.skipif(
    not shutil.which("curl"), reason="These tests call the server with curl, which is not here."
)

JSON = ("-H", "Content-Type: application/json")


class Curl:
    """`curl` against one server."""

    def __init__(self, server: Server) -> None:
        self._url = server.url

    def raw(self, path: str, *args: str) -> tuple[int, str, str]:
        """(status, headers, body) of a call."""
        done = subprocess.run(
            ["curl", "-sS", "-i", "--noproxy", "*", "-m", "30", *args, self._url + path],
            check=True,
            capture_output=True,
            text=True,
        )
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        return int(head.split()[1]), head.lower(), body

    def __call__(self, method: str, path: str, data: object = None, *args: str) -> Any:
        """What a call answers, which must be 200; `data` is the JSON body."""
        status, _, body = self.raw(f"/api/2.0/mlflow/{path}", *_as_args(method, data), *args)
        assert status == 200, body
        return json.loads(body)

    def refusal(self, method: str, path: str, data: object = None, *args: str) -> tuple[int, str]:
        """(status, code) of a call that is refused."""
        status, _, body = self.raw(f"/api/2.0/mlflow/{path}", *_as_args(method, data), *args)
        return status, json.loads(body)["error_code"]


def _as_args(method: str, data: object) -> tuple[str, ...]:
    if data is None:
        return ("-X", method)
    return ("-X", method, *JSON, "-d", json.dumps(data))


@pytest.fixture
def curl(server: Server) -> Curl:
    return Curl(server)


def test_models_and_versions_are_made_read_changed_and_deleted(curl: Curl) -> None:
    tags = [{"key": "team", "value": "a"}, {"key": "team", "value": "b"}]
    made = curl("POST", "registered-models/create", {"name": "churn", "tags": tags})
    assert made["registered_model"]["tags"] == [{"key": "team", "value": "b"}]  # the last counts
    assert curl.refusal("POST", "registered-models/create", {"name": "churn"}) == (
        400,
        "RESOURCE_ALREADY_EXISTS",
    )
    curl("PATCH", "registered-models/update", {"name": "churn", "description": "who leaves"})
    curl("POST", "registered-models/rename", {"name": "churn", "new_name": "leavers"})
    model = curl("GET", "registered-models/get?name=leavers")["registered_model"]
    assert (model["name"], model["description"]) == ("leavers", "who leaves")
    for number in ("1", "2"):
        of = {"name": "leavers", "source": f"s3://bucket/{number}", "run_id": "abc"}
        assert curl("POST", "model-versions/create", of)["model_version"]["version"] == number
    which = {"name": "leavers", "version": "2"}
    curl("PATCH", "model-versions/update", {**which, "description": "better"})
    curl("POST", "model-versions/set-tag", {**which, "key": "k", "value": ""})
    curl("POST", "registered-models/set-tag", {"name": "leavers", "key": "k", "value": "v"})
    moved = curl(
        "POST",
        "model-versions/transition-stage",
        {**which, "stage": "production", "archive_existing_versions": True},
    )
    assert moved["model_version"]["current_stage"] == "Production"
    version = curl("GET", "model-versions/get?name=leavers&version=2")["model_version"]
    assert (version["description"], version["tags"]) == ("better", [{"key": "k", "value": ""}])
    assert isinstance(version["creation_timestamp"], int)
    where = curl("GET", "model-versions/get-download-uri?name=leavers&version=2")
    assert where == {"artifact_uri": "s3://bucket/2"}
    # DELETE carries its parameters in a body.
    curl("DELETE", "model-versions/delete-tag", {**which, "key": "k"})
    curl("DELETE", "registered-models/delete-tag", {"name": "leavers", "key": "k"})
    curl("DELETE", "model-versions/delete", which)
    assert curl.refusal("GET", "model-versions/get?name=leavers&version=2") == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    again = curl("POST", "model-versions/create", {"name": "leavers", "source": "s3://bucket/3"})
    assert again["model_version"]["version"] == "3"  # a number is never used twice
    curl("DELETE", "registered-models/delete", {"name": "leavers"})
    assert curl("GET", "registered-models/search") == {}


def test_aliases_are_set_read_and_deleted(curl: Curl) -> None:
    curl("POST", "registered-models/create", {"name": "m"})
    for _ in range(2):
        curl("POST", "model-versions/create", {"name": "m", "source": "s3://b/x"})
    curl("POST", "registered-models/alias", {"name": "m", "alias": "best", "version": "1"})
    read = "registered-models/alias?name=m&alias="
    assert curl("GET", read + "best")["model_version"]["aliases"] == ["best"]
    assert curl("GET", read + "latest")["model_version"]["version"] == "2"
    curl("DELETE", "registered-models/alias", {"name": "m", "alias": "best"})
    curl("DELETE", "registered-models/alias", {"name": "m", "alias": "best"})  # gone already
    bad = (400, "INVALID_PARAMETER_VALUE")
    assert curl.refusal("GET", read + "best") == bad
    assert curl.refusal("GET", read + "no%20alias") == bad
    assert curl.refusal("GET", "registered-models/alias?name=none&alias=best")[0] == 404
    for alias in ("latest", "v1", "a b", "\uff41", "\u0441hampion"):
        given = {"name": "m", "alias": alias, "version": "1"}
        assert curl.refusal("POST", "registered-models/alias", given) == bad, alias


def test_searches_take_repeated_keys_and_pages(curl: Curl) -> None:
    for name in ("a", "b", "c"):
        curl("POST", "registered-models/create", {"name": name})
    query = ("-G", "-d", "max_results=2", "-d", "order_by=name%20DESC")
    page = curl("GET", "registered-models/search", None, *query)
    assert [model["name"] for model in page["registered_models"]] == ["c", "b"]
    rest = curl(
        "GET",
        "registered-models/search",
        None,
        *query,
        "--data-urlencode",
        f"page_token={page['next_page_token']}",
    )
    assert [model["name"] for model in rest["registered_models"]] == ["a"]
    assert "next_page_token" not in rest
    both = ("-G", "--data-urlencode", "order_by=timestamp ASC", "--data-urlencode")
    found = curl("GET", "registered-models/search", None, *both, "order_by=name DESC")
    assert len(found["registered_models"]) == 3
    twice = curl.refusal("GET", "registered-models/search", None, *both, "order_by=timestamp")
    assert twice == (400, "INVALID_PARAMETER_VALUE")
    stages = ("-G", "-d", "name=a", "-d", "stages=None", "-d", "stages=Production")
    assert curl("GET", "registered-models/get-latest-versions", None, *stages) == {}
    asked = {"name": "a", "stages": ["None", "Production"]}
    assert curl("POST", "registered-models/get-latest-versions", asked) == {}


def test_a_get_may_carry_its_parameters_in_a_body(curl: Curl) -> None:
    curl("POST", "registered-models/create", {"name": "m"})
    found = curl("GET", "registered-models/get", {"name": "m"})
    assert found["registered_model"]["name"] == "m"
    found = curl("GET", "registered-models/search", {"max_results": 1, "filter": "name = 'x'"})
    assert found == {}
    other = ("-X", "GET", "-H", "Content-Type: text/plain", "-d", "not JSON")
    assert curl.raw("/api/2.0/mlflow/registered-models/search", *other)[0] == 200  # is not read
    # Where there is a query, it is what counts.
    found = curl("GET", "registered-models/get?name=m", {"name": "other"})
    assert found["registered_model"]["name"] == "m"


def test_numbers_keep_all_their_digits(curl: Curl) -> None:
    made = curl("POST", "runs/create", {"experiment_id": "0", "start_time": str(2**53 + 1)})
    run = made["run"]["info"]
    assert run["start_time"] == 2**53 + 1  # a number, though it was sent as a text
    point = {"run_id": run["run_id"], "key": "m", "step": 2**62 + 1, "timestamp": 2**53 + 1}
    curl("POST", "runs/log-metric", {**point, "value": "NaN"})
    curl("POST", "runs/log-metric", {**point, "key": "up", "value": "Infinity"})
    logged = curl("GET", f"runs/get?run_id={run['run_id']}")["run"]["data"]["metrics"]
    by_key = {metric["key"]: metric for metric in logged}
    assert (by_key["m"]["value"], by_key["m"]["step"]) == ("NaN", 2**62 + 1)
    assert by_key["up"]["value"] == 1.7976931348623157e308


def test_a_body_of_another_type_is_refused(curl: Curl) -> None:
    path = "/api/2.0/mlflow/registered-models/create"
    for header in ("Content-Type: text/plain", "Content-Type:", "Content-Type: text/html"):
        status, _, body = curl.raw(path, "-H", header, "-d", '{"name": "m"}')
        assert status == 400
        assert "Content-Type must be one of ['application/json']" in json.loads(body)["message"]
    # curl's own type for -d, which a page could send too
    assert curl.raw(path, "-d", '{"name": "m"}')[0] == 400
    charset = ("-H", "Content-Type: application/json; charset=utf-8")
    assert curl.raw(path, *charset, "-d", '{"name": "m"}')[0] == 200


def test_what_a_path_takes_can_be_asked(curl: Curl) -> None:
    curl("POST", "registered-models/create", {"name": "m"})
    get = "/api/2.0/mlflow/registered-models/get"
    status, head, body = curl.raw(get, "-X", "OPTIONS")
    assert (status, json.loads(body)) == (200, {})
    assert "\nallow: get" in head
    assert "access-control" not in head  # which would let other pages in
    status, head, body = curl.raw(f"{get}?name=m", "-I")
    assert (status, body) == (200, "")
    assert "content-type: application/json" in head
    assert curl.raw(f"{get}?name=none", "-I")[0] == 404
    status, head, body = curl.raw(get, "-X", "PUT", *JSON, "-d", "{}")
    assert (status, json.loads(body)["error_code"]) == (405, "BAD_REQUEST")
    assert "\nallow: get" in head


def test_an_unknown_path_is_told_so_as_everything_else(curl: Curl) -> None:
    for path in ("/api/2.0/mlflow/registered-models/list", "/api/2.0/mlflow", "/api/9.9/mlflow/x"):
        status, head, body = curl.raw(path)
        assert (status, json.loads(body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
        assert "content-type: application/json" in head
