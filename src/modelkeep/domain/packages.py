"""Versions as SageMaker's clients see them: packages, each with an approval that is derived.

What such a client says of a version, beyond what our words hold (source, description, tags), is
kept as it was said, in a document of the version called `sagemaker.json`: so it has revisions, is
in the journal by its digest, and policies may ask for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modelkeep.domain.approvals import Request, Status
from modelkeep.domain.models import Version

PAPER = "sagemaker.json"
VERDICT = "ModelApprovalStatus"  # what was last said of it, in the document


class Approval(StrEnum):
    """Whether a package is approved, in SageMaker's words."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


_OF_STATUS = {
    Status.APPROVED: Approval.APPROVED,
    Status.REJECTED: Approval.REJECTED,
    Status.CHANGES: Approval.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Package:
    """A version, what was said of it, its approval and, in words, how that came about."""

    version: Version
    said: dict[str, Any] = field(default_factory=dict)
    approval: Approval = Approval.PENDING


def approval_of(
    version: Version,
    said: Approval | None,
    requests: Iterable[Request],
    production: str,
    policy_digest: str | None,
) -> Approval:
    """The approval that is shown.

    Approved means that an approval holds: the version stands in production, or a request for it was
    granted, of these bytes and under the policy of now; or, where no policy guards production (None
    for its digest), that somebody said so last. `requests` are the version's, newest first.
    """
    if version.stage == production:
        return Approval.APPROVED
    if said is Approval.REJECTED:
        return said
    if policy_digest is None:
        return said or Approval.PENDING
    asked = next((r for r in requests if r.target == production), None)
    if asked is None:
        return Approval.PENDING
    found = _OF_STATUS.get(asked.status, Approval.PENDING)
    holds = (asked.subject, asked.policy_digest) == (version.subject, policy_digest)
    return found if holds or found is not Approval.APPROVED else Approval.PENDING
