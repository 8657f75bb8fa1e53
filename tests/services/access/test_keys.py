"""Access keys: who signs is let in as the key's account, and nothing is changed by a replay."""

import hashlib
from typing import Any

import pytest

from modelkeep.domain.credentials import DAY_MS
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.services import accounts, spending
from tests.support.clock import MovedClock
from tests.support.estate import Estate
from tests.support.signing import code, key_of, signed

SEARCH = "/api/2.0/mlflow/registered-models/search"


def lists(estate: Estate, key: dict[str, Any]) -> str:
    call = signed(estate, key, "SageMaker.ListModelPackageGroups")
    return code(estate.call(**call))


def test_a_key_lets_its_account_in_with_its_grants(estate: Estate) -> None:
    estate.user("ann", "contributor")
    estate.user("eve", "viewer")
    ann, eve = key_of(estate, "ann", label="notebook"), key_of(estate, "eve")
    assert (len(ann["id"]), len(ann["secret"])) == (20, 40)
    assert ann["id"].startswith("MK")
    create = "SageMaker.CreateModelPackageGroup"
    wanted = {"ModelPackageGroupName": "churn"}
    denied = estate.call(**signed(estate, eve, create, wanted))
    assert (denied.status_code, code(denied)) == (403, "AccessDeniedException")
    assert code(estate.call(**signed(estate, ann, create, wanted))) == ""
    entries = estate.call("GET", f"{PREFIX}/journal/entries", "boss").json()
    (made,) = [entry for entry in entries if entry["act"] == "model:created"]
    assert (made["texts"]["actor"], made["actor"]["verified"]) == ("ann", True)
    assert lists(estate, eve) == ""


def test_a_key_is_listed_without_its_secret_which_is_kept_nowhere(estate: Estate) -> None:
    estate.user("ann", "contributor")
    key = key_of(estate, "ann", label="notebook")
    (listed,) = estate.call("GET", f"{PREFIX}/accounts/ann/keys", "ann").json()
    assert (listed["id"], listed["label"], "secret" in listed) == (key["id"], "notebook", False)
    assert key["id"] not in estate.call("GET", f"{PREFIX}/accounts/ann/tokens", "ann").text
    entries = estate.call("GET", f"{PREFIX}/journal/entries", "boss").text
    assert key["id"] in entries
    stored = estate.running.reader.run(lambda work: repr(work.accounts.token(key["id"])))
    kept = estate.running.reader.run(lambda work: work.accounts.token(key["id"]).sealed)
    assert all(key["secret"] not in text for text in (entries, stored, kept))
    again = estate.call(
        "POST", f"{PREFIX}/accounts/ann/keys", "ann", {}, headers={"idempotency-key": "k"}
    )
    repeated = estate.call(
        "POST", f"{PREFIX}/accounts/ann/keys", "ann", {}, headers={"idempotency-key": "k"}
    )
    assert repeated.status_code == 409
    assert again.json()["id"] in repeated.text
    assert again.json()["secret"] not in repeated.text


def test_a_key_is_no_good_once_revoked_expired_or_disabled(
    estate: Estate, clock: MovedClock
) -> None:
    estate.user("ann", "contributor")
    one, two, three = (key_of(estate, "ann", days=days) for days in (30, 1, 30))
    assert [lists(estate, key) for key in (one, two, three)] == ["", "", ""]
    gone = estate.call("DELETE", f"{PREFIX}/accounts/ann/keys/{one['id']}", "ann")
    assert gone.status_code == 204
    assert lists(estate, one) == "UnrecognizedClientException"
    clock.advance(DAY_MS)
    assert lists(estate, two) == "UnrecognizedClientException"
    estate.restart()
    assert lists(estate, three) == ""
    estate.write(accounts.disable, "ann")
    assert lists(estate, three) == "UnrecognizedClientException"


def test_a_secret_that_was_given_to_another_key_is_none(quick: Estate) -> None:
    quick.user("ann", "contributor")
    quick.user("eve", "viewer")
    ann, eve = key_of(quick, "ann"), key_of(quick, "eve")

    def exchange(work: Any) -> None:
        sealed = work.accounts.token(eve["id"]).sealed
        work.db.run("UPDATE tokens SET sealed = ? WHERE token_id = ?", sealed, ann["id"])

    quick.running.writer.run(exchange)
    quick.restart()
    assert lists(quick, ann | {"secret": eve["secret"]}) == "UnrecognizedClientException"
    assert lists(quick, eve) == ""


def test_only_an_administrator_makes_the_first_key_of_another_account(quick: Estate) -> None:
    quick.user("ann", "contributor")
    wanted = {"account_number": "123456789012"}
    path = f"{PREFIX}/accounts/ann/keys"
    assert quick.call("POST", path, "ann", wanted).status_code == 403
    assert quick.call("POST", path, "boss", {"account_number": "12345"}).status_code == 400
    theirs, ours = key_of(quick, "ann", "boss", **wanted), key_of(quick, "ann")
    create = "SageMaker.CreateModelPackageGroup"
    made = quick.call(**signed(quick, ours, create, {"ModelPackageGroupName": "ours"}))
    assert ":000000000000:" in made.json()["ModelPackageGroupArn"]
    refused = quick.call(**signed(quick, theirs, create, {"ModelPackageGroupName": "theirs"}))
    assert code(refused) == "AccessDeniedException"
    assert "Account 123456789012 is another than 000000000000" in refused.text
    assert key_of(quick, "ann", **wanted)["account_number"] == "123456789012"
    assert quick.call("POST", path, "ann", {"account_number": "0" * 11 + "1"}).status_code == 403


# -- replays ---------------------------------------------------------------------------------------


def test_a_signature_changes_nothing_more_than_five_seconds_after_it_did(
    estate: Estate, clock: MovedClock
) -> None:
    estate.user("ann", "contributor")
    key = key_of(estate, "ann")
    name = {"ModelPackageGroupName": "churn"}
    create = signed(estate, key, "SageMaker.CreateModelPackageGroup", name)
    delete = signed(estate, key, "SageMaker.DeleteModelPackageGroup", name)
    assert code(estate.call(**create)) == ""
    assert code(estate.call(**create)) == "ValidationException"  # "already exists": it was let in
    assert code(estate.call(**delete)) == ""
    clock.advance(5001)
    replayed = estate.call(**create)
    assert (replayed.status_code, code(replayed)) == (403, "InvalidSignatureException")
    assert "used for a change before" in replayed.text
    estate.restart()
    assert code(estate.call(**create)) == "InvalidSignatureException"
    listing = signed(estate, key, "SageMaker.ListModelPackageGroups")
    for _ in range(2):
        assert estate.call(**listing).json()["ModelPackageGroupSummaryList"] == []
        clock.advance(6000)


def test_a_signature_is_forgotten_when_nobody_would_believe_it(
    estate: Estate, clock: MovedClock
) -> None:
    estate.user("ann", "contributor")
    key = key_of(estate, "ann")
    name = {"ModelPackageGroupName": "churn"}
    create = signed(estate, key, "SageMaker.CreateModelPackageGroup", name)
    assert code(estate.call(**create)) == ""
    clock.advance(15 * 60_000)
    estate.running.writer.run(spending.sweep)
    assert "used for a change before" in estate.call(**create).text
    clock.advance(60_001)
    estate.running.writer.run(spending.sweep)
    assert "expired" in estate.call(**create).text
    assert estate.running.writer.run(lambda work: work.signatures.sweep(clock.now_ms(), 9)) == 0


# -- what is refused -------------------------------------------------------------------------------


def test_nobody_is_let_in_who_signed_something_else(quick: Estate, clock: MovedClock) -> None:
    quick.user("ann", "contributor")
    key, target = key_of(quick, "ann"), "SageMaker.ListModelPackageGroups"
    good = signed(quick, key, target)
    for wrong in (
        good | {"content": b"{ }"},
        signed(quick, key, target, service="events"),
        signed(quick, key | {"secret": "x" * 40}, target),
        signed(quick, key, target, more={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}),
        signed(quick, key, target, more={"X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()}),
    ):
        answer = quick.call(**wrong)
        assert (answer.status_code, code(answer)) == (403, "InvalidSignatureException")
    right = {"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()}
    assert code(quick.call(**signed(quick, key, target, more=right))) == ""
    assert code(quick.call(**good)) == ""
    clock.advance(15 * 60_000 + 1000)
    assert code(quick.call(**good)) == "InvalidSignatureException"


def test_the_way_of_the_signed_lets_nobody_else_through(quick: Estate) -> None:
    quick.user("ann", "contributor")
    header = {"x-amz-target": "SageMaker.ListModelPackageGroups"}
    for by in ("", "ann", "boss"):  # a token is no signature
        answer = quick.call("POST", "/", by, headers=header, content=b"{}")
        assert (answer.status_code, code(answer)) in (
            (403, "MissingAuthenticationTokenException"),
            (400, "IncompleteSignature"),
        )
    unknown = signed(quick, {"id": "MK" + "0" * 18, "secret": "x"}, header["x-amz-target"])
    assert code(quick.call(**unknown)) == "UnrecognizedClientException"


# -- MLflow's own paths, as SageMaker's plugin signs them ------------------------------------------


@pytest.mark.parametrize("service", ["sagemaker-mlflow", "sagemaker"])
def test_mlflows_calls_may_be_signed_too(quick: Estate, clock: MovedClock, service: str) -> None:
    quick.user("ann", "contributor")
    key = key_of(quick, "ann")
    create = "/api/2.0/mlflow/registered-models/create"
    call = signed(quick, key, "", {"name": "churn"}, service, path=create)
    assert quick.call(**call).status_code == 200
    found = quick.call(**signed(quick, key, "", None, service, "GET", SEARCH))
    assert [model["name"] for model in found.json()["registered_models"]] == ["churn"]
    clock.advance(6000)
    for wrong in (
        call,
        signed(quick, key, "", {"name": "x"}, "sts", path=create),
        signed(quick, key | {"secret": "x"}, "", {"name": "x"}, service, path=create),
        signed(quick, key, "", {"name": "x"}, service, path=create) | {"content": b"{}"},
    ):
        refused = quick.call(**wrong)
        assert refused.status_code == 401, refused.text
        assert refused.json()["error_code"] == "UNAUTHENTICATED"
