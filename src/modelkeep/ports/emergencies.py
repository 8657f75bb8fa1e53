"""Rows of promotions past the gates."""

from collections.abc import Sequence
from typing import Protocol

from modelkeep.domain.emergencies import Emergency, Status


class Emergencies(Protocol):
    def add(self, draft: Emergency) -> int:
        """The new one's id; the draft's own is ignored."""
        ...

    def get(self, emergency_id: int) -> Emergency | None: ...
    def listing(self, statuses: Sequence[Status], limit: int) -> list[Emergency]:
        """Those of these statuses, newest first."""
        ...

    def lapsed(self, now_ms: int, limit: int) -> list[Emergency]:
        """The open ones whose review was due by now, oldest first."""
        ...

    def of_model(self, model_id: int, statuses: Sequence[Status]) -> list[Emergency]:
        """Those of a model's versions of these statuses, oldest first."""
        ...

    def review(
        self, emergency_id: int, status: Status, name: str = "", text: str = "", at_ms: int = 0
    ) -> None:
        """Notes how a review ended, or with no name that it is overdue."""
        ...
