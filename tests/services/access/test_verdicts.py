"""Who may give a verdict on a package: the roles, behind the rules of SageMaker's operations."""

import asyncio
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller, Verb
from modelkeep.domain.errors import Conflict, Forbidden, NotFound
from modelkeep.protocols.aws.calls import REGION, Call
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sagemaker import groups, packages
from modelkeep.services import permits, policies
from tests.support.estate import Estate, access_of

POLICY = {
    "model_registry": {
        "lifecycles": [
            {
                "name": "guarded",
                "models": ["guarded"],
                "stage_transitions": {"None -> Production": {"approval_required": True}},
            },
            {
                "name": "votes-on-leaving",
                "models": ["left"],
                "stage_transitions": {
                    "None -> Production": {"approval_required": True},
                    "Production -> Archived": {"approval_required": True},
                },
            },
            {
                "name": "free-to-enter",
                "models": ["entered"],
                "stage_transitions": {"Production -> Archived": {"approval_required": True}},
            },
            {
                "name": "asks-nobody",
                "models": ["tagged"],
                "stage_transitions": {"None -> Production": {"required_tags": ["tested"]}},
            },
        ]
    }
}
ACCOUNT = "000000000000"
PEOPLE = {"ann": "contributor", "bob": "reviewer", "vic": "viewer", "dan": "deployer"}
STAGING = {"Stage": "Staging", "StageStatus": "InProgress"}


@pytest.fixture
def groups_made(quick: Estate) -> Estate:
    """Two groups with a version each, of which a policy guards one."""
    quick.write(lambda work, by: policies.apply(work, by, POLICY, "the policy"))
    for name in ("guarded", "left", "entered", "tagged", "free"):
        do(quick, "ann", "CreateModelPackageGroup", ModelPackageGroupName=name)
        do(quick, "ann", "CreateModelPackage", ModelPackageGroupName=name)
    return quick


def do(estate: Estate, who: str, operation: str, **params: Any) -> Any:
    """What an operation answers somebody who has the role on every model."""
    caller = Caller(Actor(who, verified=True), access=access_of(PEOPLE[who]))
    found = {**groups.OPERATIONS, **packages.OPERATIONS}["sagemaker", operation]
    call = Call(REGION, ACCOUNT, caller, params)

    async def admitted() -> Any:
        permits.ask(caller)
        found.admit(call)
        return await found.handle(permits.gated(estate.running.app), call)

    return asyncio.run(admitted())


def denied(estate: Estate, who: str, model: str, **params: Any) -> list[tuple[Verb, str | None]]:
    """What the journal is told that somebody may not, who is refused an update."""
    caller = Caller(Actor(who, verified=True), access=access_of(PEOPLE[who]))
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{model}/1"
    found = packages.OPERATIONS["sagemaker", "UpdateModelPackage"]
    call = Call(REGION, ACCOUNT, caller, {"ModelPackageArn": arn, **params})

    async def refused() -> list[tuple[Verb, str | None]]:
        permits.ask(caller)
        found.admit(call)
        with pytest.raises(Forbidden):
            await found.handle(permits.gated(estate.running.app), call)
        return [(need.verb, need.model) for need in permits.denied()]

    return asyncio.run(refused())


def update(estate: Estate, who: str, model: str, **params: Any) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{model}/1"
    do(estate, who, "UpdateModelPackage", ModelPackageArn=arn, **params)


def status(estate: Estate, model: str) -> str:
    name = f"{model}/1"
    return do(estate, "vic", "DescribeModelPackage", ModelPackageName=name)["ModelApprovalStatus"]


def test_a_vote_takes_a_role_that_approves_and_no_other(groups_made: Estate) -> None:
    for verdict in ("Approved", "Rejected", "PendingManualApproval"):
        for who in ("ann", "dan", "vic"):
            with pytest.raises(Forbidden, match="may approve on model guarded"):
                update(groups_made, who, "guarded", ModelApprovalStatus=verdict)
    said = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "good"}
    update(groups_made, "bob", "guarded", **said)
    assert status(groups_made, "guarded") == "Approved"


@pytest.mark.parametrize("member", ["ModelApprovalStatus", "ModelLifeCycle"])
@pytest.mark.parametrize("runs", ["InferenceSpecification", "SourceUri"])
def test_who_lets_a_package_in_does_not_exchange_what_it_runs_in_the_same_call(
    groups_made: Estate, monkeypatch: pytest.MonkeyPatch, member: str, runs: str
) -> None:
    """Or one person would be its author and the second pair of eyes."""
    monkeypatch.setitem(PEOPLE, "rob", "admin")
    if member == "ModelLifeCycle":
        cycle = {"name": "tagged", "models": ["guarded"]}
        cycle["stage_transitions"] = {"None -> Production": {"required_tags": ["tested"]}}
        policy = {"model_registry": {"lifecycles": [cycle]}}
        groups_made.write(lambda work, by: policies.apply(work, by, policy, "another policy"))
        update(groups_made, "ann", "guarded", CustomerMetadataProperties={"tested": "yes"})
    lets_in = {
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": "production", "StageStatus": "Approved"},
    }[member]
    other = {
        "InferenceSpecification": {"Containers": [{"Image": "other:1"}]},
        "SourceUri": "s3://elsewhere/model",
    }[runs]
    with pytest.raises(Conflict, match="does not change any more"):
        update(groups_made, "rob", "guarded", **{member: lets_in, runs: other})
    told = do(groups_made, "vic", "DescribeModelPackage", ModelPackageName="guarded/1")
    assert told["ModelApprovalStatus"] == "PendingManualApproval"
    assert runs not in told
    update(groups_made, "rob", "guarded", **{member: lets_in})
    assert status(groups_made, "guarded") == "Approved"


@pytest.mark.parametrize("verdict", ["Rejected", "PendingManualApproval"])
def test_what_moves_a_version_out_of_production_takes_a_role_that_promotes(
    groups_made: Estate, verdict: str
) -> None:
    """As it does at every other door."""
    update(groups_made, "bob", "guarded", ModelApprovalStatus="Approved")
    said = {"ModelApprovalStatus": verdict, "ApprovalDescription": "it drifts"}
    with pytest.raises(Forbidden, match="a role that may promote on model guarded"):
        update(groups_made, "bob", "guarded", **said)
    assert denied(groups_made, "bob", "guarded", **said) == [(Verb.PROMOTE, "guarded")]
    assert status(groups_made, "guarded") == "Approved"
    update(groups_made, "dan", "guarded", **said)
    assert status(groups_made, "guarded") == verdict


def test_a_rollback_by_a_verdict_takes_a_role_that_promotes(groups_made: Estate) -> None:
    do(groups_made, "ann", "CreateModelPackage", ModelPackageGroupName="guarded")
    second = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/guarded/2"
    update(groups_made, "bob", "guarded", ModelApprovalStatus="Approved")
    change = {"ModelPackageArn": second, "ModelApprovalStatus": "Approved"}
    do(groups_made, "bob", "UpdateModelPackage", **change)
    change |= {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "it drifts"}
    with pytest.raises(Forbidden, match="may promote on model guarded"):
        do(groups_made, "bob", "UpdateModelPackage", **change)
    do(groups_made, "dan", "UpdateModelPackage", **change)
    told = do(groups_made, "vic", "DescribeModelPackage", ModelPackageName="guarded/1")
    assert told["ModelLifeCycle"]["Stage"] == "Production"


@pytest.mark.parametrize(("model", "by"), [("left", "bob"), ("entered", "dan")])
def test_a_departure_that_waits_takes_the_votes_of_those_who_approve(
    groups_made: Estate, monkeypatch: pytest.MonkeyPatch, model: str, by: str
) -> None:
    monkeypatch.setitem(PEOPLE, "dee", "deployer")
    update(groups_made, by, model, ModelApprovalStatus="Approved")
    with pytest.raises(Forbidden, match=f"may promote on model {model}"):
        update(groups_made, "bob", model, ModelApprovalStatus="Rejected")
    with pytest.raises(Coded, match="waits to enter Archived"):
        update(groups_made, "dan", model, ModelApprovalStatus="Rejected")
    with pytest.raises(Forbidden, match=f"may approve on model {model}"):
        update(groups_made, "dee", model, ModelApprovalStatus="Rejected")
    assert status(groups_made, model) == "Approved"
    update(groups_made, "bob", model, ModelApprovalStatus="Rejected")
    assert status(groups_made, model) == "Rejected"


def test_an_approval_that_needs_no_votes_takes_a_role_that_promotes(groups_made: Estate) -> None:
    for who in ("bob", "dan"):  # what the gates want is told to both
        with pytest.raises(Coded, match="tested"):
            update(groups_made, who, "tagged", ModelApprovalStatus="Approved")
    update(groups_made, "ann", "tagged", CustomerMetadataProperties={"tested": "yes"})
    for who, verb in (("bob", "promote"), ("vic", "approve")):
        with pytest.raises(Forbidden, match=f"may {verb} on model tagged"):
            update(groups_made, who, "tagged", ModelApprovalStatus="Approved")
    assert status(groups_made, "tagged") == "PendingManualApproval"
    update(groups_made, "dan", "tagged", ModelApprovalStatus="Approved")
    assert status(groups_made, "tagged") == "Approved"


def test_where_nobody_votes_it_takes_a_role_that_promotes(groups_made: Estate) -> None:
    for who in ("bob", "vic"):
        with pytest.raises(Forbidden, match="may promote on model free"):
            update(groups_made, who, "free", ModelApprovalStatus="Approved")
    update(groups_made, "dan", "free", ModelApprovalStatus="Approved")
    assert status(groups_made, "free") == "Approved"


def test_every_other_member_takes_what_it_takes_in_any_dialect(groups_made: Estate) -> None:
    tags = {"CustomerMetadataProperties": {"a": "1"}}
    for who, params in (
        ("bob", {"ModelApprovalStatus": "Approved", **tags}),
        ("bob", {"ApprovalDescription": "good"}),
        ("dan", tags),
        ("bob", {"ModelLifeCycle": STAGING}),
        ("dan", {"ModelLifeCycle": STAGING, **tags}),
    ):
        with pytest.raises(Forbidden):
            update(groups_made, who, "guarded", **params)
    update(groups_made, "ann", "free", ModelLifeCycle=STAGING, **tags)
    update(groups_made, "dan", "free", ModelLifeCycle={**STAGING, "Stage": "Archived"})


def test_who_gave_the_last_verdict_changes_its_words_with_the_same_role(
    groups_made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEOPLE, "rex", "reviewer")

    def words() -> str:
        told = do(groups_made, "vic", "DescribeModelPackage", ModelPackageName="guarded/1")
        return told["ApprovalDescription"]

    said = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "good"}
    update(groups_made, "bob", "guarded", **said)
    update(groups_made, "bob", "guarded", ApprovalDescription="fair")
    assert words() == "fair"
    for who in ("rex", "dan", "vic"):
        with pytest.raises(Forbidden, match="may write on model guarded"):
            update(groups_made, who, "guarded", ApprovalDescription="forged")
        told = denied(groups_made, who, "guarded", ApprovalDescription="forged")
        assert [verb for verb, _ in told] == [Verb.WRITE]
    with pytest.raises(Conflict, match="what bob said"):
        update(groups_made, "ann", "guarded", ApprovalDescription="forged")
    with pytest.raises(Conflict, match="what bob said"):
        update(groups_made, "rex", "guarded", **said)
    tags = {"CustomerMetadataProperties": {"a": "1"}}
    with pytest.raises(Forbidden, match="may write on model guarded"):
        update(groups_made, "bob", "guarded", ApprovalDescription="good", **tags)
    assert words() == "fair"


def test_registering_with_a_verdict_is_a_vote_as_well(groups_made: Estate) -> None:
    params = {"ModelPackageGroupName": "guarded", "ModelApprovalStatus": "Approved"}
    for who in ("ann", "bob"):
        with pytest.raises(Forbidden):
            do(groups_made, who, "CreateModelPackage", **params)
    params["ModelApprovalStatus"] = "PendingManualApproval"
    do(groups_made, "ann", "CreateModelPackage", **params)


@pytest.mark.parametrize("verdict", ["Approved", "Rejected"])
def test_registering_a_package_without_a_group_with_a_verdict_takes_what_a_verdict_takes(
    quick: Estate, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    alone = {"name": "alone", "models": ["alone"]}
    alone["stage_transitions"] = {"None -> Production": {"approval_required": True}}
    policy = {"model_registry": {"lifecycles": [alone]}}
    quick.write(lambda work, by: policies.apply(work, by, policy, "the policy"))
    params = {"ModelPackageName": "alone", "ModelApprovalStatus": verdict}
    with pytest.raises(Forbidden, match="a role that may approve on model alone"):
        do(quick, "ann", "CreateModelPackage", **params)
    monkeypatch.setitem(PEOPLE, "rob", "admin")
    with pytest.raises(NotFound):  # nothing of it was made
        do(quick, "rob", "DescribeModelPackage", ModelPackageName="alone")
    if verdict == "Rejected":
        do(quick, "rob", "CreateModelPackage", **params)
        told = do(quick, "rob", "DescribeModelPackage", ModelPackageName="alone")
        assert told["ModelApprovalStatus"] == "Rejected"


def test_the_authors_own_vote_is_denied_whatever_the_role(
    groups_made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEOPLE, "ann", "admin")
    with pytest.raises(Coded, match="ann is an author of this version"):
        update(groups_made, "ann", "guarded", ModelApprovalStatus="Approved")


def test_what_may_not_be_seen_is_not_there(groups_made: Estate) -> None:
    hidden = Caller(Actor("eve", verified=True), access=access_of("viewer model:free"))
    call = Call(REGION, ACCOUNT, hidden, {"ModelPackageType": "Versioned"})

    async def listed() -> Any:
        permits.ask(hidden)
        found = packages.OPERATIONS["sagemaker", "ListModelPackages"]
        found.admit(call)
        return await found.handle(permits.gated(groups_made.running.app), call)

    found = asyncio.run(listed())["ModelPackageSummaryList"]
    assert [package["ModelPackageName"] for package in found] == ["free/1"]
