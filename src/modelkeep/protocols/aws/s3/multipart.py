"""Objects that come in parts: create, the parts in any order and at once, complete or abort.

A part's ETag is its SHA-256, which says which bytes are meant when they are put together. The whole
has an ETag as S3's have it: a hash over its parts' hashes, a dash, and how many there were.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass

from modelkeep.domain.errors import Forbidden, InvalidInput
from modelkeep.ports.blobs import Parts
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import whole
from modelkeep.protocols.aws.s3.files import XML_LIMIT_BYTES, check_headers
from modelkeep.services import grants, objects
from modelkeep.services.app import App
from modelkeep.services.grants import PART_LIMIT_BYTES, PARTS_LIMIT, Multipart

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Upload:
    parts: Parts
    id: str
    path: str


async def create(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    check_headers(asked)
    path, parts = asked.path, _parts(app)
    until_ms = await app.read(grants.multipart_expiry, asked.caller, path, 0)
    upload_id = await asyncio.to_thread(parts.open, until_ms)
    of = Multipart(upload_id, path, 0)
    token = grants.to_finish(asked.caller, app.signer, of, until_ms)
    content = {"Bucket": asked.bucket, "Key": asked.key, "UploadId": token}
    await asked.say("InitiateMultipartUploadResult", content)


async def put_part(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    if asked.header("x-amz-copy-source"):
        raise Coded("NotImplemented", "Parts are not copied from other objects.", 501)
    number = asked.number("partNumber", 0, PARTS_LIMIT + 1)
    if not 1 <= number <= PARTS_LIMIT:
        raise Coded("InvalidArgument", f"Part number must be an integer of 1 to {PARTS_LIMIT}.")
    announced = asked.header("content-length")
    if announced.isdigit() and int(announced) > PART_LIMIT_BYTES:
        raise Coded("EntityTooLarge", f"A part has at most {PART_LIMIT_BYTES} bytes.")
    upload = await _find(app, asked)
    part = await asyncio.to_thread(upload.parts.begin, upload.id, number)
    sha256, _ = await uploads.fill(part, asked.body.read())
    told = [(name.encode(), value.encode()) for name, value in asked.body.checksums.items()]
    await asked.answer(200, [(b"etag", f'"{sha256}"'.encode()), *told])


async def listing(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    upload = await _find(app, asked)
    limit = asked.number("max-parts", 1000, 1000)
    after = asked.number("part-number-marker", 0, PARTS_LIMIT)
    found = await asyncio.to_thread(upload.parts.listing, upload.id)
    there = [part for part in found if part.number > after]
    shown = there[:limit]
    content = {
        "Bucket": asked.bucket,
        "Key": asked.key,
        "UploadId": asked.query["uploadId"],
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1].number if shown else after,
        "MaxParts": limit,
        "IsTruncated": len(there) > len(shown),
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


async def complete(app: App, asked: Asked) -> None:
    """To do it again does nothing."""
    WRITES.admit(asked)
    check_headers(asked)
    upload = await _find(app, asked)
    named = _named(await whole(asked.body, XML_LIMIT_BYTES))
    etag = _etag([sha256 for _, sha256 in named])
    if not await asyncio.to_thread(upload.parts.is_closed, upload.id):
        began_ms = app.clock.now_ms()
        try:
            sha256, size = await asyncio.to_thread(
                uploads.assemble, app.blobs, upload.parts, upload.id, named
            )
        except InvalidInput as error:
            raise Coded("InvalidPart", error.message) from None
        args = asked.caller, upload.path, sha256, size, began_ms, etag
        await app.write(objects.put, *args)
        await asyncio.to_thread(upload.parts.close, upload.id)
    content = {"Bucket": asked.bucket, "Key": asked.key, "ETag": f'"{etag}"'}
    await asked.say("CompleteMultipartUploadResult", content)


async def abort(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    upload = await _find(app, asked)
    await asyncio.to_thread(upload.parts.discard, upload.id)
    await asked.answer(204)


def _parts(app: App) -> Parts:
    if app.parts is None:
        raise Coded(
            "NotImplemented",
            "This server keeps no parts, for its files lie in another store: put the object at "
            "once (boto3: a larger multipart_threshold).",
            501,
        )
    return app.parts


async def _find(app: App, asked: Asked) -> Upload:
    parts, path, token = _parts(app), asked.path, asked.query.get("uploadId", "")
    try:
        found = await app.read(grants.multipart, asked.caller, app.signer, token, path)
    except Forbidden:
        raise Coded("NoSuchUpload", "The specified upload does not exist.", 404) from None
    return Upload(parts, found.upload_id, path)


def _named(body: bytes) -> list[tuple[int, str]]:
    """The numbers of the parts and their SHA-256, in order. Raises Coded."""
    found: list[tuple[int, str]] = []
    for element in xml.read(body, "CompleteMultipartUpload").iter("Part"):
        number = (element.findtext("PartNumber") or "").strip()
        etag = (element.findtext("ETag") or "").strip().strip('"')
        if not (number.isascii() and number.isdigit()):
            raise xml.malformed()
        if not _SHA256.fullmatch(etag):
            raise Coded("InvalidPart", f"The ETag of part {number[:8]} is none of this server's.")
        found.append((int(number[:8]), etag))
    numbers = [number for number, _ in found]
    if not found or len(found) > PARTS_LIMIT:
        raise xml.malformed()
    if numbers != sorted(set(numbers)):
        raise Coded("InvalidPartOrder", "The list of parts was not in ascending order.")
    return found


def _etag(digests: list[str]) -> str:
    over = b"".join(bytes.fromhex(sha256) for sha256 in digests)
    return f"{hashlib.md5(over, usedforsecurity=False).hexdigest()}-{len(digests)}"
