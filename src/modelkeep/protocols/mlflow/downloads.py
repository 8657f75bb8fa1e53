"""Downloads: a file's bytes as an attachment, whole or in part, hashed on the way out."""

import re
import unicodedata
from urllib.parse import quote

from modelkeep.protocols.http import Scope, Send
from modelkeep.protocols.mlflow import errors
from modelkeep.protocols.notices import headers_of
from modelkeep.protocols.ranges import Part, is_known, part_of
from modelkeep.protocols.sending import content_type, send_file, send_head
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found

_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~\-]+", re.ASCII)


async def answer(app: App, found: Found, scope: Scope, send: Send) -> None:
    """Answers a GET or HEAD. Damaged bytes are refused, or the answer is cut off."""
    file = found.file
    etag = f'"{file.sha256}"'
    if is_known(scope, etag):
        await send_head(send, 304, [(b"etag", etag.encode())], last=True)
        return
    part = part_of(scope, etag, file.size_bytes)
    if part is not None and not part.is_satisfiable:
        await _refuse(send, part)
    elif scope["method"] == "HEAD":
        await send_head(send, 200, _headers(found, None), last=True)
    else:
        await send_file(app, found, part, _headers(found, part), send)


async def _refuse(send: Send, part: Part) -> None:
    body = errors.body("INVALID_PARAMETER_VALUE", f"Range: the file has {part.size} bytes.")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"content-range", part.content_range.encode()),
    ]
    await send_head(send, 416, headers)
    await send({"type": "http.response.body", "body": body})


def _headers(found: Found, part: Part | None) -> list[tuple[bytes, bytes]]:
    file = found.file
    name = file.path.rsplit("/", 1)[-1]
    length = file.size_bytes if part is None else part.stop - part.start
    headers = [
        (b"content-type", content_type(name).encode()),
        (b"content-length", str(length).encode()),
        (b"content-disposition", disposition(name).encode()),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{file.sha256}"'.encode()),
        (b"content-security-policy", b"sandbox"),
    ]
    if part is not None:
        headers.append((b"content-range", part.content_range.encode()))
    headers += [(k.encode(), v.encode()) for k, v in headers_of(found.version).items()]
    return headers


def disposition(name: str) -> str:
    """`attachment` under a file's name (RFC 6266), with RFC 8187's form where it is no ASCII."""
    if name.isascii():
        return f"attachment; filename={_quoted(name)}"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "download"
    return f"attachment; filename={_quoted(plain)}; filename*=UTF-8''{quote(name, safe='')}"


def _quoted(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
