"""Approvals: who may vote, when, and what voids a request."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.access import person
from modelkeep.domain.approvals import (
    Counted,
    Denied,
    Request,
    Status,
    Vote,
    cast,
    expiry_ms,
    may_vote,
    still_valid,
)

ASKED_MS = 1_800_000_000_000
DAY_MS = 86_400_000

REQUEST = Request(
    id=7,
    model_id=1,
    version_id=2,
    number=3,
    subject="sha256:aa",
    source="Staging",
    target="Production",
    evidence_digest="sha256:bb",
    policy_digest="sha256:cc",
    requested_by="Rob",
    authors=("Ann", "ci-bot"),
    reason="better",
    status=Status.PENDING,
    created_ms=ASKED_MS,
    expires_ms=expiry_ms(ASKED_MS),
)


def outcome(vote: Vote, *earlier: Vote, request: Request = REQUEST, now_ms: int = ASKED_MS + 1):
    return cast(request, vote, earlier, now_ms)


def test_another_person_may_approve_or_reject() -> None:
    for approves in (True, False):
        vote = Vote("bob", approves)
        assert outcome(vote) == Counted((vote,))
        assert Counted((vote,)).rejects is not approves


def test_a_counted_vote_joins_those_before_it() -> None:
    first, second = Vote("bob", True), Vote("cyd", True)
    assert outcome(second, first) == Counted((first, second))


@pytest.mark.parametrize(
    ("voter", "reason"),
    [
        ("ann", "ann is an author of this version; someone else must decide."),
        (" CI-bot", "ci-bot is an author of this version; someone else must decide."),
        ("ROB ", "rob asked for this promotion; someone else must decide."),
        ("anonymous", "An anonymous caller cannot vote; say who you are."),
        ("ANONYMOUS ", "An anonymous caller cannot vote; say who you are."),
        ("", "An anonymous caller cannot vote; say who you are."),
        ("\t", "An anonymous caller cannot vote; say who you are."),
    ],
)
def test_who_may_not_vote_is_denied_either_way(voter: str, reason: str) -> None:
    for approves in (True, False):
        assert outcome(Vote(voter, approves)) == Denied(reason)


def test_a_person_votes_once_under_any_spelling() -> None:
    denied = outcome(Vote("ＢＯＢ ", True), Vote("bob", True))
    assert denied == Denied("bob has voted on request 7 already.")


@pytest.mark.parametrize("wants_changes", [False, True])
def test_who_voted_for_may_vote_against_and_then_that_counts_alone(wants_changes: bool) -> None:
    bob, cyd = Vote("bob", True), Vote("cyd", True)
    against = Vote("ＢＯＢ ", False, wants_changes=wants_changes)
    counted = outcome(against, cyd, bob)
    assert counted == Counted((cyd, against), instead_of=1)
    assert Counted((cyd, against)).rejects
    closed = replace(REQUEST, status=Status.APPROVED)
    assert isinstance(outcome(against, bob, request=closed), Denied)


@pytest.mark.parametrize("status", [Status.APPROVED, Status.REJECTED, Status.VOID])
def test_a_closed_request_takes_no_vote(status: Status) -> None:
    closed = replace(REQUEST, status=status)
    assert outcome(Vote("bob", True), request=closed) == Denied(f"Request 7 is {status} already.")


def test_a_request_takes_votes_for_seven_days() -> None:
    end_ms = ASKED_MS + 7 * DAY_MS
    assert isinstance(outcome(Vote("bob", True), now_ms=end_ms - 1), Counted)
    denied = outcome(Vote("bob", True), now_ms=end_ms)
    assert isinstance(denied, Denied)
    assert "expired" in denied.reason


def test_a_request_holds_while_nothing_changed() -> None:
    assert still_valid(REQUEST, "sha256:cc", "Staging", "sha256:aa") is None


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (("sha256:xx", "Staging", "sha256:aa"), "the policy is another one"),
        (("sha256:cc", "Archived", "sha256:aa"), "in Archived, no longer in Staging"),
        (("sha256:cc", "Staging", "sha256:xx"), "not the one that was asked for"),
    ],
)
def test_whatever_changed_since_voids_it(now: tuple[str, str, str], what: str) -> None:
    assert what in (still_valid(REQUEST, *now) or "")


def test_all_that_changed_is_told() -> None:
    said = still_valid(REQUEST, "x", "None", "y") or ""
    assert said.startswith("Since request 7 was made, ")
    assert said.count(" and ") == 2


names = st.sampled_from(["ann", "ANN ", "Rob", "bob", "Bob", "cyd", "anonymous", "", "ｃｙｄ"])


@given(st.lists(st.builds(Vote, names, st.booleans())), st.integers(0, 8 * DAY_MS))
def test_no_history_counts_one_person_twice_or_anyone_barred(votes, later_ms: int) -> None:
    counted: tuple[Vote, ...] = ()
    for vote in votes:
        match cast(REQUEST, vote, counted, ASKED_MS + later_ms):
            case Counted(so_far):
                counted = so_far
    people = [person(vote.voter) for vote in counted]
    assert len(people) == len(set(people))
    assert not set(people) & (REQUEST.barred | {"", "anonymous"})
    assert not (counted and later_ms >= 7 * DAY_MS)


@given(st.text())
def test_a_barred_name_stays_barred_however_often_it_is_folded(name: str) -> None:
    assert person(person(name)) == person(name)
    assert not may_vote(name, {person(name)})
