"""Verdicts on packages: votes in SageMaker's words, and the approval that is shown.

"Approved" is a vote of whoever says it for the stage that the lifecycle calls production: it may be
the one that suffices, and then moves the version like any other vote. "Rejected" is a vote against
or, of what is in production, the end of its stay there. "PendingManualApproval" takes a verdict
back. Where nothing guards production nobody votes: the version moves, or not, as for any caller.
A vote takes a role that approves; what moves a version without one, a role that promotes.
What a policy refuses is a result, recorded; the edge says it in its own words.

The approval that is shown is derived, of whatever happened last in any dialect:

* What stands in production is approved, whatever let it in.
* A version that another displaced there stays approved as long as it would be let in again: of the
  same bytes, under the same policy, by the gates of then on what is known now.
* One that a rollback left is rejected; so is one whose request was, or that somebody rejected.
"""

from dataclasses import replace

from modelkeep.domain.access import NOBODY, Actor, Caller, Kind, Verb, is_blank
from modelkeep.domain.accounts import REGISTRATION
from modelkeep.domain.approvals import Request, Status
from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.domain.gates import Outcome
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import NO_STAGE, Version
from modelkeep.domain.packages import Approval, Verdict
from modelkeep.domain.policies import Ruling
from modelkeep.ports.governance import Closed
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import checks, judging, promotion, sayings, steps, voting
from modelkeep.services.evidence import gather_for
from modelkeep.services.permits import demand
from modelkeep.services.placement import prior_stays, stage_slot
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import Order
from modelkeep.services.steps import End, Result, Step
from modelkeep.services.voters import verb_of_votes

HISTORY = 20  # of a version's requests and stays, the newest, that may decide its approval
# Who asks for an approval that nobody asked for before it was voted on: voters may not ask.
_REGISTRATION = Actor(REGISTRATION, verified=True, kind=Kind.SYSTEM)
_REJECTED = "Rejected through SageMaker."  # of a vote against: no gate is told it
_DONE = (End.MOVED, End.UNCHANGED, End.REJECTED)


# -- what is shown -------------------------------------------------------------------------------


def approval_of(
    work: Work, version: Version, verdict: Verdict | None, cycle: Lifecycle
) -> tuple[Approval, bool]:
    """The approval, and whether it lasts: until the model or the policy changes."""
    if version.stage == cycle.production:
        return Approval.APPROVED, True
    stays = work.slots.of_version(version.id, HISTORY)
    stay = next((s for s in stays if s.slot == stage_slot(cycle.production)), None)
    requests = [r for r in work.governance.requests_for(version.id, HISTORY)
                if r[0].target == cycle.production]  # fmt: skip
    last = _last(work, verdict, stay, requests)
    if last is not Approval.APPROVED:
        return last, True
    lasts = not cycle.is_guarded(cycle.production)
    if lasts:
        holds = verdict is None or verdict.subject == version.subject
    else:
        holds = _would_be_let_in(work, version, requests, cycle)
    return (last if holds else Approval.PENDING), lasts


def _last(
    work: Work,
    verdict: Verdict | None,
    stay: Occupancy | None,
    requests: list[tuple[Request, Closed]],
) -> Approval:
    """What happened last; of one moment a verdict, which says what came of the rest."""
    marks: list[tuple[int, int, Approval]] = []
    if stay is not None and stay.until_ms is not None:
        if work.slots.was_rolled_back(stay):
            marks.append((stay.until_ms, 0, Approval.REJECTED))
        else:
            marks.append((stay.from_ms, 0, Approval.APPROVED))
    marks += [
        (closed.closed_ms or 0, 1, Approval.REJECTED)
        for asked, closed in requests
        if asked.status in (Status.REJECTED, Status.CHANGES)
    ]
    if verdict is not None and verdict.approval is not None:
        marks.append((verdict.at_ms, 2, verdict.approval))
    return max(marks)[2] if marks else Approval.PENDING


def _would_be_let_in(
    work: Work, version: Version, requests: list[tuple[Request, Closed]], cycle: Lifecycle
) -> bool:
    """Whether what let a version in holds of what it is now, and under the policy of now."""
    granted = next((r for r in requests if r[0].status is Status.APPROVED), None)
    asked = granted[0] if granted else None
    if asked and (asked.subject, asked.policy_digest) != (version.subject, cycle.policy_digest):
        return False
    rule = cycle.way_into(asked.source if asked else NO_STAGE, cycle.production)
    if rule is None:
        return True
    evidence = gather_for(work, version, rule)
    if asked is None or granted is None:
        return judging.decide(rule, evidence, "", (), (), work.now_ms).outcome is Ruling.PASSED
    then = work.governance.evidence(asked.evidence_digest)
    evidence = replace(evidence, standing=then.standing, occupant=then.occupant)
    votes, at_ms = work.governance.votes(asked.id), granted[1].closed_ms or work.now_ms
    decision = judging.decide(rule, evidence, asked.reason, votes, asked.barred, at_ms)
    return decision.outcome is Ruling.PASSED


# -- voting --------------------------------------------------------------------------------------


def is_done(result: Result | None) -> bool:
    """Whether what was asked for happened. A vote that was kept and does not suffice has not."""
    return result is None or result.end in _DONE


def cast(
    work: Work, caller: Caller, version: Version, wanted: Approval, said: str | None = None
) -> Result | None:
    """Gives a verdict, with a comment; None where that asked nothing of anyone, or was so already:
    then the comment is that of the verdict that is there.

    Raises Forbidden; InvalidInput for a rollback without a comment, which is its reason; Conflict
    for a verdict that cannot be taken back.
    """
    comment = said or ""
    cycle = lifecycle_of(work, version.model_name)
    asked = _open(work, version, cycle)
    if wanted is not Approval.APPROVED and version.stage != cycle.production:
        demand(work, caller, verb_of_votes(cycle, asked), version.model_name)
    shown, _ = approval_of(work, version, sayings.read(work, version).verdict, cycle)
    if wanted is Approval.PENDING and shown is wanted:
        return _keep_waiting(work, caller, asked)
    if wanted is shown and (asked is None or wanted is Approval.APPROVED):
        if said is not None:
            sayings.note(work, caller, version, None, said)
        return None
    if wanted is Approval.APPROVED:
        result = _approve(work, caller, version, cycle, comment)
    elif wanted is Approval.REJECTED:
        result = _reject(work, caller, version, cycle, asked, comment)
    else:
        result = _take_back(work, caller, version, cycle, comment)
    if is_done(result):
        sayings.note(work, caller, version, wanted, said)
    return result


def _approve(
    work: Work, caller: Caller, version: Version, cycle: Lifecycle, comment: str
) -> Result:
    name, target = version.model_name, cycle.production
    order = Order(name, version.number, target, comment)
    asked = _open(work, version, cycle)
    if asked is not None:
        demand(work, caller, verb_of_votes(cycle, asked), name)
        result = voting.vote(work, caller, asked.id, approves=True, comment=comment)
        if result.end is not End.VOID:  # else something changed since: ask again, as it is now
            return result
    reason = promotion.reason_for(version, comment)
    decision, evidence = checks.judged(work, NOBODY, version, target, reason, cycle)
    if decision.outcome is Ruling.PASSED:
        demand(work, caller, Verb.PROMOTE, name)
        return promotion.request(work, caller, order)
    if decision.outcome is Ruling.REFUSED:  # nothing could be asked for that would take the vote
        work.governance.keep_evidence(evidence)
        step = Step(version, target, reason, cycle, archive_existing=False)
        return _unkept(steps.refuse(work, caller, step, decision))
    demand(work, caller, verb_of_votes(cycle), name)
    opened = promotion.request(work, Caller(_REGISTRATION, caller.request_id), order)
    if opened.request_id is None:
        return opened
    return voting.vote(work, caller, opened.request_id, approves=True, comment=comment)


def _unkept(refused: Result) -> Result:
    """The refusal of what votes would be cast on."""
    verdicts = refused.decision.verdicts if refused.decision else ()
    if not any(verdict.outcome is Outcome.PENDING for verdict in verdicts):
        return refused
    return replace(refused, message=f"{refused.message} Your vote was not kept: give it then.")


def _reject(
    work: Work,
    caller: Caller,
    version: Version,
    cycle: Lifecycle,
    asked: Request | None,
    comment: str,
) -> Result | None:
    if version.stage == cycle.production:
        return _leave(work, caller, version, cycle, comment)
    if asked is not None:
        reason = comment or _REJECTED
        return voting.vote(work, caller, asked.id, approves=False, comment=reason)
    return None


def _leave(work: Work, caller: Caller, version: Version, cycle: Lifecycle, reason: str) -> Result:
    """Production goes back to what it held before; where there is nothing to go back to, or it
    holds others as well, the version is archived. What the gates let wait, the next one who says so
    votes for."""
    stays = work.slots.open_stays(version.model_id, stage_slot(cycle.production))
    prior = next(prior_stays(work, stays[0]), None) if len(stays) == 1 else None
    asked = _way_out(work, version, prior, cycle)
    if asked is not None and asked.requested_by != caller.actor.name:
        demand(work, caller, verb_of_votes(cycle, asked), version.model_name)
        result = voting.vote(work, caller, asked.id, approves=True, comment=reason)
        if result.end is not End.VOID:
            return result
    demand(work, caller, Verb.PROMOTE, version.model_name)
    if prior:
        if is_blank(reason):
            raise InvalidInput("A rollback needs a reason: give it as ApprovalDescription.")
        return promotion.roll_back(work, caller, version.model_name, reason)
    order = Order(version.model_name, version.number, cycle.archived, reason)
    return promotion.request(work, caller, order)


def _way_out(
    work: Work, version: Version, prior: Occupancy | None, cycle: Lifecycle
) -> Request | None:
    """The request for just what `_leave` would ask for."""
    of, target = (prior.version_id, cycle.production) if prior else (version.id, cycle.archived)
    back_to = prior.id if prior else None
    return next((a for a in _waiting(work, of, target) if a.returns_to == back_to), None)


def _take_back(
    work: Work, caller: Caller, version: Version, cycle: Lifecycle, reason: str
) -> Result | None:
    if version.stage != cycle.production:
        return None
    demand(work, caller, Verb.PROMOTE, version.model_name)
    order = Order(version.model_name, version.number, NO_STAGE, reason)
    return promotion.request(work, caller, order)


def _keep_waiting(work: Work, caller: Caller, asked: Request | None) -> None:
    votes = work.governance.votes(asked.id) if asked else []
    if asked and caller.actor.name in (vote.voter for vote in votes):
        raise Conflict(
            f"Your vote on request {asked.id} stands and cannot be taken back; "
            "ModelApprovalStatus Rejected, said by somebody else, ends the request."
        )


def _open(work: Work, version: Version, cycle: Lifecycle) -> Request | None:
    """The request for production that takes votes."""
    return next(iter(_waiting(work, version.id, cycle.production)), None)


def _waiting(work: Work, version_id: int, target: str) -> list[Request]:
    """The requests for a stage that take votes."""
    return [
        asked
        for asked in work.governance.pending([version_id])
        if asked.target == target and work.now_ms < asked.expires_ms
    ]
