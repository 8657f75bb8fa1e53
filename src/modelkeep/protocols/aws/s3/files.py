"""Objects: put, get, head, copy, delete."""

from collections.abc import Sequence
from email.utils import formatdate
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from modelkeep.domain import objects as places
from modelkeep.domain.access import Verb
from modelkeep.domain.errors import NotFound
from modelkeep.domain.locations import RESERVED
from modelkeep.domain.sharing import LOADING, Lent
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import READS, WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import LIMIT_BYTES, too_large, whole
from modelkeep.protocols.http import loader_in
from modelkeep.protocols.notices import headers_of
from modelkeep.protocols.ranges import Part, is_known, part_of
from modelkeep.protocols.sending import content_type, send_file, send_head
from modelkeep.services import objects, permits
from modelkeep.services.app import App
from modelkeep.services.objects import Object
from modelkeep.services.permits import Need

DELETES_LIMIT = 1000  # keys of one call
XML_LIMIT_BYTES = 2 << 20
# What would be lost if it were passed over.
_CONDITIONS = (
    "if-match",
    "if-none-match",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
)
_REFUSED = (
    *_CONDITIONS,
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
)
_CONDITIONS_OF_ONE = ("VersionId", "ETag", "LastModifiedTime", "Size")  # of several to delete


def check_headers(asked: Asked) -> None:
    """Raises Coded for what is asked of a new object and is not done here."""
    if asked.header("x-amz-acl").startswith("public-"):
        raise _lost("x-amz-acl")
    _refuse(asked, _REFUSED)


def _refuse(asked: Asked, names: Sequence[str]) -> None:
    found = next((name for name in names if asked.header(name)), None)
    if found:
        raise _lost(found)


def _lost(name: str) -> Coded:
    return Coded("NotImplemented", f"modelkeep does nothing about the header {name}.", 501)


async def put(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    check_headers(asked)
    path, body = asked.path, asked.body
    if asked.header("x-amz-copy-source"):
        await _copy(app, asked, path)
        return
    announced = asked.header("content-length")
    if announced.isdigit() and int(announced) > LIMIT_BYTES:
        raise too_large()
    await uploads.store(app, asked.caller, path, body.read(), lambda: body.md5)
    told = [(name.encode(), value.encode()) for name, value in body.checksums.items()]
    await asked.answer(200, [(b"etag", f'"{body.md5}"'.encode()), *told])


async def _copy(app: App, asked: Asked, path: str) -> None:
    READS.admit(asked)
    WRITES.admit(asked)
    copied = await app.write(objects.copy, asked.caller, _copy_source(asked), path)
    told = {"LastModified": xml.moment(copied.at_ms), "ETag": f'"{copied.etag}"'}
    await asked.say("CopyObjectResult", told)


def _copy_source(asked: Asked) -> str:
    """The path that is copied. Raises Coded, InvalidInput."""
    source, _, query = asked.header("x-amz-copy-source").partition("?")
    try:
        bucket, _, key = unquote(source, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if query or not key:
        raise Coded("InvalidArgument", "x-amz-copy-source must be bucket/key, without a version.")
    return places.path_of(bucket, key)


async def get(app: App, asked: Asked) -> None:
    """GET and HEAD. A guest may have the files of packages that they may deploy."""
    lent = Lent(LOADING) if asked.bucket == RESERVED else None
    permits.admit(Need(Verb.DOWNLOAD, anywhere=True), lent=lent)
    if "partNumber" in asked.query:
        raise Coded("NotImplemented", "Objects are not kept in parts; ask for a range.", 501)
    found = await _find(app, asked)
    scope, etag = asked.scope, f'"{found.etag}"'
    file, version = found.found.file, found.found.version
    wanted = asked.header("if-match")
    if wanted and wanted != "*" and etag not in _tags(wanted) and found.etag not in _tags(wanted):
        raise Coded("PreconditionFailed", "The object's ETag is not the If-Match one.", 412)
    if asked.header("if-none-match") and is_known(scope, etag):
        await send_head(asked.send, 304, [(b"etag", etag.encode())], last=True)
        return
    part = part_of(scope, etag, file.size_bytes)
    if part is not None and not part.is_satisfiable:
        raise Coded("InvalidRange", f"The object has {file.size_bytes} bytes.", 416)
    if asked.method == "HEAD":
        await send_head(asked.send, 200, _headers(found, None), last=True)
        return
    if version is not None:
        app.loads.note(loader_in(scope), version, by_file=True)
    await send_file(app, found.found, part, _headers(found, part), asked.send)


async def _find(app: App, asked: Asked) -> Object:
    try:
        return await app.read(objects.find, asked.path, point=True)
    except NotFound:
        raise Coded("NoSuchKey", "The specified key does not exist.", 404) from None


async def delete(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    _refuse(asked, _CONDITIONS)
    await app.write(objects.delete, asked.caller, [asked.path])
    await asked.answer(204)


async def delete_many(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    root = xml.read(await whole(asked.body, XML_LIMIT_BYTES), "Delete")
    keys = [_key(element) for element in root.iter("Object")]
    if not 1 <= len(keys) <= DELETES_LIMIT:
        raise xml.malformed()
    is_quiet = (root.findtext("Quiet") or "").strip() == "true"
    assert asked.folder
    paths = [places.path_of(asked.bucket, key) for key in keys]
    await app.write(objects.delete, asked.caller, paths)
    deleted = [] if is_quiet else [{"Key": key} for key in keys]
    await asked.say("DeleteResult", {"Deleted": deleted})


def _key(element: Element) -> str:
    odd = next((name for name in _CONDITIONS_OF_ONE if element.findtext(name)), None)
    if odd:
        raise Coded("NotImplemented", f"modelkeep does nothing about {odd} of a deletion.", 501)
    return element.findtext("Key") or ""


def _tags(given: str) -> list[str]:
    return [tag.strip() for tag in given.split(",")]


def _headers(found: Object, part: Part | None) -> list[tuple[bytes, bytes]]:
    file, version = found.found.file, found.found.version
    length = file.size_bytes if part is None else part.stop - part.start
    headers = [
        (b"content-type", content_type(file.path.rsplit("/", 1)[-1]).encode()),
        (b"content-length", str(length).encode()),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{found.etag}"'.encode()),
        (b"last-modified", formatdate(found.at_ms // 1000, usegmt=True).encode()),
        (b"content-security-policy", b"sandbox"),
    ]
    if part is not None:
        headers.append((b"content-range", part.content_range.encode()))
    return [*headers, *((k.encode(), v.encode()) for k, v in headers_of(version).items())]
