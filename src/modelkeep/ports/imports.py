"""Rows of what was brought here from other servers."""

from typing import Protocol

from modelkeep.domain.imports import Record


class Imports(Protocol):
    def find(self, kind: str, key: str) -> Record | None: ...
    def note(self, record: Record) -> None:
        """Keeps what was brought now; of a record that is there, who brought it first stays."""
        ...
