"""Who may end the life of versions, and who may see who loads them; which ways count as a load."""

from typing import Any

import pytest

from modelkeep.services import loads
from tests.support.estate import Estate

API = "/api/v1"
STATE, LOADS = f"{API}/models/churn/versions/1/state", f"{API}/models/churn/loads"
DOWNLOAD = "/api/2.0/mlflow/model-versions/get-download-uri?name=churn&version=1"
BLOCK = {"state": "blocked", "reason": "unsafe"}


def registered(estate: Estate) -> str:
    """A version of one file; the path that its bytes have in MLflow's artifact store."""
    for name, role in (("dan", "deployer"), ("ann", "contributor"), ("vic", "viewer")):
        estate.user(name, f"{role} model:churn")
    estate.call("POST", f"{API}/models", "boss", {"name": "churn"})
    estate.put(f"{API}/uploads/upload-1/files/MLmodel", b"flavors: {}", "boss")
    made = estate.call("POST", f"{API}/models/churn/versions", "boss", {"upload": "upload-1"})
    assert made.status_code == 200, made.text
    uri = estate.call("GET", DOWNLOAD, "boss").json()["artifact_uri"]
    return uri.replace("mlflow-artifacts:", "/api/2.0/mlflow-artifacts/artifacts")


def written(estate: Estate) -> dict[str, int]:
    """Who loaded what, so far: name or address -> how often."""
    estate.running.writer.run(loads.keep, estate.running.app.loads.take())
    found = estate.call("GET", LOADS, "dan").json()
    return {row["name"] or row["address"]: row["loads"] for row in found}


@pytest.mark.parametrize("name", ["ann", "vic"])
def test_only_who_may_deploy_ends_a_version_or_sees_who_loads_it(estate: Estate, name: str) -> None:
    registered(estate)
    assert estate.call("PUT", STATE, name, BLOCK).status_code == 403
    assert estate.call("GET", LOADS, name).status_code == 403
    answer = estate.call("PUT", STATE, "dan", BLOCK)
    assert (answer.json()["state"], answer.json()["ending"]["by"]) == ("blocked", "dan")
    assert estate.call("GET", LOADS, "dan").status_code == 200


def test_a_load_is_to_be_told_where_the_bytes_are_or_to_be_given_them(quick: Estate) -> None:
    where = registered(quick)
    written(quick)
    ways = [
        DOWNLOAD,
        f"{where}/MLmodel",
        where.replace("/artifacts/", "/presigned/") + "/MLmodel",
        "/model-versions/get-artifact?name=churn&version=1&path=MLmodel",
        f"{API}/models/churn/versions/1/content?path=MLmodel",
    ]
    for way in ways:
        before = written(quick).get("vic", 0)
        assert quick.call("GET", way, "vic").status_code == 200
        assert written(quick)["vic"] == before + 1, way
        quick.clock.advance(60_000)
    for way in (
        f"/api/2.0/mlflow-artifacts/artifacts?path={where.partition('/artifacts/')[2]}",
        "/api/2.0/mlflow/model-versions/get?name=churn&version=1",
        f"{API}/models/churn/versions/latest",
        f"{API}/models/churn/versions/1/artifacts",
    ):
        assert quick.call("GET", way, "vic").status_code == 200
    assert written(quick)["vic"] == len(ways)


def test_a_deprecated_version_says_so_wherever_a_client_can_see_it(quick: Estate) -> None:
    where = registered(quick)
    get = "/api/2.0/mlflow/model-versions/get?name=churn&version=1"
    content = f"{API}/models/churn/versions/1/content?path=MLmodel"
    plain = quick.call("GET", get, "vic").json()
    for way in (f"{where}/MLmodel", content):
        assert not {"deprecation", "sunset"} & set(quick.call("GET", way, "vic").headers)
    asked = {"state": "deprecated", "reason": "old data", "blocks": "2027-01-31T00:00:00Z"}
    assert quick.call("PUT", STATE, "dan", asked).status_code == 200
    version = quick.call("GET", get, "vic").json()["model_version"]
    assert version.pop("status_message") == "churn/1 is deprecated: old data."
    assert {**version, "last_updated_timestamp": 0} == {
        **plain["model_version"], "last_updated_timestamp": 0
    }  # fmt: skip
    for way in (f"{where}/MLmodel", content):
        headers = quick.call("GET", way, "vic").headers
        assert headers["deprecation"] == f"@{quick.clock.now_ms() // 1000}"
        assert headers["sunset"] == "Sun, 31 Jan 2027 00:00:00 GMT"


def test_a_blocked_version_is_refused_in_the_words_of_each_dialect(quick: Estate) -> None:
    where = registered(quick)
    quick.call("PUT", STATE, "dan", BLOCK)
    said = "churn/1 is blocked: unsafe."
    for way in (DOWNLOAD, f"{where}/MLmodel"):
        answer = quick.call("GET", way, "vic")
        assert answer.status_code == 403
        assert answer.json() == {"error_code": "PERMISSION_DENIED", "message": said}
    answer = quick.call("GET", f"{API}/models/churn/versions/1/content?path=MLmodel", "vic")
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
        403, "blocked", said,
    )  # fmt: skip
    alias = {"name": "churn", "alias": "champion", "version": "1"}
    answer = quick.call("POST", "/api/2.0/mlflow/registered-models/alias", "boss", alias)
    assert (answer.status_code, said in answer.json()["message"]) == (403, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"state": "gone", "reason": "x"}, "state"),
        ({"state": "blocked"}, "reason"),
        ({"state": "deprecated", "reason": "x", "blocks": "soon"}, "'soon' is not a time"),
        ({"state": "deprecated", "reason": "x", "replacement": 0}, "replacement"),
        ({"state": "blocked", "reason": "x", "force": True}, "force"),
    ],
)
def test_a_call_that_cannot_be_right_is_answered_400(
    quick: Estate, body: dict[str, Any], said: str
) -> None:
    registered(quick)
    answer = quick.call("PUT", STATE, "dan", body)
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text
    latest = STATE.replace("/1/", "/latest/")
    assert quick.call("PUT", latest, "dan", BLOCK).status_code == 400


def test_a_change_of_state_that_is_asked_for_again_happens_once(quick: Estate) -> None:
    registered(quick)
    key = {"idempotency-key": "k-1"}
    first, again = (quick.call("PUT", STATE, "dan", BLOCK, headers=key) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert quick.call("PUT", STATE, "dan", BLOCK).status_code == 200  # it says why anew


def test_whoever_has_no_name_is_told_by_the_address(quick: Estate) -> None:
    registered(quick)
    quick.call("GET", DOWNLOAD, "vic", client="10.1.2.3")
    assert written(quick) == {"boss": 1, "vic": 1}
