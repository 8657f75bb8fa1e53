"""What EventBridge is told of packages: of each call, and of each package that it changed, one
event that shows what whoever asked next was shown."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.addresses import parse_target
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.manifests import File
from modelkeep.domain.package_events import SOURCE
from modelkeep.domain.packages import Approval, Package
from modelkeep.domain.rules import State, Target
from modelkeep.domain.stores import Place
from modelkeep.domain.webhooks import Outcome
from modelkeep.protocols.aws.calls import Place as Account
from modelkeep.protocols.aws.sagemaker.described import described
from modelkeep.services import (
    intake,
    outbox,
    packages,
    registry,
    requests,
    rules,
    subscriptions,
    topics,
)
from modelkeep.services.packages import Change, Registration
from modelkeep.storage.sql.work import SqlWork
from tests.support.clock import MovedClock
from tests.support.core import ANN, TAGS, Core

TOPIC = "arn:aws:sns:eu-central-1:123456789012:changes"
RULE = "arn:aws:events:eu-central-1:123456789012:rule/changes"
ROOT = "s3://bucket/models"
# What the last event of a package says of it, and what whoever asks is told.
SHOWN = (
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ApprovalDescription",
    "ModelPackageStatus",
    "CustomerMetadataProperties",
    "ModelPackageDescription",
    "ModelPackageGroupName",
    "MetadataProperties",
)
LIFE, STATUS, COMMENT = "ModelLifeCycle", "ModelApprovalStatus", "ApprovalDescription"

SAID = {"MetadataProperties": {"ProjectId": "p"}}
LEFT = ("None", "Staging", "Archived")

_numbers = count()


def by(name: str = "ann") -> Caller:
    """A caller in a call of its own."""
    return Caller(Actor(name), f"call-{next(_numbers)}")


def listening(core: Core, pattern: Mapping[str, Any] | None = None) -> None:
    """A confirmed subscription to what a rule matches."""
    url = parse_target("https://hooks.example.com/sns", allow_private=False).url
    core.write(topics.create, ANN, TOPIC)
    core.write(subscriptions.subscribe, ANN, TOPIC, url, "https://modelkeep.example.com")
    (asked,) = sent(core)
    core.write(subscriptions.confirm, ANN, TOPIC, asked["Token"])
    wanted = json.dumps({"source": [SOURCE], **(pattern or {})})
    core.write(rules.put, ANN, RULE, wanted, State.ENABLED, "")
    core.write(rules.aim, ANN, RULE, [Target(0, "it", TOPIC)])


def sent(core: Core) -> list[dict[str, Any]]:
    """Everything that there is to send, sent; the bodies in order."""
    bodies: list[dict[str, Any]] = []
    while True:
        claims, is_behind = core.write(outbox.dispatch, "lease", 100)
        for claim in claims:
            bodies.append(json.loads(claim.body))
            core.write(outbox.settle, claim, Outcome(status=200))
        if not claims and not is_behind:
            return bodies


def told(core: Core) -> list[dict[str, Any]]:
    """The details of the events that were not sent yet, in order."""
    return [event["detail"] for event in events(core)]


def events(core: Core) -> list[dict[str, Any]]:
    return [json.loads(message["Message"]) for message in sent(core)]


def package(core: Core, number: int | None = 1, name: str = "churn") -> Package:
    return core.read(packages.find, name, number)


def change(core: Core, number: int | None = 1, name: str = "churn", **facts: Any) -> None:
    _, refused = core.write(packages.change, by(), name, number, Change(**facts))
    assert refused is None, refused


def approve(core: Core, number: int = 1, comment: str | None = None) -> None:
    change(core, number, approval=Approval.APPROVED, comment=comment)


def register(core: Core, **facts: Any) -> None:
    core.write(packages.register, by(), Registration("churn", "sagemaker:/none", **facts))


@pytest.fixture
def grouped(core: Core) -> Core:
    """With a group of one package, whose production is of one, and a rule that sees all events from
    then on."""
    core.model()
    core.apply({"stage_transitions": {f"{stage} -> Production": {} for stage in LEFT}})
    register(core)
    listening(core)
    return core


def test_a_rejection_with_nothing_to_return_to_never_says_approved(core: Core) -> None:
    core.model()
    register(core)
    approve(core)
    listening(core, {"detail": {STATUS: ["Approved"]}})
    change(core, approval=Approval.REJECTED, comment="it drifts")
    assert package(core).approval is Approval.REJECTED
    assert told(core) == []


def test_a_rejection_is_one_event_with_all_that_it_changed(grouped: Core) -> None:
    approve(grouped)
    told(grouped)
    change(grouped, approval=Approval.REJECTED, comment="it drifts")
    (detail,) = told(grouped)
    assert detail["UpdatedModelPackageFields"] == [COMMENT, STATUS, LIFE]
    assert detail["PreviousValues"] == {
        COMMENT: None,
        STATUS: "Approved",
        LIFE: {"Stage": "Production", "StageStatus": "Approved"},
    }
    assert (detail[STATUS], detail[COMMENT]) == ("Rejected", "it drifts")
    assert detail[LIFE] == {"Stage": "Archived", "StageStatus": "Rejected"}


def test_an_approval_with_all_that_comes_along_is_one_event_of_each_package(grouped: Core) -> None:
    approve(grouped)
    register(grouped)
    told(grouped)
    change(
        grouped,
        2,
        approval=Approval.APPROVED,
        comment="fair",
        tags={"team": "risk", "tested": "yes"},
        say=lambda _: SAID,
    )
    displaced, approved = told(grouped)
    assert (displaced["ModelPackageVersion"], displaced[STATUS]) == (1, "Approved")
    assert displaced["UpdatedModelPackageFields"] == [LIFE]
    assert approved["ModelPackageVersion"] == 2
    assert approved["UpdatedModelPackageFields"] == [
        *(COMMENT, "CustomerMetadataProperties", "MetadataProperties", STATUS, LIFE)
    ]
    assert approved["PreviousValues"] == {
        COMMENT: None,
        "MetadataProperties": None,
        STATUS: "PendingManualApproval",
        LIFE: None,
    }


def test_properties_that_are_so_already_change_nothing(grouped: Core, clock: MovedClock) -> None:
    change(grouped, tags={"team": "risk"})
    told(grouped)
    before = grouped.read(registry.get_version, "churn", 1)
    clock.advance(1000)
    change(grouped, tags={"team": "risk"})
    assert told(grouped) == []
    assert grouped.read(registry.get_version, "churn", 1) == before


def test_what_made_way_is_told_of_before_what_came(grouped: Core) -> None:
    approve(grouped)
    register(grouped)
    told(grouped)
    approve(grouped, 2)
    assert [detail["ModelPackageVersion"] for detail in told(grouped)] == [1, 2]
    for number in (1, 2):
        change(grouped, number, stage="Production")
        assert [detail["ModelPackageVersion"] for detail in told(grouped)] == [3 - number, number]
    change(grouped, 2, approval=Approval.REJECTED, comment="it drifts")  # and by a rollback
    left, returned = told(grouped)
    assert (left["ModelPackageVersion"], left[LIFE]["Stage"]) == (2, "Archived")
    assert (returned["ModelPackageVersion"], returned[LIFE]["Stage"]) == (1, "Production")


def test_votes_that_complete_an_approval_are_told_with_it_once(core: Core) -> None:
    core.model()
    core.apply({"stage_transitions": {"None -> Production": {"approvals": 2}}})
    register(core)
    listening(core)
    wanted = Change(approval=Approval.APPROVED, comment="fair")
    core.write(packages.change, by("bob"), "churn", 1, wanted)  # kept, and does not suffice
    assert told(core) == []
    core.write(packages.change, by("eve"), "churn", 1, wanted)
    (detail,) = told(core)
    assert detail["UpdatedModelPackageFields"] == [COMMENT, STATUS, LIFE]


def test_a_package_that_is_registered_approved_is_told_so_at_once(grouped: Core) -> None:
    register(grouped, approval=Approval.APPROVED, said={"ModelPackageRegistrationType": "Logged"})
    (detail,) = told(grouped)
    assert detail[STATUS] == "Approved"
    assert detail[LIFE] == {"Stage": "Production", "StageStatus": "Approved"}
    assert detail["ModelPackageRegistrationType"] == "Logged"
    assert not detail.keys() & {"UpdatedModelPackageFields", "PreviousValues"}


def test_each_event_shows_what_whoever_asks_next_is_told(grouped: Core) -> None:
    steps: list[tuple[Callable[[], None], list[int]]] = [  # and which packages each changes
        (lambda: approve(grouped, comment="first"), [1]),
        (lambda: register(grouped, description="second", tags=TAGS), [2]),
        (lambda: change(grouped, 2, stage="Staging", comment="on trial"), [2]),
        (lambda: approve(grouped, 2), [1, 2]),
        (lambda: change(grouped, 2, approval=Approval.REJECTED, comment="drifts"), [2, 1]),
        (lambda: change(grouped, 2, tags={"a": "b"}, untagged=["tested"]), [2]),
        (lambda: change(grouped, approval=Approval.PENDING, comment="judged anew"), [1]),
        (lambda: change(grouped, approval=Approval.REJECTED), [1]),
        (lambda: change(grouped, stage="Archived", say=lambda _: SAID), [1]),
        (lambda: grouped.write(registry.set_model_tag, by(), "churn", "of", "the group"), []),
    ]
    seen = set[str]()
    for step, changed in steps:
        step()
        found = events(grouped)
        assert [event["detail"]["ModelPackageVersion"] for event in found] == changed
        seen |= {event["id"] for event in found}
        for event in found:
            assert_as_described(grouped, event["detail"])
    assert len(seen) == sum(len(changed) for _, changed in steps)


def assert_as_described(core: Core, detail: Mapping[str, Any]) -> None:
    number = detail.get("ModelPackageVersion")
    account = Account("eu-central-1", "123456789012")
    now = described(account, package(core, number, detail["ModelPackageArn"].split("/")[1]))
    assert {name: detail.get(name) for name in SHOWN} == {name: now.get(name) for name in SHOWN}


def test_a_package_without_a_group_has_no_approval_until_somebody_gives_one(core: Core) -> None:
    listening(core)
    alone = Registration("alone", "sagemaker:/none", single=True)
    core.write(packages.register, by(), alone)
    (made,) = told(core)
    assert_as_described(core, made)
    assert STATUS not in made
    change(core, None, "alone", approval=Approval.REJECTED)
    (rejected,) = told(core)
    assert_as_described(core, rejected)
    assert rejected["PreviousValues"] == {STATUS: None}


def test_calls_are_told_whole_and_once_however_the_journal_is_cut(grouped: Core) -> None:
    """Some of them go on where a round of the worker ends."""
    each, calls = 30, 2 * outbox.LEAVES_LIMIT // 30 + 1
    for call in range(calls):
        change(grouped, tags={f"{key}": f"{call}" for key in range(each)})
    assert len(grouped.leaves()) > 2 * outbox.LEAVES_LIMIT
    found = events(grouped)
    assert len({event["id"] for event in found}) == len(found) == calls
    grouped.restart()
    grouped.write(lambda work: work.webhooks.move_cursor(0))  # as if the cursor had been lost
    assert sent(grouped) == []


def test_the_events_of_a_call_have_the_same_ids_whenever_they_are_made(grouped: Core) -> None:
    approve(grouped)
    register(grouped)
    approve(grouped, 2, "fair")
    first = events(grouped)
    change(grouped, approval=Approval.REJECTED)  # it changes nothing of what was before
    told(grouped)

    def forget(work: SqlWork) -> None:
        work.db.run("DELETE FROM webhook_deliveries")
        work.webhooks.move_cursor(0)

    grouped.write(forget)
    again = events(grouped)[: len(first)]
    assert [event["id"] for event in again] == [event["id"] for event in first]
    for event, other in zip(first, again, strict=True):
        for name in ("UpdatedModelPackageFields", "PreviousValues", STATUS, LIFE, COMMENT):
            assert event["detail"].get(name) == other["detail"].get(name)


@pytest.fixture
def taking(database_url: str, tmp_path: Path, clock: MovedClock) -> Iterator[Core]:
    """A core whose settings have a store to take files in from."""
    core = Core(tmp_path / "taking", database_url, clock, ingest=(ROOT,))
    yield core
    assert core.verify().is_intact
    core.close()


def settle(taking: Core) -> None:
    """The first package's file is there, the second's is not."""
    taking.write(intake.discover, taking.read(intake.undiscovered, Place.parse(ROOT)))
    here, gone = taking.write(intake.claim), taking.write(intake.claim)
    file = File("here.tar.gz", "0" * 64, 1)
    taking.write(intake.keep, here, file, "etag", b"m", taking.clock.now_ms())
    taking.write(intake.finish, here, frozenset({"here.tar.gz"}))
    taking.write(intake.put_off, gone, "There is no object.", 1)


def test_what_becomes_of_a_packages_files_is_an_event_of_its_own(taking: Core) -> None:
    taking.model()
    listening(taking)
    for name in ("here", "gone"):
        wanted = Registration("churn", f"{ROOT}/{name}.tar.gz")
        taking.write(packages.register, by(), wanted)
    assert [detail["ModelPackageStatus"] for detail in told(taking)] == ["Pending", "Pending"]
    settle(taking)
    completed, failed = told(taking)
    for detail, status in ((completed, "Completed"), (failed, "Failed")):
        assert detail["ModelPackageStatus"] == status
        assert detail["UpdatedModelPackageFields"] == ["ModelPackageStatus"]
        assert detail["PreviousValues"] == {"ModelPackageStatus": "Pending"}
        assert_as_described(taking, detail)


@pytest.mark.parametrize("guard", [{}, {"required_tags": ["tested"]}, {"approval_required": True}])
def test_files_that_are_not_checked_are_approved_by_no_stage_either(
    taking: Core, guard: dict[str, Any]
) -> None:
    """Nor shown so, or told, where another dialect put them into production."""
    if guard:
        taking.apply({"stage_transitions": {"None -> Production": guard}})
    taking.model()
    listening(taking)
    for name in ("here", "gone"):
        taking.write(packages.register, by(), Registration("churn", f"{ROOT}/{name}.tar.gz"))
    told(taking)

    def barred(number: int, why: str) -> None:
        for stage in ("Production", "production"):
            _, refused = taking.write(packages.change, by(), "churn", number, Change(stage=stage))
            assert refused is not None
            assert why in refused.message
        assert taking.acts()[-1] == "version:stage:refused"
        assert taking.read(requests.listing, None) == []

    barred(1, "its files are not checked yet")
    wanted = Registration("churn", f"{ROOT}/third.tar.gz", stage="Production")
    with pytest.raises(InvalidInput, match="its files are not checked yet"):
        taking.write(packages.register, by(), wanted)
    assert [taking.get(number).stage for number in (1, 2)] == ["None", "None"]
    assert told(taking) == []
    if guard:
        return
    for number in (1, 2):
        taking.promote(number, "Production")
        *displaced, moved = told(taking)
        assert moved["UpdatedModelPackageFields"] == [LIFE]
        assert moved[LIFE] == {"Stage": "Production", "StageStatus": "PendingManualApproval"}
        for detail in (*displaced, moved):
            assert_as_described(taking, detail)
            assert detail[STATUS] == "PendingManualApproval"
    settle(taking)
    completed, failed = told(taking)
    assert completed["PreviousValues"][STATUS] == "PendingManualApproval"
    shown = [
        (one["ModelPackageStatus"], one[STATUS], one[LIFE]["StageStatus"])
        for one in (completed, failed)
    ]
    assert shown == [
        ("Completed", "Approved", "Approved"),
        ("Failed", "PendingManualApproval", "PendingManualApproval"),
    ]
    for detail in (completed, failed):
        assert_as_described(taking, detail)
    change(taking, 2, approval=Approval.PENDING)  # out it goes all the same
    assert taking.get(2).stage == "None"
    barred(2, "is Failed: register another")
