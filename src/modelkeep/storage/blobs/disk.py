"""Blobs on a local disk: `blobs/ab/abcdef…`, written once, never changed.

The order of steps is what survives a power cut: the bytes are flushed, renamed into place, and
the folder is flushed, all before any row may name them. An upload lives in `incoming/` until
then; what an earlier process left there is swept at the start.
"""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from modelkeep.domain.errors import IntegrityFailure, Unavailable
from modelkeep.domain.stores import MARK
from modelkeep.ports.blobs import Stored
from modelkeep.storage.blobs.checks import (
    Checks,
    first_of,
    is_sha256,
    ranged,
    verified,
)
from modelkeep.storage.blobs.incoming import Incoming, not_stored
from modelkeep.storage.files import write_durably

HASHERS = 16  # threads that hash and flush for the uploads under way


class DiskBlobs:
    """See `ports.blobs.Blobs`. The folder is private to this process's user.

    `is_alone`: no other process uses it, so that what lies in `incoming/` is left over.
    """

    def __init__(self, folder: Path, *, is_alone: bool = True) -> None:
        self._blobs, self._incoming = folder / "blobs", folder / "incoming"
        for place in (self._blobs, self._incoming):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in self._incoming.iterdir() if is_alone else ():
            left_over.unlink(missing_ok=True)
        self.where = str(folder.absolute())
        self._threads = ThreadPoolExecutor(HASHERS, thread_name_prefix="hasher")
        self._checks = Checks()

    def mark(self) -> str:
        try:
            return (self._blobs / MARK).read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Unavailable(f"{self._blobs / MARK} cannot be read: {error.strerror}.") from None

    def set_mark(self, mark: str) -> None:
        try:
            write_durably(self._blobs / MARK, f"{mark}\n".encode())
        except OSError as error:
            raise Unavailable(f"{self._blobs} cannot be written to: {error.strerror}.") from None

    def begin(self) -> "DiskUpload":
        return DiskUpload(self, self.incoming())

    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        with self._open(sha256) as file:
            yield from verified(file, sha256, size_bytes)

    def read_range(self, sha256: str, size_bytes: int, start: int, stop: int) -> Iterator[bytes]:
        hashes = self._hashes(sha256, size_bytes)
        with self._open(sha256) as file:
            file.seek(first_of(start))
            yield from ranged(file, sha256, hashes, start, stop)

    def check(self, sha256: str, size_bytes: int) -> None:
        self._hashes(sha256, size_bytes)

    def stored(self) -> Iterator[Stored]:
        for folder in sorted(self._blobs.iterdir()):
            for path in sorted(folder.iterdir() if folder.is_dir() else ()):
                if is_sha256(path.name) and folder.name == path.name[:2]:
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        yield Stored(path.name, path.stat().st_size)

    def delete(self, sha256: str) -> None:
        path = self.path(sha256)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _flush_folder(path.parent)
        except OSError as error:
            raise Unavailable(f"{path} could not be deleted: {error.strerror}.") from None

    def incoming(self) -> Incoming:
        """A file to receive bytes in, which is no blob yet."""
        return Incoming(self._incoming, self._threads)

    def path(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256

    def close(self) -> None:
        self._threads.shutdown()

    def _hashes(self, sha256: str, size_bytes: int) -> bytes:
        return self._checks.of(sha256, lambda: self.read(sha256, size_bytes))

    def _open(self, sha256: str) -> BinaryIO:
        try:
            return open(
                self.path(sha256),
                "rb",
                buffering=0,
                opener=lambda p, f: os.open(p, f | os.O_NOFOLLOW),
            )
        except OSError as error:
            raise IntegrityFailure(
                f"The stored bytes sha256:{sha256} could not be opened: {error.strerror}."
            ) from None


class DiskUpload:
    """See `ports.blobs.Upload`."""

    def __init__(self, blobs: DiskBlobs, incoming: Incoming) -> None:
        self._blobs, self._incoming = blobs, incoming
        self.write, self.abandon = incoming.write, incoming.abandon

    def finish(self) -> tuple[str, int]:
        sha256 = self._incoming.sha256
        target = self._blobs.path(sha256)
        try:
            self._incoming.flush()
            _make_durable_folder(target.parent)
            self._incoming.move(target)
            _flush_folder(target.parent)
        except OSError as error:
            raise not_stored(error) from None
        return sha256, self._incoming.size_bytes


def _make_durable_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
