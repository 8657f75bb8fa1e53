"""Object stores that clients reach by themselves: ours, by addresses it signs; and others, that
versions' files are taken in from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.stores import Place


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a client's upload lands before anybody has hashed it: a key, and the store's own id of
    an upload in parts."""

    key: str
    upload_id: str


class Direct(Protocol):
    """Transfers between clients and the store itself. All raise Unavailable while it is away."""

    def open(self) -> Landing: ...
    def part_addresses(self, landing: Landing, count: int, seconds: int) -> list[str]:
        """An address for each part, 1 to `count`, that a client may PUT it to, for so long."""
        ...

    def complete(self, landing: Landing, etags: Sequence[str]) -> int:
        """Puts the parts together; the size in bytes. To do it again does nothing.

        From then on no address that was given reaches the object. Raises InvalidInput for parts
        that are not as said, NotFound for an upload that isn't there.
        """
        ...

    def abort(self, landing: Landing) -> None:
        """Harmless if it isn't there."""
        ...

    def download_address(self, sha256: str, seconds: int) -> str:
        """An address that a client may GET a blob from, in ranges too, for so long."""
        ...

    def adopt(self, key: str, size_bytes: int) -> str:
        """Hashes what landed, and makes it a blob under its SHA-256, which is returned.

        Raises IntegrityFailure if it is gone, or of another size.
        """
        ...

    def discard(self, key: str) -> None:
        """Throws away what landed; harmless if it isn't there."""
        ...

    def landed(self, before_ms: int) -> list[str]:
        """The keys of some of what landed before a moment and lies there still."""
        ...


@dataclass(frozen=True, slots=True)
class Foreign:
    """A file in another store: its path under what was listed, or its name if it is that itself;
    which state it is in; and how the store calls it."""

    path: str
    size_bytes: int
    etag: str
    key: str


class Outside(Protocol):
    """The stores that versions' files may be taken in from, and no others."""

    places: tuple[Place, ...]

    def list(self, place: Place, limit: int) -> list[Foreign]:
        """The object that a place is or, if there is none, what lies under it, by path; at most
        `limit`.

        Raises Forbidden for a place that none of `places` covers, Unavailable.
        """
        ...

    def read(self, place: Place, file: Foreign) -> Iterator[bytes]:
        """A file's bytes in chunks of at most 1 MiB.

        Raises Conflict if it is no longer the one that was listed; Forbidden, Unavailable.
        """
        ...
