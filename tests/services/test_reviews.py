"""Requests in the hands of people: sent back, commented, withdrawn, expired; and emergencies."""

from typing import Any

import pytest

from modelkeep.domain.approvals import DAY_MS, LIFETIME_MS, Status
from modelkeep.domain.emergencies import HOUR_MS
from modelkeep.domain.emergencies import Status as Review
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from modelkeep.services import emergencies, requests, voting
from modelkeep.services.promotion import End
from modelkeep.services.retention import SYSTEM
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, NOBODY, ROB, Core

POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Production": {"required_metrics": ["accuracy >= 0.9"], "approval_required": True}
    }
}


@pytest.fixture
def asked(core: Core) -> int:
    """The request for churn/1, made by rob."""
    core.apply(POLICY)
    core.model()
    core.version(metrics={"accuracy": 0.95})
    request_id = core.promote(1, "Production").request_id
    assert request_id is not None
    return request_id


def status_of(core: Core, request_id: int) -> Status:
    return core.read(requests.get, request_id).request.status


def test_a_request_is_sent_back_with_what_to_mend_and_comes_again(core: Core, asked: int) -> None:
    with pytest.raises(InvalidInput, match="A request for changes needs a reason"):
        core.write(voting.vote, BOB, asked, approves=False, wants_changes=True)
    back = core.write(
        voting.vote, BOB, asked, approves=False, wants_changes=True, comment="slices, please"
    )
    assert (back.end, status_of(core, asked)) == (End.REJECTED, Status.CHANGES)
    assert [v.verdict for v in core.read(requests.get, asked).votes] == ["request changes"]
    again = core.promote(1, "Production")
    assert again.request_id not in (None, asked)
    assert core.approve(again.request_id).end is End.MOVED
    assert core.verify().is_intact


def test_people_talk_about_a_request_without_deciding_it(core: Core, asked: int) -> None:
    core.write(requests.comment, ANN, asked, "the clinic's data is in now")
    core.write(requests.comment, NOBODY, asked, "nice")
    said = core.read(requests.get, asked).comments
    assert [(c.name, c.text) for c in said] == [
        ("ann", "the clinic's data is in now"), ("anonymous", "nice"),
    ]  # fmt: skip
    assert status_of(core, asked) is Status.PENDING
    for text in ("", " ", "x" * 4001):
        with pytest.raises(InvalidInput):
            core.write(requests.comment, ANN, asked, text)
    with pytest.raises(NotFound):
        core.write(requests.comment, ANN, 99, "who?")
    assert core.verify().is_intact


def test_only_whoever_asked_takes_a_request_back(core: Core, asked: int) -> None:
    for caller in (ANN, BOB, NOBODY):
        with pytest.raises(Forbidden, match="Only rob, who asked"):
            core.write(requests.withdraw, caller, asked)
    core.write(requests.withdraw, ROB, asked, "wrong version")
    assert status_of(core, asked) is Status.WITHDRAWN
    with pytest.raises(Conflict):
        core.write(requests.withdraw, ROB, asked)
    denied = core.approve(asked)
    assert (denied.end, core.in_stage("Production")) == (End.REFUSED, [])
    assert core.verify().is_intact


def test_time_reminds_once_and_then_closes(core: Core, asked: int, clock: MovedClock) -> None:
    assert core.write(requests.lapse, SYSTEM) == 0
    clock.advance(LIFETIME_MS - DAY_MS)
    assert [core.write(requests.lapse, SYSTEM) for _ in range(2)] == [1, 0]
    clock.advance(DAY_MS)
    assert [core.write(requests.lapse, SYSTEM) for _ in range(2)] == [1, 0]
    assert status_of(core, asked) is Status.EXPIRED
    assert core.acts()[-2:] == ["approval:request:reminded", "approval:request:expired"]
    assert core.approve(asked).end is End.REFUSED
    assert core.verify().is_intact


# -- emergencies -----------------------------------------------------------------------------------


def broken(core: Core, number: int = 1, **facts: Any) -> Any:
    given = {"target": "Production", "reason": "the other one is on fire", **facts}
    return core.write(emergencies.break_glass, ROB, "churn", number, **given)


def test_the_glass_is_broken_with_everything_on_record(core: Core, asked: int) -> None:
    core.version(metrics={"accuracy": 0.5})
    moved = broken(core, 2)
    assert (moved.end, core.in_stage("Production"), core.alias("champion")) == (End.MOVED, [2], 2)
    assert "PAST ITS GATES" in moved.message
    assert "accuracy is 0.5" in moved.message
    leaf = core.leaves()[-1]
    assert (leaf["act"], leaf["why"]["outcome"]) == ("version:stage:forced", "refused")
    ((version, emergency),) = core.read(emergencies.listing, unreviewed=True)
    assert (version.number, emergency.opened_by, emergency.status) == (2, "rob", Review.OPEN)
    assert status_of(core, asked) is Status.PENDING  # of another version
    assert core.verify().is_intact


def test_breaking_the_glass_displaces_nobody_from_a_stage_that_holds_many(core: Core) -> None:
    core.apply({"stage_transitions": {"None -> Staging": {"required_tags": ["tested"]}}})
    core.model()
    core.version(tags={"tested": "yes"})
    core.version()
    assert core.promote(1, "Staging").end is End.MOVED
    assert broken(core, 2, target="Staging").end is End.MOVED
    assert core.in_stage("Staging") == [1, 2]


def test_somebody_else_reviews_it_once(core: Core, asked: int) -> None:
    del asked
    broken(core)
    for caller in (ROB, NOBODY):
        with pytest.raises(Forbidden):
            core.write(emergencies.review, caller, 1, "fine", accepts=True)
    with pytest.raises(InvalidInput, match="A review needs a comment"):
        core.write(emergencies.review, BOB, 1, " ", accepts=True)
    _, reviewed = core.write(emergencies.review, BOB, 1, "it was", accepts=False)
    assert (reviewed.status, reviewed.reviewed_by) == (Review.FAULTED, "bob")
    with pytest.raises(Conflict, match="reviewed already, by bob"):
        core.write(emergencies.review, ANN, 1, "again", accepts=True)
    with pytest.raises(NotFound):
        core.write(emergencies.review, BOB, 7, "what", accepts=True)
    assert core.verify().is_intact


def test_an_overdue_review_keeps_the_glass_whole(core: Core, asked: int, clock: MovedClock) -> None:
    del asked
    broken(core, hours=1)
    core.version()
    broken(core, 2, hours=2)
    assert core.write(emergencies.mark_overdue, SYSTEM) == 0
    clock.advance(HOUR_MS)
    assert [core.write(emergencies.mark_overdue, SYSTEM) for _ in range(2)] == [1, 0]
    with pytest.raises(Conflict, match="emergency 1 of churn is overdue"):
        broken(core)
    core.write(emergencies.review, BOB, 1, "late, but fine", accepts=True)
    assert broken(core).end is End.MOVED
    assert core.verify().is_intact


@pytest.mark.parametrize("facts", [{"reason": " "}, {"hours": 0}, {"hours": 169}, {"target": "X"}])
def test_glass_that_may_not_be_broken_stays_whole(core: Core, asked: int, facts: Any) -> None:
    del asked
    with pytest.raises(InvalidInput):
        broken(core, **facts)
    with pytest.raises(Forbidden):
        core.write(emergencies.break_glass, NOBODY, "churn", 1, "Production", "fire")
    with pytest.raises(Conflict, match="No gate stands"):
        broken(core, target="Staging")
    assert core.in_stage("Production") == []


def test_who_came_past_the_gates_was_not_approved(core: Core, asked: int) -> None:
    broken(core)
    core.version()
    second = core.promote(2, "Production").request_id
    assert core.approve(second).end is End.MOVED
    assert asked != second
    assert core.roll_back().end is End.WAITING  # its gates were never passed
