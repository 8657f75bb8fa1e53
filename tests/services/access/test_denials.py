"""What somebody's grants do not allow is in the journal, and does not fill it."""

from modelkeep.services import history
from tests.support.estate import Estate

NATIVE, MLFLOW = "/api/v1", "/api/2.0/mlflow"
HOUR_MS = 3_600_000


def denials(estate: Estate) -> list[tuple[str, str, str]]:
    told = estate.running.reader.run(history.entries, 0, 1000)
    return [
        (leaf["texts"]["actor"], leaf["obj"]["name"], leaf["post"]["verb"])
        for leaf in told
        if leaf["act"] == "model:access:denied"
    ]


def ask(estate: Estate, by: str, model: str = "churn") -> int:
    body = {"model": model, "version": 1, "stage": "Production"}
    return estate.call("POST", f"{NATIVE}/promotions", by, body).status_code


def test_who_asked_for_what_they_may_not_is_told_once_an_hour(estate: Estate) -> None:
    estate.user("eve", "viewer")
    estate.user("tom", "contributor tag:team=risk", "viewer")
    for name in ("churn", "fraud"):
        body = {"name": name, "tags": [{"key": "team", "value": "growth"}]}
        estate.call("POST", f"{MLFLOW}/registered-models/create", "boss", body)

    assert [ask(estate, by) for by in ("eve", "eve", "tom", "tom")] == [403] * 4
    assert ask(estate, "eve", "fraud") == 403
    assert ask(estate, "eve", "nothing") == 404
    body = {"model": "churn", "version": 1, "stage": "Production", "reason": "fire"}
    assert estate.call("POST", f"{NATIVE}/emergencies", "eve", body).status_code == 403
    # What would only be written, and moves nothing, is not recorded.
    tag = {"name": "churn", "key": "k", "value": "v"}
    told = estate.call("POST", f"{MLFLOW}/registered-models/set-tag", "eve", tag)
    assert told.status_code == 403
    once = [
        ("eve", "churn", "promote"),
        ("tom", "churn", "promote"),  # found out by the model's tags
        ("eve", "fraud", "promote"),
        ("eve", "churn", "admin"),
    ]
    assert denials(estate) == once

    estate.clock.advance(HOUR_MS)
    assert ask(estate, "eve") == 403
    assert denials(estate) == [*once, once[0]]
