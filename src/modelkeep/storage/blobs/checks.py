"""How stored bytes are checked on their way out.

A whole file is hashed while it is read. A range cannot be, so the file is first read whole, once,
and the hash of each MiB is remembered if the whole is right; every MiB that a range touches is
then held against its hash before any byte of it is handed out. See docs/decisions/0008.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import BinaryIO

from modelkeep.domain.errors import IntegrityFailure

CHUNK_BYTES = 1 << 20
REMEMBERED_BYTES = 16 << 20  # of hashes: those of 512 GiB of files
_HASH_BYTES = 32
_SHA256 = re.compile("[0-9a-f]{64}")


def is_sha256(name: str) -> bool:
    return _SHA256.fullmatch(name) is not None


def damaged(sha256: str) -> IntegrityFailure:
    return IntegrityFailure(f"The stored bytes sha256:{sha256} are damaged and are not served.")


def verified(file: BinaryIO, sha256: str, size_bytes: int | None) -> Iterator[bytes]:
    """The file's chunks. One is always held back until the hash is known to be right."""
    digest, held, seen = hashlib.sha256(), b"", 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        seen += len(chunk)
        if held:
            yield held
        held = chunk
    if digest.hexdigest() != sha256 or size_bytes not in (None, seen):
        raise damaged(sha256)
    if held:
        yield held


class Checks:
    """The hashes of the chunks of files that were found whole; those used last are kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._readers = [threading.Lock() for _ in range(64)]  # so that nobody reads it twice

    def of(self, sha256: str, read: Callable[[], Iterator[bytes]]) -> bytes:
        """The hashes of a file's chunks, one after another. Raises what `read` does."""
        with self._readers[int(sha256[:2], 16) % len(self._readers)]:
            with self._lock:
                known = self._known.get(sha256)
                if known is not None:
                    self._known.move_to_end(sha256)
                    return known
            hashes = b"".join(hashlib.sha256(chunk).digest() for chunk in read())
            self._remember(sha256, hashes)
            return hashes

    def _remember(self, sha256: str, hashes: bytes) -> None:
        with self._lock:
            self._known[sha256] = hashes
            while sum(map(len, self._known.values())) > REMEMBERED_BYTES and len(self._known) > 1:
                self._known.popitem(last=False)


def first_of(start: int) -> int:
    """Where the chunk begins that has this byte."""
    return start - start % CHUNK_BYTES


def ranged(file: BinaryIO, sha256: str, hashes: bytes, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from `start` to `stop` of a file that is read from `first_of(start)` on."""
    position = first_of(start)
    while position < stop:
        chunk = file.read(CHUNK_BYTES)
        at = position // CHUNK_BYTES * _HASH_BYTES
        if hashlib.sha256(chunk).digest() != hashes[at : at + _HASH_BYTES]:
            raise damaged(sha256)
        yield chunk[max(start - position, 0) : stop - position]
        position += CHUNK_BYTES
