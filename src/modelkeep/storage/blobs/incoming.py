"""Bytes on their way to the disk: hashed and written at the same time, flushed as they come.

Hashing and writing release the interpreter, so each has a thread while the next bytes arrive. Every
64 MiB the system is told to flush what there is: else all of a large file would be left to do at
the end, while the client waits.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from modelkeep.domain.errors import Unavailable

FLUSH_EVERY_BYTES = 64 << 20
_MOST_BUFFERS = 512  # of one call to the system, below every system's limit


class Incoming:
    """A file whose name means nothing yet, in a folder that is swept. For one thread at a time."""

    def __init__(self, folder: Path, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._digest, self.size_bytes, self._flushed = hashlib.sha256(), 0, 0
        self._flushing: Future[None] | None = None
        try:
            descriptor, self._name = tempfile.mkstemp(dir=folder)
        except OSError as error:
            raise Unavailable(f"An upload could not begin: {error.strerror}.") from None
        self._file = open(descriptor, "wb", buffering=0)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunks: Sequence[bytes]) -> None:
        """Raises Unavailable if the disk does not take them."""
        hashing = self._threads.submit(self._hash, chunks)
        try:
            _write_all(self._file.fileno(), chunks)
            self._flush_behind(sum(map(len, chunks)))
        except OSError as error:
            raise not_stored(error) from None
        finally:
            hashing.result()

    def flush(self) -> None:
        """Returns once every byte is on the disk. Raises OSError."""
        self._await_flush()
        os.fsync(self._file.fileno())

    def move(self, target: Path) -> None:
        """Gives the file its name, in place of any that has it. Raises OSError."""
        self._await_flush()
        self._file.close()
        os.replace(self._name, target)
        self._name = ""  # from now on the name may be another upload's

    def abandon(self) -> None:
        """Throws the bytes away; harmless after `move`."""
        with contextlib.suppress(OSError):
            self._await_flush()
        self._file.close()
        if self._name:
            Path(self._name).unlink(missing_ok=True)
            self._name = ""

    def _hash(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._digest.update(chunk)

    def _flush_behind(self, written: int) -> None:
        self.size_bytes += written
        is_flushing = self._flushing is not None and not self._flushing.done()
        if self.size_bytes - self._flushed >= FLUSH_EVERY_BYTES and not is_flushing:
            self._await_flush()
            self._flushed = self.size_bytes
            self._flushing = self._threads.submit(os.fdatasync, self._file.fileno())

    def _await_flush(self) -> None:
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.result()


def not_stored(error: OSError) -> Unavailable:
    return Unavailable(f"The upload could not be stored: {error.strerror}.")


def _write_all(descriptor: int, chunks: Sequence[bytes]) -> None:
    views = [memoryview(chunk) for chunk in chunks if chunk]
    while views:
        written = os.writev(descriptor, views[:_MOST_BUFFERS])
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]
