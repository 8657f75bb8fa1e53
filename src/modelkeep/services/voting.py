"""Votes on what waits: whether one counts, and what it comes to.

* Every vote is recorded, a denied one as well, if only once; and one that a person takes back.
* A request whose subject, policy, stage, occupant or epoch changed since is void.
* The vote that suffices moves the version in its own transaction. The gates are asked again then,
  on the evidence that was frozen; if one says no, it is because of the time of day, and the vote
  does not count but can be cast again.
"""

from dataclasses import dataclass, replace
from typing import Any

from modelkeep.domain import approvals
from modelkeep.domain.access import Caller, Kind, is_blank, person
from modelkeep.domain.approvals import Counted, Denied, Request, Status, Vote
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Need, Outcome, Verdict
from modelkeep.domain.lifecycles import Lifecycle, Rule
from modelkeep.domain.models import READY, Version
from modelkeep.domain.policies import Decision, Ruling
from modelkeep.ports.work import Work
from modelkeep.services import judging, makers
from modelkeep.services.accounts import refuse_word
from modelkeep.services.catalog import subject
from modelkeep.services.evidence import occupant_of
from modelkeep.services.placement import stage_slot
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import check_text, stays_for_rollback
from modelkeep.services.steps import (
    End,
    Result,
    Step,
    close_requests,
    complete,
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What a request waits for: a step, past the gates of a rule, on the evidence that it froze."""

    step: Step
    rule: Rule
    evidence: Evidence


def vote(
    work: Work,
    caller: Caller,
    request_id: int,
    *,
    approves: bool,
    comment: str = "",
    wants_changes: bool = False,
) -> Result:
    """Casts a vote on a request; on quorum, decides again and moves the version.

    Raises NotFound; InvalidInput for a rejection without a reason.
    """
    found = work.governance.request(request_id)
    if found is None:
        raise NotFound(f"There is no request {request_id}.")
    asked = found[0]
    version = work.versions.by_id(asked.version_id)
    assert version is not None
    ballot = _ballot(work, caller, version, approves, comment, wants_changes)
    counted = _counted(work, caller, asked, version, ballot)
    if isinstance(counted, Denied):
        _record_denial(work, caller, asked, ballot, version, counted.reason)
        return _answer(work, End.REFUSED, version, asked, counted.reason)
    waiting = _still_waiting(work, asked, version)
    if isinstance(waiting, str):
        return _void(work, caller, asked, version, waiting)
    if counted.rejects:
        return _reject(work, caller, asked, counted, version)
    return _decide(work, caller, asked, counted, waiting)


def vote_once(work: Work, caller: Caller, request_id: int, comment: str = "") -> Result:
    """A vote for; one that counts already answers as it did then: a client tries again."""
    found = work.governance.request(request_id)
    version = work.versions.by_id(found[0].version_id) if found else None
    votes, who = work.governance.votes(request_id), person(caller.actor.name)
    has_voted = any(one.approves and person(one.voter) == who for one in votes)
    if found and version and has_voted and refuse_voice(work, caller, version) is None:
        asked = found[0]
        waiting = _still_waiting(work, asked, version)
        if isinstance(waiting, str):
            return _void(work, caller, asked, version, waiting)
        decision = judging.decide(
            waiting.rule, waiting.evidence, asked.reason, votes, asked.barred, work.now_ms
        )
        if decision.outcome is not Ruling.PASSED:
            return _kept(work, version, asked, decision)
    return vote(work, caller, request_id, approves=True, comment=comment)


def _ballot(
    work: Work, caller: Caller, version: Version, approves: bool, comment: str, wants_changes: bool
) -> Vote:
    if not approves and is_blank(comment):
        what = "A request for changes" if wants_changes else "A rejection"
        raise InvalidInput(f"{what} needs a reason.")
    check_text(comment, "comment")
    roles = _roles(work, caller, version)
    return Vote(caller.actor.name, approves, comment, work.now_ms, roles, wants_changes)


def refuse_voice(work: Work, caller: Caller, version: Version) -> str | None:
    """Why somebody could cast no vote on a version, whatever is asked; None if they could."""
    who, reasons = person(caller.actor.name), makers.reasons(makers.known(work, version))
    if caller.actor.kind is Kind.SERVICE:
        return "A service account cannot vote; a person must decide."
    if caller.actor.is_anonymous:
        return "An anonymous caller cannot vote; say who you are."
    if who in reasons:
        return f"{who} {reasons[who]}; someone else must decide."
    return refuse_word(work, caller)


def _counted(
    work: Work, caller: Caller, asked: Request, version: Version, ballot: Vote
) -> Denied | Counted:
    if caller.actor.kind is Kind.SERVICE:
        return Denied("A service account cannot vote; a person must decide.")
    refusal = refuse_word(work, caller)
    if refusal:
        return Denied(refusal)
    if ballot.approves and version.status != READY:  # they could still become any
        return Denied("The version's files are not checked yet; approve it once it is READY.")
    answerable = work.accounts.owners_of([asked.requested_by])
    earlier = work.governance.votes(asked.id)
    reasons = makers.reasons(makers.known(work, version))
    return approvals.cast(asked, ballot, earlier, work.now_ms, answerable, reasons)


def _still_waiting(work: Work, asked: Request, version: Version) -> _Waiting | str:
    """What the request waits for or, as a sentence, what has changed since it was made."""
    cycle = lifecycle_of(work, version.model_name)
    changed = _what_changed(work, asked, version, cycle)
    if changed:
        return changed
    step = _step_asked(work, asked, version, cycle)
    if step is None:
        return f"{asked.target} holds another version by now."
    rule = _rule_asked(step, asked)
    if rule is None:
        return "The lifecycle is another one."
    evidence = work.governance.evidence(asked.evidence_digest)
    if Need.OCCUPANT in rule.needs and not _is_same_occupant(work, version, asked, evidence):
        return f"{asked.target} does not hold what the version was compared with any more."
    return _Waiting(step, rule, evidence)


def _decide(
    work: Work, caller: Caller, asked: Request, counted: Counted, waiting: _Waiting
) -> Result:
    """Asks the gates again, with one approval more."""
    ballot, version = counted.votes[-1], waiting.step.version
    decision = judging.decide(
        waiting.rule, waiting.evidence, asked.reason, counted.votes, asked.barred, work.now_ms
    )
    if decision.outcome is Ruling.REFUSED:  # by the time of day: all else is as it was frozen
        _record_denial(work, caller, asked, ballot, version, decision.explain())
        message = f"The vote was not counted:\n{decision.explain()}\nCast it again later."
        return _answer(work, End.REFUSED, version, asked, message, decision)
    work.governance.add_vote(asked.id, ballot)
    _record_vote(work, caller, asked, ballot, "cast", version, {})
    if decision.outcome is Ruling.WAITING:
        return _kept(work, version, asked, decision)
    return complete(work, caller, waiting.step, decision, approved_by=asked)


def _kept(work: Work, version: Version, asked: Request, decision: Decision) -> Result:
    message = (
        f"Your vote for {version.model_name}/{version.number} to enter {asked.target} is kept, "
        f"on request {asked.id}; it does not suffice yet:\n{decision.explain()}"
    )
    return _answer(work, End.WAITING, version, asked, message, decision)


# -- within ------------------------------------------------------------------------------------


def _roles(work: Work, caller: Caller, version: Version) -> tuple[str, ...]:
    """What the caller may be called on a version's model, by the grants of now."""
    model = work.models.get(version.model_name)
    return tuple(sorted(caller.access.roles(version.model_name, model.tags if model else {})))


def _void(work: Work, caller: Caller, asked: Request, version: Version, why: str) -> Result:
    closed = close_requests(work, [asked], Status.VOID, why)
    work.record(
        caller,
        Event(
            "approval:request:voided",
            object=subject(version),
            after={"requests": closed},
            texts={"reason": why},
        ),
        model_id=asked.model_id,
    )
    return _answer(work, End.VOID, version, asked, f"{why} Ask for the promotion again.")


def _reject(
    work: Work, caller: Caller, asked: Request, counted: Counted, version: Version
) -> Result:
    ballot, turned = counted.votes[-1], _turned(work, asked, counted)
    work.governance.add_vote(asked.id, ballot)
    status = Status.CHANGES if ballot.wants_changes else Status.REJECTED
    how = "sent back" if ballot.wants_changes else "rejected"
    closed = close_requests(work, [asked], status, f"{how.capitalize()}: {ballot.comment}")
    _record_vote(work, caller, asked, ballot, "cast", version, {"requests": closed}, before=turned)
    message = f"Request {asked.id} is {how} by {ballot.voter}: {ballot.comment}"
    return _answer(work, End.REJECTED, version, asked, message)


def _turned(work: Work, asked: Request, counted: Counted) -> dict[str, Any]:
    """The vote that a person takes back by another, for the journal."""
    if counted.instead_of is None:
        return {}
    former = work.governance.votes(asked.id)[counted.instead_of]
    return {"vote": {"place": counted.instead_of, "verdict": former.verdict}}


def _record_denial(
    work: Work, caller: Caller, asked: Request, ballot: Vote, version: Version, why: str
) -> None:
    """The same denial again is counted, not journalled."""
    verdict = Verdict("vote", Outcome.FAILED, why)
    digests = (asked.policy_digest, asked.evidence_digest)
    denied = Decision(Ruling.REFUSED, (verdict,), *digests)
    repeats = work.governance.note_decision(
        version.id, asked.target, caller.actor.name, denied, work.now_ms
    )
    if repeats == 1:
        _record_vote(work, caller, asked, ballot, "denied", version, {}, why)


def _record_vote(
    work: Work,
    caller: Caller,
    asked: Request,
    ballot: Vote,
    happened: str,
    version: Version,
    after: dict[str, Any],
    denial: str = "",
    before: dict[str, Any] | None = None,
) -> None:
    texts = {"comment": ballot.comment} if ballot.comment else {}
    if denial:
        texts["denial"] = denial
    work.record(
        caller,
        Event(
            f"approval:vote:{happened}",
            object={**subject(version), "request": asked.id},
            before=before or {},
            after={"verdict": ballot.verdict, **after},
            texts=texts,
        ),
        model_id=asked.model_id,
    )


def _answer(
    work: Work,
    end: End,
    version: Version,
    asked: Request,
    message: str,
    decision: Decision | None = None,
) -> Result:
    epoch = work.slots.epoch(asked.model_id, stage_slot(asked.target))
    return Result(end, version, asked.target, epoch, message, decision, asked.id)


def _what_changed(work: Work, asked: Request, version: Version, cycle: Lifecycle) -> str | None:
    if version.deleted:
        return "The version was deleted."
    epoch = work.slots.epoch(asked.model_id, stage_slot(asked.target))
    if asked.epoch not in (None, epoch):
        return f"{asked.target} is at epoch {epoch}, no longer at {asked.epoch} as was asked."
    return approvals.still_valid(asked, cycle.policy_digest, version.stage, version.subject)


def _step_asked(work: Work, asked: Request, version: Version, cycle: Lifecycle) -> Step | None:
    """The step that a request waits to take; None for a rollback that would now be another."""
    step = Step(version, asked.target, asked.reason, cycle, asked.archive_existing)
    if asked.returns_to is None:
        return step
    try:
        current, priors = stays_for_rollback(
            work, version.model_name, version.model_id, asked.target
        )
    except Conflict:
        return None
    # Whoever is there now was there when it was asked for, or what would be returned to is next.
    candidates = priors if current.from_ms < asked.created_ms else priors[:1]
    prior = next((p for p in candidates if p.id == asked.returns_to), None)
    return replace(step, leaving=current, back_to=prior) if prior else None


def _rule_asked(step: Step, asked: Request) -> Rule | None:
    """The rule that a request waits to pass."""
    if step.back_to:
        return step.cycle.way_back(asked.source, asked.target, step.back_to.approved)
    return step.cycle.way_into(asked.source, asked.target)


def _is_same_occupant(work: Work, version: Version, asked: Request, evidence: Evidence) -> bool:
    """Whether the target holds the version, if any, that this one was compared with."""
    there, then = occupant_of(work, version, asked.target), evidence.occupant
    return (there and there.subject) == (then and then.subject)
