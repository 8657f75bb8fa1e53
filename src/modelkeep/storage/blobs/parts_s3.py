"""Uploads in parts, in an S3 store: `uploads/<id>/<number>/<when it came>-[<MD5>-]<SHA-256>`.

As on the disk (see `parts`) all the state is in the names: an object `open` lies there from the
beginning until the upload is completed, and then one called `closed`. Of two parts of one number
the later one counts. Nothing of a part passes the server again but to be hashed: the store puts the
parts together.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, BinaryIO, cast

from modelkeep.domain.errors import Unavailable
from modelkeep.ports.blobs import Part, Running, Upload
from modelkeep.storage.blobs.bucket import Absent, Present, Refused, Stream
from modelkeep.storage.blobs.checks import verified
from modelkeep.storage.blobs.parts import (
    ID,
    NAME,
    Summed,
    gone,
    name_of,
    new_id,
    no_such_part,
    written_anew,
)
from modelkeep.storage.blobs.s3 import LEAST_PART_BYTES, S3Blobs, S3Upload

FOLDER = "uploads"
DROPS_AT_ONCE = 8
_OPEN, _CLOSED = "open", "closed"
_PART = re.compile(rf"(?P<number>[0-9]{{5}})/(?P<at_ns>[0-9]{{20}})-{NAME}")


class S3Parts:
    """See `ports.blobs.Parts`. Replicas share them."""

    def __init__(self, blobs: S3Blobs) -> None:
        self._blobs, self._bucket = blobs, blobs.bucket

    def open(self, expires_ms: int) -> str:
        upload_id = new_id(expires_ms)
        self._mark(upload_id, _OPEN)
        return upload_id

    def begin(self, upload_id: str, number: int, md5: Running | None = None) -> Upload:
        self.check_open(upload_id)
        upload = S3Upload(self._blobs, _Target(self, self._blobs, upload_id, number, md5))
        return Summed(upload, md5) if md5 else upload

    def listing(self, upload_id: str) -> list[Part]:
        self.check_open(upload_id)
        return [part for part, _ in self._parts(upload_id).values()]

    def assemble(
        self,
        upload_id: str,
        named: Sequence[tuple[int, str]],
        each: Callable[[bytes], object] | None = None,
    ) -> tuple[str, int]:
        self.check_open(upload_id)
        there = self._parts(upload_id)
        for number, sha256 in named:
            if number not in there or there[number][0].sha256 != sha256:
                raise no_such_part(number)
        # A copy is of a range of bytes, and of nothing there is none.
        found = [there[number] for number, _ in named if there[number][0].size_bytes]
        try:
            if not found or any(part.size_bytes < LEAST_PART_BYTES for part, _ in found[:-1]):
                return self._write_anew(found, each)
            digest = hashlib.sha256()
            for chunk in self._read(found):
                digest.update(chunk)
                if each:
                    each(chunk)
            sources = [(key, part.size_bytes) for part, key in found]
            self._blobs.join(sources, digest.hexdigest())
        except Absent:
            raise gone() from None
        except (Present, Refused) as error:
            raise _not_stored(error) from None
        return digest.hexdigest(), sum(size for _, size in sources)

    def close(self, upload_id: str) -> None:
        self._mark(upload_id, _CLOSED)
        self._end(upload_id)

    def is_closed(self, upload_id: str) -> bool:
        return self._is_marked(upload_id, _CLOSED)

    def discard(self, upload_id: str) -> None:
        self._end(upload_id)
        self._blobs.drop(self._key(upload_id, _CLOSED))

    def sweep(self, now_ms: int) -> None:
        folder = self._bucket.place.key(f"{FOLDER}/")
        for one in self._listed(folder):
            named = ID.fullmatch(one["Key"][len(folder) :].partition("/")[0])
            if named and int(named["expires_ms"]) < now_ms:
                self._blobs.drop(one["Key"])

    # -- for an upload under way -------------------------------------------------------------

    def check_open(self, upload_id: str) -> None:
        """Raises NotFound for an upload that takes no part."""
        if not self._is_marked(upload_id, _OPEN):
            raise gone()

    def part_key(self, upload_id: str, number: int, name: str) -> str:
        return self._key(upload_id, f"{number:05}/{time.time_ns():020}-{name}")

    # -- how it lies there -------------------------------------------------------------------

    def _parts(self, upload_id: str) -> dict[int, tuple[Part, str]]:
        """The part of each number that counts, in order, and its key."""
        found: dict[int, tuple[Part, str]] = {}
        folder = self._key(upload_id, "")
        for one in self._listed(folder):
            named = _PART.fullmatch(one["Key"][len(folder) :])
            if named:
                number, at_ms = int(named["number"]), int(named["at_ns"]) // 1_000_000
                part = Part(number, named["sha256"], one["Size"], at_ms, named["md5"] or "")
                found[number] = (part, one["Key"])
        return found

    def _read(self, found: Sequence[tuple[Part, str]]) -> Iterator[bytes]:
        for part, key in found:
            with closing(Stream(self._bucket, key)) as stream:
                yield from verified(cast("BinaryIO", stream), part.sha256, part.size_bytes)

    def _write_anew(
        self, found: Sequence[tuple[Part, str]], each: Callable[[bytes], object] | None
    ) -> tuple[str, int]:
        """Where a part is too small for the store to put it together with others."""
        return written_anew(self._blobs, self._read(found), each)

    def _mark(self, upload_id: str, name: str) -> None:
        try:
            self._bucket.call("put_object", Key=self._key(upload_id, name), Body=b"")
        except (Present, Refused) as error:
            raise _not_stored(error) from None

    def _is_marked(self, upload_id: str, name: str) -> bool:
        try:
            self._bucket.call("head_object", Key=self._key(upload_id, name))
        except Absent:
            return False
        except (Present, Refused) as error:
            raise Unavailable(f"The artifact store says: {error}.") from None
        return True

    def _end(self, upload_id: str) -> None:
        """Deletes all but the mark of the end; what the store keeps is swept."""
        self._blobs.drop(self._key(upload_id, _OPEN))  # first, so that no part comes any more
        keys = [one["Key"] for one in self._listed(self._key(upload_id, ""))]
        with ThreadPoolExecutor(DROPS_AT_ONCE, thread_name_prefix="dropper") as threads:
            parts = (key for key in keys if not key.endswith(f"/{_CLOSED}"))
            list(threads.map(self._blobs.drop, parts))

    def _listed(self, folder: str) -> Iterator[dict[str, Any]]:
        try:
            yield from self._bucket.listed(folder)
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The artifact store says: {error}.") from None

    def _key(self, upload_id: str, path: str) -> str:
        assert ID.fullmatch(upload_id), upload_id  # the server's own, never a client's text
        return self._bucket.place.key(f"{FOLDER}/{upload_id}/{path}")


class _Target:
    """Where a part goes. See `s3.Target`; raises NotFound if the upload ended meanwhile."""

    def __init__(
        self, parts: S3Parts, blobs: S3Blobs, upload_id: str, number: int, md5: Running | None
    ) -> None:
        self._parts, self._blobs, self._md5 = parts, blobs, md5
        self._upload_id, self._number = upload_id, number

    def put(self, sha256: str, content: bytes) -> None:
        key = self._key(sha256)
        self._blobs.bucket.call("put_object", Key=key, Body=content)
        self._check(key)

    def name(self, key: str, sha256: str, size_bytes: int) -> None:
        target = self._key(sha256)
        self._blobs.copy(key, target, size_bytes)
        self._check(target)

    def _key(self, sha256: str) -> str:
        return self._parts.part_key(self._upload_id, self._number, name_of(sha256, self._md5))

    def _check(self, key: str) -> None:
        try:
            self._parts.check_open(self._upload_id)
        except BaseException:
            self._blobs.drop(key)
            raise


def _not_stored(error: Exception) -> Unavailable:
    return Unavailable(f"The upload could not be stored: {error or 'it is gone'}.")
