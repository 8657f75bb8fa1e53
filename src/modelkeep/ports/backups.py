"""What a backup is made from and restored into: a database's rows, and the files of a backup."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from modelkeep.domain.backups import Part
from modelkeep.ports.work import Work


@dataclass(frozen=True, slots=True)
class Shape:
    """A table and its columns."""

    name: str
    columns: tuple[str, ...]


class Snapshot(Protocol):
    """A database as it was at one moment, while others go on writing to it."""

    @property
    def database(self) -> str: ...
    @property
    def schema(self) -> str: ...
    @property
    def work(self) -> Work: ...
    def tables(self) -> list[Shape]:
        """Those that a backup keeps, each after the ones that it refers to."""
        ...

    def pages(self, table: Shape) -> Iterator[Sequence[Sequence[Any]]]:
        """All rows of a table, some at a time."""
        ...

    def blobs(self) -> Iterator[tuple[str, int]]:
        """(SHA-256, size in bytes) of the blobs that the rows name, by SHA-256.

        Without those that garbage collection has deleted, and small files, which are rows.
        """
        ...


class Loading(Protocol):
    """A transaction that fills empty tables."""

    def load(self, table: Shape, pages: Iterator[Sequence[Sequence[Any]]]) -> int:
        """The number of rows."""
        ...


class Place(Protocol):
    """A database to restore into."""

    def refuse_occupied(self, revision: str) -> None:
        """Raises Conflict unless nothing is in it, or only what a restore began with."""
        ...

    def filling(self, revision: str) -> AbstractContextManager[Loading]:
        """Empty tables of a schema's revision, that are filled as a whole or not at all.

        Raises InvalidInput for a schema that this release does not know.
        """
        ...


class Writing(Protocol):
    """A backup that is being written. Nobody takes it for one before `finish` returns."""

    def holds(self, name: str, size_bytes: int) -> bool:
        """Whether a file of that size is there already, whole: from an earlier try, or from the
        backup before."""
        ...

    def add(self, name: str, chunks: Iterator[bytes]) -> Part:
        """Raises Unavailable if it cannot be stored, and whatever `chunks` raises."""
        ...

    def finish(self, manifest: bytes) -> None: ...
    def close(self) -> None:
        """Leaves what there is for the next try, if it can go on from it."""
        ...


class Reading(Protocol):
    """A backup that was finished."""

    def read(self, name: str) -> Iterator[bytes]:
        """A file in chunks of at most 1 MiB. Raises IntegrityFailure if it isn't there."""
        ...

    def names(self) -> Iterator[str]:
        """The names of all its files."""
        ...

    def close(self) -> None: ...
