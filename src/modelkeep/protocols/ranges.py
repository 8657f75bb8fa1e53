"""Conditional and partial downloads: which bytes of a representation a request asks for.

RFC 9110, sections 13 (If-None-Match, If-Range) and 14 (Range). The entity tag is the content's
SHA-256, so it is strong, and equal tags mean equal bytes wherever and whenever they were seen.
There are no dates: an `If-Range` with one never matches, and the whole is sent.
"""

import re
from dataclasses import dataclass

from modelkeep.protocols.http import Scope, header

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to `stop` of `size`; nothing if no such byte exists."""

    start: int
    stop: int
    size: int

    @property
    def is_satisfiable(self) -> bool:
        return self.start < self.stop

    @property
    def content_range(self) -> str:
        if not self.is_satisfiable:
            return f"bytes */{self.size}"
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def is_known(scope: Scope, etag: str) -> bool:
    """Whether `If-None-Match` says that the client has these bytes."""
    given = header(scope, b"if-none-match")
    tags = (tag.strip().removeprefix("W/") for tag in given.split(","))
    return given.strip() == "*" or etag in tags


def part_of(scope: Scope, etag: str, size: int) -> Part | None:
    """The part that a GET asks for; None for the whole.

    Several ranges at once are answered with the whole, as is whatever is no range of bytes.
    """
    match = _RANGE.fullmatch(header(scope, b"range"))
    if match is None or scope["method"] != "GET" or header(scope, b"if-range") not in ("", etag):
        return None
    first, last = match.groups()
    if not first:
        return Part(max(size - int(last), 0), size, size) if last else None
    if last and int(last) < int(first):
        return None
    stop = min(int(last) + 1, size) if last else size
    return Part(int(first), stop, size)
