"""Blobs on a local disk: `blobs/ab/abcdef…`, written once, never changed.

The order of steps is what survives a power cut: the bytes are flushed, renamed into place, and
the folder is flushed, all before any row may name them. An upload lives in `incoming/` until
then; what an earlier process left there is swept at the start.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modelkeep.domain.errors import IntegrityFailure, Unavailable

CHUNK_BYTES = 1 << 20


class DiskBlobs:
    """See `ports.blobs.Blobs`. The folder is private to this process's user."""

    def __init__(self, folder: Path) -> None:
        self._blobs, self._incoming = folder / "blobs", folder / "incoming"
        for place in (self._blobs, self._incoming):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in self._incoming.iterdir():
            left_over.unlink(missing_ok=True)

    def begin(self) -> "DiskUpload":
        return DiskUpload(self)

    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """One chunk is always held back until the hash is known to be right."""
        digest, held, seen = hashlib.sha256(), b"", 0
        with self._open(sha256) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                seen += len(chunk)
                if held:
                    yield held
                held = chunk
        if digest.hexdigest() != sha256 or seen != size_bytes:
            raise IntegrityFailure(
                f"The stored bytes sha256:{sha256} are damaged and are not served."
            )
        if held:
            yield held

    def path(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256

    def _open(self, sha256: str):
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

    def __init__(self, blobs: DiskBlobs) -> None:
        self._blobs = blobs
        self._digest, self._size = hashlib.sha256(), 0
        try:
            descriptor, self._name = tempfile.mkstemp(dir=blobs._incoming)
        except OSError as error:
            raise Unavailable(f"An upload could not begin: {error.strerror}.") from None
        self._file = open(descriptor, "wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        try:
            _write_all(self._file.fileno(), chunk)
        except OSError as error:
            self.abandon()
            raise Unavailable(f"The upload could not be stored: {error.strerror}.") from None

    def finish(self) -> tuple[str, int]:
        sha256 = self._digest.hexdigest()
        target = self._blobs.path(sha256)
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            _make_durable_folder(target.parent)
            os.replace(self._name, target)
            self._name = ""
            _flush_folder(target.parent)
        except OSError as error:
            self.abandon()
            raise Unavailable(f"The upload could not be stored: {error.strerror}.") from None
        return sha256, self._size

    def abandon(self) -> None:
        self._file.close()
        if self._name:
            Path(self._name).unlink(missing_ok=True)
            self._name = ""  # from now on the name may be another upload's


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


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
