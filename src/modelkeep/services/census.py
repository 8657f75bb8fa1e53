"""What whoever watches a server wants to know of the registry itself, in a few look-ups."""

from dataclasses import dataclass

from modelkeep.ports.checkpoints import Signed
from modelkeep.ports.work import Work


@dataclass(frozen=True, slots=True)
class Census:
    """How long the journal is, what of it was last signed, and what waits for a worker."""

    entries: int
    signed: Signed | None
    deliveries: int
    intake: int
    now_ms: int


def count(work: Work) -> Census:
    origins = work.checkpoints.origins()
    return Census(
        entries=work.journal.size(),
        signed=work.checkpoints.newest(origins[-1].number) if origins else None,
        deliveries=work.deliveries.backlog(),
        intake=work.intakes.backlog(),
        now_ms=work.now_ms,
    )
