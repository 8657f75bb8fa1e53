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
from datetime import datetime
from typing import Any, BinaryIO, cast

from modelkeep.domain.errors import IntegrityFailure, LimitExceeded, Unavailable
from modelkeep.domain.stores import Place
from modelkeep.storage.blobs.bucket import Absent, Present, Refused, spoken
from modelkeep.storage.blobs.checks import CHUNK_BYTES, Checks, check_chunk, verified

PART_BYTES = 8 << 20
IN_FLIGHT = 2  # parts of one upload that are sent while the next one fills: 24 MiB at most
PARTS_LIMIT = 10_000  # of S3: a file may have 80 GiB through the server
COPY_BYTES = 1 << 30  # in one copy within the store; S3 takes 5 GiB
SENDERS = 16
STALE_MS = 48 * 3_600_000
RESUMES = 4  # of a download that breaks off


class S3Blobs:
    """See `ports.blobs.Blobs`. `client` is `bucket.connect`'s; many replicas may share a place."""

    def __init__(self, place: Place, client: Any) -> None:
        self.place, self.client = place, client
        self.threads = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._checks = Checks()

    def begin(self) -> "S3Upload":
        return S3Upload(self)

    def read(self, sha256: str, size_bytes: int) -> Iterator[bytes]:
        yield from verified(self._open(sha256, 0), sha256, size_bytes)

    def read_range(self, sha256: str, size_bytes: int, start: int, stop: int) -> Iterator[bytes]:
        hashes = self._hashes(sha256, size_bytes)
        position = start - start % CHUNK_BYTES
        file = self._open(sha256, position)
        while position < stop:
            chunk = file.read(CHUNK_BYTES)
            check_chunk(sha256, hashes, position // CHUNK_BYTES, chunk)
            yield chunk[max(start - position, 0) : stop - position]
            position += CHUNK_BYTES

    def check(self, sha256: str, size_bytes: int) -> None:
        self._hashes(sha256, size_bytes)

    def close(self) -> None:
        self.threads.shutdown()
        self.client.close()

    def key(self, sha256: str) -> str:
        return self.place.key(f"blobs/{sha256[:2]}/{sha256}")

    def call(self, operation: str, **arguments: Any) -> Any:
        """One call of the store, on its bucket. Raises Absent, Present, Refused, Unavailable."""
        with spoken(self.place):
            return getattr(self.client, operation)(Bucket=self.place.bucket, **arguments)

    # -- into place ------------------------------------------------------------------------

    def put(self, sha256: str, content: bytes) -> None:
        """Stores a small blob under its name, unless it is there."""
        key = self.key(sha256)
        try:
            self.call("put_object", Key=key, Body=content, IfNoneMatch="*")
        except Present:
            if not self._is_whole(sha256, len(content)):
                self.call("put_object", Key=key, Body=content)

    def move(self, key: str, sha256: str, size_bytes: int) -> None:
        """Gives an object of that content its name, unless it is there; the store copies it."""
        target = self.key(sha256)
        if not self._is_whole(sha256, size_bytes):
            self.copy(key, target, size_bytes)
            if self.call("head_object", Key=target)["ContentLength"] != size_bytes:
                raise Unavailable(f"The artifact store {self.place} did not copy what it was told.")
        self.drop(key)

    def copy(self, source: str, target: str, size_bytes: int) -> None:
        """Copies within the bucket, in parts where it is large. Raises Absent without a source."""
        of = {"Bucket": self.place.bucket, "Key": source}
        if size_bytes <= COPY_BYTES:
            self.call("copy_object", Key=target, CopySource=of)
            return
        upload_id = self.call("create_multipart_upload", Key=target)["UploadId"]
        try:
            etags: list[str] = []
            for start in range(0, size_bytes, COPY_BYTES):
                part = self.call(
                    "upload_part_copy",
                    Key=target,
                    UploadId=upload_id,
                    PartNumber=len(etags) + 1,
                    CopySource=of,
                    CopySourceRange=f"bytes={start}-{min(start + COPY_BYTES, size_bytes) - 1}",
                )
                etags.append(part["CopyPartResult"]["ETag"])
            self.complete(target, upload_id, etags)
        except BaseException:
            self.abort(target, upload_id)
            raise

    def complete(self, key: str, upload_id: str, etags: Sequence[str]) -> int:
        """Puts parts together; the size in bytes. To do it again does nothing.

        Raises Refused for parts that are not there, Absent for an upload that isn't.
        """
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        try:
            self.call(
                "complete_multipart_upload",
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
            )
        except Refused as error:
            # The answer to an earlier try may have been lost. If it was, the object is there.
            if error.code != "NoSuchUpload":
                raise
        return self.call("head_object", Key=key)["ContentLength"]

    def abort(self, key: str, upload_id: str) -> None:
        """Throws the parts away; harmless if there are none. What the store keeps is swept."""
        _quietly(lambda: self.call("abort_multipart_upload", Key=key, UploadId=upload_id))

    def drop(self, key: str) -> None:
        """Deletes an object that nothing names; what the store keeps is swept."""
        _quietly(lambda: self.call("delete_object", Key=key))

    def new_key(self, folder: str) -> str:
        """A key in `<prefix>/<folder>/` that nobody else has or can guess."""
        return self.place.key(f"{folder}/{time.time_ns() // 1_000_000}-{secrets.token_hex(16)}")

    def _is_whole(self, sha256: str, size_bytes: int) -> bool:
        try:
            deque(self.read(sha256, size_bytes), maxlen=0)
        except IntegrityFailure:
            return False
        return True

    # -- out -------------------------------------------------------------------------------

    def _hashes(self, sha256: str, size_bytes: int) -> bytes:
        return self._checks.of(sha256, lambda: self.read(sha256, size_bytes))

    def _open(self, sha256: str, start: int) -> BinaryIO:
        try:
            return cast("BinaryIO", Stream(self, self.key(sha256), start))
        except Absent:
            raise IntegrityFailure(
                f"The stored bytes sha256:{sha256} are not in the artifact store."
            ) from None

    # -- what broke off --------------------------------------------------------------------

    def sweep(self, now_ms: int) -> None:
        """Deletes the uploads that began more than `STALE_MS` ago and never ended."""
        prefix = self.place.key("incoming/")
        for one in self.listed(prefix):
            if _age_ms(one["LastModified"], now_ms) > STALE_MS:
                self.drop(one["Key"])
        for folder in (prefix, self.place.key("blobs/"), self.place.key("arrivals/")):
            for one in self._open_uploads(folder):
                if _age_ms(one["Initiated"], now_ms) > STALE_MS:
                    self.abort(one["Key"], one["UploadId"])

    def listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every object under a prefix, with `Key`, `Size`, `ETag` and `LastModified`."""
        more: dict[str, Any] = {}
        while True:
            page = self.call("list_objects_v2", Prefix=prefix, **more)
            yield from page.get("Contents", ())
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _open_uploads(self, prefix: str) -> Iterator[dict[str, Any]]:
        more: dict[str, Any] = {}
        while True:
            page = self.call("list_multipart_uploads", Prefix=prefix, **more)
            yield from page.get("Uploads", ())
            if not page.get("IsTruncated"):
                return
            names = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
            more = {name: page[found] for name, found in names.items() if page.get(found)}


class Stream:
    """An object's bytes from a position on, taken up again where the connection breaks.

    Raises Absent if there is none; from `read`, Unavailable once `RESUMES` did not help.
    """

    def __init__(self, blobs: S3Blobs, key: str, start: int = 0, etag: str = "") -> None:
        self._blobs, self._key, self._position = blobs, key, start
        self._only = {"IfMatch": etag} if etag else {}
        self._left = RESUMES
        self._body: Any = self._get()

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        while True:
            try:
                with spoken(self._blobs.place):
                    chunk = self._body.read(size)
                self._position += len(chunk)
                return chunk
            except Unavailable:
                self._body.close()
                if self._left == 0:
                    raise
                self._left -= 1
                self._body = self._get()

    def _get(self) -> Any:
        try:
            wanted = {"Range": f"bytes={self._position}-"} if self._position else {}
            return self._blobs.call("get_object", Key=self._key, **wanted, **self._only)["Body"]
        except Refused as error:
            if error.code == "InvalidRange":  # shorter than it should be
                return _NOTHING
            raise Unavailable(f"The artifact store says: {error.message}") from None


class _Nothing:
    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


_NOTHING = _Nothing()


class S3Upload:
    """See `ports.blobs.Upload`. For one thread at a time."""

    def __init__(self, blobs: S3Blobs) -> None:
        self._blobs, self._digest, self._size = blobs, hashlib.sha256(), 0
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
                self._blobs.put(sha256, b"".join(self._waiting))
            else:
                self._send(b"".join(self._waiting))
                etags = [part.result() for part in self._parts]
                self._blobs.complete(self._key, self._upload_id, etags)
                self._blobs.move(self._key, sha256, self._size)
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
                begun = self._blobs.call("create_multipart_upload", Key=self._key)
                self._upload_id = begun["UploadId"]
            if len(self._parts) >= IN_FLIGHT:
                self._parts[-IN_FLIGHT].result()
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The upload could not be stored: {error}.") from None
        number = len(self._parts) + 1
        self._parts.append(self._blobs.threads.submit(self._send_part, number, content))

    def _send_part(self, number: int, content: bytes) -> str:
        sent = self._blobs.call(
            "upload_part", Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=content
        )
        return sent["ETag"]


def _quietly(call: Callable[[], object]) -> None:
    try:
        call()
    except (Absent, Present, Refused, Unavailable):
        return


def _age_ms(then: datetime, now_ms: int) -> float:
    return now_ms - then.timestamp() * 1000
