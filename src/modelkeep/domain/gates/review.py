"""The gates `approval` and `reason`: that a person looked, and that a person said why.

An approval counts when it is by someone with a name who is not barred: no author, and not whoever
asked. The gate checks this again, although `approvals.cast` did, because it is the last one to
look before a version moves.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from modelkeep.domain import documents
from modelkeep.domain.access import is_blank, person
from modelkeep.domain.accounts import REGISTRATION
from modelkeep.domain.approvals import may_vote
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.gates.base import Case, Gate, Outcome, Verdict, judged

PEOPLE_LIMIT = 20
REVIEWING_ROLES = ("reviewer", "admin")  # the roles that may approve


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many people must approve, and with which role on the model ("" for any that may)."""

    people: int = 1
    role: str = ""

    def __str__(self) -> str:
        who = f"with the role {self.role}, " if self.role else ""
        what = "one approval" if self.people == 1 else f"{self.people} approvals"
        return f"{what}, {who}by someone who is neither an author nor asked for it"


@dataclass(frozen=True, slots=True)
class ApprovalGate:
    """Every quorum is met by people who may approve; a rejection by such a person fails.

    One person may help to meet several quorums, once each.
    """

    name: ClassVar[str] = "approval"
    quorums: tuple[Quorum, ...] = (Quorum(),)

    def asks(self) -> str:
        return "; ".join(map(str, self.quorums)) or "nobody"

    def judge(self, case: Case) -> Verdict:
        barred = case.barred | set(map(person, case.evidence.authors))
        valid = [vote for vote in case.votes if may_vote(vote.voter, barred)]
        against = [person(vote.voter) for vote in valid if not vote.approves]
        if against:
            return Verdict(self.name, Outcome.FAILED, f"rejected by {', '.join(against)}")
        people = {person(vote.voter): frozenset(vote.roles) for vote in valid}
        awaited = [awaits for q in self.quorums if (awaits := _awaited(q, people, barred))]
        if awaited:
            return Verdict(self.name, Outcome.PENDING, "; ".join(awaited))
        return Verdict(self.name, Outcome.PASSED, f"approved by {', '.join(people) or 'nobody'}")


def _awaited(quorum: Quorum, people: Mapping[str, Collection[str]], barred: Iterable[str]) -> str:
    """What a quorum still waits for; an empty text if it is met."""
    have = [who for who, roles in people.items() if not quorum.role or quorum.role in roles]
    missing = quorum.people - len(have)
    if missing <= 0:
        return ""
    named = sorted(who for who in {*barred, *people} if may_vote(who, (REGISTRATION,)))
    others = f" other than {', '.join(named)}" if named else ""
    role = f" with the role {quorum.role}" if quorum.role else ""
    if missing == 1:
        return f"waits for the approval of someone{role}{others} who gives a name"
    return f"waits for the approvals of {missing} people{role}{others} who give their names"


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


def read_quorum(value: object, path: str) -> Gate:
    """The gate of `approvals`: a number of people, or `{quorum, role}`, or a list of such."""
    if isinstance(value, list):
        return ApprovalGate(tuple(_quorum(v, at) for at, v in documents.parts(value, path)))
    return ApprovalGate((_quorum(value, path),))


def _quorum(value: object, path: str) -> Quorum:
    part = {"quorum": value} if isinstance(value, int) else value
    part = documents.mapping(part, path, ("quorum", "role"))
    people = documents.whole(part.get("quorum", 1), documents.at(path, "quorum"), 1, PEOPLE_LIMIT)
    role = part.get("role", "")
    if role != "" and role not in REVIEWING_ROLES:
        known = ", ".join(REVIEWING_ROLES)
        raise InvalidInput(f"{documents.at(path, 'role')}: must be one of {known}.")
    return Quorum(people, role)
