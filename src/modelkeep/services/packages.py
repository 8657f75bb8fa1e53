"""Packages: versions with what SageMaker's clients say of them, and the votes that they cast.

"Approved" is a vote of whoever says it, for the stage that the policy calls production: it may be
the one that suffices, and then moves the version like any other vote. "Rejected" is a vote against
or, of what is in production, a rollback. What a policy refuses is a result, recorded; the edge says
it in its own words.
"""

import json
from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Actor, Caller, Kind
from modelkeep.domain.approvals import Request, Status
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Version
from modelkeep.domain.packages import PAPER, VERDICT, Approval, Package, approval_of
from modelkeep.ports.work import Work
from modelkeep.services import papers, promotion, registry, voting
from modelkeep.services.catalog import again, locate
from modelkeep.services.groups import name_of
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import Order
from modelkeep.services.registry import Draft
from modelkeep.services.steps import Result

REQUESTS_LIMIT = 20  # of one version, the newest, that may hold its approval
# Who asks for an approval that nobody asked for before it was voted on.
_REGISTRATION = Actor("sagemaker", verified=True, kind=Kind.SYSTEM)
_REJECTED = "Rejected through SageMaker."


def find(work: Work, handle: str, number: int) -> Package:
    """A version of the model with a handle. Raises NotFound."""
    return dressed(work, locate(work, name_of(work, handle), number))


def dressed(work: Work, version: Version) -> Package:
    said = said_of(work, version)
    cycle = lifecycle_of(work, version.model_name)
    requests = [asked for asked, _ in work.governance.requests_for(version.id, REQUESTS_LIMIT)]
    verdict = Approval(said[VERDICT]) if VERDICT in said else None
    digest = cycle.policy_digest if cycle.is_guarded(cycle.production) else None
    approval = approval_of(version, verdict, requests, cycle.production, digest)
    return Package(version, said, approval)


def said_of(work: Work, version: Version) -> dict[str, Any]:
    """What was said of a version, in SageMaker's words."""
    paper = work.papers.get(version.id, PAPER, None)
    return json.loads(paper.body) if paper else {}


def register(work: Work, caller: Caller, draft: Draft, said: Mapping[str, Any]) -> Package:
    """Creates a version with what is said of it. Raises what `registry.create_version` does."""
    version = registry.create_version(work, caller, draft)
    _say(work, caller, version, said)
    return dressed(work, again(work, version))


def amend(work: Work, caller: Caller, version: Version, said: Mapping[str, Any]) -> None:
    """Says something else of a version; None takes a member back."""
    both = {**said_of(work, version), **said}
    _say(work, caller, version, {name: value for name, value in both.items() if value is not None})


def _say(work: Work, caller: Caller, version: Version, said: Mapping[str, Any]) -> None:
    if said or said_of(work, version):
        body = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        number = str(version.number)
        papers.attach(work, caller, version.model_name, number, PAPER, "application/json", body)


# -- approvals -----------------------------------------------------------------------------------


def approve(work: Work, caller: Caller, version: Version, comment: str) -> Result | None:
    """The caller's vote for a version; None where it is approved already."""
    if dressed(work, version).approval is Approval.APPROVED:
        return None
    cycle = lifecycle_of(work, version.model_name)
    asked = _asked(work, version, cycle)
    if asked is None:
        asker = caller
        if cycle.is_guarded(cycle.production):
            asker = Caller(_REGISTRATION, caller.request_id)
        order = Order(version.model_name, version.number, cycle.production, comment)
        result = promotion.request(work, asker, order)
        if result.request_id is None:
            _note(work, caller, result, version, Approval.APPROVED)
            return result
        request_id = result.request_id
    else:
        request_id = asked.id
    result = voting.vote(work, caller, request_id, approves=True, comment=comment)
    _note(work, caller, result, version, Approval.APPROVED)
    return result


def reject(work: Work, caller: Caller, version: Version, comment: str) -> Result | None:
    """The caller's vote against a version, or the end of its stay in production; None where nobody
    had to be asked."""
    cycle = lifecycle_of(work, version.model_name)
    reason = comment or _REJECTED
    asked = _asked(work, version, cycle)
    result = None
    if version.stage == cycle.production:
        result = promotion.roll_back(work, caller, version.model_name, reason)
    elif asked is not None:
        result = voting.vote(work, caller, asked.id, approves=False, comment=reason)
    if result is None or result.end.value in ("moved", "rejected"):
        amend(work, caller, again(work, version), {VERDICT: Approval.REJECTED.value})
    return result


def _asked(work: Work, version: Version, cycle: Lifecycle) -> Request | None:
    """The request for production that waits for votes."""
    pending = work.governance.pending([version.id])
    return next(
        (r for r in pending if r.target == cycle.production and r.status is Status.PENDING), None
    )


def _note(work: Work, caller: Caller, result: Result, version: Version, verdict: Approval) -> None:
    if result.is_done:
        amend(work, caller, again(work, version), {VERDICT: verdict.value})
