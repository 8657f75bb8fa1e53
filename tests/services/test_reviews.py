"""Requests in the hands of people: sent back, commented, withdrawn, expired; and emergencies."""

from typing import Any

import pytest

from modelkeep.cli import entries
from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.approvals import DAY_MS, LIFETIME_MS, Status
from modelkeep.domain.emergencies import HOUR_MS, TAG
from modelkeep.domain.emergencies import Status as Review
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from modelkeep.services import emergencies, history, lineage, papers, registry, requests, voting
from modelkeep.services.promotion import End
from modelkeep.services.retention import SYSTEM
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, NOBODY, ROB, Core

POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Production": {"required_metrics": ["accuracy >= 0.9"], "approval_required": True}
    }
}


TWO_STAGES: dict[str, Any] = {
    f"None -> {stage}": {"required_tags": ["tested"]} for stage in ("Staging", "Production")
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


@pytest.mark.parametrize("wants_changes", [False, True])
def test_who_voted_for_takes_it_back_by_voting_against(core: Core, wants_changes: bool) -> None:
    core.apply({"stage_transitions": {"None -> Production": {"approvals": 3}}})
    core.model()
    core.version()
    asked = core.promote(1, "Production").request_id
    assert asked is not None
    dora = Caller(Actor("dora"))
    for by in (BOB, dora):
        kept = core.approve(asked, by=by)
        assert kept.end is End.WAITING
        assert kept.message.startswith("Your vote for churn/1 to enter Production is kept")
    assert core.approve(asked).end is End.REFUSED
    against = {"approves": False, "wants_changes": wants_changes, "comment": "a leak"}
    back = core.write(voting.vote, BOB, asked, **against)
    assert (back.end, status_of(core, asked) is Status.PENDING) == (End.REJECTED, False)
    votes = core.read(requests.get, asked).votes
    verdict = "request changes" if wants_changes else "reject"
    assert [(v.voter, v.verdict) for v in votes] == [("bob", verdict), ("dora", "approve")]
    cast = [leaf for leaf in core.leaves() if leaf["act"] == "approval:vote:cast"][-1]
    assert cast["pre"] == {"vote": {"place": 0, "verdict": "approve"}}
    assert f"{verdict} in the place of approve" in entries.line({"index": 1, "t": "", **cast})
    assert core.approve(asked).end is End.REFUSED  # nor is it turned again, on what is closed
    assert core.verify().is_intact
    assert core.read(requests.get, asked).votes == votes


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
    leaf = core.leaves()[-2]  # then the version is marked
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
    found = core.write(emergencies.review, BOB, 1, "it was not", accepts=False)
    assert (found.emergency.status, found.emergency.reviewed_by) == (Review.FAULTED, "bob")
    assert "still in Production. To take it back: modelkeep rollback churn" in found.next
    with pytest.raises(Conflict, match="reviewed already, by bob"):
        core.write(emergencies.review, ANN, 1, "again", accepts=True)
    with pytest.raises(NotFound):
        core.write(emergencies.review, BOB, 7, "what", accepts=True)
    assert core.verify().is_intact


def test_an_overdue_review_keeps_the_glass_whole(core: Core, asked: int, clock: MovedClock) -> None:
    del asked
    core.apply(POLICY | {"emergency": {}, "stage_transitions": TWO_STAGES})
    broken(core, target="Staging", hours=1)
    core.version()
    broken(core, 2, hours=2)
    assert core.write(emergencies.mark_overdue, SYSTEM) == 0
    clock.advance(HOUR_MS)
    assert [core.write(emergencies.mark_overdue, SYSTEM) for _ in range(2)] == [1, 0]
    assert core.in_stage("Staging") == [1]  # it stays until somebody moves it
    assert core.get(1).tags[TAG].startswith("review 1 overdue since 20")
    core.write(emergencies.review, BOB, 2, "fine", accepts=True)
    refused = broken(core)  # into Production, for which no review is owed: one of the model is late
    assert (refused.end, core.in_stage("Production")) == (End.REFUSED, [2])
    assert "the review of emergency 1, into Staging, is overdue" in refused.message
    core.write(emergencies.review, BOB, 1, "late, but fine", accepts=True)
    assert broken(core).end is End.MOVED
    assert core.verify().is_intact


def test_a_stage_has_one_emergency_at_a_time_and_a_second_is_on_record(
    core: Core, asked: int
) -> None:
    del asked
    broken(core)
    core.version()
    refused = broken(core, 2)
    assert (refused.end, core.in_stage("Production")) == (End.REFUSED, [1])
    assert "the review of emergency 1, into Production, is still owed" in refused.message
    assert (core.leaves()[-1]["act"], core.leaves()[-1]["post"]) == (
        "version:stage:refused", {"target": "Production"},
    )  # fmt: skip
    core.write(emergencies.review, BOB, 1, "it was on fire", accepts=True)
    assert broken(core, 2).end is End.MOVED


def test_a_version_is_marked_as_long_as_a_review_is_owed_for_it(core: Core, asked: int) -> None:
    del asked
    core.version()
    moved = broken(core)
    assert moved.version.tags[TAG].startswith("review 1 due by 20")
    assert TAG not in core.get(2).tags
    for change in (
        lambda: core.tag(2, TAG, "forged"),
        lambda: core.write(registry.delete_version_tag, ROB, "churn", 1, TAG),
    ):
        with pytest.raises(InvalidInput, match="only that ends it"):
            change()
    copy = core.register("churn", "models:/churn/1", tags=dict(core.get(1).tags))
    assert copy.tags == {}
    (stay,) = core.read(history.at, "churn", core.clock.now_ms()).past_gates.values()
    assert (stay.id, stay.status) == (1, Review.OPEN)
    core.write(emergencies.review, BOB, 1, "fine", accepts=True)
    assert core.get(1).tags == {}
    (stay,) = core.read(lineage.trace, "churn", "1").past_gates.values()
    assert (stay.id, stay.status) == (1, Review.ACCEPTED)  # what was done past the gates stays told
    assert core.verify().is_intact


def test_who_made_a_version_does_not_review_its_emergency(core: Core, asked: int) -> None:
    del asked
    broken(core)
    with pytest.raises(Forbidden, match="ann is an author of this version; someone else must rev"):
        core.write(emergencies.review, ANN, 1, "mine, and fine", accepts=True)
    core.write(emergencies.review, BOB, 1, "it was on fire", accepts=True)


def test_one_that_was_found_unjustified_stays_marked_and_bars_the_next(
    core: Core, asked: int
) -> None:
    core.approve(asked)
    for _ in range(2):
        core.version(metrics={"accuracy": 0.1})
    broken(core, 2)
    core.write(emergencies.review, BOB, 1, "there was no fire", accepts=False)
    assert core.get(2).tags == {TAG: "review 1 found no justification"}
    refused = broken(core, 3)
    assert (refused.end, core.in_stage("Production")) == (End.REFUSED, [2])
    assert "emergency 1, into Production, was found unjustified and still stands" in refused.message
    core.roll_back()
    assert broken(core, 3).end is End.MOVED
    assert core.verify().is_intact


def test_who_attached_a_document_does_not_approve(core: Core, asked: int) -> None:
    core.write(requests.withdraw, ROB, asked, "the card is missing")
    core.write(papers.attach, BOB, "churn", "1", "card", "application/json", "{}")
    again = core.promote(1, "Production").request_id
    refused = core.approve(again)
    assert refused.end is End.REFUSED
    assert "bob attached its document card" in refused.message


def test_an_emergency_is_taken_back_without_the_gates_it_passed(core: Core, asked: int) -> None:
    core.approve(asked)
    core.version(metrics={"accuracy": 0.1})
    core.version(metrics={"accuracy": 0.2})
    core.write(emergencies.break_glass, ROB, "churn", 2, "Production", "fire")
    core.write(emergencies.review, BOB, 1, "so it was", accepts=True)
    core.write(emergencies.break_glass, ROB, "churn", 3, "Production", "more fire")
    assert core.roll_back().end is End.MOVED  # to 2, which no gate would let in
    assert (core.in_stage("Production"), core.alias("champion")) == ([2], 2)
    assert core.verify().is_intact


ROLLS_BACK = POLICY | {"emergency": {"review_hours": 2, "then": "roll_back"}}


@pytest.mark.parametrize("how", ["late", "faulted"])
def test_where_the_policy_says_so_it_goes_back_by_itself(
    core: Core, asked: int, clock: MovedClock, how: str
) -> None:
    core.approve(asked)
    core.apply(ROLLS_BACK)
    core.version(metrics={"accuracy": 0.1})
    with pytest.raises(InvalidInput, match="hours must be 1 to 2"):
        broken(core, 2, hours=3)
    assert "Production goes back to what it held before" in broken(core, 2).message
    if how == "late":
        clock.advance(2 * HOUR_MS)
        core.write(emergencies.mark_overdue, SYSTEM)
        owed = core.get(2).tags[TAG]
        assert owed.startswith("review 1 overdue since")
    else:
        found = core.write(emergencies.review, BOB, 1, "no fire", accepts=False)
        assert found.next == "churn/1: Archived -> Production; 2 -> Archived"
    assert (core.in_stage("Production"), core.alias("champion")) == ([1], 1)
    assert "version:stage:rolled-back" in core.acts()
    assert core.verify().is_intact


def test_what_left_by_itself_is_not_rolled_back(core: Core, asked: int, clock: MovedClock) -> None:
    core.apply(ROLLS_BACK)
    broken(core)
    core.version()
    second = core.promote(2, "Production").request_id
    assert core.approve(second).end is End.MOVED
    clock.advance(2 * HOUR_MS)
    core.write(emergencies.mark_overdue, SYSTEM)
    assert (core.in_stage("Production"), asked) == ([2], 1)


def test_with_nothing_to_go_back_to_it_stays_and_is_overdue(
    core: Core, asked: int, clock: MovedClock
) -> None:
    del asked
    core.apply(ROLLS_BACK)
    broken(core)
    clock.advance(2 * HOUR_MS)
    assert core.write(emergencies.mark_overdue, SYSTEM) == 1
    assert core.in_stage("Production") == [1]
    found = core.write(emergencies.review, BOB, 1, "no fire", accepts=False)
    assert "there is nothing to return to" in found.next
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
