"""Objects that come in parts: create, the parts in any order and at once, complete or abort.

A part's ETag is its SHA-256, which says which bytes are meant when they are put together. The whole
has an ETag as S3's have it: a hash over its parts' hashes, a dash, and how many there were.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.ports.objects import ObjectUpload
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import copies, xml
from modelkeep.protocols.aws.s3.asked import OWNER, WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import Expected, check_known, whole
from modelkeep.protocols.aws.s3.files import check_headers
from modelkeep.protocols.aws.s3.told import as_headers, new_condition_in, said_in
from modelkeep.services import object_uploads
from modelkeep.services.app import App
from modelkeep.services.grants import PART_LIMIT_BYTES, PARTS_LIMIT
from modelkeep.services.objects import END, Brought

LEAST_PART_BYTES = 5 << 20  # of every part but the last
XML_LIMIT_BYTES = 4 << 20
_SHA256 = re.compile("[0-9a-f]{64}")
UPLOADS_LIMIT = 1000  # of a page
_BY = {
    "Initiator": {"ID": OWNER["ID"], "DisplayName": OWNER["DisplayName"]},
    "Owner": OWNER,
    "StorageClass": "STANDARD",
}
_ALGORITHM = "x-amz-checksum-algorithm"


class Named(NamedTuple):
    """A part as the client names it."""

    number: int
    sha256: str


async def create(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    check_headers(asked)
    algorithm, said = asked.header(_ALGORITHM), said_in(asked)
    if algorithm:
        check_known(algorithm)
    until_ms = await app.read(object_uploads.check, asked.caller, asked.path)
    upload_id = await asyncio.to_thread(app.parts.open, until_ms)
    await app.write(object_uploads.begin, asked.caller, upload_id, asked.path, until_ms, said)
    content = {"Bucket": asked.bucket, "Key": asked.key, "UploadId": upload_id}
    told = as_headers({_ALGORITHM: algorithm.upper()} if algorithm else {})
    await asked.say("InitiateMultipartUploadResult", content, told)


async def put_part(app: App, asked: Asked) -> None:
    """UploadPart and UploadPartCopy."""
    WRITES.admit(asked)
    number = asked.number("partNumber", 0, PARTS_LIMIT + 1)
    if not 1 <= number <= PARTS_LIMIT:
        raise Coded(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {PARTS_LIMIT}, inclusive",
        )
    announced = asked.header("content-length")
    if announced.isdigit() and int(announced) > PART_LIMIT_BYTES:
        raise _too_large()
    upload = await _find(app, asked)
    if asked.header("x-amz-copy-source"):
        await _copy_part(app, asked, upload, number)
        return
    with _missing():
        part = await asyncio.to_thread(app.parts.begin, upload.id, number)
        sha256, _ = await uploads.fill(part, asked.body.read())
    told = as_headers(asked.body.checksums)
    await asked.answer(200, [(b"etag", f'"{sha256}"'.encode()), *told])


async def _copy_part(app: App, asked: Asked, upload: ObjectUpload, number: int) -> None:
    found, start, stop = await copies.find_part(app, asked)
    if stop - start > PART_LIMIT_BYTES:
        raise _too_large()

    async def copied() -> Mapping[str, object]:
        with _missing():
            part = await asyncio.to_thread(app.parts.begin, upload.id, number)
            sha256, _ = await uploads.fill(part, copies.read(app, found, start, stop))
        return {"LastModified": xml.moment(app.clock.now_ms()), "ETag": f'"{sha256}"'}

    await asked.say_later("CopyPartResult", copied())


async def listing(app: App, asked: Asked) -> None:
    """ListParts."""
    WRITES.admit(asked)
    upload = await _find(app, asked)
    limit = asked.number("max-parts", 1000, 1000)
    after = asked.number("part-number-marker", 0, PARTS_LIMIT)
    with _missing():
        found = await asyncio.to_thread(app.parts.listing, upload.id)
    there = [part for part in found if part.number > after]
    shown = there[:limit]
    content = {
        "Bucket": asked.bucket,
        "Key": asked.key,
        "UploadId": upload.id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1].number if shown else after,
        "MaxParts": limit,
        "IsTruncated": len(there) > len(shown),
        **_BY,
        "Part": [
            {
                "PartNumber": part.number,
                "LastModified": xml.moment(part.at_ms),
                "ETag": f'"{part.sha256}"',
                "Size": part.size_bytes,
            }
            for part in shown
        ],
    }
    await asked.say("ListPartsResult", content)


async def every(app: App, asked: Asked) -> None:
    """ListMultipartUploads: the caller's own."""
    WRITES.admit(asked)
    prefix, delimiter, key, upload_id = (
        asked.text(name) for name in ("prefix", "delimiter", "key-marker", "upload-id-marker")
    )
    limit = asked.number("max-uploads", UPLOADS_LIMIT, UPLOADS_LIMIT)
    # Without an id the page begins behind all uploads to the key.
    after = (key, upload_id or END) if key else ("", "")
    args = asked.caller, asked.folder, prefix, delimiter, after, limit
    page = await app.search(object_uploads.page, *args)
    encode = asked.encode
    content = {
        "Bucket": asked.bucket,
        "KeyMarker": encode(key),
        "UploadIdMarker": upload_id,
        "NextKeyMarker": encode(page.end[0]) if page.end else None,
        "NextUploadIdMarker": page.end[1] if page.end else None,
        "Prefix": encode(prefix),
        "Delimiter": encode(delimiter) if delimiter else None,
        "EncodingType": asked.query.get("encoding-type"),
        "MaxUploads": limit,
        "IsTruncated": page.end is not None,
        "Upload": [
            {
                "Key": encode(upload.path[len(asked.folder) + 1 :]),
                "UploadId": upload.id,
                **_BY,
                "Initiated": xml.moment(upload.began_ms),
            }
            for upload in page.uploads
        ],
        "CommonPrefixes": [{"Prefix": encode(common)} for common in page.prefixes],
    }
    await asked.say("ListMultipartUploadsResult", content)


async def complete(app: App, asked: Asked) -> None:
    """To do it again does nothing."""
    WRITES.admit(asked)
    check_headers(asked)
    condition, expected = new_condition_in(asked), Expected.of(asked.scope)
    upload = await _find(app, asked)
    named = _named(await whole(asked.body, XML_LIMIT_BYTES))
    brought = Brought(_etag(named), upload.said, condition)

    async def completed() -> Mapping[str, object]:
        if upload.etag not in ("", brought.etag):
            raise _no_such_upload()
        if not upload.etag:
            await _complete_once(app, asked, upload, named, brought, expected)
        of = {"Bucket": asked.bucket, "Key": asked.key, "ETag": f'"{brought.etag}"'}
        return {"Location": f"/{asked.bucket}/{quote(asked.key)}", **of}

    await asked.say_later("CompleteMultipartUploadResult", completed())


async def _complete_once(
    app: App,
    asked: Asked,
    upload: ObjectUpload,
    named: Sequence[Named],
    brought: Brought,
    expected: Expected,
) -> None:
    """As `_complete`, also where another call for the same has just been quicker."""
    try:
        await _complete(app, asked, upload, named, brought, expected)
    except Coded:
        if (await _find(app, asked)).etag != brought.etag:
            raise


async def _complete(
    app: App,
    asked: Asked,
    upload: ObjectUpload,
    named: Sequence[Named],
    brought: Brought,
    expected: Expected,
) -> None:
    with _missing():
        await _check_parts(app, upload, named, asked.header("x-amz-mp-object-size"))
        began_ms = app.clock.now_ms()
        try:
            sha256, size = await asyncio.to_thread(
                app.parts.assemble, upload.id, named, expected.update
            )
        except InvalidInput:
            raise _no_such_part() from None
    said = replace(brought.said, checksums=expected.checked())
    args = asked.caller, upload, sha256, size, began_ms, replace(brought, said=said)
    try:
        await app.write(object_uploads.complete, *args)
    except NotFound as error:  # of the upload, or of the object that it was to replace
        code = "NoSuchKey" if brought.condition.match else "NoSuchUpload"
        raise Coded(code, error.message, 404) from None
    await asyncio.to_thread(app.parts.discard, upload.id)


async def _check_parts(
    app: App, upload: ObjectUpload, named: Sequence[Named], told_size: str
) -> None:
    """Raises Coded for parts that are not there, or too small."""
    found = await asyncio.to_thread(app.parts.listing, upload.id)
    sizes = {Named(part.number, part.sha256): part.size_bytes for part in found}
    if any(part not in sizes for part in named):
        raise _no_such_part()
    if any(sizes[part] < LEAST_PART_BYTES for part in named[:-1]):
        raise Coded(
            "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size"
        )
    size = sum(sizes[part] for part in named)
    if told_size not in ("", str(size)):
        raise Coded("InvalidRequest", f"The parts have {size} bytes, and not x-amz-mp-object-size.")


async def abort(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    upload = await _find(app, asked)
    with _missing():
        await app.write(object_uploads.abort, asked.caller, upload)
    await asyncio.to_thread(app.parts.discard, upload.id)
    await asked.answer(204)


async def _find(app: App, asked: Asked) -> ObjectUpload:
    upload_id = asked.query.get("uploadId", "")
    with _missing():
        args = asked.caller, upload_id, asked.path
        return await app.read(object_uploads.find, *args, point=True)


@contextmanager
def _missing() -> Iterator[None]:
    """What is not found is the upload. Raises Coded."""
    try:
        yield
    except NotFound:
        raise _no_such_upload() from None


def _no_such_upload() -> Coded:
    return Coded(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed.",
        404,
    )


def _no_such_part() -> Coded:
    return Coded(
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag.",
    )


def _too_large() -> Coded:
    return Coded(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size: a part has at most "
        f"{PART_LIMIT_BYTES} bytes.",
    )


def _named(body: bytes) -> list[Named]:
    """The parts, in order. Raises Coded."""
    found: list[Named] = []
    for element in xml.read(body, "CompleteMultipartUpload").iter("Part"):
        number = (element.findtext("PartNumber") or "").strip()
        etag = (element.findtext("ETag") or "").strip().strip('"')
        if not (number.isascii() and number.isdigit()):
            raise xml.malformed()
        if not _SHA256.fullmatch(etag):
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
    over = b"".join(bytes.fromhex(part.sha256) for part in named)
    return f"{hashlib.md5(over, usedforsecurity=False).hexdigest()}-{len(named)}"
