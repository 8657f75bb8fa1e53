"""How a version's life ends: which step leads where, and what whoever loads it is told."""

import pytest

from modelkeep.domain.endings import NO_ENDING, Ending, State, refuse_step

ACTIVE, DEPRECATED, BLOCKED, RETIRED = State

LEADS = {
    ACTIVE: {DEPRECATED, BLOCKED, RETIRED},
    DEPRECATED: {ACTIVE, DEPRECATED, BLOCKED, RETIRED},
    BLOCKED: {ACTIVE, BLOCKED, RETIRED},
    RETIRED: set(),
}


@pytest.mark.parametrize("state", State)
def test_each_state_leads_on_or_back_to_active_and_retired_nowhere(state: State) -> None:
    refusals = {wanted: refuse_step(Ending(state), wanted) for wanted in State}
    assert {wanted for wanted, refusal in refusals.items() if refusal is None} == LEADS[state]


def test_a_refused_step_says_what_to_do_first() -> None:
    assert refuse_step(Ending(RETIRED), ACTIVE) == "it is retired, which is for good"
    assert refuse_step(Ending(BLOCKED), DEPRECATED) == "it is blocked; reinstate it first"
    assert refuse_step(NO_ENDING, ACTIVE) == "it is active already"


def test_only_what_is_blocked_or_retired_is_over() -> None:
    assert [Ending(state).is_over for state in State] == [False, False, True, True]


def test_the_replacement_stays_unless_another_is_named() -> None:
    first = Ending(DEPRECATED, "old", replacement=7)
    assert first.followed(by=Ending(BLOCKED, "unsafe")).replacement == 7
    assert first.followed(by=Ending(BLOCKED, "unsafe", replacement=8)).replacement == 8
    assert first.followed(by=Ending(ACTIVE, "it was right")).replacement is None


def test_who_loads_it_is_told_why_not_and_what_instead() -> None:
    assert Ending(BLOCKED, "CVE-2026-1 in numpy.").told("churn", 3) == (
        "churn/3 is blocked: CVE-2026-1 in numpy."
    )
    assert Ending(DEPRECATED, "old data", replacement=7).told("churn", 3) == (
        "churn/3 is deprecated: old data. Use models:/churn/7 instead."
    )
    assert Ending(ACTIVE, "it was right after all").told("churn", 3) == ""
