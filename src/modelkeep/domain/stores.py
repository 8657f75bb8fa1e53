"""Addresses in S3 stores: `s3://bucket/prefix`.

A place covers what lies under its prefix, by whole segments: `s3://b/models` is not over
`s3://b/models-of-others`. A key is compared as text, and one with `.` or `..` in it is under no
place: stores take it literally, and whatever else reads it may not.
"""

import re
from dataclasses import dataclass

from modelkeep.domain.errors import InvalidInput

SCHEME = "s3://"
KEY_LIMIT = 1024  # bytes, of S3
MARK = "store-id"  # among the blobs of a store: what it is known by
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a prefix in it without slashes around; "" is the whole bucket."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str) -> "Place":
        """Raises InvalidInput for what is no address in an S3 store."""
        bucket, _, path = uri.removeprefix(SCHEME).partition("/")
        prefix = path.strip("/")
        if not uri.startswith(SCHEME) or not _BUCKET.fullmatch(bucket) or not _is_plain(prefix):
            raise InvalidInput(
                f"{uri!r} is no address in an S3 store: it must be s3://bucket or "
                "s3://bucket/prefix, with a bucket of 3 to 63 lower-case letters, digits, dashes "
                "and dots, and no empty, '.' or '..' segment in the prefix."
            )
        return cls(bucket, prefix)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def covers(self, other: "Place") -> bool:
        """Whether another is this place or lies in it."""
        if other.bucket != self.bucket:
            return False
        return not self.prefix or f"{other.prefix}/".startswith(f"{self.prefix}/")

    def key(self, path: str) -> str:
        """The key of what lies there under a relative path."""
        return f"{self.prefix}/{path}" if self.prefix else path


def _is_plain(prefix: str) -> bool:
    if not prefix:
        return True
    if len(prefix.encode()) > KEY_LIMIT or _CONTROL.search(prefix) or re.search(r"[?#\\]", prefix):
        return False
    return not any(segment in ("", ".", "..") for segment in prefix.split("/"))
