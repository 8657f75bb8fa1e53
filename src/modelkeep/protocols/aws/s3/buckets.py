"""Buckets: which there are, and what is in them, by pages."""

import base64
import binascii
from typing import Any

from modelkeep.domain.errors import Forbidden
from modelkeep.domain.locations import RESERVED
from modelkeep.domain.names import check_text
from modelkeep.ports.artifacts import Dated
from modelkeep.protocols.aws.calls import REGION
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import LISTS, OWNER, TEXT_LIMIT, WRITES, Asked, admit_frozen
from modelkeep.services import object_pages
from modelkeep.services.app import App
from modelkeep.services.buckets import is_elsewhere
from modelkeep.services.object_pages import Page

KEYS_LIMIT = 1000  # of a page


async def every(app: App, asked: Asked) -> None:
    """The first thousand buckets, as S3 has no more."""
    LISTS.admit(asked)
    found = await app.search(object_pages.buckets, "", KEYS_LIMIT)
    told = [{"Name": name, "CreationDate": xml.moment(at_ms)} for name, at_ms in found]
    content = {"Owner": OWNER, "Buckets": {"Bucket": told}}
    await asked.say("ListAllMyBucketsResult", content)


async def create(app: App, asked: Asked) -> None:
    """Every bucket is there: to create one says so; but for those of other stores."""
    WRITES.admit(asked)
    if await app.read(is_elsewhere, asked.folder):
        raise Coded(
            "BucketAlreadyExists",
            "The requested bucket name is not available: it is a bucket of another store, which "
            "this server's settings name. Please select a different name and try again.",
            409,
        )
    await asked.answer(200, [(b"location", f"/{asked.bucket}".encode())])


async def head(app: App, asked: Asked) -> None:
    LISTS.admit(asked)
    if await app.read(is_elsewhere, asked.folder):
        raise Forbidden("The bucket is another store's.")
    await asked.answer(200, [(b"x-amz-bucket-region", REGION.encode())])


async def location(app: App, asked: Asked) -> None:
    LISTS.admit(asked)
    assert asked.folder
    await asked.say("LocationConstraint", {})


async def delete(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    if not await app.read(object_pages.is_empty, asked.folder):
        raise Coded("BucketNotEmpty", "The bucket you tried to delete is not empty.", 409)
    await asked.answer(204)


async def listing(app: App, asked: Asked) -> None:
    """ListObjectsV2, and the older ListObjects."""
    if asked.bucket == RESERVED:
        admit_frozen()
    else:
        LISTS.admit(asked)
    query, is_v2 = asked.query, asked.query.get("list-type") == "2"
    limit = asked.number("max-keys", KEYS_LIMIT, KEYS_LIMIT)
    prefix, delimiter = (asked.text(name) for name in ("prefix", "delimiter"))
    token = query.get("continuation-token", "") if is_v2 else ""
    after = _from_token(token) if token else asked.text("start-after" if is_v2 else "marker")
    page = await _page(app, asked, prefix, delimiter, after, limit)
    encode = asked.encode
    owner = OWNER if not is_v2 or query.get("fetch-owner") == "true" else None
    content = {
        "Name": asked.bucket,
        "Prefix": encode(prefix),
        "Delimiter": encode(delimiter) if delimiter else None,
        "MaxKeys": limit,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": page.end != "",
        "Contents": [_told(one, encode(one.file.path), owner) for one in page.objects],
        "CommonPrefixes": [{"Prefix": encode(common)} for common in page.prefixes],
    }
    if is_v2:
        content["KeyCount"] = len(page.objects) + len(page.prefixes)
        content["ContinuationToken"] = token or None
        content["NextContinuationToken"] = _token(page.end) if page.end else None
        content["StartAfter"] = encode(query["start-after"]) if "start-after" in query else None
    else:
        content["Marker"] = encode(after)
        content["NextMarker"] = encode(page.end) if page.end else None
    await asked.say("ListBucketResult", content)


async def _page(app: App, asked: Asked, *args: Any) -> Page:
    if asked.folder == RESERVED:
        return await app.search(object_pages.of_version, *args)
    return await app.search(object_pages.of_bucket, asked.folder, *args)


def _told(one: Dated, key: str, owner: object) -> dict[str, object]:
    return {
        "Key": key,
        "LastModified": xml.moment(one.at_ms),
        "ETag": f'"{one.etag}"',
        "Size": one.file.size_bytes,
        "Owner": owner,
        "StorageClass": "STANDARD",
    }


def _token(end: str) -> str:
    return base64.urlsafe_b64encode(end.encode()).decode()


def _from_token(token: str) -> str:
    try:
        end = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Coded("InvalidArgument", "The continuation token provided is incorrect") from None
    return check_text(end, "continuation-token", TEXT_LIMIT)
