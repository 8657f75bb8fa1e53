"""What a signature allows to be changed, it allows once.

A signature is spent in the transaction of the first change that is made under it, so that it is
spent on every replica and after a crash, or neither it nor the change ever was. A call may make
several changes, and two honest calls within a second sign alike: so it is good for some seconds
more, and refused after that. What only reads spends nothing.
"""

from modelkeep.domain.errors import Replayed
from modelkeep.ports.work import Work

GRACE_MS = 5000
SWEEP_LIMIT = 1000  # signatures that one use case forgets


def spend(work: Work, signature: str, until_ms: int) -> None:
    """`until_ms`: from when on nobody would believe the signature. Raises Replayed."""
    seen_ms = work.signatures.first_seen(signature, work.now_ms, until_ms)
    if work.now_ms - seen_ms > GRACE_MS:
        raise Replayed(
            "This signature was used for a change before, more than 5 seconds ago. Sign each call "
            "anew."
        )


def sweep(work: Work) -> bool:
    """Forgets signatures that nobody would believe any more; whether there may be more of them."""
    return work.signatures.sweep(work.now_ms, SWEEP_LIMIT) == SWEEP_LIMIT
