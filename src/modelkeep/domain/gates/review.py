"""The gates `approval` and `reason`: that a person looked, and that a person said why.

An approval counts when it is by someone with a name who is not barred: no author, and not whoever
asked. The gate checks this again, although `approvals.cast` did, because it is the last one to
look before a version moves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from modelkeep.domain import documents
from modelkeep.domain.access import is_blank, person
from modelkeep.domain.approvals import may_vote
from modelkeep.domain.gates.base import Case, Gate, Outcome, Verdict, judged


@dataclass(frozen=True, slots=True)
class ApprovalGate:
    """One approval by someone who may give it; a rejection by such a person fails."""

    name: ClassVar[str] = "approval"

    def asks(self) -> str:
        return "one approval, by someone who is neither an author nor asked for it"

    def judge(self, case: Case) -> Verdict:
        barred = case.barred | set(map(person, case.evidence.authors))
        valid = [vote for vote in case.votes if may_vote(vote.voter, barred)]
        against = [person(vote.voter) for vote in valid if not vote.approves]
        if against:
            return Verdict(self.name, Outcome.FAILED, f"rejected by {', '.join(against)}")
        if valid:
            people = dict.fromkeys(person(vote.voter) for vote in valid)
            return Verdict(self.name, Outcome.PASSED, f"approved by {', '.join(people)}")
        return Verdict(self.name, Outcome.PENDING, _awaited(barred))


def _awaited(barred: Iterable[str]) -> str:
    named = sorted(filter(may_vote, barred))
    others = f" other than {', '.join(named)}" if named else ""
    return f"waits for the approval of someone{others} who gives a name"


@dataclass(frozen=True, slots=True)
class ReasonGate:
    """A reason was given, with something to read in it."""

    name: ClassVar[str] = "reason"

    def asks(self) -> str:
        return "a reason"

    def judge(self, case: Case) -> Verdict:
        missing = ("a reason is required and none was given",) if is_blank(case.reason) else ()
        return judged(self.name, missing, "given")


def read_approval(value: object, path: str) -> Gate | None:
    """The gate of `approval_required: true`."""
    return ApprovalGate() if documents.truth(value, path) else None


def read_reason(value: object, path: str) -> Gate | None:
    """The gate of `reason_required: true`."""
    return ReasonGate() if documents.truth(value, path) else None
