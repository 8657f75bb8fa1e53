"""Copies of objects: to another key, and as a part of another object."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import unquote

from modelkeep.domain import objects as places
from modelkeep.domain.errors import NotFound
from modelkeep.domain.objects import Said
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import READS, WRITES, Asked
from modelkeep.protocols.aws.s3.told import (
    checksum_elements,
    headers_in,
    source_condition_in,
    tags_in,
)
from modelkeep.services import objects
from modelkeep.services.app import App
from modelkeep.services.objects import Object

_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})")


async def copy(app: App, asked: Asked) -> None:
    READS.admit(asked)
    WRITES.admit(asked)
    source, target = _source(asked), asked.path
    directives = [_directive(asked, name) for name in ("metadata", "tagging")]
    if source == target and "REPLACE" not in directives:
        raise Coded(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata.",
        )
    headers = headers_in(asked) if directives[0] == "REPLACE" else None
    tags = tags_in(asked) if directives[1] == "REPLACE" else None

    def anew(said: Said) -> Said:
        return replace(
            said,
            headers=said.headers if headers is None else headers,
            tags=said.tags if tags is None else tags,
        )

    try:
        copied = await app.write(
            objects.copy, asked.caller, source, target, source_condition_in(asked), anew
        )
    except NotFound:
        raise _no_source() from None
    told = {"LastModified": xml.moment(copied.at_ms), "ETag": f'"{copied.etag}"'}
    await asked.say("CopyObjectResult", {**told, **(checksum_elements(copied.said) or {})})


async def find_part(app: App, asked: Asked) -> tuple[Object, int, int]:
    """The object that a part is to be copied of, and the bounds of the bytes. Raises Coded."""
    READS.admit(asked)
    try:
        found = await app.read(objects.find, _source(asked))
    except NotFound:
        raise _no_source() from None
    objects.check(source_condition_in(asked), found.etag, found.at_ms)
    size, given = found.found.file.size_bytes, asked.header("x-amz-copy-source-range")
    if not given:
        return found, 0, size
    match = _RANGE.fullmatch(given)
    start, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if start > last or last >= size:
        raise Coded(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {size}. It must be "
            "bytes=FIRST-LAST.",
        )
    return found, start, last + 1


async def read(app: App, found: Object, start: int, stop: int) -> AsyncIterator[bytes]:
    """Some bytes of an object."""
    file, small = found.found.file, found.found.small
    if small is not None:
        yield small[start:stop]
        return
    if start == 0 and stop == file.size_bytes:
        chunks = app.blobs.read(file.sha256, file.size_bytes)
    else:
        chunks = app.blobs.read_range(file.sha256, file.size_bytes, start, stop)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _source(asked: Asked) -> str:
    """The path of what is to be copied. Raises Coded, InvalidInput."""
    source, _, query = asked.header("x-amz-copy-source").partition("?")
    try:
        bucket, _, key = unquote(source, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        raise Coded("InvalidArgument", "x-amz-copy-source is not valid UTF-8.") from None
    if query or not key:
        raise Coded("InvalidArgument", "x-amz-copy-source must be bucket/key, without a version.")
    return places.path_of(bucket, key)


def _directive(asked: Asked, what: str) -> str:
    given = asked.header(f"x-amz-{what}-directive") or "COPY"
    if given not in ("COPY", "REPLACE"):
        raise Coded("InvalidArgument", f"Unknown {what} directive.")
    return given


def _no_source() -> Coded:
    return Coded("NoSuchKey", "The specified key does not exist.", 404)
