"""Artifacts: the `mlflow-artifacts` proxy, and the downloads that MLflow's pages link to."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.manifests import File
from modelkeep.ports.artifacts import Entry
from modelkeep.ports.blobs import Upload
from modelkeep.protocols.http import Receive, Scope, Send, header, query_of
from modelkeep.protocols.mlflow.registry import parse_version
from modelkeep.protocols.mlflow.wire import Message, Rpc, require
from modelkeep.services import artifacts, registry, sources, tracking
from modelkeep.services.app import App

WRITE_BYTES = 1 << 20  # how much of an upload is handed to the disk at a time
SMALL_BYTES = 1 << 20  # up to this size a download is one read

# What a browser would run or render as a page is never sent as such.
_PLAIN_TYPES = frozenset(("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml"))


class WireFile(Message):
    is_dir: bool  # always sent: clients index it
    path: str = ""
    file_size: int | None = None


class Files(Message):
    root_uri: str = ""
    files: list[WireFile] = []


class ListArtifacts(Message):
    run_id: str = ""
    run_uuid: str = ""
    path: str = ""
    page_token: str = ""


class LoggedModelFolder(Message):
    model_id: str = ""
    artifact_directory_path: str = ""


def _render(entries: list[Entry], folder: str) -> list[WireFile]:
    prefix = f"{folder}/" if folder else ""
    return [
        WireFile(path=prefix + e.name, is_dir=e.is_folder, file_size=e.size_bytes) for e in entries
    ]


async def list_of_run(app: App, caller: Caller, request: ListArtifacts) -> Files:
    """`artifacts/list`: the paths are relative to the run's root."""
    run_id = require(request.run_id or request.run_uuid, "run_id")
    run = await app.read(tracking.get_run, run_id)
    return await _list_under(app, run.artifact_uri, request.path)


async def list_of_logged_model(app: App, caller: Caller, request: LoggedModelFolder) -> Files:
    """`logged-models/{id}/artifacts/directories`: relative to the logged model's root."""
    model = await app.read(tracking.get_logged_model, request.model_id)
    return await _list_under(app, model.artifact_uri, request.artifact_directory_path)


async def _list_under(app: App, root_uri: str, folder: str) -> Files:
    root, folder = sources.path_of(root_uri), folder.rstrip("/")
    if root is None:
        return Files(root_uri=root_uri)
    entries = await app.read(artifacts.listing, f"{root}/{folder}" if folder else root)
    return Files(root_uri=root_uri, files=_render(entries, folder))


RPCS: tuple[Rpc, ...] = (
    Rpc(("GET",), "artifacts/list", ListArtifacts, list_of_run),
    Rpc(
        ("GET",),
        "logged-models/{model_id}/artifacts/directories",
        LoggedModelFolder,
        list_of_logged_model,
    ),
)


# -- the proxy ---------------------------------------------------------------------------------


async def list_folder(app: App, scope: Scope) -> bytes:
    """`GET mlflow-artifacts/artifacts?path=`: the names in a folder, without their folders."""
    query = dict(query_of(scope))
    # Who downloads all of a run asks for the folder `.` of its folder, and then for `./models`.
    folder = query.get("path", "").strip("/").replace("/./", "/").removesuffix("/.")
    entries = await app.read(artifacts.listing, folder)
    return msgspec.json.encode(Files(files=_render(entries, "")))


async def upload(app: App, path: str, scope: Scope, receive: Receive) -> None:
    """Streams a body to the disk, then makes the path name it; a broken one leaves nothing."""
    artifacts.check_writable(path)
    target = await asyncio.to_thread(app.blobs.begin)
    try:
        size = await _stream(target, receive)
        announced = header(scope, b"content-length")
        if announced.isdigit() and int(announced) != size:
            raise InvalidInput(f"The body has {size} bytes, Content-Length says {announced}.")
        sha256, size = await asyncio.to_thread(target.finish)
        await app.write(artifacts.put, path, sha256, size)
    finally:
        target.abandon()


async def _stream(target: Upload, receive: Receive) -> int:
    """Writes what arrives in pieces of about 1 MiB; returns the size in bytes."""
    pending, waiting, size = [], 0, 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The connection was closed before the upload was complete.")
        part = message.get("body", b"")
        pending.append(part)
        waiting += len(part)
        size += len(part)
        if waiting >= WRITE_BYTES or not message.get("more_body"):
            await asyncio.to_thread(target.write, b"".join(pending))
            pending, waiting = [], 0
        if not message.get("more_body"):
            return size


async def download(app: App, file: File, name: str, send: Send) -> None:
    """Sends stored bytes as an attachment. Damaged ones are refused, or the answer is cut off."""
    chunks = app.blobs.read(file.sha256, file.size_bytes)
    if file.size_bytes <= SMALL_BYTES:
        body = await asyncio.to_thread(b"".join, chunks)
        await send(_head(file, name))
        await send({"type": "http.response.body", "body": body})
        return
    first = await asyncio.to_thread(next, chunks)
    await send(_head(file, name))
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for chunk in _in_thread(chunks):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    end = object()
    while (chunk := await asyncio.to_thread(next, chunks, end)) is not end:
        assert isinstance(chunk, bytes)
        yield chunk


def _head(file: File, name: str) -> dict[str, object]:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = "text/plain" if kind in _PLAIN_TYPES else kind
    plain = name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_")
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", kind.encode()),
            (b"content-length", str(file.size_bytes).encode()),
            (b"content-disposition", f'attachment; filename="{plain}"'.encode()),
            (b"etag", f'"{file.sha256}"'.encode()),
            (b"content-security-policy", b"sandbox"),
        ],
    }


# -- links of MLflow's pages -------------------------------------------------------------------


async def find_for_page(app: App, scope: Scope) -> File:
    """The file that `/get-artifact` or `/model-versions/get-artifact` asks for."""
    query = dict(query_of(scope))
    path = require(query.get("path"), "path")
    if "model-versions" in scope["path"]:
        name = require(query.get("name"), "name")
        number = parse_version(query.get("version", ""))
        with suppress(NotFound):
            return await app.read(artifacts.find_in_version, name, number, path)
        await app.read(registry.get_version, name, number)
        raise NotFound(f"No such artifact: '{path}'")
    run_id = require(query.get("run_id") or query.get("run_uuid"), "run_id")
    run = await app.read(tracking.get_run, run_id)
    root = sources.path_of(run.artifact_uri)
    if root is None:
        raise NotFound(f"No such artifact: '{path}'")
    return await app.read(artifacts.find, f"{root}/{path}")
