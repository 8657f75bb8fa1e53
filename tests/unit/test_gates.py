"""Gates: each verdict, and that nothing doubtful passes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.approvals import Vote
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import READERS, Case, Outcome, Verdict
from modelkeep.domain.gates.base import shown

PASSED, FAILED, PENDING = Outcome.PASSED, Outcome.FAILED, Outcome.PENDING


def judge(key: str, value: object, **given) -> Verdict:
    gate = READERS[key](value, "here")
    assert gate is not None
    reason, votes = given.pop("reason", ""), given.pop("votes", ())
    barred = frozenset(given.pop("barred", ()))
    return gate.judge(Case(Evidence.gather(**given), reason, votes, barred))


def on_metrics(requirement: str, **metrics: float) -> Verdict:
    return judge("required_metrics", [requirement], metrics=metrics)


# metrics


@pytest.mark.parametrize(
    ("requirement", "metrics", "message"),
    [
        ("f1_score", {}, "metric f1_score is not on the run"),
        ("accuracy", {"accuracy": math.nan}, "metric accuracy is NaN"),
        ("accuracy >= 0.90", {"accuracy": math.nan}, "metric accuracy is NaN"),
        ("accuracy < 2", {"accuracy": -math.inf}, "metric accuracy is -Infinity"),
        ("accuracy > 0", {"accuracy": math.inf}, "metric accuracy is Infinity"),
        ("accuracy != 0", {}, "metric accuracy is not on the run"),
        ("accuracy >= 0.90", {"accuracy": 0.85}, "accuracy is 0.85, required >= 0.90"),
        ("accuracy>=.9", {"accuracy": 0.85}, "accuracy is 0.85, required >= .9"),
    ],
)
def test_a_metric_fails_with_the_reason_why(requirement, metrics, message) -> None:
    verdict = on_metrics(requirement, **metrics)
    assert verdict == Verdict("metrics", FAILED, message)


@pytest.mark.parametrize(
    ("sign", "below", "equal", "above"),
    [
        (">=", FAILED, PASSED, PASSED),
        (">", FAILED, FAILED, PASSED),
        ("<=", PASSED, PASSED, FAILED),
        ("<", PASSED, FAILED, FAILED),
        ("==", FAILED, PASSED, FAILED),
        ("!=", PASSED, FAILED, PASSED),
    ],
)
def test_each_comparison_means_what_it_says(sign, below, equal, above) -> None:
    requirement = f"accuracy {sign} 0.90"
    found = [on_metrics(requirement, accuracy=v).outcome for v in (0.89, 0.9, 0.91)]
    assert found == [below, equal, above]


@pytest.mark.parametrize("name", ["val/f1 score", "a-b.c", "eval: acc", "Précision"])
def test_a_metric_name_may_be_of_many_characters(name: str) -> None:
    verdict = judge("required_metrics", [f" {name}  >= 1e-1 "], metrics={name: 0.1})
    assert verdict.outcome is PASSED
    assert judge("required_metrics", [name], metrics={name: 0.0}).outcome is PASSED


def test_all_problems_are_told_at_once() -> None:
    verdict = judge("required_metrics", ["a", "b > 1", "c"], metrics={"b": 1.0, "c": 2.0})
    assert verdict.message == "metric a is not on the run; b is 1.0, required > 1"


@pytest.mark.parametrize(
    "item",
    [
        "accuracy => 0.9",
        "accuracy = 0.9",
        "accuracy > = 0.9",
        "accuracy >= high",
        "accuracy >= 0,9",
        "accuracy >= nan",
        "accuracy >= inf",
        "accuracy >= 1e999",
        "accuracy >= 1_0",
        "accuracy >= 0x1",
        "accuracy >=",
        ">= 0.9",
        "0.5 < accuracy < 0.9",
        "accuracy ≥ 0.9",
        " ",
        "/etc",
        0.9,
        {"accuracy": 0.9},
    ],
)
def test_what_is_no_requirement_is_refused_with_its_path(item: object) -> None:
    with pytest.raises(InvalidInput, match=r"^here\[0\]: "):
        READERS["required_metrics"]([item], "here")


@given(st.sampled_from([">=", ">", "<=", "<", "==", "!="]), st.floats())
def test_no_comparison_lets_a_value_that_is_not_finite_pass(sign: str, value: float) -> None:
    if on_metrics(f"m {sign} 0", m=value).outcome is PASSED:
        assert math.isfinite(value)
        assert {">=": value >= 0, ">": value > 0, "<=": value <= 0, "<": value < 0}.get(
            sign, (value == 0) == (sign == "==")
        )


# tags


@pytest.mark.parametrize("value", ["false", "No", " 0 ", "OFF", "None", "ＦＡＬＳＥ"])
def test_a_tag_that_says_no_fails_and_is_quoted(value: str) -> None:
    verdict = judge("required_tags", ["tested"], tags={"tested": value})
    assert verdict == Verdict("tags", FAILED, f"tag tested says '{value}'")


@pytest.mark.parametrize("value", ["", " \t"])
def test_an_empty_tag_fails(value: str) -> None:
    verdict = judge("required_tags", ["tested"], tags={"tested": value})
    assert verdict == Verdict("tags", FAILED, "tag tested is empty")


@pytest.mark.parametrize("value", ["true", "yes", "1", "2026-11-20 by ann", "nothing found"])
def test_a_tag_that_says_anything_else_counts(value: str) -> None:
    assert judge("required_tags", ["tested"], tags={"tested": value}).outcome is PASSED


def test_a_tag_of_the_run_is_not_a_tag_of_the_version() -> None:
    verdict = judge("required_tags", ["tested"], run_tags={"tested": "true"})
    assert verdict.message == "tag tested is not on the version"


def test_a_tag_of_ours_cannot_be_required() -> None:
    with pytest.raises(InvalidInput, match="instructions to modelkeep"):
        READERS["required_tags"](["modelkeep.reason"], "here")


# people


def test_an_approval_is_waited_for() -> None:
    verdict = judge("approval_required", True, barred=["ann"])
    assert verdict.outcome is PENDING
    assert "other than ann" in verdict.message


@pytest.mark.parametrize("voter", ["Ann ", "ANN", "anonymous", "Anonymous", " ", "ａｎｎ", "eve"])
def test_a_vote_by_someone_barred_or_nameless_does_not_count(voter: str) -> None:
    votes = (Vote(voter, True), Vote(voter, False))
    verdict = judge("approval_required", True, votes=votes, barred=["ann"], authors=["Eve"])
    assert verdict.outcome is PENDING


def test_one_valid_approval_is_enough() -> None:
    votes = (Vote("ann", True), Vote("Bob", True))
    verdict = judge("approval_required", True, votes=votes, barred=["ann"])
    assert verdict == Verdict("approval", PASSED, "approved by bob")


def test_a_valid_rejection_fails_whatever_else_was_said() -> None:
    votes = (Vote("bob", True), Vote("cyd", False))
    verdict = judge("approval_required", True, votes=votes)
    assert verdict == Verdict("approval", FAILED, "rejected by cyd")


@pytest.mark.parametrize("reason", ["", "  ", "\n\t", "\u200b", "\u00a0\u2060"])
def test_a_reason_with_nothing_to_read_in_it_fails(reason: str) -> None:
    assert judge("reason_required", True, reason=reason).outcome is FAILED
    assert judge("reason_required", True, reason=f"{reason}ok").outcome is PASSED


def test_a_switch_takes_a_real_boolean_and_false_is_no_gate() -> None:
    for key in ("approval_required", "reason_required"):
        assert READERS[key](False, "here") is None
        for value in ("true", 1, None, [True]):
            with pytest.raises(InvalidInput, match="here: must be true or false"):
                READERS[key](value, "here")


# messages


@given(st.text())
def test_a_message_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()


def test_a_text_cannot_draw_a_line_of_its_own() -> None:
    assert shown("no\n[passed] approval: all\x1b[2J") == r"no\u{a}[passed] approval: all\u{1b}[2J"
