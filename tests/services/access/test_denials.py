"""What somebody's grants do not allow is in the journal, and does not fill it."""

import json

from modelkeep.services import history
from tests.support.estate import Estate
from tests.support.sharing import GROUP, statement
from tests.support.signing import Signer, caller

NATIVE, MLFLOW = "/api/v1", "/api/2.0/mlflow"
HOUR_MS = 3_600_000
ON_PROJECT = {"StringEquals": {"aws:ResourceTag/project": "risk"}}


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


def test_who_may_not_change_a_tag_on_which_something_hangs_is_told_of(estate: Estate) -> None:
    estate.user("tom", "admin tag:team=risk", "contributor")
    estate.user("eve", "contributor")
    boss, eve, tom = (caller(estate, name) for name in ("boss", "eve", "tom"))
    for name in ("churn", "fraud"):
        boss("CreateModelPackageGroup", ModelPackageGroupName=name)
    policy = {"Version": "2012-10-17", "Statement": [statement("*", Condition=ON_PROJECT)]}
    given = {"ModelPackageGroupName": "fraud", "ResourcePolicy": json.dumps(policy)}
    boss("PutModelPackageGroupPolicy", **given)

    def tag(who: Signer, group: str, key: str) -> object:
        return who("AddTags", ResourceArn=GROUP + group, Tags=[{"Key": key, "Value": "risk"}])

    assert tag(eve, "churn", "team") == tag(tom, "churn", "team") == "AccessDeniedException"
    once = [("eve", "churn", "admin"), ("tom", "churn", "admin")]
    assert denials(estate) == once
    body = {"name": "churn", "key": "team", "value": "risk"}
    estate.user("ann", "contributor")
    told = estate.call("POST", f"{MLFLOW}/registered-models/set-tag", "ann", body)
    assert told.status_code == 403
    assert tag(eve, "fraud", "project") == "AccessDeniedException"
    assert denials(estate) == [*once, ("ann", "churn", "admin"), ("eve", "fraud", "admin")]
    card = {"ModelCardName": "churn", "Content": "{}", "ModelCardStatus": "Draft"}
    boss("CreateModelCard", **card)
    estate.clock.advance(HOUR_MS)
    arn = GROUP.replace("model-package-group/", "model-card/churn")
    assert eve("AddTags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}]) == (
        "AccessDeniedException"
    )
    assert len(denials(estate)) == 4  # a card is no model, whatever its name
