"""Stores that versions' files are taken in from: those on the list, with this server's credentials.

A place is checked at every call, as text, before anything is asked of a store; and the host is the
one that the settings name, whatever an address says. No address can lead anywhere else.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from modelkeep.domain.errors import Conflict, Forbidden, Unavailable
from modelkeep.domain.stores import Place
from modelkeep.ports.stores import Foreign
from modelkeep.storage.blobs.bucket import Absent, Bucket, Present, Refused, Stream
from modelkeep.storage.blobs.checks import CHUNK_BYTES


class S3Outside:
    """See `ports.stores.Outside`. `client` is `bucket.connect`'s."""

    def __init__(self, places: tuple[Place, ...], client: Any) -> None:
        self.places, self._client = places, client

    def list(self, place: Place, limit: int) -> list[Foreign]:
        folder = place.key("")
        try:
            bucket = self._bucket(place)
            if (one := self._object(bucket, place)) is not None:
                return [one]
            found = islice(bucket.listed(folder), limit)
            files = (_foreign(f, len(folder)) for f in found)
            # Some tools mark a folder by an empty object of its name.
            return [file for file in files if file.path and not file.path.endswith("/")]
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"{place} could not be listed: {error}.") from None

    def read(self, place: Place, file: Foreign) -> Iterator[bytes]:
        bucket = self._bucket(place)
        try:
            with closing(Stream(bucket, file.key, etag=file.etag)) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
        except (Absent, Present):
            raise Conflict(f"{place}/{file.path} was changed while it was taken in.") from None
        except Refused as error:
            raise Unavailable(f"{place}/{file.path} could not be read: {error}.") from None

    def _object(self, bucket: Bucket, place: Place) -> Foreign | None:
        """What lies under a place's own name, if anything does."""
        if not place.prefix:
            return None
        first = bucket.call("list_objects_v2", Prefix=place.prefix, MaxKeys=1)  # by their keys
        found = [one for one in first.get("Contents", ()) if one["Key"] == place.prefix]
        return _foreign(found[0], place.prefix.rfind("/") + 1) if found else None

    def _bucket(self, place: Place) -> Bucket:
        if not any(listed.covers(place) for listed in self.places):
            raise Forbidden(f"{place} lies in no store that files may be taken in from.")
        return Bucket(place, self._client)


def _foreign(listed: dict[str, Any], start: int) -> Foreign:
    """What S3 lists, by the part of its key from there on."""
    return Foreign(listed["Key"][start:], listed["Size"], listed["ETag"], listed["Key"])
