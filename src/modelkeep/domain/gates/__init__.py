"""Gates: the conditions that a policy can set before a transition.

To add one: write a module here with a frozen class that fits `base.Gate` and a `base.Reader` that
makes it from its value in a policy document; then give the document's key a row in `READERS`.
That row is the whole registration: the compiler reads, checks, lists and asks whatever stands
there, in that order.
"""

from modelkeep.domain.gates import metrics, review, tags
from modelkeep.domain.gates.base import Case, Gate, Outcome, Reader, Verdict

READERS: dict[str, Reader] = {
    "required_tags": tags.read,
    "required_metrics": metrics.read,
    "approval_required": review.read_approval,
    "reason_required": review.read_reason,
}

__all__ = ["READERS", "Case", "Gate", "Outcome", "Reader", "Verdict"]
