"""What requests say of an object beside its bytes, and what answers tell of it again.

Limits are S3's own: metadata of 2 KiB, names and values together, and as much for the headers of
HTTP that are kept; ten tags.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from modelkeep.domain.objects import Condition, Said
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3.asked import Asked

METADATA_LIMIT_BYTES = 2048
TAGS_LIMIT, TAG_KEY_LIMIT, TAG_VALUE_LIMIT = 10, 128, 256
_META = "x-amz-meta-"
_HTTP = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
_SOURCE_IF = "x-amz-copy-source-if-"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab may be in a header


def headers_in(asked: Asked) -> dict[str, str]:
    """The headers that an object is to be told with. Raises Coded."""
    own: dict[str, str] = {}
    for raw, value in asked.scope["headers"]:
        name = raw.decode("latin-1")
        if name.startswith(_META):
            text = value.decode("latin-1")
            own[name] = f"{own[name]},{text}" if name in own else text
    known = {name: asked.header(name) for name in _HTTP if asked.header(name)}
    coding = [one.strip() for one in known.pop("content-encoding", "").split(",")]
    if left := [one for one in coding if one not in ("", "aws-chunked")]:
        known["content-encoding"] = ",".join(left)
    for found, cut in ((own, len(_META)), (known, 0)):
        _check_size(found, cut)
        if any(_CONTROL.search(value) for value in found.values()):
            raise Coded("InvalidArgument", "Metadata has no control characters.")
    return {**known, **own}


def _check_size(headers: Mapping[str, str], cut: int) -> None:
    size = sum(len(name) - cut + len(value) for name, value in headers.items())
    if size > METADATA_LIMIT_BYTES:
        raise Coded(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size: "
            f"{size} of {METADATA_LIMIT_BYTES} bytes.",
        )


def overrides_in(asked: Asked) -> dict[str, str]:
    """The headers that a request wants to be told instead of the object's. Raises Coded."""
    given = {name: asked.query.get(f"response-{name}", "") for name in _HTTP}
    found = {name: value for name, value in given.items() if value}
    if any(_CONTROL.search(value) or not _is_latin(value) for value in found.values()):
        raise Coded("InvalidArgument", "A header has characters of Latin-1, and none of control.")
    return found


def said_in(asked: Asked) -> Said:
    """All that a request says of a new object. Raises Coded."""
    return Said(headers_in(asked), {}, tags_in(asked))


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def tags_in(asked: Asked) -> dict[str, str]:
    """The tags of a new object. Raises Coded."""
    try:
        given = asked.header("x-amz-tagging")
        pairs = parse_qsl(given, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Coded("InvalidArgument", "The header x-amz-tagging must be a query string.") from None
    return check_tags(pairs)


def check_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Raises Coded unless they are at most ten, each key once, and none too long."""
    pairs = list(pairs)
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise Coded("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > TAGS_LIMIT:
        raise Coded("BadRequest", f"Object tags cannot be greater than {TAGS_LIMIT}")
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY_LIMIT or not key.isprintable():
            raise Coded("InvalidTag", f"A TagKey has 1 to {TAG_KEY_LIMIT} printable characters.")
        if len(value) > TAG_VALUE_LIMIT or not (value == "" or value.isprintable()):
            raise Coded("InvalidTag", f"A TagValue has up to {TAG_VALUE_LIMIT} such characters.")
    return tags


def condition_in(asked: Asked) -> Condition:
    """What a request says must hold of an object. A date that is none says nothing (RFC 9110)."""
    return Condition(
        asked.header("if-match"),
        asked.header("if-none-match"),
        _seconds(asked.header("if-modified-since")),
        _seconds(asked.header("if-unmodified-since")),
    )


def source_condition_in(asked: Asked) -> Condition:
    """What must hold of an object that is to be copied. Raises Coded."""
    dates = [asked.header(f"{_SOURCE_IF}{name}") for name in ("modified-since", "unmodified-since")]
    moments = [_seconds(date) for date in dates]
    if any(date and moment is None for date, moment in zip(dates, moments, strict=True)):
        raise Coded("InvalidArgument", "A condition of a copy has a date that is none.")
    tags = [asked.header(f"{_SOURCE_IF}{name}") for name in ("match", "none-match")]
    return Condition(tags[0], tags[1], moments[0], moments[1])


def new_condition_in(asked: Asked) -> Condition:
    """What must hold of the object that a new one takes the place of. Raises Coded."""
    match, none_match = asked.header("if-match"), asked.header("if-none-match")
    if match == "*" or none_match not in ("", "*") or (match and none_match):
        raise Coded(
            "NotImplemented",
            "A new object takes If-None-Match: * or If-Match with an ETag, and no other condition.",
            501,
        )
    return Condition(match, none_match)


def _seconds(date: str) -> int | None:
    try:
        at = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) if at else None


def as_headers(told: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]


def checksums_of(said: Said) -> dict[str, str]:
    """The headers that tell the hashes of the whole object."""
    if not said.checksums:
        return {}
    return {**said.checksums, "x-amz-checksum-type": "FULL_OBJECT"}


def checksum_elements(said: Said) -> dict[str, str] | None:
    """As elements of XML; None where there are none."""
    found = {
        f"Checksum{name.rpartition('-')[2].upper()}": value
        for name, value in said.checksums.items()
    }
    return {**found, "ChecksumType": "FULL_OBJECT"} if found else None
