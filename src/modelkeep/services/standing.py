"""The approval that is shown is derived, of whatever happened last in any dialect:

* What stands in production is approved, whatever let it in.
* A version that another displaced there stays approved as long as it would be let in again: of the
  same bytes, under the same policy, by the gates of then on what is known now.
* One that a rollback left is rejected; so is one whose request was, or that somebody rejected.
* Nothing is whose files are not checked, or were not to be had, wherever it stands.
"""

from dataclasses import replace

from modelkeep.domain.approvals import Request, Status
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import NO_STAGE, READY, Version
from modelkeep.domain.packages import Approval, Verdict
from modelkeep.domain.policies import Ruling
from modelkeep.ports.governance import Closed
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import judging
from modelkeep.services.evidence import gather_for
from modelkeep.services.placement import stage_slot

HISTORY = 20  # of a version's requests and stays, the newest, that may decide its approval


def approval_of(
    work: Work, version: Version, verdict: Verdict | None, cycle: Lifecycle
) -> tuple[Approval, bool]:
    """The approval, and whether it lasts: until the model or the policy changes."""
    if version.stage == cycle.production:
        return (Approval.APPROVED if version.status == READY else Approval.PENDING), True
    requests = _requests(work, version, cycle)
    last = _last(work, version, verdict, requests, cycle)
    if last is not Approval.APPROVED:
        return last, True
    if version.status != READY:
        return Approval.PENDING, True
    lasts = not cycle.is_guarded(cycle.production)
    if lasts:
        holds = verdict is None or verdict.subject == version.subject
    else:
        holds = _would_be_let_in(work, version, requests, cycle)
    return (last if holds else Approval.PENDING), lasts


def is_last(work: Work, version: Version, verdict: Verdict, cycle: Lifecycle) -> bool:
    """Whether nobody approved or rejected a version since a verdict, in whatever dialect.
    A rollback brings it back as it was approved."""
    requests, is_for = _requests(work, version, cycle), verdict.approval is Approval.APPROVED
    marks = _marks(work, version, requests, cycle, from_first=is_for)
    return all(at_ms <= verdict.at_ms for at_ms, _, _ in marks)


def _last(
    work: Work,
    version: Version,
    verdict: Verdict | None,
    requests: list[tuple[Request, Closed]],
    cycle: Lifecycle,
) -> Approval:
    """What happened last; of one moment a verdict, which says what came of the rest."""
    marks = _marks(work, version, requests, cycle)
    if verdict is not None and verdict.approval is not None:
        marks.append((verdict.at_ms, 2, verdict.approval))
    return max(marks)[2] if marks else Approval.PENDING


def _marks(
    work: Work,
    version: Version,
    requests: list[tuple[Request, Closed]],
    cycle: Lifecycle,
    *,
    from_first: bool = False,
) -> list[tuple[int, int, Approval]]:
    """When what happened that is a verdict, given by whatever means; a stay that a rollback began
    anew, where that is asked for, `from_first`."""
    marks = [
        (closed.closed_ms or 0, 1, Approval.REJECTED)
        for asked, closed in requests
        if asked.status in (Status.REJECTED, Status.CHANGES)
    ]
    stays = work.slots.of_version(version.id, HISTORY)
    stay = next((s for s in stays if s.slot == stage_slot(cycle.production)), None)
    if stay is None:
        return marks
    if stay.until_ms is not None and work.slots.was_rolled_back(stay):
        return [*marks, (stay.until_ms, 0, Approval.REJECTED)]
    from_ms = _first(stays, stay).from_ms if from_first else stay.from_ms
    return [*marks, (from_ms, 0, Approval.APPROVED)]


def _first(stays: list[Occupancy], stay: Occupancy) -> Occupancy:
    """The stay that rollbacks returned to, where one began this: both came after the same one."""
    same = (s for s in stays if (s.slot, s.prior_id) == (stay.slot, stay.prior_id))
    return min(same, key=lambda s: s.id)


def _requests(work: Work, version: Version, cycle: Lifecycle) -> list[tuple[Request, Closed]]:
    found = work.governance.requests_for(version.id, HISTORY)
    return [one for one in found if one[0].target == cycle.production]


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
