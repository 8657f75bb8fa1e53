"""Promotions past the gates: what may be done in an emergency, and what is owed for it.

* It takes a reason, and a name: nobody breaks the glass anonymously.
* What the gates said is frozen and recorded all the same, failed or not.
* It leaves a review, to be done by another person before it is due. While it is owed, the version
  carries a tag that says so, and the glass of that stage cannot be broken again; once it is
  overdue, that of the whole model cannot.
* When it is overdue, or faults what was done, the stage goes back to what it held before, if the
  policy says so (`Terms`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelkeep.domain.access import Actor, person
from modelkeep.domain.events import instant

HOUR_MS = 3_600_000
DEFAULT_HOURS = 24
LIMIT_HOURS = 7 * 24
TAG = "modelkeep.emergency"  # on a version while a review is owed; nobody else sets or removes it


class Status(StrEnum):
    """Where the review of an emergency stands. ACCEPTED and FAULTED are final."""

    OPEN = "open"
    OVERDUE = "overdue"
    ACCEPTED = "accepted"
    FAULTED = "faulted"


UNREVIEWED = (Status.OPEN, Status.OVERDUE)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy says of emergencies. `hours` is the time for a review, at most; `rolls_back`,
    whether the stage goes back to what it held before when that is over, or the review faults it.
    """

    hours: int | None = None
    rolls_back: bool = False


UNSAID = Terms()


@dataclass(frozen=True, slots=True)
class Emergency:
    """A version that was brought into a stage past its gates. Times are milliseconds.

    `decision` is what the gates said, as `policies.Decision.to_json`; `review` what the reviewer
    said of it, empty until then.
    """

    id: int
    version_id: int
    target: str
    opened_by: str
    reason: str
    decision: dict[str, Any]
    opened_ms: int
    due_ms: int
    status: Status = Status.OPEN
    reviewed_by: str = ""
    review: str = ""
    reviewed_ms: int | None = None

    @property
    def is_reviewed(self) -> bool:
        return self.status not in UNREVIEWED

    @property
    def mark(self) -> str:
        """What the version's tag says while the review is owed."""
        how = "overdue since" if self.status is Status.OVERDUE else "due by"
        return f"review {self.id} {how} {instant(self.due_ms)}"


def refuse_review(emergency: Emergency, name: str) -> str | None:
    """Why somebody may not review an emergency; None for whoever may."""
    if emergency.is_reviewed:
        return f"Emergency {emergency.id} was reviewed already, by {emergency.reviewed_by}."
    if Actor(name).is_anonymous:
        return "An anonymous caller cannot review; say who you are."
    if person(name) == person(emergency.opened_by):
        return f"{person(name)} broke the glass; someone else must review it."
    return None
