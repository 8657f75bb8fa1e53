"""Rows of artifacts: which path has which bytes, and the trees that versions have frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.manifests import File, Manifest
from modelkeep.domain.objects import NOTHING, Said


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a listing: one path segment; `size_bytes` is None for a folder."""

    name: str
    size_bytes: int | None

    @property
    def is_folder(self) -> bool:
        return self.size_bytes is None


@dataclass(frozen=True, slots=True)
class Dated:
    """A file of the store, when it came, the entity tag that it was given ("" for none), and what
    was said of it, which pages do not tell."""

    file: File
    at_ms: int
    etag: str
    said: Said = NOTHING


class Artifacts(Protocol):
    def put(self, files: Sequence[tuple[File, str]], at_ms: int) -> bool:
        """Makes each path name these bytes, which an author brought, from now on.

        Says False if there is a `clash`: then it did so for the others alone."""
        ...

    def tag(self, path: str, etag: str, said: Said) -> None:
        """Gives a file an entity tag, and keeps what was said of it, for as long as it is not
        written again."""
        ...

    def dated(self, path: str) -> Dated | None: ...
    def dated_page(self, start: str, after: str, limit: int) -> list[Dated]:
        """Files whose paths begin with a text, by path: those that follow `after`."""
        ...

    def authors(self, path: str) -> list[str]:
        """Who brought the file of a path, or those under a folder, by name; "" for who is not
        known."""
        ...

    def first_author(self, folder: str) -> str | None:
        """Who brought the first file under a folder; None where there is none."""
        ...

    def total(self, folder: str) -> tuple[int, int, int]:
        """How many files lie under a folder, their bytes together, and when the newest came, in
        milliseconds; 0 each where there is none."""
        ...

    def get(self, path: str) -> File | None: ...
    def keep(self, contents: Sequence[tuple[str, bytes]]) -> None:
        """Stores the bytes of small files, by their SHA-256, beside the rows that name them."""
        ...

    def kept(self, sha256: str) -> bytes | None:
        """The bytes of a small file, as they are stored; None for what lies among the blobs."""
        ...

    def clash(self, path: str) -> str | None:
        """A file that this path would lie in; the path itself if files lie in it; else None."""
        ...

    def tree(self, folder: str, limit: int) -> list[File]:
        """Every file under a folder, or the one file of that path; paths relative to it.

        A file's own relative path is its last segment. At most `limit` are returned.
        """
        ...

    def page(self, folder: str, after: str, limit: int) -> list[File]:
        """Files under a folder by path, relative to it: those that follow a path, or the first."""
        ...

    def children(self, folder: str) -> list[Entry]:
        """The direct children of a folder ("" is the top), by name."""
        ...

    def delete(self, path: str) -> int:
        """Forgets a file, or every file under a folder; returns how many."""
        ...

    def freeze(self, manifest: Manifest) -> int:
        """The id of this manifest, stored once however often it is frozen."""
        ...

    def frozen_file(self, version_id: int, path: str) -> File | None: ...
    def frozen_children(self, version_id: int, folder: str) -> list[Entry]: ...
    def frozen_page(self, version_id: int, folder: str, after: str, limit: int) -> list[File]:
        """Files of a version under a folder ("" is the top), by path, those after a path."""
        ...

    def frozen_from(self, version_id: int, start: str, after: str, limit: int) -> list[File]:
        """Files of a version whose paths begin with a text, by path: those that follow `after`."""
        ...

    def frozen(self, version_id: int) -> Manifest | None:
        """The whole manifest of a version; None for an unverified one."""
        ...
