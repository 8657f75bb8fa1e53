"""Files on their way out, whole or in part: hashed while they are sent, never held in memory.

Damaged bytes are refused before the first of them is sent, or the answer is cut off.
"""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterator, Sequence

from modelkeep.protocols.http import Send
from modelkeep.protocols.ranges import Part
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

Headers = Sequence[tuple[bytes, bytes]]


async def send_file(
    app: App, found: Found, part: Part | None, headers: Headers, send: Send
) -> None:
    """Answers with a file's bytes, or a part of them. Raises IntegrityFailure."""
    file, small = found.file, found.small
    if small is not None:
        await _send_whole(send, part, headers, small[part.start : part.stop] if part else small)
        return
    if part is None:
        chunks = app.blobs.read(file.sha256, file.size_bytes)
    else:
        chunks = app.blobs.read_range(file.sha256, file.size_bytes, part.start, part.stop)
    if file.size_bytes <= ONE_READ_BYTES:
        await _send_whole(send, part, headers, await asyncio.to_thread(b"".join, chunks))
        return
    first = await asyncio.to_thread(next, chunks)
    await send_head(send, 206 if part else 200, headers)
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for chunk in _in_thread(chunks):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def send_head(send: Send, status: int, headers: Headers, *, last: bool = False) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    if last:
        await send({"type": "http.response.body", "body": b""})


async def _send_whole(send: Send, part: Part | None, headers: Headers, body: bytes) -> None:
    await send_head(send, 206 if part else 200, headers)
    await send({"type": "http.response.body", "body": body})


async def _in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    end = object()
    while (chunk := await asyncio.to_thread(next, chunks, end)) is not end:
        assert isinstance(chunk, bytes)
        yield chunk


def content_type(name: str) -> str:
    """The type that a file's name stands for, among those that a browser does not run."""
    if name.rsplit(".", 1)[-1] in _TEXTS:
        return "text/plain"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return "text/plain" if kind in _PLAIN_TYPES else kind
