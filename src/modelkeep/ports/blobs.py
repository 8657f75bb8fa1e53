"""Immutable bytes, addressed by their SHA-256; and the parts of what is still being uploaded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Upload(Protocol):
    """Bytes on their way in. Nothing is visible before `finish` returns."""

    def write(self, chunks: Sequence[bytes]) -> None:
        """Raises Unavailable if they cannot be stored."""
        ...

    def finish(self) -> tuple[str, int]:
        """(SHA-256 in hex, size in bytes), once the bytes are kept."""
        ...

    def abandon(self) -> None:
        """Throws the bytes away; harmless after `finish`."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that lies in a store: its name says what it must hash to."""

    sha256: str
    size_bytes: int


class Blobs(Protocol):
    @property
    def where(self) -> str:
        """What people call the store: s3://bucket/prefix, or a folder."""
        ...

    def mark(self) -> str:
        """The id that was put into the store; empty if none was. Raises Unavailable."""
        ...

    def set_mark(self, mark: str) -> None:
        """Puts an id there, in the place of any other. Raises Unavailable."""
        ...

    def begin(self) -> Upload:
        """An upload whose bytes are flushed to the disk before `finish` returns."""
        ...

    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """The bytes in chunks of at most 1 MiB.

        Raises IntegrityFailure before the last chunk is handed out if they no longer hash to
        their name, or aren't there.
        """
        ...

    def read_range(self, sha256: str, size_bytes: int, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in chunks of at most 1 MiB.

        Raises IntegrityFailure before any byte of a damaged chunk is handed out.
        """
        ...

    def check(self, sha256: str, size_bytes: int) -> None:
        """Hashes the whole, once, so that ranges of it can be read at once.

        Raises IntegrityFailure.
        """
        ...

    def stored(self) -> Iterator[Stored]:
        """Every blob that is there, in the order of the names; those that come or go meanwhile may
        be among them or not."""
        ...

    def delete(self, sha256: str) -> None:
        """Forgets a blob for good; harmless if it isn't there. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has come, and when; its MD5 where whoever brought it wanted that."""

    number: int
    sha256: str
    size_bytes: int
    at_ms: int
    md5: str = ""


class Running(Protocol):
    """A hash that takes bytes as they come."""

    def update(self, data: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


class Parts(Protocol):
    """Uploads that come in parts: each a set of numbered parts, kept until it's discarded.

    `upload_id` begins with the moment that it is swept at, as `open` gave it.
    """

    def open(self, expires_ms: int) -> str:
        """The id of a new upload."""
        ...

    def begin(self, upload_id: str, number: int, md5: Running | None = None) -> Upload:
        """A part on its way in; it takes the place of an earlier one of that number. `md5` is given
        its bytes, and kept beside them.

        Raises NotFound, now or when it finishes, if there is no such upload (any more).
        """
        ...

    def assemble(
        self,
        upload_id: str,
        named: Sequence[tuple[int, str]],
        each: Callable[[bytes], object] | None = None,
    ) -> tuple[str, int]:
        """Puts parts together as one blob, by their numbers and SHA-256; its SHA-256 and size.
        `each` is given every chunk, in order.

        Raises InvalidInput if no part of that number has that digest; IntegrityFailure if one is
        damaged; NotFound if there is no such upload.
        """
        ...

    def listing(self, upload_id: str) -> list[Part]:
        """The parts that are there, by number. Raises NotFound."""
        ...

    def close(self, upload_id: str) -> None:
        """Throws the parts away and remembers that the upload was completed."""
        ...

    def is_closed(self, upload_id: str) -> bool: ...
    def discard(self, upload_id: str) -> None:
        """Forgets an upload and its parts; harmless if it isn't there."""
        ...

    def sweep(self, now_ms: int) -> None:
        """Discards the uploads that expired."""
        ...
