"""The time, as the core asks for it."""

from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC. May jump; whoever needs order must not rely on it."""
        ...
