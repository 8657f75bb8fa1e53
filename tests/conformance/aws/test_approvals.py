"""Verdicts with stock clients: votes, what they come to, and the approval that is shown."""

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.cli import modelkeep
from tests.support.clients import Client
from tests.support.refusals import refused
from tests.support.server import Server

POLICY = """
model_registry:
  lifecycles:
    - name: guarded
      models: ["guarded-*"]
      stage_transitions:
        None -> Staging: {required_tags: [tested]}
        None -> Production: {required_tags: [tested], approval_required: true}
        Archived -> Production: {required_tags: [tested], approval_required: true}
    - name: two
      models: ["two-*"]
      stage_transitions:
        None -> Production: {approvals: 2}
        Production -> Staging: {}
    - name: returns
      models: ["returns-*"]
      stage_transitions:
        None -> Production: {approval_required: true}
        Production -> Archived: {approvals: 2}
      rollback: {approvals: 2}
    - name: safe
      models: ["safe-*"]
      stage_transitions:
        None -> Production: {approval_required: true}
      rollback: {required_tags: [safe_to_return]}
    - name: checked
      models: ["checked-*"]
      stage_transitions:
        None -> Production: {required_tags: [tested]}
        Archived -> Production: {required_tags: [tested]}
    - name: reasoned
      models: ["reasoned-*"]
      stage_transitions:
        None -> Production: {approvals: 2, reason_required: true}
        Production -> Archived: {reason_required: true}
"""
TESTED = {"tested": "yes"}
WHY = {"ApprovalDescription": "it drifts"}
PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
RUNS = {"Containers": [{"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}]}
_numbers = count()

Make = Callable[..., str]


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def ruled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with the policy, on either database."""
    url, folder = "", tmp_path_factory.mktemp("ruled")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database()
    server = Server(folder / "data", database_url=url)
    server.start()
    apply(server, POLICY)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def people(ruled: Server) -> Callable[[str], Any]:
    """The client of a person."""
    aws = Aws(ruled.url)
    return lambda name: aws.client("sagemaker", name)


@pytest.fixture
def ann(people: Callable[[str], Any]) -> Any:
    return people("ann")


@pytest.fixture
def bob(people: Callable[[str], Any]) -> Any:
    return people("bob")


@pytest.fixture
def eve(people: Callable[[str], Any]) -> Any:
    return people("eve")


def apply(server: Server, policy: str) -> None:
    body = {"source": policy}
    url = f"{server.url}/api/v1/policy"
    httpx.post(url, json=body, trust_env=False, auth=("boss", "")).raise_for_status()


def group(ann: Any, kind: str) -> str:
    name = f"{kind}-{next(_numbers)}"
    ann.create_model_package_group(ModelPackageGroupName=name)
    return name


def register(ann: Any, name: str, **params: Any) -> str:
    params = {"CustomerMetadataProperties": TESTED, **params}
    return ann.create_model_package(ModelPackageGroupName=name, **params)["ModelPackageArn"]


def say(client: Any, arn: str, status: str, **params: Any) -> None:
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **params)


def unsaid(client: Any, arn: str, status: str, **params: Any) -> str:
    """Why a verdict is refused: always in the same words for a client, which may try again."""
    call = client.update_model_package
    code, message = refused(call, ModelPackageArn=arn, ModelApprovalStatus=status, **params)
    assert code == "ConflictException", message
    return message


def status(client: Any, *arns: str) -> list[str]:
    found = [client.describe_model_package(ModelPackageName=arn) for arn in arns]
    return [package["ModelApprovalStatus"] for package in found]


def stage(client: Any, arn: str) -> str:
    found = client.describe_model_package(ModelPackageName=arn)
    return found.get("ModelLifeCycle", {}).get("Stage", "None")


def history(server: Server, model: str) -> list[tuple[str, str]]:
    url = f"{server.url}/api/v1/models/{model}/history?limit=1000"
    entries = httpx.get(url, trust_env=False).json()
    return [(entry["act"], entry["texts"]["actor"]) for entry in reversed(entries)]


def texts(server: Server, model: str) -> list[Any]:
    url = f"{server.url}/api/v1/models/{model}/history?limit=1000"
    return [entry["texts"] for entry in httpx.get(url, trust_env=False).json()]


def stages(server: Server, model: str) -> dict[str, str]:
    """As MLflow's clients are told."""
    url = f"{server.url}/api/2.0/mlflow/model-versions/search"
    found = httpx.get(url, params={"filter": f"name = '{model}'"}, trust_env=False)
    return {v["version"]: v["current_stage"] for v in found.json()["model_versions"]}


# -- where nothing guards production -------------------------------------------------------------


def test_without_a_guard_whoever_says_so_approves(ann: Any) -> None:
    name = group(ann, "free")
    first, second = register(ann, name), register(ann, name, ModelApprovalStatus=APPROVED)
    assert status(ann, first, second) == [PENDING, APPROVED]
    say(ann, first, APPROVED, ApprovalDescription="good")
    assert status(ann, first, second) == [APPROVED, APPROVED]
    found = ann.describe_model_package(ModelPackageName=first)
    assert (found["ApprovalDescription"], stage(ann, first)) == ("good", "Production")


def test_a_rejected_version_leaves_production_and_may_come_back(ann: Any) -> None:
    name = group(ann, "free")
    first, second = (register(ann, name, ModelApprovalStatus=APPROVED) for _ in range(2))
    say(ann, second, REJECTED, ApprovalDescription="it drifts")
    assert (status(ann, first, second), stage(ann, second)) == ([APPROVED, REJECTED], "Archived")
    say(ann, second, APPROVED)
    assert (status(ann, second), stage(ann, second)) == ([APPROVED], "Production")
    say(ann, second, PENDING)
    assert (status(ann, second), stage(ann, second)) == ([PENDING], "None")


def test_a_verdict_is_taken_back(ann: Any) -> None:
    arn = register(ann, group(ann, "free"), ModelApprovalStatus=REJECTED)
    assert status(ann, arn) == [REJECTED]
    say(ann, arn, PENDING)
    assert status(ann, arn) == [PENDING]
    say(ann, arn, PENDING)
    assert status(ann, arn) == [PENDING]


# -- where something does ------------------------------------------------------------------------


def test_one_vote_that_suffices_approves(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    arn = register(ann, name)
    say(bob, arn, APPROVED, ApprovalDescription="good")
    assert (status(ann, arn), stage(ann, arn)) == ([APPROVED], "Production")
    told = history(ruled, name)
    assert ("approval:request:opened", "sagemaker") in told
    assert told[-3:-1] == [("approval:vote:cast", "bob"), ("version:stage:changed", "bob")]


def test_a_vote_that_is_not_enough_is_kept_and_says_what_is_missing(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    arn = register(ann, group(ann, "two"))
    said = {"CustomerMetadataProperties": {"more": "1"}, "ApprovalDescription": "I like it"}
    message = unsaid(bob, arn, APPROVED, **said)
    written = len(history(ruled, arn.split("/")[1]))
    for again in (said, {}):  # as a client does that lost the answer
        assert unsaid(bob, arn, APPROVED, **again) == message
    assert len(history(ruled, arn.split("/")[1])) == written
    name = arn.partition("/")[2]
    assert f"Your vote for {name} to enter Production is kept" in message
    assert "waits for the approval of someone other than ann, bob who gives a name" in message
    (number,) = re.findall(r"on request (\d+)", message)
    asked = httpx.get(f"{ruled.url}/api/v1/requests/{number}", trust_env=False).json()
    assert [one["name"] for one in asked["barred"]] == ["ann"]  # and not in whose name it is asked
    found = ann.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], "ApprovalDescription" in found) == (PENDING, False)
    assert found["CustomerMetadataProperties"] == TESTED  # nothing but the vote has happened
    assert "ModelApprovalStatus Rejected, of you or somebody else" in unsaid(bob, arn, PENDING)
    say(eve, arn, APPROVED, **said)
    found = ann.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == (APPROVED, "I like it")
    assert found["CustomerMetadataProperties"] == {**TESTED, "more": "1"}


def test_the_authors_vote_is_denied_and_recorded(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    arn = register(ann, name)
    message = unsaid(ann, arn, APPROVED, CustomerMetadataProperties={"more": "1"})
    assert "ann is an author of this version" in message
    assert ("approval:vote:denied", "ann") in history(ruled, name)
    found = ann.describe_model_package(ModelPackageName=arn)
    told = (found["ModelApprovalStatus"], found["CustomerMetadataProperties"])
    assert told == (PENDING, TESTED)
    say(bob, arn, APPROVED)
    assert status(ann, arn) == [APPROVED]


def test_who_gave_a_verdict_before_is_no_author_and_who_said_what_runs_is(
    ann: Any, bob: Any, eve: Any
) -> None:
    arn = register(ann, group(ann, "guarded"))
    say(bob, arn, REJECTED, ApprovalDescription="not yet")
    eve.update_model_package(ModelPackageArn=arn, InferenceSpecification=RUNS)
    assert "eve attached its document" in unsaid(eve, arn, APPROVED)
    say(bob, arn, APPROVED)
    assert status(ann, arn) == [APPROVED]


def test_nobody_votes_on_one_thing_and_gets_another(ann: Any, bob: Any, eve: Any) -> None:
    arn = register(ann, group(ann, "two"), InferenceSpecification=RUNS)
    other = {"Containers": [{"Image": "image:2", "ModelDataUrl": "s3://bucket/other.tar.gz"}]}
    change = {"ModelPackageArn": arn, "InferenceSpecification": other}
    unsaid(bob, arn, APPROVED)
    assert refused(ann.update_model_package, **change)[0] == "ConflictException"
    say(eve, arn, APPROVED)
    assert refused(ann.update_model_package, **change)[0] == "ConflictException"
    found = ann.describe_model_package(ModelPackageName=arn)
    assert found["InferenceSpecification"] == RUNS


def test_what_a_package_runs_already_is_no_change(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    arn = register(ann, name, InferenceSpecification=RUNS)
    say(bob, arn, APPROVED)
    written = len(history(ruled, name))
    for client in (ann, bob):
        client.update_model_package(ModelPackageArn=arn, InferenceSpecification=RUNS)
    assert len(history(ruled, name)) == written
    say(bob, arn, APPROVED, InferenceSpecification=RUNS)
    assert status(ann, arn) == [APPROVED]


@pytest.mark.parametrize("kind", ["guarded", "two"])
def test_registering_as_approved_is_refused_whole(ann: Any, ruled: Server, kind: str) -> None:
    name = group(ann, kind)
    before = history(ruled, name)
    params = {"CustomerMetadataProperties": TESTED, "ModelApprovalStatus": APPROVED}
    call = ann.create_model_package
    code, message = refused(call, ModelPackageGroupName=name, **params)
    assert (code, "register it without" in message) == ("ValidationException", True)
    assert "1" not in message.replace(name, "")  # neither the version nor a request: there is none
    assert ann.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"] == []
    assert history(ruled, name) == before


def test_gates_without_votes_decide_at_once_and_in_the_callers_name(
    ann: Any, ruled: Server
) -> None:
    name = group(ann, "checked")
    arn = register(ann, name, CustomerMetadataProperties={"other": "1"})
    assert "tested" in unsaid(ann, arn, APPROVED)
    ann.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties=TESTED)
    say(ann, arn, APPROVED)
    assert status(ann, arn) == [APPROVED]
    assert ("version:stage:changed", "ann") in history(ruled, name)


def test_a_rejection_is_a_vote_against(ann: Any, bob: Any, eve: Any, ruled: Server) -> None:
    name = group(ann, "two")
    arn = register(ann, name)
    unsaid(bob, arn, APPROVED)
    say(eve, arn, REJECTED, ApprovalDescription="biased")
    assert status(ann, arn) == [REJECTED]
    assert ("approval:vote:cast", "eve") in history(ruled, name)
    unsaid(bob, arn, APPROVED)
    say(eve, arn, APPROVED)
    assert status(ann, arn) == [APPROVED]


def test_who_voted_for_may_reject_and_then_that_counts_alone(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    name = group(ann, "two")
    arn = register(ann, name)
    unsaid(bob, arn, APPROVED)
    say(bob, arn, REJECTED, ApprovalDescription="changed my mind")
    found = ann.describe_model_package(ModelPackageName=arn)
    told = (found["ModelApprovalStatus"], found["ApprovalDescription"])
    assert told == (REJECTED, "changed my mind")
    turned = httpx.get(f"{ruled.url}/api/v1/models/{name}/history", trust_env=False).json()
    (cast,) = [one for one in turned if one["act"] == "approval:vote:cast" and one["pre"]]
    assert cast["pre"] == {"vote": {"place": 0, "verdict": "approve"}}
    assert (cast["post"]["verdict"], cast["texts"]["comment"]) == ("reject", "changed my mind")
    assert "is kept" in unsaid(eve, arn, APPROVED)  # hers alone: it has to be asked for anew
    assert (status(ann, arn), stage(ann, arn)) == ([REJECTED], "None")
    say(bob, arn, APPROVED)
    assert stage(ann, arn) == "Production"
    verified = modelkeep("audit", "verify", url=ruled.url)
    assert verified.code == 0, verified.out + verified.err


def test_rejecting_what_is_in_production_rolls_it_back(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    first, second = register(ann, name), register(ann, name)
    say(bob, first, APPROVED)
    say(bob, second, APPROVED)
    assert (status(ann, first, second), stage(ann, first)) == ([APPROVED, APPROVED], "Archived")
    say(bob, second, REJECTED, ApprovalDescription="it drifts")
    assert status(ann, first, second) == [APPROVED, REJECTED]
    assert (stage(ann, first), stage(ann, second)) == ("Production", "Archived")
    assert ("version:stage:rolled-back", "bob") in history(ruled, name)


@pytest.mark.parametrize("has_prior", [True, False])
def test_a_rejection_that_must_wait_is_voted_for_by_rejecting(
    people: Callable[[str], Any], ann: Any, bob: Any, eve: Any, ruled: Server, has_prior: bool
) -> None:
    name = group(ann, "returns")
    arns = [register(ann, name) for _ in range(1 + has_prior)]
    for arn in arns:
        say(bob, arn, APPROVED)
    current = arns[-1]
    assert "waits to enter" in unsaid(bob, current, REJECTED, ApprovalDescription="it drifts")
    assert "waits to enter" in unsaid(bob, current, REJECTED, ApprovalDescription="it drifts")
    assert "ann is an author" in unsaid(ann, current, REJECTED)
    assert status(ann, *arns) == [APPROVED] * len(arns)
    for _ in range(2):  # whoever says it twice says it once
        unsaid(eve, current, REJECTED)
    assert stage(ann, current) == "Production"
    say(people("dee"), current, REJECTED, ApprovalDescription="so it does")
    assert (status(ann, current), stage(ann, current)) == ([REJECTED], "Archived")
    assert stage(ann, arns[0]) == ("Production" if has_prior else "Archived")
    votes = [who for act, who in history(ruled, name) if act == "approval:vote:cast"]
    assert votes[-2:] == ["eve", "dee"]


def test_a_rollback_that_its_gates_refuse_leaves_what_is_rejected_where_it_is(
    ann: Any, bob: Any
) -> None:
    name = group(ann, "safe")
    first, second = register(ann, name), register(ann, name)
    for arn in (first, second):
        say(bob, arn, APPROVED)
    assert "safe_to_return" in unsaid(bob, second, REJECTED, **WHY)
    assert (status(ann, second), stage(ann, second)) == ([APPROVED], "Production")
    ann.update_model_package(
        ModelPackageArn=first, CustomerMetadataProperties={"safe_to_return": "yes"}
    )
    say(bob, second, REJECTED, **WHY)
    assert (stage(ann, first), stage(ann, second)) == ("Production", "Archived")


def test_the_first_in_production_is_archived_where_the_lifecycle_lets_it_go(
    ann: Any, bob: Any, eve: Any
) -> None:
    lets, keeps = register(ann, group(ann, "guarded")), register(ann, group(ann, "two"))
    say(bob, lets, APPROVED)
    say(bob, lets, REJECTED)
    assert (status(ann, lets), stage(ann, lets)) == ([REJECTED], "Archived")
    unsaid(bob, keeps, APPROVED)
    say(eve, keeps, APPROVED)
    message = unsaid(bob, keeps, REJECTED)
    assert "does not list the transition Production -> Archived" in message
    assert (status(ann, keeps), stage(ann, keeps)) == ([APPROVED], "Production")


def test_no_reason_is_made_up_where_one_is_required(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    name = group(ann, "guarded")
    first, second = register(ann, name), register(ann, name)
    for arn in (first, second):
        say(bob, arn, APPROVED)
    update = {"ModelPackageArn": second, "ModelApprovalStatus": REJECTED}
    for blank in ({}, {"ApprovalDescription": " "}):
        code, message = refused(bob.update_model_package, **update, **blank)
        assert (code, "give it as ApprovalDescription" in message) == ("ValidationException", True)
    assert stage(ann, second) == "Production"

    arn = register(ann, group(ann, "reasoned"))
    unsaid(bob, arn, APPROVED, **WHY)
    say(eve, arn, APPROVED)
    assert "The reason is given as ApprovalDescription" in unsaid(bob, arn, REJECTED)
    assert stage(ann, arn) == "Production"
    say(bob, arn, REJECTED, **WHY)
    assert stage(ann, arn) == "Archived"
    model = arn.split("/")[1]
    assert "Rejected through SageMaker." not in str(texts(ruled, model))


def test_a_vote_while_another_gate_fails_is_not_kept_and_says_so(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    name = group(ann, "reasoned")
    arn = register(ann, name)
    message = unsaid(bob, arn, APPROVED)
    assert "Your vote was not kept" in message
    assert "The reason is given as ApprovalDescription" in message
    assert "2 people other than ann who" in message  # and not the voter, who may
    assert ("version:stage:refused", "bob") in history(ruled, name)
    assert "waits for the approval of someone" in unsaid(bob, arn, APPROVED, **WHY)
    say(eve, arn, APPROVED)
    assert stage(ann, arn) == "Production"


def test_a_vote_that_was_not_kept_lets_in_nothing_that_was_mended_after_it(
    ann: Any, bob: Any, ruled: Server
) -> None:
    """Nor does it hold anything fast meanwhile."""
    name = group(ann, "guarded")
    arn = register(ann, name, CustomerMetadataProperties={"other": "x"})
    message = unsaid(bob, arn, APPROVED, **WHY)
    assert "tested" in message
    assert "Your vote was not kept: give it then." in message
    for mended in ({"InferenceSpecification": RUNS}, {"CustomerMetadataProperties": TESTED}):
        ann.update_model_package(ModelPackageArn=arn, **mended)
        assert (status(ann, arn), stage(ann, arn)) == ([PENDING], "None")
    assert "ann is an author" in unsaid(ann, arn, APPROVED, **WHY)
    assert (status(ann, arn), stage(ann, arn)) == ([PENDING], "None")
    assert not [act for act, _ in history(ruled, name) if act == "approval:vote:cast"]
    say(bob, arn, APPROVED, **WHY)
    assert (status(ann, arn), stage(ann, arn)) == ([APPROVED], "Production")


def test_a_verdict_has_its_own_description_or_none(ann: Any) -> None:
    arn = register(ann, group(ann, "free"))
    say(ann, arn, REJECTED, ApprovalDescription="no")
    say(ann, arn, APPROVED)
    assert "ApprovalDescription" not in ann.describe_model_package(ModelPackageName=arn)
    say(ann, arn, REJECTED, ApprovalDescription="no, after all")
    found = ann.describe_model_package(ModelPackageName=arn)
    assert found["ApprovalDescription"] == "no, after all"
    assert found["ModelLifeCycle"] == {"Stage": "Archived", "StageStatus": "Rejected"}


def test_a_verdict_that_is_given_again_has_the_new_description(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    """By who gave it alone."""
    name = group(ann, "guarded")
    arn = register(ann, name)

    def told(verdict: str, why: str | None) -> None:
        found = ann.describe_model_package(ModelPackageName=arn)
        assert (found["ModelApprovalStatus"], found.get("ApprovalDescription")) == (verdict, why)

    say(bob, arn, REJECTED, ApprovalDescription="no")
    for other in ("biased", ""):
        assert "what bob said" in unsaid(eve, arn, REJECTED, ApprovalDescription=other)
    told(REJECTED, "no")
    say(bob, arn, REJECTED, ApprovalDescription="biased")
    told(REJECTED, "biased")
    written = len(history(ruled, name))
    for again in ({}, {"ApprovalDescription": "biased"}):
        say(eve, arn, REJECTED, **again)
        told(REJECTED, "biased")
    assert len(history(ruled, name)) == written
    say(bob, arn, APPROVED)
    told(APPROVED, None)
    assert "what bob said" in unsaid(eve, arn, APPROVED, ApprovalDescription="fair by now")
    told(APPROVED, None)
    say(bob, arn, APPROVED, ApprovalDescription="fair by now")
    told(APPROVED, "fair by now")
    assert history(ruled, name)[-1][1] == "bob"


@pytest.mark.parametrize("kind", ["guarded", "free"])
def test_nobody_but_who_gave_the_last_verdict_puts_other_words_to_it(
    ann: Any, bob: Any, eve: Any, kind: str
) -> None:
    """Nor by the same verdict, of who could have given it or not."""
    arn = register(ann, group(ann, kind))
    forged = {"ModelPackageArn": arn, "ApprovalDescription": "forged"}
    code, message = refused(ann.update_model_package, **forged)
    assert (code, "give it with one" in message) == ("ConflictException", True)
    say(bob, arn, APPROVED, ApprovalDescription="fairness checked")

    def words() -> Any:
        return ann.describe_model_package(ModelPackageName=arn).get("ApprovalDescription")

    for client in (ann, eve):
        code, message = refused(client.update_model_package, **forged)
        assert (code, "what bob said" in message) == ("ConflictException", True)
        for other in ("forged", ""):
            message = unsaid(client, arn, APPROVED, ApprovalDescription=other)
            assert "what bob said" in message
    assert words() == "fairness checked"
    bob.update_model_package(ModelPackageArn=arn, ApprovalDescription="and privacy")
    assert words() == "and privacy"
    ann.update_model_package(ModelPackageArn=arn, ApprovalDescription="and privacy")  # no change
    say(eve, arn, APPROVED, ApprovalDescription="and privacy")  # none either
    bob.update_model_package(ModelPackageArn=arn, ApprovalDescription="so it is")
    assert words() == "so it is"


def test_words_of_a_verdict_are_not_those_of_one_in_another_dialect(
    ann: Any, bob: Any, ruled: Server
) -> None:
    name = group(ann, "guarded")
    arn = register(ann, name, ModelApprovalStatus=PENDING)
    pending = {"ModelPackageArn": arn, "ApprovalDescription": "please"}
    ann.update_model_package(**pending)  # her verdict, so far
    asked = modelkeep("promote", f"{name}/1", "--to", "Production", url=ruled.url, user="rob")
    (request_id,) = [
        one["id"]
        for one in httpx.get(f"{ruled.url}/api/v1/requests", trust_env=False).json()
        if one["model"] == name
    ]
    assert asked.code == 2, asked.out
    modelkeep("approve", str(request_id), "--comment", "ok", url=ruled.url, user="bob")
    found = ann.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == APPROVED
    assert "ApprovalDescription" not in found
    assert refused(ann.update_model_package, **pending)[0] == "ConflictException"
    message = unsaid(ann, arn, APPROVED, ApprovalDescription="fair")
    assert "ann is an author of this version" in message
    say(bob, arn, APPROVED, ApprovalDescription="fair")
    found = ann.describe_model_package(ModelPackageName=arn)
    assert found["ApprovalDescription"] == "fair"


def test_what_a_rollback_returns_to_has_its_approvers_words(
    ann: Any, bob: Any, eve: Any, ruled: Server
) -> None:
    """However often, and none that were of another verdict."""
    name = group(ann, "guarded")
    first, second, third = (register(ann, name) for _ in range(3))

    def words(arn: str) -> Any:
        return ann.describe_model_package(ModelPackageName=arn).get("ApprovalDescription")

    say(bob, first, APPROVED, ApprovalDescription="bob on 1")
    for other in (second, third):
        say(eve, other, APPROVED, ApprovalDescription="eve on another")
        assert words(first) == "bob on 1"
        say(bob, other, REJECTED, **WHY)
        assert (status(ann, first, other), stage(ann, first)) == (
            [APPROVED, REJECTED],
            "Production",
        )
        assert (words(first), words(other)) == ("bob on 1", WHY["ApprovalDescription"])
    assert "what bob said" in unsaid(eve, first, APPROVED, ApprovalDescription="eve on 1")
    fourth = register(ann, name)
    say(eve, fourth, APPROVED)
    say(bob, first, REJECTED, ApprovalDescription="biased")
    assert (status(ann, first), words(first)) == ([REJECTED], "biased")
    body = {"model": name, "reason": "it drifts"}
    url = f"{ruled.url}/api/v1/rollbacks"
    httpx.post(url, json=body, trust_env=False, auth=("bob", "")).raise_for_status()
    assert (status(ann, first), stage(ann, first)) == ([APPROVED], "Production")
    assert words(first) is None


def test_a_reason_of_a_move_is_no_approvers_word(ann: Any, bob: Any) -> None:
    arn = register(ann, group(ann, "free"))
    say(bob, arn, APPROVED, ApprovalDescription="fair")
    life = {"Stage": "Archived", "StageStatus": "Retired"}
    ann.update_model_package(
        ModelPackageArn=arn, ModelLifeCycle=life, ApprovalDescription="too old"
    )
    found = ann.describe_model_package(ModelPackageName=arn)
    assert (found["ApprovalDescription"], stage(ann, arn)) == ("fair", "Archived")


def test_an_approval_is_shown_as_long_as_it_holds(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    first, second = register(ann, name), register(ann, name)
    say(bob, first, APPROVED)
    say(bob, second, APPROVED)
    ann.update_model_package(ModelPackageArn=first, CustomerMetadataPropertiesToRemove=["tested"])
    assert status(ann, first, second) == [PENDING, APPROVED]
    listed = {"ModelPackageGroupName": name, "ModelApprovalStatus": APPROVED}
    (only,) = ann.list_model_packages(**listed)["ModelPackageSummaryList"]
    assert only["ModelPackageArn"] == second
    ann.update_model_package(ModelPackageArn=first, CustomerMetadataProperties=TESTED)
    assert status(ann, first) == [APPROVED]
    try:
        apply(ruled, POLICY.replace("tested", "examined"))
        assert status(ann, first, second) == [PENDING, APPROVED]  # the one is where it was let in
    finally:
        apply(ruled, POLICY)
    assert status(ann, first) == [APPROVED]


def test_an_approval_of_a_free_model_does_not_outlive_its_freedom(ann: Any, ruled: Server) -> None:
    name = group(ann, "free")
    arn = register(ann, name, ModelApprovalStatus=APPROVED)
    life = {"Stage": "Archived", "StageStatus": "Retired"}
    ann.update_model_package(ModelPackageArn=arn, ModelLifeCycle=life)
    assert status(ann, arn) == [APPROVED]
    try:
        apply(ruled, POLICY.replace("guarded-", "free-"))
        assert status(ann, arn) == [PENDING]
    finally:
        apply(ruled, POLICY)


def test_a_stage_goes_through_its_gates(ann: Any, bob: Any) -> None:
    arn = register(ann, group(ann, "guarded"), CustomerMetadataProperties={"other": "1"})
    life = {"Stage": "staging", "StageStatus": "InProgress"}
    params = {"ModelPackageArn": arn, "ModelLifeCycle": life}
    code, message = refused(bob.update_model_package, **params)
    assert (code, "tested" in message) == ("ConflictException", True)
    assert stage(ann, arn) == "None"
    ann.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties=TESTED)
    bob.update_model_package(**params)
    assert stage(ann, arn) == "Staging"
    call, name = ann.create_model_package, arn.split("/")[1]
    code, message = refused(call, ModelPackageGroupName=name, ModelLifeCycle=life)
    assert (code, "tested" in message) == ("ValidationException", True)
    assert f"{name}/" not in message
    life = {"Stage": "Production", "StageStatus": "Approved"}
    params = {"CustomerMetadataProperties": TESTED, "ModelLifeCycle": life}
    code, message = refused(call, ModelPackageGroupName=name, **params)
    assert (code, "waits for the approval of someone" in message) == ("ValidationException", True)
    assert f"{name}/" not in message
    assert "modelkeep approve" not in message
    assert len(ann.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]) == 1


def test_a_rollback_by_any_hand_shows_as_a_rejection(ann: Any, bob: Any, ruled: Server) -> None:
    name = group(ann, "guarded")
    first, second = register(ann, name), register(ann, name)
    say(bob, first, APPROVED)
    say(bob, second, APPROVED)
    body = {"model": name, "reason": "it drifts"}
    url = f"{ruled.url}/api/v1/rollbacks"
    httpx.post(url, json=body, trust_env=False, auth=("bob", "")).raise_for_status()
    assert status(ann, first, second) == [APPROVED, REJECTED]


# -- one story in two tongues --------------------------------------------------------------------

_REGISTER = """
import mlflow
from mlflow import MlflowClient
client = MlflowClient()
client.create_registered_model("guarded-story")
for number in ("1", "2"):
    client.create_model_version("guarded-story", f"s3://bucket/{number}", tags={"tested": "yes"})
"""


@pytest.mark.client
def test_a_story_in_two_tongues_is_one_journal(server: Server, mlflow3: Client) -> None:
    apply(server, POLICY)
    aws = Aws(server.url)
    ann, bob = aws.client("sagemaker", "ann"), aws.client("sagemaker", "bob")
    mlflow3.run(_REGISTER, url=server.url, user="ann")
    first, second = (
        package["ModelPackageArn"]
        for package in ann.list_model_packages(ModelPackageGroupName="guarded-story")[
            "ModelPackageSummaryList"
        ]
    )
    say(bob, first, APPROVED)
    asked = modelkeep(
        "promote", "guarded-story/2", "--to", "Production", url=server.url, user="rob"
    )
    assert asked.code == 2, asked.out
    say(bob, second, APPROVED)
    assert status(ann, first, second) == [APPROVED, APPROVED]
    say(bob, second, REJECTED, ApprovalDescription="it drifts")
    assert stages(server, "guarded-story") == {"1": "Production", "2": "Archived"}
    assert status(ann, first, second) == [APPROVED, REJECTED]
    assert (stage(ann, first), stage(ann, second)) == ("Production", "Archived")
    acts = [entry for entry in history(server, "guarded-story") if "document" not in entry[0]]
    assert acts == [
        ("model:created", "ann"),
        ("version:created", "ann"),
        ("version:created", "ann"),
        ("approval:request:opened", "sagemaker"),
        ("approval:vote:cast", "bob"),
        ("version:stage:changed", "bob"),
        ("approval:request:opened", "rob"),
        ("approval:vote:cast", "bob"),
        ("version:stage:changed", "bob"),
        ("version:stage:rolled-back", "bob"),
    ]
    verified = modelkeep("audit", "verify", url=server.url)
    assert verified.code == 0, verified.out + verified.err
