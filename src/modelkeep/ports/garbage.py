"""What no row names any more: marked first, deleted a good while later, if it is still so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.ports.blobs import Stored


@dataclass(frozen=True, slots=True)
class Mark:
    """A blob that was found to be unnamed at `since_ms`; `gone_ms`: deleted by then, at the
    latest."""

    sha256: str
    since_ms: int
    gone_ms: int | None


@dataclass(frozen=True, slots=True)
class Floors:
    """How long what was deleted is kept. Times are moments: what went before them may go.

    `deleted_ms`: runs, logged models and versions. `evidence_ms`: versions that ever stood under
    an alias or in a stage other than those named `archived`; None keeps them for good.
    """

    deleted_ms: int
    evidence_ms: int | None
    archived: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a deleted run or logged model (`kind`), by its id: how many, and their size."""

    kind: str
    id: int
    path: str
    files: int
    size_bytes: int


class Garbage(Protocol):
    """Rows, within a use case."""

    def pins(self) -> list[str]:
        """What must have nothing deleted under it now: backups being taken."""
        ...

    def mark_of(self, sha256: str) -> Mark | None: ...
    def mark(self, blobs: Sequence[Stored]) -> None:
        """Marks them as of now, also those that were marked before."""
        ...

    def unmark(self, sha256s: Sequence[str]) -> None: ...
    def doom(self, sha256s: Sequence[str], before_ms: int, gone_ms: int) -> list[Stored]:
        """Those of them that are still marked, since before a moment: they will be gone."""
        ...

    def gone(self, sha256s: Sequence[str]) -> None:
        """They are gone now."""
        ...

    def mark_small(self, sha256s: Sequence[str]) -> None: ...
    def delete_small(self, sha256s: Sequence[str], before_ms: int) -> list[Stored]:
        """Deletes those of the small files that are still marked, since before a moment."""
        ...

    def is_deleted(self, folder: Folder, before_ms: int) -> bool:
        """Whether whose files these are was deleted before a moment, and is so still."""
        ...


class Inventory(Protocol):
    """What the rows name, as of one moment."""

    def folders(self, before_ms: int) -> Iterator[Folder]:
        """Of the runs and logged models that were deleted before a moment and have files."""
        ...

    def versions(self, floors: Floors) -> tuple[int, int]:
        """How many deleted versions need no bytes any more, and their size."""
        ...

    def named(self, floors: Floors) -> Iterator[str]:
        """The SHA-256 of everything that is named and kept, in order."""
        ...

    def marks(self) -> Iterator[Mark]:
        """In order of their SHA-256."""
        ...

    def small(self, floors: Floors) -> Iterator[list[tuple[Stored, int | None]]]:
        """The small files that nothing names, some at a time, and since when they are marked."""
        ...
