"""Rows of the documents that are attached to versions."""

from typing import Protocol

from modelkeep.domain.papers import Document


class Papers(Protocol):
    def attach(self, version_id: int, document: Document) -> int:
        """Takes the place of the one of that name; returns its revision: 1, 2, 3 …"""
        ...

    def of(self, version_id: int) -> list[Document]:
        """The latest under each name, by name, without their bodies."""
        ...

    def get(self, version_id: int, name: str, revision: int | None = None) -> Document | None:
        """The latest under a name, or one of its revisions, with its body."""
        ...

    def authors(self, version_id: int, name: str) -> list[str]:
        """Who wrote any of the revisions under a name, in order."""
        ...
