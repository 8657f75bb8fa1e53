"""Gates: the conditions that a policy can set before a transition.

To add one: write a module here with a frozen class that fits `base.Gate` and a `base.Reader` that
makes it from its value in a policy document; then give the document's key a row in `READERS`.
That row is the whole registration: the compiler reads, checks, lists and asks whatever stands
there, in that order.
"""

from modelkeep.domain.gates import bytes, expressions, metrics, regression, review, tags, times
from modelkeep.domain.gates.base import Case, Gate, Need, Outcome, Reader, Verdict

READERS: dict[str, Reader] = {
    "required_tags": tags.read,
    "required_metrics": metrics.read,
    "no_regression": regression.read,
    "expressions": expressions.read,
    "artifact_verified": bytes.read_artifact,
    "required_documents": bytes.read_documents,
    "minimum_soak_hours": times.read_soak,
    "freeze_windows": times.read_freeze,
    "approval_required": review.read_approval,
    "approvals": review.read_quorum,
    "reason_required": review.read_reason,
}

__all__ = ["READERS", "Case", "Gate", "Need", "Outcome", "Reader", "Verdict"]
