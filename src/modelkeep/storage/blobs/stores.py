"""Where the bytes are, as the settings have it: on the disk, or in an S3 store."""

from dataclasses import dataclass

from modelkeep.settings import Settings
from modelkeep.storage.blobs.bucket import Bucket, connect
from modelkeep.storage.blobs.direct import S3Direct
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.outside import S3Outside
from modelkeep.storage.blobs.parts import DiskParts
from modelkeep.storage.blobs.parts_s3 import S3Parts
from modelkeep.storage.blobs.s3 import S3Blobs


@dataclass(frozen=True, slots=True)
class Stores:
    """What an `App` needs of them; see there."""

    blobs: DiskBlobs | S3Blobs
    parts: DiskParts | S3Parts
    direct: S3Direct | None
    outside: S3Outside | None

    @classmethod
    def of(cls, settings: Settings, *, is_alone: bool) -> "Stores":
        """`is_alone`: no other process uses the data directory.

        Raises Unavailable for an S3 store that cannot be reached, or refuses this server."""
        place, places = settings.artifacts_place, settings.ingest_places
        client = connect(settings.s3_endpoint_url) if place or places else None
        outside = S3Outside(places, client) if places else None
        if place is None:
            blobs = DiskBlobs(settings.data_dir, is_alone=is_alone)
            return cls(blobs, DiskParts(settings.data_dir, blobs), None, outside)
        bucket = Bucket(place, client)
        bucket.check()  # a wrong one must be seen now, and not at the first upload
        blobs = S3Blobs(bucket)
        direct = S3Direct(blobs) if settings.direct_transfers else None
        return cls(blobs, S3Parts(blobs), direct, outside)
