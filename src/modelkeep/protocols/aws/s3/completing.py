"""Parts put together: named by their numbers and ETags, which are their MD5.

The whole has an ETag as S3's have it: the MD5 over its parts' MD5, a dash, and how many there were.
What a part's bytes are is told by its SHA-256, which the store has beside its ETag; a part that
came while a server of before ran has that for an ETag.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.objects import runs_of
from modelkeep.ports.blobs import Part
from modelkeep.ports.objects import ObjectUpload
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import Expected, whole
from modelkeep.protocols.aws.s3.files import check_headers
from modelkeep.protocols.aws.s3.multipart import etag_of, find, missing, no_such_upload
from modelkeep.protocols.aws.s3.told import new_condition_in
from modelkeep.services import object_uploads
from modelkeep.services.app import App
from modelkeep.services.grants import PARTS_LIMIT
from modelkeep.services.objects import Brought

LEAST_PART_BYTES = 5 << 20  # of every part but the last
XML_LIMIT_BYTES = 4 << 20
_ETAG = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")


class Named(NamedTuple):
    """A part as the client names it."""

    number: int
    etag: str


async def complete(app: App, asked: Asked) -> None:
    """To do it again does nothing."""
    WRITES.admit(asked)
    check_headers(asked)
    condition, expected = new_condition_in(asked), Expected.of(asked.scope)
    upload = await find(app, asked)
    named = _named(await whole(asked.body, XML_LIMIT_BYTES))
    brought = Brought(_etag(named), upload.said, condition)

    async def completed() -> Mapping[str, object]:
        if upload.etag not in ("", brought.etag):
            raise no_such_upload()
        if not upload.etag:
            try:
                await _complete(app, asked, upload, named, brought, expected)
            except Coded:  # unless another call for the same has just been quicker
                if (await find(app, asked)).etag != brought.etag:
                    raise
        of = {"Bucket": asked.bucket, "Key": asked.key, "ETag": f'"{brought.etag}"'}
        return {"Location": f"/{asked.bucket}/{quote(asked.key)}", **of}

    await asked.say_later("CompleteMultipartUploadResult", completed())


async def _complete(
    app: App,
    asked: Asked,
    upload: ObjectUpload,
    named: Sequence[Named],
    brought: Brought,
    expected: Expected,
) -> None:
    with missing():
        parts = await _meant(app, upload, named, asked.header("x-amz-mp-object-size"))
        began_ms = app.clock.now_ms()
        try:
            sha256, size = await asyncio.to_thread(
                app.parts.assemble,
                upload.id,
                [(part.number, part.sha256) for part in parts],
                expected.update,
            )
        except InvalidInput:
            raise _no_such_part() from None
    runs = runs_of(part.size_bytes for part in parts)
    said = replace(brought.said, checksums=expected.checked(), runs=runs)
    args = asked.caller, upload, sha256, size, began_ms, replace(brought, said=said)
    try:
        await app.write(object_uploads.complete, *args)
    except NotFound as error:  # of the upload, or of the object that it was to replace
        code = "NoSuchKey" if brought.condition.match else "NoSuchUpload"
        raise Coded(code, error.message, 404) from None
    await asyncio.to_thread(app.parts.discard, upload.id)


async def _meant(
    app: App, upload: ObjectUpload, named: Sequence[Named], told_size: str
) -> list[Part]:
    """Raises Coded for parts that are not there, or too small."""
    found = await asyncio.to_thread(app.parts.listing, upload.id)
    there = {Named(part.number, etag_of(part)): part for part in found}
    if any(part not in there for part in named):
        raise _no_such_part()
    parts = [there[part] for part in named]
    if any(part.size_bytes < LEAST_PART_BYTES for part in parts[:-1]):
        raise Coded(
            "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size"
        )
    size = sum(part.size_bytes for part in parts)
    if told_size not in ("", str(size)):
        raise Coded("InvalidRequest", f"The parts have {size} bytes, and not x-amz-mp-object-size.")
    return parts


def _no_such_part() -> Coded:
    return Coded(
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag.",
    )


def _named(body: bytes) -> list[Named]:
    """The parts, in order. Raises Coded."""
    found: list[Named] = []
    for element in xml.read(body, "CompleteMultipartUpload").iter("Part"):
        number = (element.findtext("PartNumber") or "").strip()
        etag = (element.findtext("ETag") or "").strip().strip('"')
        if not (number.isascii() and number.isdigit()):
            raise xml.malformed()
        if not _ETAG.fullmatch(etag):
            raise _no_such_part()
        found.append(Named(int(number[:8]), etag))
    numbers = [part.number for part in found]
    if not found or len(found) > PARTS_LIMIT:
        raise xml.malformed()
    if numbers != sorted(set(numbers)):
        raise Coded(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. The parts list must be specified in "
            "order by part number.",
        )
    return found


def _etag(named: Sequence[Named]) -> str:
    over = b"".join(bytes.fromhex(part.etag) for part in named)
    return f"{hashlib.md5(over, usedforsecurity=False).hexdigest()}-{len(named)}"
