"""A clock that the test moves."""

NOON_MS = 1_794_830_400_000  # 2026-11-16 12:00 UTC


class MovedClock:
    """Stands still until told; satisfies `modelkeep.ports.clock.Clock`."""

    def __init__(self, at_ms: int = NOON_MS) -> None:
        self._at_ms = at_ms

    def now_ms(self) -> int:
        return self._at_ms

    def advance(self, ms: int) -> None:
        """Moves the time; backwards too, as a real clock may that is set right."""
        self._at_ms += ms
