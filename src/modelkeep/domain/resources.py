"""What SageMaker's clients keep here besides packages: model cards, and what they call models.

A resource has a name of its own among those of its kind, and revisions: each change of what it says
is a new one, and the ones before it stay.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from modelkeep.domain.papers import digest_of


class Kind(StrEnum):
    """As ARNs call it."""

    CARD = "model-card"
    MODEL = "model"  # what could be deployed: containers, and the role that they would have


@dataclass(frozen=True, slots=True)
class Saying:
    """What a revision says: a JSON text as it was given, and how it stands ("" if it doesn't)."""

    body: str
    status: str = ""

    @property
    def sha256(self) -> str:
        return digest_of(self.body)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as one of its revisions, 1, 2, 3 …, has it. Times are milliseconds since the
    epoch."""

    id: int
    kind: Kind
    name: str
    created_ms: int
    created_by: str
    revision: int
    said: Saying
    revised_ms: int
    revised_by: str
    tags: dict[str, str] = field(default_factory=dict)
