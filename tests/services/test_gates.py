"""Gates in the registry: on what they decide, when it changes, and what they would decide."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.events import instant
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Case, Outcome, Verdict
from modelkeep.domain.lifecycles import Rule
from modelkeep.domain.policies import Decision, Ruling
from modelkeep.services import checks, judging, papers, rehearsal, requests
from modelkeep.services.promotion import End
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, BOB, HOUR_MS, ROB, Core

EVE = Caller(Actor("eve"), "req-eve")


def policy(**gates: Any) -> dict[str, Any]:
    """None -> Staging -> Production, the second step guarded by these gates."""
    return {
        "stage_transitions": {
            "None -> Staging": {},
            "Staging -> Production": gates,
            "Archived -> Production": gates,
            "Production -> Archived": {},
        }
    }


def staged(core: Core, *accuracies: float) -> None:
    """Versions 1, 2, 3 … of churn in Staging, each with its accuracy."""
    core.model()
    for number, accuracy in enumerate(accuracies, 1):
        core.version(metrics={"accuracy": accuracy})
        assert core.promote(number, "Staging").end is End.MOVED


def checked(core: Core, which: str = "1", target: str = "Production", by: Caller = ROB) -> Decision:
    return core.read(checks.check, by, "churn", which, target, "").decision


def explained(decision: Decision | None) -> str:
    return decision.explain() if decision else ""


def test_a_worse_version_does_not_displace_a_better_one(core: Core) -> None:
    core.apply(policy(no_regression=[{"metric": "accuracy", "margin": 0.01}]))
    staged(core, 0.95, 0.93, 0.945)
    assert core.promote(1, "Production").end is End.MOVED
    refused = core.promote(2, "Production")
    assert refused.end is End.REFUSED
    assert "accuracy is 0.93, and 0.95 in version 1" in refused.message
    assert core.promote(3, "Production").end is End.MOVED


def test_an_approval_is_void_once_another_version_is_there_to_compare_with(core: Core) -> None:
    better = "occupant == null || metrics.accuracy > occupant.metrics.accuracy"
    core.apply(policy(expressions=[better], approval_required=True))
    staged(core, 0.90, 0.92, 0.91)
    asked = [core.promote(number, "Production").request_id for number in (1, 3, 2)]
    assert core.approve(asked[0]).end is End.MOVED
    void = core.approve(asked[1])
    assert void.end is End.VOID
    assert "does not hold what the version was compared with" in void.message
    again = core.promote(2, "Production")
    assert again.end is End.WAITING
    assert core.approve(again.request_id).end is End.MOVED


def test_two_people_must_approve_where_the_policy_wants_two(core: Core) -> None:
    core.apply(policy(approvals=2))
    staged(core, 0.9)
    asked = core.promote(1, "Production").request_id
    first = core.approve(asked)
    assert (first.end, "waits for the approval of someone" in first.message) == (End.WAITING, True)
    assert core.approve(asked).end is End.REFUSED  # the same person again
    assert core.approve(asked, by=EVE).end is End.MOVED


def test_a_vote_in_a_freeze_is_not_counted_and_can_be_cast_again(
    core: Core, clock: MovedClock
) -> None:
    freeze = [{"from": instant(NOON_MS + HOUR_MS), "until": instant(NOON_MS + 3 * HOUR_MS)}]
    core.apply(policy(freeze_windows=freeze, approval_required=True))
    staged(core, 0.9)
    asked = core.promote(1, "Production").request_id
    clock.advance(2 * HOUR_MS)
    denied = core.approve(asked)
    assert denied.end is End.REFUSED
    assert "The vote was not counted" in denied.message
    assert core.promote(1, "Production").end is End.REFUSED
    clock.advance(HOUR_MS)
    assert core.approve(asked).end is End.MOVED


def test_a_version_soaks_in_the_stage_before(core: Core, clock: MovedClock) -> None:
    core.apply(policy(minimum_soak_hours=24))
    staged(core, 0.9)
    assert core.promote(1, "Production").end is End.REFUSED
    clock.advance(24 * HOUR_MS)
    assert core.promote(1, "Production").end is End.MOVED


def test_a_required_document_is_attached_and_its_older_text_stays(core: Core) -> None:
    core.apply(policy(required_documents=["card"], expressions=["card.rating == 'low'"]))
    staged(core, 0.9)
    assert "card is not attached" in core.promote(1, "Production").message

    def attach(body: str, by: Caller = ANN) -> int:
        args = "churn", "1", "card", "application/json", body
        return core.write(papers.attach, by, *args).revision

    assert attach('{"rating": "high"}') == 1
    assert "is False" in core.promote(1, "Production").message
    assert attach('{"rating": "low"}', BOB) == 2
    assert attach('{"rating": "low"}', BOB) == 2
    assert core.promote(1, "Production").end is End.MOVED
    assert core.read(papers.read, "churn", "1", "card", 1).body == '{"rating": "high"}'
    assert [(d.name, d.revision, d.author) for d in core.read(papers.listing, "churn", "1")] == [
        ("card", 2, "bob")
    ]
    assert core.verify().is_intact


@pytest.mark.parametrize(
    ("name", "media_type", "body"),
    [
        ("", "text/plain", "x"),
        ("a" * 101, "text/plain", "x"),
        ("card", "text/html", "x"),
        ("card", "text/plain", " "),
        ("card", "text/plain", "é" * 131_073),
        ("card", "application/json", "{"),
        ("card", "application/json", '{"a": NaN}'),
        ("card", "application/json", "[" * 100_000),
    ],
)
def test_what_is_no_document_is_refused_whole(core: Core, name, media_type, body) -> None:
    staged(core, 0.9)
    with pytest.raises(InvalidInput):
        core.write(papers.attach, ANN, "churn", "1", name, media_type, body)
    assert core.read(papers.listing, "churn", "1") == []
    with pytest.raises(NotFound):
        core.read(papers.read, "churn", "1", "card")


# -- a gate that misbehaves ------------------------------------------------------------------------


@dataclass(frozen=True)
class Doing:
    """A gate that does this."""

    does: Callable[[], Any]
    name: ClassVar[str] = "odd"

    def asks(self) -> str:
        return "anything"

    def judge(self, case: Case) -> Verdict:
        return self.does()


def breaks() -> Any:
    raise BaseException("a panic in somebody's library")


@pytest.mark.parametrize(
    "does",
    [threading.Event().wait, breaks, lambda: None, lambda: "true", lambda: {}["x"]],
    ids=["hangs", "panics", "says nothing", "says a text", "raises"],
)
def test_a_gate_that_hangs_panics_or_talks_nonsense_has_refused(does: Any) -> None:
    good = Doing(lambda: Verdict("odd", Outcome.PASSED, "fine"))
    rule = Rule("None", "Production", (good, Doing(does), good), "")
    decision = judging.decide(rule, Evidence.gather(), "", (), (), 0, limit_s=3)
    assert decision.outcome is Ruling.REFUSED
    assert len(decision.verdicts) == 3
    assert decision.verdicts[0].outcome is Outcome.PASSED
    assert decision.verdicts[1].outcome is Outcome.FAILED


# -- without doing it ------------------------------------------------------------------------------


def test_a_check_says_what_asking_would_and_leaves_no_trace(core: Core) -> None:
    core.apply(policy(required_metrics=["accuracy >= 0.9"], approval_required=True))
    staged(core, 0.95, 0.85)
    size = len(core.leaves())
    assert checked(core).outcome is Ruling.WAITING
    refused = checked(core, "2")
    assert (refused.outcome, "accuracy is 0.85" in explained(refused)) == (Ruling.REFUSED, True)
    assert checked(core, target="Archived").outcome is Ruling.REFUSED  # not listed
    assert checked(core, target="None").outcome is Ruling.PASSED
    assert core.read(requests.listing, None) == []
    assert len(core.leaves()) == size
    assert explained(core.promote(1, "Production").decision) == explained(checked(core))


def test_a_policy_is_tried_on_the_past_before_it_is_put_in_force(
    core: Core, clock: MovedClock
) -> None:
    core.apply(policy(required_metrics=["accuracy >= 0.8"]))
    staged(core, 0.85, 0.79, 0.95)
    for number in (1, 2, 3):
        core.promote(number, "Production")
    size, since = len(core.leaves()), clock.now_ms()

    def tried(since_ms: int = 0, **gates: Any) -> dict[int, tuple[str, str, bool]]:
        document = {"model_registry": policy(**gates)}
        judged = core.read(rehearsal.rehearse, document, "", since_ms)
        return {
            one.past.number: (one.past.was.value, one.decision.outcome.value, one.is_exact)
            for one in judged
            if one.differs
        }

    assert tried(required_metrics=["accuracy >= 0.8"]) == {}
    assert tried(required_metrics=["accuracy >= 0.9"]) == {1: ("passed", "refused", True)}
    assert tried(required_metrics=["accuracy >= 0.7"]) == {2: ("refused", "passed", True)}
    assert tried(required_metrics=["accuracy >= 0.8"], approval_required=True) == {
        1: ("passed", "waiting", True),
        3: ("passed", "waiting", True),
    }
    assert tried(no_regression=["accuracy"]) == {}
    worse = tried(expressions=["occupant == null"])
    assert worse == {3: ("passed", "refused", False)}
    assert tried(since_ms=since + 1, required_metrics=["accuracy >= 0.9"]) == {}
    assert len(core.leaves()) == size


def test_the_past_is_judged_with_the_votes_that_were_cast(core: Core) -> None:
    core.apply(policy(approval_required=True))
    staged(core, 0.9)
    core.approve(core.promote(1, "Production").request_id)

    def tried(**gates: Any) -> list[str]:
        document = {"model_registry": policy(**gates)}
        judged = core.read(rehearsal.rehearse, document, "", 0)
        return [one.decision.outcome.value for one in judged if one.differs]

    assert tried(approvals=1) == []
    assert tried(approvals=2) == ["waiting"]


def test_a_rollback_goes_to_any_version_that_was_there_before(core: Core) -> None:
    core.apply(policy(approval_required=True))
    staged(core, 0.9, 0.91, 0.92, 0.93)
    for number in (1, 2, 3):
        core.approve(core.promote(number, "Production").request_id)
    with pytest.raises(Conflict, match="held no version 4 before 3"):
        core.roll_back(to=4)
    assert core.roll_back(to="1").end is End.MOVED
    assert core.in_stage("Production") == [1]
    with pytest.raises(Conflict, match="the first that Production"):
        core.roll_back()
    assert core.verify().is_intact


def test_what_a_policy_asks_of_rollbacks_is_asked_of_all_of_them(
    core: Core, clock: MovedClock
) -> None:
    document = {**policy(approval_required=True), "rollback": {"required_tags": ["safe"]}}
    core.apply(document)
    staged(core, 0.9, 0.91, 0.92)
    for number in (1, 2, 3):
        core.approve(core.promote(number, "Production").request_id)
    refused = core.roll_back()
    assert (refused.end, "tag safe is not on the version" in refused.message) == (End.REFUSED, True)
    core.tag(1, "safe")
    core.apply({**document, "rollback": {"required_tags": ["safe"], "approval_required": True}})
    clock.advance(1)
    waiting = core.roll_back(to=1)
    assert waiting.end is End.WAITING
    assert core.approve(waiting.request_id).end is End.MOVED
    assert core.in_stage("Production") == [1]
    assert core.acts()[-1] == "version:stage:rolled-back"
    assert core.verify().is_intact
