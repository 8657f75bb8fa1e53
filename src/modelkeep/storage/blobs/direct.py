"""Transfers past the server: addresses that the S3 store signs for a client.

An upload in parts lands at `<prefix>/arrivals/<when>-<random>`. Completed, it has no upload id any
more, so no address of a part reaches it; it is hashed where it lies, and copied to its name by the
store. A download's address is of the blob itself, which nothing ever writes again.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from itertools import islice

from modelkeep.domain.errors import IntegrityFailure, InvalidInput, NotFound, Unavailable
from modelkeep.ports.stores import Landing
from modelkeep.storage.blobs.bucket import Absent, Present, Refused, spoken
from modelkeep.storage.blobs.checks import CHUNK_BYTES
from modelkeep.storage.blobs.s3 import S3Blobs, Stream

FOLDER = "arrivals"
_SOME = 100


class S3Direct:
    """See `ports.stores.Direct`."""

    def __init__(self, blobs: S3Blobs) -> None:
        self._blobs, self._bucket = blobs, blobs.bucket

    def open(self) -> Landing:
        key = self._blobs.new_key(FOLDER)
        try:
            begun = self._bucket.call("create_multipart_upload", Key=key)
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The artifact store takes no upload in parts: {error}.") from None
        return Landing(key, begun["UploadId"])

    def part_addresses(self, landing: Landing, count: int, seconds: int) -> list[str]:
        of = {"Key": landing.key, "UploadId": landing.upload_id}
        parts = ({**of, "PartNumber": number} for number in range(1, count + 1))
        return [self._sign("upload_part", part, seconds) for part in parts]

    def complete(self, landing: Landing, etags: Sequence[str]) -> int:
        try:
            return self._blobs.complete(landing.key, landing.upload_id, etags)
        except Refused as error:
            raise InvalidInput(f"The parts are not as given: {error.message}") from None
        except (Absent, Present):
            raise NotFound("No such upload: it was completed or aborted, or has expired.") from None

    def abort(self, landing: Landing) -> None:
        self._blobs.abort(landing.key, landing.upload_id)

    def download_address(self, sha256: str, seconds: int) -> str:
        return self._sign("get_object", {"Key": self._blobs.key(sha256)}, seconds)

    def adopt(self, key: str, size_bytes: int) -> str:
        try:
            digest, seen = hashlib.sha256(), 0
            with closing(Stream(self._bucket, key)) as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    seen += len(chunk)
            if seen != size_bytes:
                raise IntegrityFailure(f"What was uploaded has {seen} bytes, not {size_bytes}.")
            self._blobs.name(key, digest.hexdigest(), seen)
        except Absent:
            raise IntegrityFailure("What was uploaded is not in the artifact store.") from None
        except (Present, Refused) as error:
            raise Unavailable(f"The artifact store does not copy: {error}.") from None
        return digest.hexdigest()

    def discard(self, key: str) -> None:
        self._blobs.drop(key)

    def landed(self, before_ms: int) -> list[str]:
        found = self._bucket.listed(self._bucket.place.key(f"{FOLDER}/"))
        old = (f["Key"] for f in found if f["LastModified"].timestamp() * 1000 < before_ms)
        return list(islice(old, _SOME))

    def _sign(self, operation: str, arguments: dict[str, object], seconds: int) -> str:
        arguments = {"Bucket": self._bucket.place.bucket, **arguments}
        with spoken(self._bucket.place):
            return self._bucket.client.generate_presigned_url(
                operation, Params=arguments, ExpiresIn=seconds
            )
