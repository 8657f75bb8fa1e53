"""Bodies that become files: received, hashed and written at the same time.

Nothing names the bytes before all of them are on the disk, and nobody is answered before the row
is: an upload that breaks off leaves nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.ports.blobs import Upload
from modelkeep.protocols.http import Receive, Scope, header
from modelkeep.services import artifacts, objects
from modelkeep.services.app import App
from modelkeep.services.objects import Brought

WRITE_BYTES = 1 << 20  # how much is handed to the disk at a time
WRITE_PIECES = 512  # or how many pieces, where a client sends crumbs


async def store(
    app: App,
    caller: Caller,
    path: str,
    body: AsyncIterator[bytes],
    bring: Callable[[], Brought] | None = None,
) -> None:
    """Makes a path name a body, once all of it has come. Raises as `artifacts.put`.

    `bring` gives what comes with an object of the S3 API, when the body is known.
    """
    artifacts.check_writable(path)
    head, is_whole = await _begin(body)
    if is_whole:
        content = b"".join(head)
        sha256 = hashlib.sha256(content).hexdigest()
        if bring is None:
            await app.write(artifacts.put_small, caller, path, sha256, content)
        else:
            await app.write(objects.put_small, caller, path, sha256, content, bring())
    else:
        await app.read(artifacts.check_put, caller, path)  # before it fills the disk
        began_ms = app.clock.now_ms()
        upload = await asyncio.to_thread(app.blobs.begin)
        sha256, size = await fill(upload, body, head)
        if bring is None:
            await app.write(artifacts.put, caller, path, sha256, size, began_ms)
        else:
            await app.write(objects.put, caller, path, sha256, size, began_ms, bring())


async def pieces(scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises InvalidInput if it is not as long as it says."""
    size, announced = 0, header(scope, b"content-length")
    is_over = False
    while not is_over:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The connection was closed before the upload was complete.")
        part = message.get("body", b"")
        size += len(part)
        yield part
        is_over = not message.get("more_body")
    if announced.isdigit() and int(announced) != size:
        raise InvalidInput(f"The body has {size} bytes, Content-Length says {announced}.")


async def limited(
    scope: Scope, receive: Receive, limit: int, too_long: str
) -> AsyncIterator[bytes]:
    """As `pieces`. Raises LimitExceeded as soon as the body is known to be longer."""
    announced, size = header(scope, b"content-length"), 0
    if announced.isdigit() and int(announced) > limit:
        raise LimitExceeded(too_long)
    async for piece in pieces(scope, receive):
        size += len(piece)
        if size > limit:
            raise LimitExceeded(too_long)
        yield piece


async def _begin(body: AsyncIterator[bytes]) -> tuple[list[bytes], bool]:
    """What comes first, and whether that is all: a small file, which needs no file of its own."""
    head: list[bytes] = []
    size = 0
    async for piece in body:
        head.append(piece)
        size += len(piece)
        if size > artifacts.SMALL_BYTES:
            return head, False
    return head, True


async def fill(
    upload: Upload, body: AsyncIterator[bytes], head: Sequence[bytes] = ()
) -> tuple[str, int]:
    """Takes a body into an upload; its SHA-256 and size. What breaks off is thrown away."""
    try:
        await _write(upload, [*head], body)
        return await asyncio.to_thread(upload.finish)
    except BaseException:
        await asyncio.to_thread(upload.abandon)
        raise


async def _write(upload: Upload, waiting: list[bytes], body: AsyncIterator[bytes]) -> None:
    """Receives the next MiB while the one before is hashed and written."""
    size = sum(map(len, waiting))
    writing: asyncio.Future[None] | None = None
    try:
        async for piece in body:
            waiting.append(piece)
            size += len(piece)
            if size >= WRITE_BYTES or len(waiting) >= WRITE_PIECES:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(asyncio.to_thread(upload.write, waiting))
                waiting, size = [], 0
        if writing is not None:
            await writing
        await asyncio.to_thread(upload.write, waiting)
    finally:
        if writing is not None:  # before anybody may close the file under it
            await asyncio.wait([writing])
