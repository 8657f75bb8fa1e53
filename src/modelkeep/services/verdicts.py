"""Verdicts on packages: votes in SageMaker's words, and the approval that is shown.

"Approved" is a vote of whoever says it for the stage that the lifecycle calls production: it may be
the one that suffices, and then moves the version like any other vote. "Rejected" is a vote against
or, of what is in production, the end of its stay there. "PendingManualApproval" takes a verdict
back. Where nothing guards production nobody votes: the version moves, or not, as for any caller.
A vote takes a role that approves; what moves a version without one, a role that promotes.
What a policy refuses is a result, recorded; the edge says it in its own words.
"""

from dataclasses import replace

from modelkeep.domain.access import NOBODY, Actor, Caller, Kind, Verb, is_blank, person
from modelkeep.domain.accounts import REGISTRATION
from modelkeep.domain.approvals import Request
from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.domain.gates import Outcome
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import FAILED, NO_STAGE, READY, Version
from modelkeep.domain.packages import Approval
from modelkeep.domain.policies import Ruling
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import checks, descriptions, promotion, sayings, standing, steps, voting
from modelkeep.services.permits import demand
from modelkeep.services.placement import prior_stays, stage_slot
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import Order
from modelkeep.services.steps import End, Result, Step
from modelkeep.services.voters import verb_of_votes

# Who asks for an approval that nobody asked for before it was voted on: voters may not ask.
_REGISTRATION = Actor(REGISTRATION, verified=True, kind=Kind.SYSTEM)
_REJECTED = "Rejected through SageMaker."  # of a vote against: no gate is told it
_DONE = (End.MOVED, End.UNCHANGED, End.REJECTED)


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
    for a verdict that cannot be taken back, and for a comment of who could not give that verdict.
    """
    comment = said or ""
    cycle = lifecycle_of(work, version.model_name)
    asked = _open(work, version, cycle)
    if wanted is not Approval.APPROVED and version.stage != cycle.production:
        demand(work, caller, verb_of_votes(cycle, asked), version.model_name)
    if wanted is Approval.APPROVED and (early := refuse_early(work, caller, version, cycle)):
        return early
    shown, _ = standing.approval_of(work, version, sayings.read(work, version).verdict, cycle)
    if version.stage == cycle.production:  # what is not checked as well: it can leave
        shown = Approval.APPROVED
    if wanted is Approval.PENDING and shown is wanted:
        return _keep_waiting(work, caller, asked)
    if wanted is shown and (asked is None or wanted is Approval.APPROVED):
        if said is not None:
            descriptions.say_again(work, caller, version, wanted, said, cycle)
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


def refuse_early(work: Work, caller: Caller, version: Version, cycle: Lifecycle) -> Result | None:
    """Refuses production to what is not READY, whatever guards that, or nothing: the files could
    still become any."""
    if version.status == READY:
        return None
    is_failed = version.status == FAILED
    message = (
        "its ModelPackageStatus is Failed: register another"
        if is_failed
        else "its files are not checked yet: approve it once its ModelPackageStatus is Completed"
    )
    step = Step(version, cycle.production, "", cycle, archive_existing=False)
    return steps.refuse_barred(work, caller, step, message)


def _approve(
    work: Work, caller: Caller, version: Version, cycle: Lifecycle, comment: str
) -> Result:
    name, target = version.model_name, cycle.production
    order = Order(name, version.number, target, comment)
    asked = _open(work, version, cycle)
    if asked is not None:
        demand(work, caller, verb_of_votes(cycle, asked), name)
        result = voting.vote_once(work, caller, asked.id, comment)
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
        result = voting.vote_once(work, caller, asked.id, reason)
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
    if asked and person(caller.actor.name) in (person(vote.voter) for vote in votes):
        raise Conflict(
            f"Your vote on request {asked.id} stands. ModelApprovalStatus Rejected, of you or "
            "somebody else, is a vote against, and ends the request."
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
