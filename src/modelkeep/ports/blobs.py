"""Immutable bytes, addressed by their SHA-256."""

from collections.abc import Iterator
from typing import Protocol


class Upload(Protocol):
    """Bytes on their way in. Nothing is visible before `finish` returns."""

    def write(self, chunk: bytes) -> None: ...
    def finish(self) -> tuple[str, int]:
        """(SHA-256 in hex, size in bytes), once the bytes are flushed to the disk."""
        ...

    def abandon(self) -> None:
        """Throws the bytes away; harmless after `finish`."""
        ...


class Blobs(Protocol):
    def begin(self) -> Upload: ...
    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """The bytes in chunks of at most 1 MiB.

        Raises IntegrityFailure before the last chunk is handed out if they no longer hash to
        their name, or aren't there.
        """
        ...
