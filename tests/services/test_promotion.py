"""Promotions: with and without a policy, through people, and back again. On both databases."""

import math
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.approvals import LIFETIME_MS, Status
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound, StaleRevision
from modelkeep.services import promotion, registry, requests, voting
from modelkeep.services.promotion import End, Order
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, BOB, GOOD, HOUR_MS, NOBODY, ROB, TAGS, Core

METRICS = ["accuracy >= 0.90", "f1_score >= 0.90"]
# As the example of a production policy has it.
POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Staging": {"required_tags": ["tested"], "required_metrics": ["accuracy"]},
        "Staging -> Production": {"required_metrics": METRICS, "approval_required": True},
        "Production -> Archived": {"approval_required": True, "reason_required": True},
    }
}
APPROVAL: dict[str, Any] = {
    "stage_transitions": {"None -> Production": {"approval_required": True}}
}
OPEN: dict[str, Any] = {
    "stage_transitions": {"None -> Production": {}, "Archived -> Production": {}}
}


def with_versions(core: Core, count: int = 3, **facts: Any) -> None:
    core.model("churn")
    for _ in range(count):
        core.version(tags=TAGS, **facts)


def status_of(core: Core, request_id: int | None) -> Status:
    return core.read(requests.get, request_id).request.status


def pending(core: Core) -> list[int]:
    return [found.id for _, found, _ in core.read(requests.listing, Status.PENDING)]


# -- without a policy --------------------------------------------------------------------------


def test_without_a_policy_a_stage_admits_many(core: Core) -> None:
    with_versions(core)
    for number in (1, 2, 3):
        result = core.promote(number, "production")
        assert (result.end, result.target, result.epoch) == (End.MOVED, "Production", number)
    assert core.in_stage("Production") == [1, 2, 3]
    assert core.alias("champion") is None


def test_archiving_what_is_there_leaves_exactly_one(core: Core) -> None:
    with_versions(core, 4)
    for number in (1, 2, 3):
        core.promote(number, "Production")
    size = len(core.leaves())
    result = core.promote(4, "Production", archive_existing=True)
    assert core.stages() == {1: "Archived", 2: "Archived", 3: "Archived", 4: "Production"}
    assert result.epoch == 4
    assert core.acts(size) == ["version:stage:changed"]
    core.promote(1, "Production")
    core.promote(4, "Production", archive_existing=True)  # it is there; the other one still goes
    assert core.in_stage("Production") == [4]


def test_a_version_that_is_where_it_is_wanted_does_not_move(core: Core, clock: MovedClock) -> None:
    with_versions(core, 2)
    core.promote(1, "Staging")
    size = len(core.leaves())
    clock.advance(5)
    for clears in (False, True):
        result = core.promote(1, "Staging", archive_existing=clears)
        assert (result.end, result.epoch, result.is_done) == (End.UNCHANGED, 1, True)
    assert len(core.leaves()) == size
    assert core.get(1).updated_ms == NOON_MS + 5
    assert core.promote(2, "None").end is End.UNCHANGED


def test_a_policy_that_is_silent_about_a_stage_changes_nothing_there(core: Core) -> None:
    with_versions(core, 2)
    core.apply({"single": ["Staging"]})
    core.promote(1, "Archived")
    size = len(core.leaves())
    result = core.promote(1, "Archived")
    assert (result.end, result.epoch) == (End.UNCHANGED, 1)
    core.promote(1, "Staging")
    result = core.promote(1, "Staging")
    assert (result.end, result.epoch) == (End.UNCHANGED, 1)
    assert core.acts(size) == ["version:stage:changed"]
    core.promote(2, "Staging")
    assert core.stages() == {1: "Archived", 2: "Staging"}


def test_only_an_active_stage_can_be_cleared_into_the_archive(core: Core) -> None:
    with_versions(core)
    core.promote(1, "Staging")
    for stage in ("None", "Archived"):
        with pytest.raises(InvalidInput, match=f"because '{stage}' is not an Active stage"):
            core.promote(1, stage, archive_existing=True)
    assert core.stages() == {1: "Staging", 2: "None", 3: "None"}


def test_a_stage_that_does_not_exist_is_refused(core: Core) -> None:
    with_versions(core, 1)
    with pytest.raises(InvalidInput, match="Invalid Model Version stage: Shadow"):
        core.promote(1, "Shadow")
    with pytest.raises(NotFound):
        core.promote(9, "Staging")


def test_an_alias_points_where_it_is_told(core: Core) -> None:
    with_versions(core, 2)
    assert core.set_alias("best", 1).epoch == 1
    assert core.set_alias("best", 1).end is End.UNCHANGED
    assert core.set_alias("best", 2).epoch == 2
    assert core.alias("best") == 2
    assert core.get(1).aliases == ()
    assert core.get(2).aliases == ("best",)
    gone = core.write(promotion.delete_alias, ROB, "churn", "best")
    assert gone.epoch == 3
    assert core.alias("best") is None
    assert core.write(promotion.delete_alias, ROB, "churn", "best") is None
    assert core.set_alias("best", 1).epoch == 4
    for alias in ("", "v1", "latest", "a b", "a/b", "a" * 256):
        with pytest.raises(InvalidInput):
            core.set_alias(alias, 1)


def test_a_caller_that_names_a_stale_epoch_is_refused(core: Core) -> None:
    with_versions(core)
    core.promote(1, "Production", epoch=0)
    core.set_alias("best", 1, epoch=0)
    for epoch in (0, 2, -1, 10**30):
        with pytest.raises(StaleRevision, match="stage:Production is at epoch 1, not"):
            core.promote(2, "Production", epoch=epoch)
        with pytest.raises(StaleRevision, match="alias:best is at epoch 1, not"):
            core.set_alias("best", 2, epoch=epoch)
        with pytest.raises(StaleRevision):
            core.roll_back(epoch=epoch)
    assert (core.in_stage("Production"), core.alias("best")) == ([1], 1)
    core.promote(2, "Production", epoch=1)
    core.set_alias("best", 2, epoch=1)


# -- through gates -----------------------------------------------------------------------------


def test_a_version_that_its_gates_pass_moves_at_once(core: Core) -> None:
    with_versions(core, 1)
    core.apply(POLICY)
    result = core.promote(1, "Staging")
    assert result.end is End.MOVED
    assert result.decision
    assert core.leaves()[-1]["why"]["outcome"] == "passed"
    assert core.leaves()[-1]["why"]["policy"] == result.decision.policy_digest


@pytest.mark.parametrize(
    "metrics",
    [
        *({}, {"accuracy": math.nan}, {"accuracy": math.inf}, {"accuracy": -math.inf}),
        *({"acuracy": 0.99}, {"Accuracy": 0.99}),
    ],
)
def test_a_metric_that_is_missing_or_no_number_fails(core: Core, metrics: dict) -> None:
    with_versions(core, 1, metrics=metrics)
    core.apply(POLICY)
    result = core.promote(1, "Staging")
    assert result.end is End.REFUSED
    assert "[failed] metrics: metric accuracy is" in result.message
    assert core.stages() == {1: "None"}


def test_every_gate_speaks_in_a_refusal(core: Core) -> None:
    core.model("churn")
    core.version(metrics={"accuracy": 0.85, "f1_score": math.nan}, tags={"tested": "no"})
    gates = {**POLICY["stage_transitions"]["Staging -> Production"], "required_tags": ["tested"]}
    core.apply({"stage_transitions": {"None -> Production": {**gates, "reason_required": True}}})
    message = core.promote(1, "Production").message
    for said in (
        "churn/1 may not enter Production:",
        "[failed] tags: tag tested says 'no'",
        "accuracy is 0.85, required >= 0.90; metric f1_score is NaN",
        "[pending] approval: waits for",
        "[failed] reason: a reason is required",
    ):
        assert said in message


def test_a_refusal_is_recorded_once_and_counted_after(core: Core, clock: MovedClock) -> None:
    with_versions(core, 1, metrics={})
    core.apply(POLICY)
    size = len(core.leaves())
    for _ in range(3):
        assert core.promote(1, "Staging").end is End.REFUSED
        clock.advance(HOUR_MS)
    assert core.acts(size) == ["version:stage:refused"]
    version = core.get(1)
    (noted,) = core.read(lambda work: work.governance.decisions(version.id))
    assert (noted["repeats"], noted["actor"], noted["outcome"]) == (3, "rob", "refused")
    core.promote(1, "Staging", by=BOB)  # another person, another refusal
    core.log(str(version.run_id), accuracy=math.nan)
    core.promote(1, "Staging")  # other evidence, another refusal
    assert core.acts(size) == ["version:stage:refused"] * 3


def test_what_a_policy_does_not_list_is_refused_and_recorded(core: Core) -> None:
    with_versions(core, 1)
    core.apply(POLICY)
    size = len(core.leaves())
    result = core.promote(1, "Production")
    assert result.end is End.REFUSED
    assert "does not list the transition None -> Production" in result.message
    core.promote(1, "Archived")
    assert core.acts(size) == ["version:stage:refused"] * 2
    core.promote(1, "Staging")
    assert core.promote(1, "None").end is End.MOVED  # of which the policy says nothing


def test_clearing_an_open_stage_is_no_way_around_a_guard(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    core.promote(1, "Staging")
    with pytest.raises(InvalidInput):
        core.promote(1, "None", archive_existing=True)
    assert core.in_stage("Archived") == []


def test_evidence_is_that_of_the_versions_own_run(core: Core) -> None:
    core.model("churn")
    core.version(metrics={"accuracy": 0.1}, tags=TAGS)
    core.version(tags=TAGS)
    core.apply({"stage_transitions": {"None -> Staging": {"required_metrics": METRICS}}})
    assert core.promote(1, "Staging").end is End.REFUSED
    assert core.promote(2, "Staging").end is End.MOVED
    core.register("churn", "s3://b/x", run_id=core.get(2).run_id)
    core.register("churn", "s3://b/x", tags={"accuracy": "0.99"})
    assert core.promote(4, "Staging").end is End.REFUSED


# -- one at a time -----------------------------------------------------------------------------


def test_a_single_stage_displaces_whom_it_held_and_champion_follows(core: Core) -> None:
    with_versions(core)
    core.apply(OPEN)
    core.promote(1, "Production")
    assert core.alias("champion") == 1
    size = len(core.leaves())
    result = core.promote(2, "Production")
    assert "1 -> Archived" in result.message
    assert core.stages() == {1: "Archived", 2: "Production", 3: "None"}
    assert core.alias("champion") == 2
    assert core.acts(size) == ["version:stage:changed"]
    assert core.promote(2, "Production").end is End.UNCHANGED


def test_displacing_needs_no_approval_of_its_own(core: Core) -> None:
    with_versions(core, 2)
    registry_part = {
        "stage_transitions": {
            "None -> Production": {},
            "Production -> Archived": {"approval_required": True},
        }
    }
    core.apply(registry_part)
    core.promote(1, "Production")
    core.promote(2, "Production")
    assert core.stages() == {1: "Archived", 2: "Production"}
    assert core.promote(2, "Archived").end is End.WAITING


def test_several_that_were_there_before_the_policy_all_go(core: Core) -> None:
    with_versions(core)
    core.promote(1, "Production")
    core.promote(2, "Production")
    core.set_alias("champion", 1)
    applied = core.apply(OPEN)
    assert "has 2 versions in Production, which admits one now" in applied.findings[0]
    core.promote(3, "Production")
    assert core.stages() == {1: "Archived", 2: "Archived", 3: "Production"}
    assert core.alias("champion") == 3


def test_an_alias_that_follows_a_stage_is_promoted_by_hand_like_any_version(core: Core) -> None:
    with_versions(core)
    core.apply(APPROVAL)
    result = core.set_alias("champion", 1)
    assert (result.end, result.target) == (End.WAITING, "Production")
    assert core.alias("champion") is None
    core.approve(result.request_id)
    assert (core.alias("champion"), core.in_stage("Production")) == (1, [1])
    assert core.set_alias("champion", 1).end is End.UNCHANGED
    core.set_alias("challenger", 2)  # which follows nothing
    assert core.alias("challenger") == 2


def test_an_alias_that_follows_a_stage_cannot_be_taken_away(core: Core) -> None:
    with_versions(core, 1)
    core.set_alias("champion", 1)
    core.apply(OPEN)
    core.write(promotion.delete_alias, ROB, "churn", "champion")  # it names nothing in Production
    core.promote(1, "Production")
    size = len(core.leaves())
    for _ in range(2):
        result = core.write(promotion.delete_alias, ROB, "churn", "champion")
        assert result.end is End.REFUSED
        assert "follows Production" in result.message
    assert core.alias("champion") == 1
    assert core.acts(size) == ["version:stage:refused"]


def test_an_alias_that_follows_a_stage_goes_when_its_version_leaves(core: Core) -> None:
    with_versions(core, 1)
    core.apply(OPEN)
    core.promote(1, "Production")
    core.promote(1, "Archived")
    assert core.alias("champion") is None
    core.promote(1, "Production")
    assert core.alias("champion") == 1


def test_other_aliases_can_be_made_to_follow(core: Core) -> None:
    with_versions(core, 2)
    aliases = {"live": "Production", "next": "Staging"}
    core.apply({**OPEN, "single": ["Staging"], "aliases": aliases})
    core.promote(1, "Staging")
    assert core.alias("next") == 1
    core.promote(2, "Staging")
    assert (core.alias("next"), core.in_stage("Staging")) == (2, [2])
    core.set_alias("live", 1)
    assert (core.alias("live"), core.in_stage("Production")) == (1, [1])
    core.set_alias("champion", 2)
    assert core.alias("champion") == 2


@pytest.mark.parametrize("double", ["Champion", "champ1on", "champion-", "сһамріоп"])
def test_nothing_passes_for_an_alias_that_follows_a_stage(core: Core, double: str) -> None:
    with_versions(core)
    assert (
        core.set_alias(double, 1).end is End.MOVED
    )  # as in MLflow, where no policy says otherwise
    applied = core.apply(APPROVAL)
    assert any(f"Alias {double} of model churn reads like champion" in f for f in applied.findings)
    size = len(core.leaves())
    result = core.set_alias(double, 2)
    assert (result.end, core.alias(double)) == (End.REFUSED, 1)
    assert f"{double} reads like the alias champion" in result.message
    assert core.acts(size) == ["version:stage:refused"]
    assert core.write(promotion.delete_alias, ROB, "churn", double).end is End.MOVED


def test_under_a_policy_two_aliases_of_a_model_do_not_read_alike(core: Core) -> None:
    with_versions(core)
    core.set_alias("shadow-1", 1)
    core.apply(APPROVAL)
    assert core.set_alias("shadow-l", 2).end is End.REFUSED
    assert core.set_alias("shadow-1", 2).end is End.MOVED
    assert core.set_alias("shadow-2", 1).end is End.MOVED


# -- waiting -----------------------------------------------------------------------------------


def test_what_waits_opens_a_request_and_finds_it_again(core: Core) -> None:
    with_versions(core)
    core.apply(APPROVAL)
    size = len(core.leaves())
    first = core.promote(1, "Production", reason="better")
    assert first.end is End.WAITING
    assert f"modelkeep approve {first.request_id}" in first.message
    for by in (ROB, BOB, ANN):
        assert core.promote(1, "Production", by=by).request_id == first.request_id
    assert core.promote(2, "Production").request_id != first.request_id
    assert core.acts(size) == ["approval:request:opened"] * 2
    assert core.stages() == {1: "None", 2: "None", 3: "None"}


def test_changed_evidence_needs_another_request(core: Core) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    ids = [core.promote(1, "Production").request_id]
    core.log(str(core.get(1).run_id), accuracy=0.96)
    ids.append(core.promote(1, "Production").request_id)
    core.tag(1, "note", "looked at")
    ids.append(core.promote(1, "Production").request_id)
    core.tag(1, "modelkeep.note", "an instruction is no evidence")
    ids.append(core.promote(1, "Production").request_id)
    assert len(set(ids[:3])) == 3
    assert ids[2] == ids[3]
    assert [status_of(core, i) for i in ids[:2]] == [Status.VOID] * 2
    assert pending(core) == [ids[2]]
    assert core.approve(ids[0]).end is End.REFUSED


SPELLINGS = [
    *("{0}", "{1}", " {0}", "{0} ", "{0}\u200b", "\u200d{0}", "\u202e{0}"),
    *("{0}\ufe0f", "\u3164{0}"),
]


@pytest.mark.parametrize("name", ["ann", "rob"])
def test_no_author_or_asker_can_approve_in_any_spelling(core: Core, name: str) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    request_id = core.promote(1, "Production").request_id
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    spellings = [s.format(name, name.upper()) for s in SPELLINGS] + [wide]
    for spelling in spellings:
        result = core.approve(request_id, by=Caller(Actor(spelling)))
        assert result.end is End.REFUSED, ascii(spelling)
        assert "someone else must decide" in result.message
    assert core.read(lambda work: work.governance.votes(request_id)) == []
    assert core.stages() == {1: "None"}
    assert core.approve(request_id).end is End.MOVED


def test_the_author_of_the_run_cannot_approve_either(core: Core) -> None:
    core.model("churn")
    run_id = core.run(by=Caller(Actor("trainer")))
    core.register("churn", f"runs:/{run_id}/model", by=Caller(Actor("packer")))
    core.apply(APPROVAL)
    request_id = core.promote(1, "Production").request_id
    for name in ("Trainer", "packer"):
        assert core.approve(request_id, by=Caller(Actor(name))).end is End.REFUSED
    assert core.approve(request_id).end is End.MOVED


@pytest.mark.parametrize("name", ["anonymous", "", " ", "Anonymous", "\u200b", "anonymous\ufe0f"])
def test_nobody_can_approve(core: Core, name: str) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    request_id = core.promote(1, "Production").request_id
    for approves in (True, False):
        result = core.write(
            voting.vote, Caller(Actor(name)), request_id, approves=approves, comment="so"
        )
        assert result.end is End.REFUSED
        assert "anonymous" in result.message
    assert status_of(core, request_id) is Status.PENDING
    assert core.acts()[-1] == "approval:vote:denied"


def test_nobody_may_ask_and_somebody_else_approve(core: Core) -> None:
    with_versions(core, 1, by=NOBODY)
    core.apply(APPROVAL)
    request_id = core.promote(1, "Production", by=NOBODY).request_id
    assert core.approve(request_id, by=NOBODY).end is End.REFUSED
    assert core.approve(request_id).end is End.MOVED


def test_an_approval_moves_the_version_in_its_own_transaction(core: Core) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production", reason="better")
    size = len(core.leaves())
    result = core.approve(asked.request_id, comment="looks right")
    assert (result.end, result.request_id) == (End.MOVED, asked.request_id)
    assert status_of(core, asked.request_id) is Status.APPROVED
    cast, moved = core.leaves()[size:]
    assert (cast["act"], cast["texts"]["comment"]) == ("approval:vote:cast", "looks right")
    assert cast["texts"]["actor"] == "bob"
    assert moved["act"] == "version:stage:changed"
    assert moved["why"]["request"] == asked.request_id
    assert moved["texts"]["reason"] == "better"
    assert core.approve(asked.request_id, by=Caller(Actor("cyd"))).end is End.REFUSED


def test_what_was_approved_is_what_was_frozen(core: Core) -> None:
    with_versions(core, 1)
    core.apply(POLICY)
    core.promote(1, "Staging")
    asked = core.promote(1, "Production")
    core.log(str(core.get(1).run_id), accuracy=0.1, f1_score=math.nan)
    core.tag(1, "note", "later")
    result = core.approve(asked.request_id)
    assert result.end is End.MOVED
    assert asked.decision
    assert core.leaves()[-1]["why"]["evidence"] == asked.decision.evidence_digest
    dossier = core.read(requests.get, asked.request_id)
    assert dossier.evidence.metrics["accuracy"] == GOOD["accuracy"]
    assert not dossier.is_current


def test_a_bad_metric_is_not_mended_by_logging_a_good_one_after_asking(core: Core) -> None:
    with_versions(core, 1, metrics={"accuracy": 0.5, "f1_score": 0.5})
    core.apply(POLICY)
    core.promote(1, "Staging")
    assert core.promote(1, "Production").end is End.REFUSED
    core.log(str(core.get(1).run_id), **GOOD)
    assert core.promote(1, "Production").end is End.WAITING


def test_a_change_of_the_policy_voids_what_waits(core: Core) -> None:
    with_versions(core, 2)
    core.apply(APPROVAL)
    ids = [core.promote(number, "Production").request_id for number in (1, 2)]
    assert core.apply(APPROVAL).voided == ()
    assert core.apply({**APPROVAL, "aliases": {}}).voided == tuple(ids)
    for request_id in ids:
        assert status_of(core, request_id) is Status.VOID
        assert core.approve(request_id).end is End.REFUSED
    again = core.promote(1, "Production").request_id
    assert again not in ids
    core.apply(APPROVAL)  # the old one is another revision, and what waited stays void
    assert status_of(core, ids[0]) is Status.VOID
    assert status_of(core, again) is Status.VOID


def test_a_version_that_moved_voids_what_waits(core: Core) -> None:
    with_versions(core, 2)
    core.apply(POLICY)
    core.promote(1, "Staging")
    asked = core.promote(1, "Production").request_id
    core.promote(1, "None")
    assert status_of(core, asked) is Status.VOID
    core.promote(1, "Staging")
    assert core.approve(asked).end is End.REFUSED
    assert core.stages()[1] == "Staging"


def test_an_approved_move_voids_the_versions_other_requests(core: Core) -> None:
    with_versions(core, 1)
    ways = {f"None -> {stage}": {"approval_required": True} for stage in ("Production", "Staging")}
    core.apply({"stage_transitions": ways})
    production = core.promote(1, "Production").request_id
    staging = core.promote(1, "Staging").request_id
    core.approve(staging)
    assert [status_of(core, i) for i in (production, staging)] == [Status.VOID, Status.APPROVED]


def test_a_deleted_version_voids_what_waits(core: Core) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production").request_id
    core.write(registry.delete_version, ANN, "churn", 1)
    assert pending(core) == []
    assert core.approve(asked).end in (End.REFUSED, End.VOID)


def test_a_request_expires(core: Core, clock: MovedClock) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production").request_id
    clock.advance(LIFETIME_MS - 1)
    assert core.promote(1, "Production").request_id == asked
    clock.advance(1)
    for vote in (core.approve, core.reject):
        result = vote(asked)
        assert result.end is End.REFUSED
        assert "has expired" in result.message
    again = core.promote(1, "Production").request_id
    assert again != asked
    assert pending(core) == [again]
    assert core.approve(again).end is End.MOVED


def test_a_request_does_not_come_back_when_the_clock_is_set_back(
    core: Core, clock: MovedClock
) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production").request_id
    clock.advance(LIFETIME_MS)
    core.approve(asked)
    clock.advance(-LIFETIME_MS)
    assert core.approve(asked).end is End.REFUSED


def test_a_rejection_ends_a_request_and_needs_a_reason(core: Core) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production").request_id
    for comment in ("", "  ", "\u200b"):
        with pytest.raises(InvalidInput, match="needs a reason"):
            core.reject(asked, comment=comment)
    result = core.reject(asked, comment="too slow")
    assert result.end is End.REJECTED
    assert "too slow" in result.message
    assert status_of(core, asked) is Status.REJECTED
    assert core.approve(asked, by=Caller(Actor("cyd"))).end is End.REFUSED
    assert core.stages() == {1: "None"}
    again = core.promote(1, "Production").request_id
    assert again != asked
    assert core.approve(again).end is End.MOVED


def test_a_vote_on_nothing_is_not_found(core: Core) -> None:
    for request_id in (0, 1, -1, 2**62):
        with pytest.raises(NotFound):
            core.approve(request_id)


def test_a_denied_vote_is_recorded_once(core: Core) -> None:
    with_versions(core, 1)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production").request_id
    size = len(core.leaves())
    for _ in range(3):
        core.approve(asked, by=ANN)
    assert core.acts(size) == ["approval:vote:denied"]
    assert core.leaves()[-1]["texts"]["denial"].startswith("ann is an author")


def test_archiving_what_is_there_waits_with_the_promotion(core: Core) -> None:
    with_versions(core, 2)
    core.apply({"stage_transitions": {"None -> Staging": {"approval_required": True}}})
    for number in (1, 2):
        core.approve(core.promote(number, "Staging", archive_existing=True).request_id)
    assert core.stages() == {1: "Archived", 2: "Staging"}


# -- reasons -----------------------------------------------------------------------------------

REASONED: dict[str, Any] = {
    "stage_transitions": {
        "None -> Production": {"reason_required": True},
        "Archived -> Production": {"reason_required": True, "approval_required": True},
    }
}


def test_a_reason_given_by_a_tag_is_spent(core: Core) -> None:
    with_versions(core, 2)
    core.apply(REASONED)
    assert core.promote(1, "Production").end is End.REFUSED
    for blank in (" ", "\u200b", "\n"):
        core.tag(1, "modelkeep.reason", blank)
        assert core.promote(1, "Production").end is End.REFUSED
    core.tag(1, "modelkeep.reason", "the old one drifts")
    assert core.promote(1, "Production").end is End.MOVED
    assert "modelkeep.reason" not in core.get(1).tags
    moved = [leaf for leaf in core.leaves() if leaf["act"] == "version:stage:changed"]
    assert moved[-1]["texts"]["reason"] == "the old one drifts"
    core.promote(2, "Production", reason="better")
    assert core.promote(1, "Production").end is End.REFUSED


def test_a_reason_given_outright_beats_the_tag_and_spends_it_too(core: Core) -> None:
    with_versions(core, 1)
    core.apply(REASONED)
    core.tag(1, "modelkeep.reason", "from the tag")
    size = len(core.leaves())
    core.promote(1, "Production", reason="said outright")
    assert core.leaves()[size]["texts"]["reason"] == "said outright"
    assert "modelkeep.reason" not in core.get(1).tags


def test_a_reason_waits_with_its_request(core: Core) -> None:
    with_versions(core, 2)
    core.apply(REASONED)
    for number in (1, 2):
        core.promote(number, "Production", reason="first")
    core.tag(1, "modelkeep.reason", "we need it back")
    asked = core.promote(1, "Production")
    assert asked.end is End.WAITING
    core.write(registry.delete_version_tag, ANN, "churn", 1, "modelkeep.reason")
    assert core.approve(asked.request_id).end is End.MOVED
    assert core.leaves()[-1]["texts"]["reason"] == "we need it back"


def test_a_reason_has_a_limit(core: Core) -> None:
    with_versions(core, 1)
    with pytest.raises(InvalidInput):
        core.promote(1, "Staging", reason="x" * 4001)
    core.promote(1, "Staging", reason="x" * 4000)
    core.tag(1, "modelkeep.reason", "y" * 5000)
    core.promote(1, "None")
    moved = [leaf for leaf in core.leaves() if leaf["act"] == "version:stage:changed"]
    assert moved[-1]["texts"]["reason"] == "y" * 4000


# -- back again --------------------------------------------------------------------------------


def test_a_rollback_returns_to_who_was_there_before(core: Core) -> None:
    with_versions(core)
    core.apply(OPEN)
    core.promote(1, "Production")
    core.promote(2, "Production")
    result = core.roll_back("it drifts")
    assert (result.end, result.version.number, result.epoch) == (End.MOVED, 1, 3)
    assert core.stages() == {1: "Production", 2: "Archived", 3: "None"}
    assert core.alias("champion") == 1
    leaf = core.leaves()[-1]
    assert (leaf["act"], leaf["why"]["rolled_back"]) == ("version:stage:rolled-back", 2)
    assert leaf["texts"]["reason"] == "it drifts"


def test_rolling_back_twice_goes_back_twice_and_no_further(core: Core) -> None:
    with_versions(core)
    core.apply(OPEN)
    for number in (1, 2, 3):
        core.promote(number, "Production")
    assert core.roll_back().version.number == 2
    assert core.roll_back().version.number == 1
    with pytest.raises(Conflict, match="Version 1 is the first that Production"):
        core.roll_back()
    assert core.in_stage("Production") == [1]
    core.promote(3, "Production")
    assert core.roll_back().version.number == 1


def test_a_rollback_from_the_second_goes_to_the_first_and_no_further(core: Core) -> None:
    with_versions(core, 2)
    core.apply(OPEN)
    core.promote(1, "Production")
    core.promote(2, "Production")
    core.roll_back()
    with pytest.raises(Conflict, match="nothing to return to"):
        core.roll_back()


def test_a_rollback_needs_a_reason_and_something_to_return_to(core: Core) -> None:
    with_versions(core, 2)
    with pytest.raises(Conflict, match="has nothing in Production"):
        core.roll_back()
    core.promote(1, "Production")
    for reason in ("", "  \n", "\u200b", "\u3164"):
        with pytest.raises(InvalidInput, match="needs a reason"):
            core.roll_back(reason)
    with pytest.raises(Conflict, match="Version 1 is the first"):
        core.roll_back()
    with pytest.raises(InvalidInput):
        core.roll_back(stage="Shadow")


def test_several_occupants_cannot_be_rolled_back(core: Core) -> None:
    with_versions(core)
    for number in (1, 2, 3):
        core.promote(number, "Production")
    with pytest.raises(Conflict, match="has versions 1, 2, 3 in Production"):
        core.roll_back()
    core.promote(3, "Archived")
    core.promote(2, "Production", archive_existing=True)
    assert core.roll_back().version.number in (1, 3)


def test_without_a_policy_champion_goes_along_if_it_was_there(core: Core) -> None:
    with_versions(core, 2)
    core.promote(1, "Production")
    core.promote(2, "Production", archive_existing=True)
    core.set_alias("champion", 2)
    core.set_alias("other", 2)
    core.roll_back()
    assert (core.alias("champion"), core.alias("other")) == (1, 2)
    core.promote(2, "Production", archive_existing=True)
    core.set_alias("champion", 1)
    core.roll_back()
    assert core.alias("champion") == 1


def test_a_rollback_passes_over_who_was_deleted(core: Core) -> None:
    with_versions(core)  # and no policy, which would have kept what a rollback returns to
    for number in (1, 2, 3):
        core.promote(number, "Production", archive_existing=True)
    core.write(registry.delete_version, ANN, "churn", 2)
    assert core.roll_back().version.number == 1
    core.promote(3, "Production", archive_existing=True)
    core.write(registry.delete_version, ANN, "churn", 1)
    with pytest.raises(Conflict, match="nothing to return to"):
        core.roll_back()


def test_an_occupant_that_was_approved_needs_only_the_reason(core: Core) -> None:
    with_versions(core, 2)
    core.apply(APPROVAL)
    for number in (1, 2):
        core.approve(core.promote(number, "Production").request_id)
    core.log(str(core.get(1).run_id), accuracy=0.0)
    assert core.roll_back(by=ANN).end is End.MOVED
    assert (core.in_stage("Production"), core.alias("champion")) == ([1], 1)


def test_an_occupant_that_was_never_approved_goes_through_the_gates(core: Core) -> None:
    with_versions(core, 2)
    core.promote(1, "Production")
    core.apply(APPROVAL)
    core.approve(core.promote(2, "Production").request_id)
    asked = core.roll_back()
    assert asked.end is End.WAITING
    assert core.in_stage("Production") == [2]
    assert core.approve(asked.request_id, by=ROB).end is End.REFUSED
    assert core.approve(asked.request_id).end is End.MOVED
    assert core.stages() == {1: "Production", 2: "Archived"}
    assert core.alias("champion") == 1


def test_who_only_passed_gates_without_a_person_is_not_approved(core: Core) -> None:
    with_versions(core, 2)
    core.apply({"stage_transitions": {"None -> Production": {}}})
    core.promote(1, "Production")
    core.apply(APPROVAL)
    core.approve(core.promote(2, "Production").request_id)
    assert core.roll_back().end is End.WAITING


def test_an_epoch_that_was_named_still_holds_when_the_request_is_approved(core: Core) -> None:
    with_versions(core, 2)
    core.apply(APPROVAL)
    first, second = (core.promote(n, "Production", epoch=0) for n in (1, 2))
    assert core.approve(first.request_id).end is End.MOVED
    late = core.approve(second.request_id)
    assert late.end is End.VOID
    assert "is at epoch 1, no longer at 0" in late.message
    assert core.in_stage("Production") == [1]


def test_an_approver_is_told_what_no_gate_asks(core: Core) -> None:
    core.model("churn")
    core.register("churn", "s3://bucket/model", by=NOBODY)
    core.apply(APPROVAL)
    asked = core.promote(1, "Production")
    assert "bytes are not held here" in asked.message
    assert "An author gave no name" in asked.message


def test_a_rollback_that_waited_is_one_when_it_is_approved(core: Core) -> None:
    with_versions(core, 3)
    core.promote(1, "Production", archive_existing=True)
    core.promote(2, "Production", archive_existing=True)
    core.apply(APPROVAL)
    core.approve(core.promote(3, "Production").request_id)
    core.approve(core.roll_back().request_id)
    assert core.acts()[-1] == "version:stage:rolled-back"
    core.approve(core.roll_back().request_id)
    assert core.in_stage("Production") == [1]  # and not 3, which was thrown out first


def test_a_rollback_that_waited_is_void_once_the_stage_holds_another(core: Core) -> None:
    with_versions(core, 3)
    core.promote(1, "Production")
    core.apply(APPROVAL)
    core.approve(core.promote(2, "Production").request_id)
    asked = core.roll_back()
    core.approve(core.promote(3, "Production").request_id)
    assert core.approve(asked.request_id).end is End.VOID
    assert core.in_stage("Production") == [3]


def test_a_rollback_that_its_gates_refuse_changes_nothing(core: Core) -> None:
    core.model("churn")
    core.version(metrics={"accuracy": 0.2}, tags=TAGS)
    core.version(tags=TAGS)
    core.promote(1, "Production")
    core.apply({"stage_transitions": {"None -> Production": {"required_metrics": METRICS}}})
    core.promote(2, "Production")
    assert core.roll_back().end is End.REFUSED
    assert core.in_stage("Production") == [2]
    assert core.acts()[-1] == "version:stage:refused"


def test_a_rollback_takes_the_listed_way_if_there_is_one(core: Core) -> None:
    with_versions(core, 2)
    core.promote(1, "Production")
    strict = {"Archived -> Production": {"approval_required": True}}
    core.apply({"stage_transitions": {"None -> Production": {}, **strict}})
    core.promote(2, "Production")
    assert core.roll_back().end is End.WAITING
    assert core.in_stage("Production") == [2]


def test_a_rollback_of_another_stage_leaves_production_alone(core: Core) -> None:
    with_versions(core)
    core.promote(1, "Staging")
    core.promote(2, "Staging", archive_existing=True)
    core.promote(3, "Production")
    core.roll_back(stage="staging")
    assert core.stages() == {1: "Staging", 2: "Archived", 3: "Production"}


def test_the_archive_is_rolled_back_by_its_own_history(core: Core) -> None:
    with_versions(core)
    core.apply(OPEN)
    for number in (1, 2):
        core.promote(number, "Production")
    core.roll_back()  # 2 goes to the archive, which held 1 before
    assert core.in_stage("Archived") == [2]
    result = core.roll_back(stage="Archived")
    assert result.version.number == 1


# -- who wins ----------------------------------------------------------------------------------


def test_epochs_are_dense_and_the_stays_tell_the_order(core: Core, clock: MovedClock) -> None:
    with_versions(core, 5)
    core.apply(OPEN)
    for number in (3, 1, 5, 2, 4):
        core.promote(number, "Production")
        clock.advance(1)
    slots = [
        slot
        for leaf in core.leaves()
        for slot in leaf["post"].get("slots", ())
        if slot["slot"] == "stage:Production"
    ]
    assert [slot["epoch"] for slot in slots] == [1, 2, 3, 4, 5]
    held = [core.at(NOON_MS + ms)["stage:Production"] for ms in range(5)]
    assert held == [[3], [1], [5], [2], [4]]


def test_an_order_of_another_models_version_is_not_found(core: Core) -> None:
    with_versions(core, 1)
    core.model("other")
    with pytest.raises(NotFound):
        core.write(promotion.request, ROB, Order("other", 1, "Production"))
