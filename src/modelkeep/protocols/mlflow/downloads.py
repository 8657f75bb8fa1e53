"""Downloads: a file's bytes as an attachment, whole or in part, hashed on the way out."""

import asyncio
import mimetypes
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from modelkeep.protocols.http import Scope, Send
from modelkeep.protocols.mlflow import errors
from modelkeep.protocols.notices import headers_of
from modelkeep.protocols.ranges import Part, is_known, part_of
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found

ONE_READ_BYTES = 1 << 20  # up to this size a download is one read

# What MLflow's pages show as text, by extension or by name (MLflow 3.17, `mime_type_utils`).
_TEXT_NAMES = (
    "txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv"
    " md rst ipynb MLmodel MLproject mlproject"
)
_TEXTS = frozenset(_TEXT_NAMES.split())
# What a browser would run or render as a page is never sent as such.
_PLAIN_TYPES = frozenset(("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml"))
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~\-]+", re.ASCII)


async def answer(app: App, found: Found, scope: Scope, send: Send) -> None:
    """Answers a GET or HEAD. Damaged bytes are refused, or the answer is cut off."""
    file, small = found.file, found.small
    etag = f'"{file.sha256}"'
    if is_known(scope, etag):
        await _send_head(send, 304, [(b"etag", etag.encode())], last=True)
        return
    part = part_of(scope, etag, file.size_bytes)
    if part is not None and not part.is_satisfiable:
        await _refuse(send, part)
    elif scope["method"] == "HEAD":
        await _send_head(send, 200, _headers(found, None), last=True)
    elif small is not None:
        await _send_small(send, found, part, small[part.start : part.stop] if part else small)
    else:
        await _send_blob(app, found, part, send)


async def _refuse(send: Send, part: Part) -> None:
    body = errors.body("INVALID_PARAMETER_VALUE", f"Range: the file has {part.size} bytes.")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"content-range", part.content_range.encode()),
    ]
    await _send_head(send, 416, headers)
    await send({"type": "http.response.body", "body": body})


async def _send_small(send: Send, found: Found, part: Part | None, body: bytes) -> None:
    await _send_head(send, 206 if part else 200, _headers(found, part))
    await send({"type": "http.response.body", "body": body})


async def _send_blob(app: App, found: Found, part: Part | None, send: Send) -> None:
    file = found.file
    if part is None:
        chunks = app.blobs.read(file.sha256, file.size_bytes)
    else:
        chunks = app.blobs.read_range(file.sha256, file.size_bytes, part.start, part.stop)
    if file.size_bytes <= ONE_READ_BYTES:
        await _send_small(send, found, part, await asyncio.to_thread(b"".join, chunks))
        return
    first = await asyncio.to_thread(next, chunks)
    await _send_head(send, 206 if part else 200, _headers(found, part))
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for chunk in _in_thread(chunks):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    end = object()
    while (chunk := await asyncio.to_thread(next, chunks, end)) is not end:
        assert isinstance(chunk, bytes)
        yield chunk


async def _send_head(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], *, last: bool = False
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if last:
        await send({"type": "http.response.body", "body": b""})


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


def content_type(name: str) -> str:
    """The type that a file's name stands for, among those that a browser does not run."""
    if name.rsplit(".", 1)[-1] in _TEXTS:
        return "text/plain"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return "text/plain" if kind in _PLAIN_TYPES else kind


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
