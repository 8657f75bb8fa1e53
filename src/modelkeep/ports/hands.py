"""Rows of hands: who did what to a thing that others made."""

from collections.abc import Collection
from typing import Protocol

from modelkeep.domain.hands import Hand, Thing


class Hands(Protocol):
    """A subject is a run's or a logged model's id, or the id of a version's row."""

    def add(self, subject: str, hand: Hand, at_ms: int) -> None:
        """Harmless to do twice: one statement, which writes nothing the second time."""
        ...

    def of(self, subjects: Collection[tuple[Thing, str]]) -> list[Hand]:
        """The hands in some things, in the order in which they came."""
        ...
