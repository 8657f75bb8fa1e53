"""Calls that have their effect once, however often they are made.

The answer is kept in the change's own transaction, so a crash leaves both or neither. Refusals
are changes, too: they were recorded. What raised changed nothing, and is not kept.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from modelkeep.domain.errors import KeyReused
from modelkeep.ports.replies import Claim, Reply
from modelkeep.ports.work import Work

KEPT_MS = 24 * 3_600_000
SWEEP_LIMIT = 1000  # answers that one use case forgets

T = TypeVar("T")


def known(work: Work, claim: Claim) -> Reply | None:
    """The answer that a call has had. Raises KeyReused if another call has had the key."""
    found = work.replies.find(claim.caller, claim.key, work.now_ms - KEPT_MS)
    if found is None:
        return None
    call, reply = found
    if call != claim.call:
        raise KeyReused(
            f"The idempotency key '{claim.key}' was used for another call. Take a new key for "
            "each change; the same one only to repeat a call as it was."
        )
    return reply


def once(
    work: Work,
    claim: Claim,
    tell: Callable[[T], Reply],
    use_case: Callable[..., T],
    *args: Any,
    **kwargs: Any,
) -> tuple[T, None] | tuple[None, Reply]:
    """The value of a use case that ran now, or the answer that `tell` made of it before."""
    reply = known(work, claim)
    if reply is not None:
        return None, reply
    value = use_case(work, *args, **kwargs)
    work.replies.keep(claim, tell(value), work.now_ms)
    return value, None


def sweep(work: Work) -> bool:
    """Forgets answers that nobody can ask for any more; whether there may be more of them."""
    return work.replies.sweep(work.now_ms - KEPT_MS, SWEEP_LIMIT) == SWEEP_LIMIT
