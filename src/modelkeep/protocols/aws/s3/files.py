"""Objects: put, get, head, and what is to be known of them."""

from dataclasses import replace
from email.utils import formatdate

from modelkeep.domain.errors import NotFound
from modelkeep.domain.locations import RESERVED
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import copies
from modelkeep.protocols.aws.s3.asked import (
    READS,
    WRITES,
    Asked,
    admit_frozen,
    check_number,
)
from modelkeep.protocols.aws.s3.bodies import LIMIT_BYTES, too_large
from modelkeep.protocols.aws.s3.terms import check_headers
from modelkeep.protocols.aws.s3.told import (
    as_headers,
    checksum_elements,
    checksums_of,
    condition_in,
    new_condition_in,
    overrides_in,
    said_in,
)
from modelkeep.protocols.http import loader_in
from modelkeep.protocols.notices import headers_of
from modelkeep.protocols.ranges import Part, part_of
from modelkeep.protocols.sending import content_type, send_file, send_head
from modelkeep.services import objects
from modelkeep.services.app import App
from modelkeep.services.objects import Brought, Object

_ATTRIBUTES = frozenset(("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"))
_UNCHANGED = ("If-None-Match", "If-Modified-Since")  # conditions that fail because it is so


async def put(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    check_headers(asked)
    path, body = asked.path, asked.body
    if asked.header("x-amz-copy-source"):
        await copies.copy(app, asked)
        return
    announced = asked.header("content-length")
    if announced.isdigit() and int(announced) > LIMIT_BYTES:
        raise too_large()
    said, condition = said_in(asked), new_condition_in(asked)

    def bring() -> Brought:
        return Brought(body.md5, replace(said, checksums=body.checksums), condition)

    await uploads.store(app, asked.caller, path, body.read(), bring)
    told = checksums_of(bring().said)
    await asked.answer(200, [(b"etag", f'"{body.md5}"'.encode()), *as_headers(told)])


async def get(app: App, asked: Asked) -> None:
    """GET and HEAD."""
    if asked.bucket == RESERVED:
        admit_frozen()
    else:
        READS.admit(asked)
    number = _number(asked)
    found = await find(app, asked)
    failing = condition_in(asked).failing(found.etag, found.at_ms)
    if failing in _UNCHANGED:
        await send_head(asked.send, 304, _validators(found), last=True)
        return
    objects.check(condition_in(asked), found.etag, found.at_ms)
    file, version = found.found.file, found.found.version
    # A HEAD has parts here, as on S3.
    part = part_of({**asked.scope, "method": "GET"}, f'"{found.etag}"', file.size_bytes)
    if number:
        part = _numbered(found, number)
    elif part is not None and not part.is_satisfiable:
        raise Coded("InvalidRange", f"The requested range is not within {file.size_bytes}.", 416)
    headers = _headers(asked, found, part)
    if number and found.said.parts:
        headers.append((b"x-amz-mp-parts-count", str(found.said.parts).encode()))
    if asked.method == "HEAD":
        await send_head(asked.send, 200 if part is None else 206, headers, last=True)
        return
    if version is not None:
        app.loads.note(loader_in(asked.scope), version, by_file=True)
    await send_file(app, found.found, part, headers, asked.send)


def _number(asked: Asked) -> int:
    """The part that is asked for; 0 for none. Raises Coded."""
    if "partNumber" not in asked.query:
        return 0
    number = check_number(asked)
    if asked.header("range"):
        raise Coded("InvalidRequest", "Cannot specify both Range header and partNumber query.")
    return number


def _numbered(found: Object, number: int) -> Part | None:
    """The bytes of a part; None where it is all of nothing. Of what did not come in parts the first
    is the whole. Raises Coded."""
    size = found.found.file.size_bytes
    bounds = found.said.bounds(number) if found.said.parts else (0, size) if number == 1 else None
    if bounds is None or (size and bounds[0] == bounds[1]):
        raise Coded("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
    return Part(*bounds, size) if size else None


async def attributes(app: App, asked: Asked) -> None:
    """GetObjectAttributes. Of parts it is told how many there were."""
    READS.admit(asked)
    wanted = {one.strip() for one in asked.header("x-amz-object-attributes").split(",")}
    if not wanted <= _ATTRIBUTES:
        raise Coded("InvalidArgument", "Invalid attribute name specified.")
    found = await find(app, asked)
    known = {
        "ETag": found.etag,
        "Checksum": checksum_elements(found.said),
        "ObjectParts": {"PartsCount": found.said.parts} if found.said.parts else None,
        "StorageClass": "STANDARD",
        "ObjectSize": found.found.file.size_bytes,
    }
    content = {name: value for name, value in known.items() if name in wanted}
    await asked.say("GetObjectAttributesResponse", content, _validators(found)[1:])


async def find(app: App, asked: Asked) -> Object:
    """The object that is asked for. Raises Coded, and as `objects.find`."""
    try:
        return await app.read(objects.find, asked.path, point=True)
    except NotFound:
        raise Coded("NoSuchKey", "The specified key does not exist.", 404) from None


def _validators(found: Object) -> list[tuple[bytes, bytes]]:
    return [
        (b"etag", f'"{found.etag}"'.encode()),
        (b"last-modified", formatdate(found.at_ms // 1000, usegmt=True).encode()),
    ]


def _headers(asked: Asked, found: Object, part: Part | None) -> list[tuple[bytes, bytes]]:
    file, version, said = found.found.file, found.found.version, found.said
    length = file.size_bytes if part is None else part.stop - part.start
    named = {"content-type": content_type(file.path.rsplit("/", 1)[-1])}
    told = {**named, **said.headers, **overrides_in(asked)}
    if part is not None:
        told["content-range"] = part.content_range
    elif asked.header("x-amz-checksum-mode").upper() == "ENABLED":
        told |= checksums_of(said)
    if said.tags:
        told["x-amz-tagging-count"] = str(len(said.tags))
    return [
        *_validators(found),
        (b"content-length", str(length).encode()),
        (b"accept-ranges", b"bytes"),
        (b"content-security-policy", b"sandbox"),
        *as_headers({**told, **headers_of(version)}),
    ]
