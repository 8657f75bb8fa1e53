"""What every gate is: it looks at one case and returns one verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from modelkeep.domain.approvals import Vote
from modelkeep.domain.evidence import Evidence


class Outcome(StrEnum):
    """PENDING means: not yet, and someone can still do something about it without a new try."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate says, with a message for a person: one line, no full stop at its end."""

    gate: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that a gate may consider: evidence, the reason given, the votes, who is barred, the time.

    `barred` holds names as `access.person` spells them. `now_ms` is in milliseconds since the
    epoch.
    """

    evidence: Evidence
    reason: str
    votes: tuple[Vote, ...]
    barred: frozenset[str]
    now_ms: int = 0


class Need(StrEnum):
    """What a gate looks at that is not gathered for every decision."""

    OCCUPANT = "occupant"
    CARD = "card"


class Gate(Protocol):
    """One condition of a transition. A value: equal conditions are equal gates."""

    name: ClassVar[str]

    def asks(self) -> str:
        """What must hold, in a few words, for listings of the policy."""
        ...

    def judge(self, case: Case) -> Verdict:
        """The verdict on a case: pure, total, and the same each time."""
        ...


@runtime_checkable
class Curious(Gate, Protocol):
    """A gate that looks at more than is gathered for every decision."""

    @property
    def needs(self) -> frozenset[Need]: ...


def needs_of(gate: Gate) -> frozenset[Need]:
    """What must be gathered for a gate besides the version, its run and its documents' digests."""
    return gate.needs if isinstance(gate, Curious) else frozenset()


Reader = Callable[[object, str], Gate | None]
"""Makes a gate of a value in a policy document, given the value's path; None if switched off.

InvalidInput, with the path, for a value that it cannot take.
"""


def judged(gate: str, problems: Iterable[str], otherwise: str) -> Verdict:
    """FAILED with all the problems or, if there are none, PASSED with `otherwise`."""
    found = "; ".join(problems)
    return Verdict(gate, Outcome.FAILED if found else Outcome.PASSED, found or otherwise)


def shown(text: str, limit: int = 4000) -> str:
    """`text` as one printable line.

    A tag's value may hold line feeds, terminal codes or text direction marks, and could otherwise
    draw a verdict of its own into the list that an approver reads.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)
