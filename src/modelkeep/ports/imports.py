"""Rows of what was brought here from other servers."""

from typing import Protocol

from modelkeep.domain.imports import Brought, Kind, Record


class Imports(Protocol):
    def find(self, kind: str, key: str) -> Record | None: ...
    def note(self, record: Record) -> None:
        """Keeps what was brought now; of a record that is there, who brought it first stays."""
        ...

    def brought(self, kind: Kind, origin: str, after: str, limit: int) -> list[Brought]:
        """What was brought from there last and is here, by its key: what follows `after`."""
        ...
