"""Blobs in an S3 store: `<prefix>/blobs/ab/abcdef…`, written once if absent, never changed.

What an upload hashes to is known only at its end. Until then its parts go to
`<prefix>/incoming/<when it began>-<random>` as they come, at most `IN_FLIGHT` at a time; the store
itself then copies the whole to its name. A small one is written there at once. Where a name is
taken already, what has it is read back, and replaced if it is not what it is called: nobody is
told that bytes are kept which are not. What broke off is swept after `STALE_MS`.
"""

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from typing import Any, BinaryIO, Protocol, cast

from modelkeep.domain.errors import IntegrityFailure, LimitExceeded, Unavailable
from modelkeep.domain.stores import MARK
from modelkeep.ports.blobs import Stored
from modelkeep.storage.blobs.bucket import (
    NOT_IMPLEMENTED,
    Absent,
    Bucket,
    Present,
    Refused,
    Stream,
)
from modelkeep.storage.blobs.checks import (
    CHUNK_BYTES,
    Checks,
    first_of,
    is_sha256,
    ranged,
    verified,
)

PART_BYTES = 8 << 20
IN_FLIGHT = 2  # parts of one upload that are sent while the next one fills: 24 MiB at most
PARTS_LIMIT = 10_000  # of S3: a file may have 80 GiB through the server
COPY_BYTES = 64 << 20  # in one copy within the store: many stores say nothing until it is done
COPIES_AT_ONCE = 4
LEAST_PART_BYTES = 5 << 20  # of S3, of every part but the last
SENDERS = 16
STALE_MS = 48 * 3_600_000
MARK_LIMIT = 100  # bytes of a mark that are read


class S3Blobs:
    """See `ports.blobs.Blobs`. Many replicas may share a place in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.where = bucket, str(bucket.place)
        self.threads = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._checks = Checks()

    def mark(self) -> str:
        try:
            with closing(Stream(self.bucket, self._mark_key)) as file:
                return file.read(MARK_LIMIT).decode("ascii", "replace").strip()
        except Absent:
            return ""

    def set_mark(self, mark: str) -> None:
        try:
            self.bucket.call("put_object", Key=self._mark_key, Body=f"{mark}\n".encode())
        except (Present, Refused) as error:
            raise Unavailable(f"{self.where} cannot be marked: {error}.") from None

    @property
    def _mark_key(self) -> str:
        return self.bucket.place.key(f"blobs/{MARK}")

    def begin(self) -> "S3Upload":
        return S3Upload(self, self)

    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        with closing(self._open(sha256)) as file:
            yield from verified(file, sha256, size_bytes)

    def read_range(self, sha256: str, size_bytes: int, start: int, stop: int) -> Iterator[bytes]:
        hashes = self._hashes(sha256, size_bytes)
        end = min(stop + -stop % CHUNK_BYTES, size_bytes)
        with closing(self._open(sha256, first_of(start), end)) as file:
            yield from ranged(file, sha256, hashes, start, stop)

    def check(self, sha256: str, size_bytes: int) -> None:
        self._hashes(sha256, size_bytes)

    def stored(self) -> Iterator[Stored]:
        folder = self.bucket.place.key("blobs/")
        for one in self.bucket.listed(folder):  # in the order of the keys, as S3 has it
            sha256 = one["Key"].rpartition("/")[2]
            if self.key(sha256) == one["Key"] and is_sha256(sha256):
                yield Stored(sha256, one["Size"])

    def delete(self, sha256: str) -> None:
        try:
            self.bucket.call("delete_object", Key=self.key(sha256))
        except Absent:
            return
        except (Present, Refused) as error:
            raise Unavailable(f"sha256:{sha256} could not be deleted: {error}.") from None

    def close(self) -> None:
        self.threads.shutdown()
        self.bucket.client.close()

    def key(self, sha256: str) -> str:
        return self.bucket.place.key(f"blobs/{sha256[:2]}/{sha256}")

    # -- into place ------------------------------------------------------------------------

    def put(self, sha256: str, content: bytes) -> None:
        """Stores a small blob under its name, unless it is there."""
        key = self.key(sha256)
        try:
            self.bucket.call("put_object", Key=key, Body=content, IfNoneMatch="*")
            return
        except Present:
            pass
        except Refused as error:
            if error.code != NOT_IMPLEMENTED:  # some stores cannot say "if absent"
                raise
        if not self._is_whole(sha256, len(content)):
            self.bucket.call("put_object", Key=key, Body=content)

    def name(self, key: str, sha256: str, size_bytes: int) -> None:
        """Copies an object of that content to its name, unless it is there; the store does."""
        target = self.key(sha256)
        if not self._is_whole(sha256, size_bytes):
            self.copy(key, target, size_bytes)
            self._check_copied(target, size_bytes)

    def join(self, sources: Sequence[tuple[str, int]], sha256: str) -> None:
        """Puts objects, of which each but the last has `LEAST_PART_BYTES`, together under the name
        of what they hash to, unless it is there; the store does. Each has a key and a size."""
        size_bytes = sum(size for _, size in sources)
        if not self._is_whole(sha256, size_bytes):
            self._copy_parts(sources, self.key(sha256))
            self._check_copied(self.key(sha256), size_bytes)

    def copy(self, source: str, target: str, size_bytes: int) -> None:
        """Copies within the bucket, in parts where it is large. Raises Absent without a source."""
        if size_bytes > COPY_BYTES:
            self._copy_parts([(source, size_bytes)], target)
        else:
            of = {"Bucket": self.bucket.place.bucket, "Key": source}
            self.bucket.call("copy_object", Key=target, CopySource=of)

    def _copy_parts(self, sources: Sequence[tuple[str, int]], target: str) -> None:
        upload_id = self.bucket.call("create_multipart_upload", Key=target)["UploadId"]

        def copy(piece: tuple[int, tuple[str, int, int]]) -> str:
            number, (source, start, stop) = piece
            part = self.bucket.call(
                "upload_part_copy",
                Key=target,
                UploadId=upload_id,
                PartNumber=number,
                CopySource={"Bucket": self.bucket.place.bucket, "Key": source},
                CopySourceRange=f"bytes={start}-{stop - 1}",
            )
            return part["CopyPartResult"]["ETag"]

        try:
            with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copier") as threads:
                etags = list(threads.map(copy, enumerate(pieces(sources), 1)))
            self.complete(target, upload_id, etags)
        except BaseException:
            self.abort(target, upload_id)
            raise

    def _check_copied(self, target: str, size_bytes: int) -> None:
        if self.bucket.call("head_object", Key=target)["ContentLength"] != size_bytes:
            raise Unavailable(
                f"The artifact store {self.bucket.place} did not copy what it was told."
            )

    def complete(self, key: str, upload_id: str, etags: Sequence[str]) -> int:
        """Puts parts together; the size in bytes. To do it again does nothing.

        Raises Refused for parts that are not there, Absent for an upload that isn't.
        """
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        try:
            self.bucket.call(
                "complete_multipart_upload",
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
            )
        except Refused as error:
            # The answer to an earlier try may have been lost. If it was, the object is there.
            if error.code != "NoSuchUpload":
                raise
        return self.bucket.call("head_object", Key=key)["ContentLength"]

    def abort(self, key: str, upload_id: str) -> None:
        """Throws the parts away; harmless if there are none. What the store keeps is swept."""
        _quietly(lambda: self.bucket.call("abort_multipart_upload", Key=key, UploadId=upload_id))

    def drop(self, key: str) -> None:
        """Deletes an object that nothing names; what the store keeps is swept."""
        _quietly(lambda: self.bucket.call("delete_object", Key=key))

    def new_key(self, folder: str) -> str:
        """A key in `<prefix>/<folder>/` that nobody else has or can guess."""
        return self.bucket.place.key(
            f"{folder}/{time.time_ns() // 1_000_000}-{secrets.token_hex(16)}"
        )

    def _is_whole(self, sha256: str, size_bytes: int) -> bool:
        try:
            deque(self.read(sha256, size_bytes), maxlen=0)
        except IntegrityFailure:
            return False
        return True

    # -- out -------------------------------------------------------------------------------

    def _hashes(self, sha256: str, size_bytes: int) -> bytes:
        return self._checks.of(sha256, lambda: self.read(sha256, size_bytes))

    def _open(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        try:
            return cast("BinaryIO", Stream(self.bucket, self.key(sha256), start, stop))
        except Absent:
            raise IntegrityFailure(
                f"The stored bytes sha256:{sha256} are not in the artifact store."
            ) from None

    # -- what broke off --------------------------------------------------------------------

    def sweep(self, now_ms: int) -> None:
        """Deletes the uploads that began more than `STALE_MS` ago and never ended."""
        prefix = self.bucket.place.key("incoming/")
        for one in self.bucket.listed(prefix):
            if _age_ms(one["LastModified"], now_ms) > STALE_MS:
                self.drop(one["Key"])
        for folder in (prefix, self.bucket.place.key("blobs/"), self.bucket.place.key("arrivals/")):
            for one in self._open_uploads(folder):
                if _age_ms(one["Initiated"], now_ms) > STALE_MS:
                    self.abort(one["Key"], one["UploadId"])

    def _open_uploads(self, prefix: str) -> Iterator[dict[str, Any]]:
        more: dict[str, Any] = {}
        while True:
            page = self.bucket.call("list_multipart_uploads", Prefix=prefix, **more)
            yield from page.get("Uploads", ())
            if not page.get("IsTruncated"):
                return
            names = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
            more = {name: page[found] for name, found in names.items() if page.get(found)}


class Target(Protocol):
    """Where an upload ends, when its SHA-256 is known. Both raise Absent, Present, Refused."""

    def put(self, sha256: str, content: bytes) -> None: ...
    def name(self, key: str, sha256: str, size_bytes: int) -> None:
        """Copies what lies under a key there."""
        ...


class S3Upload:
    """See `ports.blobs.Upload`. For one thread at a time."""

    def __init__(self, blobs: S3Blobs, target: Target) -> None:
        self._blobs, self._target = blobs, target
        self._digest, self._size = hashlib.sha256(), 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._key, self._upload_id = "", ""
        self._parts: list[Future[str]] = []

    def write(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._digest.update(chunk)
            self._size += len(chunk)
            self._waiting.append(chunk)
            self._waiting_bytes += len(chunk)
            while self._waiting_bytes > PART_BYTES:
                self._send(self._take())

    def finish(self) -> tuple[str, int]:
        sha256 = self._digest.hexdigest()
        try:
            if not self._upload_id:
                self._target.put(sha256, b"".join(self._waiting))
            else:
                self._send(b"".join(self._waiting))
                etags = [part.result() for part in self._parts]
                self._blobs.complete(self._key, self._upload_id, etags)
                self._target.name(self._key, sha256, self._size)
                self._blobs.drop(self._key)
                self._upload_id = ""
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The upload could not be stored: {error or 'it is gone'}.") from None
        return sha256, self._size

    def abandon(self) -> None:
        for part in self._parts:
            part.cancel()
        for part in self._parts:
            if not part.cancelled():
                part.exception()  # waited for: what comes after an abort would stay
        if self._upload_id:
            self._blobs.abort(self._key, self._upload_id)
            self._blobs.drop(self._key)
            self._upload_id = ""
        self._waiting = []

    def _take(self) -> bytes:
        """The next part, of exactly `PART_BYTES`: some stores want all but the last alike."""
        whole = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [whole[PART_BYTES:]], len(whole) - PART_BYTES
        return whole[:PART_BYTES]

    def _send(self, content: bytes) -> None:
        if len(self._parts) == PARTS_LIMIT:
            limit = PARTS_LIMIT * PART_BYTES
            raise LimitExceeded(
                f"A file may have at most {limit} bytes through the server; an upload in parts, by "
                "presigned addresses, may have more."
            )
        try:
            if not self._upload_id:
                self._key = self._blobs.new_key("incoming")
                begun = self._blobs.bucket.call("create_multipart_upload", Key=self._key)
                self._upload_id = begun["UploadId"]
            if len(self._parts) >= IN_FLIGHT:
                self._parts[-IN_FLIGHT].result()
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The upload could not be stored: {error}.") from None
        number = len(self._parts) + 1
        self._parts.append(self._blobs.threads.submit(self._send_part, number, content))

    def _send_part(self, number: int, content: bytes) -> str:
        sent = self._blobs.bucket.call(
            "upload_part", Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=content
        )
        return sent["ETag"]


def _quietly(call: Callable[[], object]) -> None:
    try:
        call()
    except (Absent, Present, Refused, Unavailable):
        return


def pieces(sources: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
    """The keys and bounds of what is copied at once: each source alike, and none too small. As many
    as `PARTS_LIMIT` at most, or as there are sources: each may have one more than its share."""
    total = sum(size for _, size in sources)
    left = PARTS_LIMIT - len(sources)
    piece_bytes = max(COPY_BYTES, -(-total // left)) if left > 0 else total
    for key, size in sources:
        count = max(1, min(-(-size // piece_bytes), size // LEAST_PART_BYTES))
        bounds = [size * number // count for number in range(count + 1)]
        yield from ((key, start, stop) for start, stop in pairwise(bounds))


def _age_ms(then: datetime, now_ms: int) -> float:
    return now_ms - then.timestamp() * 1000
