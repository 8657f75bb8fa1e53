"""What a registry's rows say of themselves, for whoever checks that all of it is sound."""

from collections.abc import Iterator
from typing import Protocol

from modelkeep.ports.work import Work


class Rows(Protocol):
    """A database as of one moment."""

    @property
    def work(self) -> Work: ...
    def damage(self) -> list[str]:
        """What the database itself finds wrong with its file."""
        ...

    def broken(self) -> Iterator[tuple[str, int, str]]:
        """Rows that cannot be: what is wrong with them, how many there are, and one of them."""
        ...

    def blobs(self) -> Iterator[tuple[str, int]]:
        """(SHA-256, size in bytes) of what must be in the store, by SHA-256."""
        ...

    def small(self) -> Iterator[tuple[str, bytes]]:
        """The small files, by name and content."""
        ...

    def namers(self, sha256: str) -> list[str]:
        """Some of what names these bytes and needs them, for a person."""
        ...
