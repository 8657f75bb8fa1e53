"""Versions as SageMaker's clients see them: packages, each with an approval that is derived.

What such a client says of a version, beyond what our words hold (source, description, tags), is
kept as it was said, in a document of the version called `sagemaker.json`: so it has revisions and
is in the journal by its digest. Beside the members of SageMaker's model the document has two of
ours: the verdict that was last given, and who spoke last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from modelkeep.domain.models import Version

PAPER = "sagemaker.json"
# A package that no group has is the one version of a model with this tag.
SINGLE_TAG, SINGLE = "modelkeep.package", "unversioned"
_VERDICT, _SPEAKER = "modelkeep.verdict", "modelkeep.by"


class Approval(StrEnum):
    """Whether a package is approved, in SageMaker's words."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said of a version, at a time in milliseconds, and what it was then."""

    approval: Approval
    at_ms: int
    subject: str


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said of a version: SageMaker's members, the last verdict, by whom and when."""

    members: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    by: str = ""
    at_ms: int = 0

    def to_json(self) -> str:
        ours: dict[str, Any] = {_SPEAKER: self.by}
        if self.verdict:
            given = self.verdict
            ours[_VERDICT] = {
                "approval": given.approval.value,
                "at_ms": given.at_ms,
                "subject": given.subject,
            }
        whole = {**self.members, **ours}
        return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def with_members(self, members: Mapping[str, Any]) -> "Saying":
        """With these as well; None takes one back."""
        both = {**self.members, **members}
        return replace(self, members={k: v for k, v in both.items() if v is not None})


def saying_of(body: str, at_ms: int) -> Saying:
    """What a document says, as `Saying.to_json` wrote it at a time in milliseconds."""
    members: dict[str, Any] = json.loads(body)
    given, by = members.pop(_VERDICT, None), members.pop(_SPEAKER, "")
    verdict = given and Verdict(Approval(given["approval"]), given["at_ms"], given["subject"])
    return Saying(members, verdict, by, at_ms)


@dataclass(frozen=True, slots=True)
class Package:
    """A version, what was said of it and its approval. `is_single`: no group has it."""

    version: Version
    said: Saying
    approval: Approval
    is_single: bool = False
