"""Addresses that need no more than themselves: MLflow's presigned downloads and uploads.

A client that was given one downloads in parallel ranges, or uploads without a call of MLflow's API.
The addresses are this server's own (`services.grants` says what such a one is good for), but where
an S3 store keeps a large file and clients reach it, a download's is the store's.
"""

import asyncio

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.manifests import File
from modelkeep.protocols.mlflow.wire import Message, require
from modelkeep.services import grants, sources, tracking
from modelkeep.services.app import App
from modelkeep.services.artifacts import SMALL_BYTES


class OfFile(Message, omit_defaults=False):
    """The answer to `presigned/<path>`."""

    url: str
    file_size: int
    headers: dict[str, str] = {}


class ToDownload(Message):
    """`artifacts/presigned-download-url`; `expiration` in seconds."""

    run_id: str = ""
    path: str = ""
    expiration: int = grants.DOWNLOAD_S


class ToUpload(Message):
    """`artifacts/presigned-upload-url`; `expiration` in seconds."""

    run_id: str = ""
    model_id: str = ""
    path: str = ""
    expiration: int = grants.UPLOAD_S


class Presigned(Message):
    """The answer to both."""

    presigned_url: str
    file_size: int | None = None


async def of_file(app: App, caller: Caller, path: str, address: str | None) -> OfFile | None:
    url, file = await _to_download(app, caller, path, grants.DOWNLOAD_S, address)
    return OfFile(url=url, file_size=file.size_bytes) if url else None


async def to_download(
    app: App, caller: Caller, request: ToDownload, address: str | None
) -> Presigned | None:
    run = await app.read(tracking.get_run, require(request.run_id, "run_id"))
    path = _under(run.artifact_uri, require(request.path, "path"), "download")
    url, file = await _to_download(app, caller, path, request.expiration, address)
    return Presigned(presigned_url=url, file_size=file.size_bytes) if url else None


async def to_upload(
    app: App, caller: Caller, request: ToUpload, address: str | None
) -> Presigned | None:
    if bool(request.run_id) == bool(request.model_id):
        raise InvalidInput("Exactly one of run_id and model_id must be provided.")
    if request.run_id:
        root = (await app.read(tracking.get_run, request.run_id)).artifact_uri
    else:
        root = (await app.read(tracking.get_logged_model, request.model_id)).artifact_uri
    path = _under(root, require(request.path, "path"), "upload")
    args = caller, app.signer, path, request.expiration
    grant = await app.read(grants.to_upload, *args)
    return Presigned(presigned_url=f"{address}/{grant}") if address else None


async def _to_download(
    app: App, caller: Caller, path: str, seconds: int, address: str | None
) -> tuple[str | None, File]:
    """An address for a file, which counts as a load of its version, and the file; None where no
    address is known that leads back here."""
    grant, file, version = await app.read(grants.to_download, app.signer, path, seconds)
    is_large = file.size_bytes > SMALL_BYTES
    if is_large and app.direct is not None:
        url = await asyncio.to_thread(app.direct.download_address, file.sha256, seconds)
    elif address is None:
        return None, file
    else:
        url = f"{address}/{grant}"
    if version is not None:
        app.loads.note(caller, version, by_file=True)
    if is_large and app.direct is None:
        # Now, while the client waits for this answer: for a range it waits ten seconds at most.
        await asyncio.to_thread(app.blobs.check, file.sha256, file.size_bytes)
    return url, file


def _under(root_uri: str, path: str, direction: str) -> str:
    root = sources.path_of(root_uri)
    if root is None:
        raise InvalidInput(
            f"Presigned {direction} is not supported for artifacts that this server does not keep "
            f"(artifact URI: {root_uri})."
        )
    return f"{root}/{path}"
