"""Objects that come in parts: create, the parts in any order and at once, complete or abort.

A part's ETag is its MD5, as S3's is: some clients compute it themselves, and compare.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

from modelkeep.domain.errors import NotFound
from modelkeep.ports.blobs import Part
from modelkeep.ports.objects import ObjectUpload
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import copies, xml
from modelkeep.protocols.aws.s3.asked import OWNER, WRITES, Asked, check_number
from modelkeep.protocols.aws.s3.bodies import LIMIT_BYTES, check_known, check_type, too_large
from modelkeep.protocols.aws.s3.terms import check_headers
from modelkeep.protocols.aws.s3.told import as_headers, said_in
from modelkeep.services import object_uploads
from modelkeep.services.app import App
from modelkeep.services.grants import PARTS_LIMIT
from modelkeep.services.object_pages import END

UPLOADS_LIMIT = 1000  # of a page
_BY = {
    "Initiator": {"ID": OWNER["ID"], "DisplayName": OWNER["DisplayName"]},
    "Owner": OWNER,
    "StorageClass": "STANDARD",
}
_ALGORITHM = "x-amz-checksum-algorithm"


async def create(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    check_headers(asked)
    algorithm, said = asked.header(_ALGORITHM), said_in(asked)
    if algorithm:
        check_known(algorithm)
    check_type(asked.scope)
    until_ms = await app.read(object_uploads.check, asked.caller, asked.path)
    upload_id = await asyncio.to_thread(app.parts.open, until_ms)
    await app.write(object_uploads.begin, asked.caller, upload_id, asked.path, until_ms, said)
    content = {"Bucket": asked.bucket, "Key": asked.key, "UploadId": upload_id}
    told = as_headers({_ALGORITHM: algorithm.upper()} if algorithm else {})
    await asked.say("InitiateMultipartUploadResult", content, told)


async def put_part(app: App, asked: Asked) -> None:
    """UploadPart and UploadPartCopy."""
    WRITES.admit(asked)
    check_headers(asked)
    number = check_number(asked)
    announced = asked.header("content-length")
    if announced.isdigit() and int(announced) > LIMIT_BYTES:
        raise too_large()
    upload = await find(app, asked)
    if asked.header("x-amz-copy-source"):
        await _copy_part(app, asked, upload, number)
        return
    etag = await _take(app, upload, number, asked.body.read())
    told = as_headers(asked.body.checksums)
    await asked.answer(200, [(b"etag", f'"{etag}"'.encode()), *told])


async def _take(app: App, upload: ObjectUpload, number: int, body: AsyncIterator[bytes]) -> str:
    """Its ETag."""
    md5 = hashlib.md5(usedforsecurity=False)
    with missing():
        part = await asyncio.to_thread(app.parts.begin, upload.id, number, md5)
        await uploads.fill(part, body)
    return md5.hexdigest()


def etag_of(part: Part) -> str:
    return part.md5 or part.sha256


async def _copy_part(app: App, asked: Asked, upload: ObjectUpload, number: int) -> None:
    found, start, stop = await copies.find_part(app, asked)
    if stop - start > LIMIT_BYTES:
        raise too_large()

    async def copied() -> Mapping[str, object]:
        etag = await _take(app, upload, number, copies.read(app, found, start, stop))
        return {"LastModified": xml.moment(app.clock.now_ms()), "ETag": f'"{etag}"'}

    await asked.say_later("CopyPartResult", copied())


async def listing(app: App, asked: Asked) -> None:
    """ListParts."""
    WRITES.admit(asked)
    upload = await find(app, asked)
    limit = asked.number("max-parts", 1000, 1000)
    after = asked.number("part-number-marker", 0, PARTS_LIMIT)
    with missing():
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
        "IsTruncated": limit > 0 and len(there) > len(shown),  # else its marker led nowhere
        **_BY,
        "Part": [
            {
                "PartNumber": part.number,
                "LastModified": xml.moment(part.at_ms),
                "ETag": f'"{etag_of(part)}"',
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
        "IsTruncated": limit > 0 and page.end is not None,
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


async def abort(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    upload = await find(app, asked)
    with missing():
        await app.write(object_uploads.abort, asked.caller, upload)
    await asyncio.to_thread(app.parts.discard, upload.id)
    await asked.answer(204)


async def find(app: App, asked: Asked) -> ObjectUpload:
    """The upload that a call is about. Raises Coded."""
    upload_id = asked.query.get("uploadId", "")
    with missing():
        args = asked.caller, upload_id, asked.path
        return await app.read(object_uploads.find, *args, point=True)


@contextmanager
def missing() -> Iterator[None]:
    """What is not found is the upload. Raises Coded."""
    try:
        yield
    except NotFound:
        raise no_such_upload() from None


def no_such_upload() -> Coded:
    return Coded(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed.",
        404,
    )
