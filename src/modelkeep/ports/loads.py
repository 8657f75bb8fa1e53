"""Who loaded which version: counts by day. Not journalled, as tracking is not."""

from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.loads import Load, Loader


@dataclass(frozen=True, slots=True)
class Usage:
    """How often somebody loaded the version of a number, on how many days, and when last."""

    number: int
    loader: Loader
    count: int
    days: int
    last_ms: int


class Loads(Protocol):
    def add(self, load: Load, *, told: bool) -> None:
        """Adds to the count of that day. `told`: it was made known that the version is used."""
        ...

    def was_told(self, load: Load) -> bool:
        """Whether that was made known of this person, version and day."""
        ...

    def of_model(
        self, model_id: int, number: int | None, since_day: int, limit: int
    ) -> list[Usage]:
        """Of one version or all, who loaded last first."""
        ...

    def sweep(self, before_day: int) -> int:
        """Forgets the oldest of the days before one; how many counts went."""
        ...
