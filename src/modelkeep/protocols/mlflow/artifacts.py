"""Artifacts by run, logged model and version: listings, and what MLflow's pages link to."""

from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.ports.artifacts import Entry
from modelkeep.protocols import uploads
from modelkeep.protocols.http import Receive, Scope, caller_of, query_of
from modelkeep.protocols.mlflow.registry import parse_version
from modelkeep.protocols.mlflow.wire import Message, Rpc, require
from modelkeep.services import artifacts, registry, sources, tracking
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found

PAGE_UPLOAD_LIMIT_BYTES = 10 << 20


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
    root, folder = _root(root_uri), folder.rstrip("/")
    entries = await app.read(artifacts.listing, f"{root}/{folder}" if folder else root)
    return Files(root_uri=root_uri, files=_render(entries, folder))


def _root(root_uri: str) -> str:
    root = sources.path_of(root_uri)
    if root is None:
        raise NotFound(f"This server does not keep what lies under '{root_uri}'.")
    return root


RPCS: tuple[Rpc, ...] = (
    Rpc(("GET",), "artifacts/list", ListArtifacts, list_of_run),
    Rpc(
        ("GET",),
        "logged-models/{model_id}/artifacts/directories",
        LoggedModelFolder,
        list_of_logged_model,
    ),
)


async def list_folder(app: App, scope: Scope) -> bytes:
    """`GET mlflow-artifacts/artifacts?path=`: the names in a folder, without their folders."""
    query = dict(query_of(scope))
    # Who downloads all of a run asks for the folder `.` of its folder, and then for `./models`.
    folder = query.get("path", "").strip("/").replace("/./", "/").removesuffix("/.")
    entries = await app.read(artifacts.listing, folder)
    return msgspec.json.encode(Files(files=_render(entries, "")))


# -- links of MLflow's pages -------------------------------------------------------------------


async def find_for_page(app: App, scope: Scope) -> Found:
    """The file that `/get-artifact` or `/model-versions/get-artifact` asks for."""
    query = dict(query_of(scope))
    path = require(query.get("path"), "path")
    if "model-versions" in scope["path"]:
        name = require(query.get("name"), "name")
        number = parse_version(query.get("version", ""))
        with suppress(NotFound):
            return await app.read(artifacts.fetch_in_version, name, number, path)
        await app.read(registry.get_version, name, number)
        raise NotFound(f"No such artifact: '{path}'")
    run_id = require(query.get("run_id") or query.get("run_uuid"), "run_id")
    run = await app.read(tracking.get_run, run_id)
    return await _fetch_under(app, run.artifact_uri, path)


async def find_in_model(app: App, scope: Scope) -> Found:
    """The file that `logged-models/{id}/artifacts/files` asks for."""
    path = dict(query_of(scope)).get("artifact_file_path")
    if not path:
        raise InvalidInput('Request must include the "artifact_file_path" query parameter.')
    model = await app.read(tracking.get_logged_model, scope["path_params"]["model_id"])
    return await _fetch_under(app, model.artifact_uri, path)


async def _fetch_under(app: App, root_uri: str, path: str) -> Found:
    return await app.read(artifacts.fetch, f"{_root(root_uri)}/{path}")


async def upload_from_page(app: App, scope: Scope, receive: Receive) -> None:
    """`upload-artifact`: a file of up to 10 MB into a run (MLflow 3.17, `server/handlers.py`)."""
    query = dict(query_of(scope))
    run_id = query.get("run_uuid") or query.get("run_id")
    if not run_id:
        raise InvalidInput("Request must specify run_uuid.")
    path = query.get("path")
    if not path:
        raise InvalidInput("Request must specify path.")
    run = await app.read(tracking.get_run, run_id)
    root = sources.path_of(run.artifact_uri)
    if root is None:
        raise InvalidInput(f"This server does not keep the artifacts of run {run_id}.")
    await uploads.store(app, caller_of(scope), f"{root}/{path}", _page_body(scope, receive))


async def _page_body(scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
    is_empty, too_long = True, "Artifact size is too large. Max size is 10MB."
    async for piece in uploads.limited(scope, receive, PAGE_UPLOAD_LIMIT_BYTES, too_long):
        is_empty = is_empty and not piece
        yield piece
    if is_empty:
        raise InvalidInput("Request must specify data.")
