"""Rows of holds: what must not be deleted, whatever anybody's policy says."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on a version, for as long as it isn't released."""

    id: int
    version_id: int
    reason: str
    placed_by: str
    placed_ms: int
    released_reason: str
    released_by: str
    released_ms: int | None


class Holds(Protocol):
    def add(self, version_id: int, reason: str, by: str, at_ms: int) -> int:
        """The new one's id."""
        ...

    def of_version(self, version_id: int) -> Hold | None:
        """The one that holds it now."""
        ...

    def of_model(self, model_id: int) -> list[Hold]:
        """Those that hold any of its versions now, oldest first."""
        ...

    def listing(self, limit: int) -> list[Hold]:
        """Those in force, newest first."""
        ...

    def release(self, hold_id: int, reason: str, by: str, at_ms: int) -> None: ...
