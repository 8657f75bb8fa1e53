"""Rows of resources: model cards and models of SageMaker's clients, with their revisions and tags.

Unless a method says otherwise it sees only the living, and of those what whoever asks may see.
"""

from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.resources import Kind, Resource, Saying
from modelkeep.domain.search import Page, Position


@dataclass(frozen=True, slots=True)
class Sought:
    """Which resources, or revisions of one (from, until: both exclusive)."""

    contains: str = ""  # of the name, in any case
    status: str = ""
    from_ms: int | None = None  # of the creation, or the revision
    until_ms: int | None = None
    by_name: bool = False  # else by the time of creation; revisions by their number
    by_change: bool = False  # by the time of the latest revision
    ascending: bool = True


class Resources(Protocol):
    def get(self, kind: Kind, name: str, revision: int | None = None) -> Resource | None:
        """As its latest revision has it, or another; with its tags."""
        ...

    def is_taken(self, kind: Kind, name: str) -> bool:
        """Whether any has the name, also one that whoever asks may not see."""
        ...

    def add(self, kind: Kind, name: str, by: str, at_ms: int) -> int:
        """The id of a new one, which says nothing yet."""
        ...

    def say(self, resource_id: int, revision: int, said: Saying, by: str, at_ms: int) -> None: ...
    def delete(self, resource_id: int, at_ms: int) -> None: ...
    def set_tag(self, resource_id: int, key: str, value: str) -> None: ...
    def delete_tag(self, resource_id: int, key: str) -> bool: ...
    def listed(
        self, kind: Kind, wanted: Sought, limit: int, after: Position | None
    ) -> Page[Resource]:
        """Each as its latest revision has it, with its tags."""
        ...

    def revisions(
        self, resource_id: int, wanted: Sought, limit: int, after: Position | None
    ) -> Page[Resource]:
        """Of one resource, by their numbers, without tags."""
        ...
