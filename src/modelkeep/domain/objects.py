"""Objects of the S3 API: files of the artifact store, under a bucket's folder.

`s3://<bucket>/<key>` is the file `s3/<bucket>/<key>`. The bucket `modelkeep` is the server's own
folder, where frozen versions are read. Every other name that S3 would allow is a bucket, which
exists as soon as somebody asks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.locations import RESERVED
from modelkeep.domain.names import check_path

OBJECTS = "s3"  # the folder of the buckets
SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9]([a-z0-9\-]|\.(?![.\-])){1,61}[a-z0-9]")
_NUMBERS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
# Where other things are served; a proxy that goes by the path would send them there.
_TAKEN = frozenset(
    (
        "ajax-api",
        "api",
        "get-artifact",
        "graphql",
        "health",
        "metrics",
        "model-versions",
        "ready",
        "sign-in",
        "version",
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of an object beside its bytes: headers to be told with them, by name in lower
    case; hashes that were verified, by the headers that tell them; tags; and, of one that came in
    parts, their sizes in bytes, of those in a row that are alike with how many there are."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    checksums: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    runs: tuple[tuple[int, int], ...] = ()

    @property
    def parts(self) -> int:
        """How many it came in; 0 of one that was put at once."""
        return sum(count for _, count in self.runs)

    def bounds(self, number: int) -> tuple[int, int] | None:
        """Where a part of it begins and where it ends, from 1 on; None where there is none."""
        start = 0
        for size, count in self.runs:
            if number <= count:
                begin = start + size * (number - 1)
                return begin, begin + size
            start, number = start + size * count, number - count
        return None


NOTHING = Said()


def runs_of(sizes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """As `Said.runs` has the sizes of parts."""
    return tuple((size, len(list(alike))) for size, alike in groupby(sizes))


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of an object (RFC 9110, section 13.1): entity tags as in the headers, moments
    in seconds."""

    match: str = ""
    none_match: str = ""
    modified_since_s: int | None = None
    unmodified_since_s: int | None = None

    def failing(self, etag: str, at_ms: int) -> str:
        """The header whose condition does not hold of an object; "" where all do. `etag` is "" for
        one that is not there."""
        if self.match:
            if not _has(self.match, etag):
                return "If-Match"
        elif self.unmodified_since_s is not None and at_ms // 1000 > self.unmodified_since_s:
            return "If-Unmodified-Since"
        if self.none_match:
            return "If-None-Match" if _has(self.none_match, etag) else ""
        since_s = self.modified_since_s
        return "If-Modified-Since" if since_s is not None and at_ms // 1000 <= since_s else ""


ALWAYS = Condition()


def _has(given: str, etag: str) -> bool:
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in given.split(","))
    return etag != "" and (given.strip() == "*" or etag in tags)


def check_bucket(name: str) -> str:
    """A bucket's name: 3 to 63 lower-case letters, digits, dashes and dots. Raises InvalidInput."""
    if not _BUCKET.fullmatch(name) or _NUMBERS.fullmatch(name):
        raise InvalidInput(
            f"The specified bucket is not valid: {name[:80]!r}. A name has 3 to 63 lower-case "
            "letters, digits, dashes and dots, and is no address."
        )
    if name in _TAKEN:
        raise InvalidInput(f"The bucket name '{name}' is taken: this server answers other calls.")
    return name


def folder_of(bucket: str) -> str:
    """Where a bucket's objects lie. Raises InvalidInput."""
    return RESERVED if check_bucket(bucket) == RESERVED else f"{OBJECTS}/{bucket}"


def path_of(bucket: str, key: str) -> str:
    """Where an object lies. Raises InvalidInput for keys that are no path of the store's."""
    folder = folder_of(bucket)
    try:
        return check_path(f"{folder}/{key}")
    except InvalidInput:
        raise InvalidInput(
            f"The key {key[:200]!r} is refused: keys are kept as paths, of at most "
            f"{1024 - len(folder) - 1} characters and 255 bytes a segment, in NFC, without empty "
            "segments, '.' or '..' (however they are encoded), a slash at either end, "
            "backslashes, control characters, and spaces at a segment's ends."
        ) from None


def addresses_of(path: str) -> list[str]:
    """The `s3://` addresses that mean a path of an object: its own, and those of all that it lies
    in."""
    folders = path.removeprefix(f"{OBJECTS}/").split("/")
    found = [SCHEME + "/".join(folders[:end]) for end in range(1, len(folders) + 1)]
    return [address + end for address in found for end in ("", "/")]


def path_at(uri: str) -> str | None:
    """The path that an `s3://` address would have here; None for what can be none."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or bucket == RESERVED:
        return None
    try:
        return path_of(bucket, key.removesuffix("/")) if key else folder_of(bucket)
    except InvalidInput:
        return None
