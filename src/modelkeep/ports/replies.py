"""What calls with an idempotency key were answered."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that is to have its effect once: whose it is, its key, and a digest of all of it."""

    caller: str
    key: str
    call: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it went out: a status of HTTP and a body of JSON, "" for none."""

    status: int
    body: str


class Replies(Protocol):
    def find(self, caller: str, key: str, since_ms: int) -> tuple[str, Reply] | None:
        """The call that a key was used for since then, and its answer."""
        ...

    def keep(self, claim: Claim, reply: Reply, now_ms: int) -> None:
        """Keeps an answer, in place of an older one under the same key."""
        ...

    def sweep(self, before_ms: int, limit: int) -> int:
        """Forgets answers from before then, at most so many; how many they were."""
        ...
