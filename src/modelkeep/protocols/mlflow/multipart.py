"""Uploads in parts, as MLflow's clients make them: create, PUT of each part, complete or abort.

A client PUTs the parts to the addresses that `create` gave it, in any order and at once, and
hands back each part's ETag, which is its SHA-256. `complete` puts the parts together as one file,
and only then does the path name it. (MLflow 3.17, `http_artifact_repo`; clients before 3.18 send
the file's path on their own machine as `path`, of which the name alone counts.)

Where the store is one of S3 that clients reach, the addresses are the store's own: the parts do not
pass the server, and a worker hashes what they make (`services.intake`).
"""

import asyncio
import re
from collections.abc import Sequence

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.names import check_text, leads_up
from modelkeep.ports.stores import Direct, Landing
from modelkeep.protocols import uploads
from modelkeep.protocols.http import Receive, Scope, header
from modelkeep.protocols.mlflow.wire import Message, require
from modelkeep.services import artifacts, grants, intake
from modelkeep.services.app import App
from modelkeep.services.grants import Multipart

UNSUPPORTED = "Multipart upload is not supported for the current artifact repository"
ETAG_LIMIT = 200  # characters
LOCAL_PATH_LIMIT = 4096  # characters of a path on a client's machine

_AGENT = re.compile(r"mlflow-python-client/(\d{1,4})\.(\d{1,4})\b")
_ETAG = re.compile(r'(W/)?"?([0-9a-f]{64})"?')


class Create(Message):
    path: str = ""
    num_parts: int = 1


class Credential(Message):
    url: str
    part_number: int
    headers: dict[str, str] = {}


class Created(Message):
    upload_id: str
    credentials: list[Credential]


class PartDone(Message):
    part_number: int = 0
    etag: str | None = None


class Finish(Message):
    """`complete`, and `abort`, which has no parts."""

    path: str = ""
    upload_id: str = ""
    parts: list[PartDone] = []


def names_wrong_folders(scope: Scope) -> bool:
    """Whether a client is one of those that leave the run's folder out (mlflow#11225)."""
    agent = _AGENT.match(header(scope, b"user-agent"))
    return agent is not None and (int(agent[1]), int(agent[2])) < (2, 12)


async def create(app: App, caller: Caller, folder: str, request: Create, address: str) -> Created:
    """Opens an upload; `address` is what the addresses of its parts begin with."""
    path = _target(folder, request.path)
    until_ms = await app.read(grants.multipart_expiry, caller, path, request.num_parts)
    upload_id = await asyncio.to_thread(app.parts.open, until_ms)
    upload = Multipart(upload_id, path, request.num_parts)
    args = caller, app.signer, upload, until_ms
    whole, parts = await asyncio.to_thread(grants.to_multipart, *args)
    return _created(whole, [f"{address}/{grant}" for grant in parts])


async def create_direct(
    app: App, direct: Direct, caller: Caller, folder: str, request: Create
) -> Created:
    """Opens an upload whose parts go to the store by themselves."""
    path = _target(folder, request.path)
    until_ms = await app.read(grants.multipart_expiry, caller, path, request.num_parts)
    landing = await asyncio.to_thread(direct.open)
    upload = Multipart(f"{landing.upload_id} {landing.key}", path, request.num_parts)
    addresses = await asyncio.to_thread(
        direct.part_addresses, landing, request.num_parts, grants.MULTIPART_S
    )
    return _created(grants.to_finish(caller, app.signer, upload, until_ms), addresses)


def _created(upload_id: str, addresses: Sequence[str]) -> Created:
    numbered = enumerate(addresses, 1)
    return Created(
        upload_id=upload_id,
        credentials=[Credential(url=url, part_number=number) for number, url in numbered],
    )


async def put_part(app: App, grant: str, scope: Scope, receive: Receive) -> str:
    """Keeps a part; its ETag."""
    part = await app.read(grants.part, app.signer, grant)
    upload = await asyncio.to_thread(app.parts.begin, part.upload_id, part.number)
    limit = grants.PART_LIMIT_BYTES
    body = uploads.limited(scope, receive, limit, f"A part may have at most {limit} bytes.")
    sha256, _ = await uploads.fill(upload, body)
    return f'"{sha256}"'


async def complete(app: App, caller: Caller, folder: str, request: Finish) -> None:
    """Makes the path name the parts, put together. To do it again does nothing."""
    upload = await _find(app, caller, folder, request)
    if app.direct is not None:
        await _complete_direct(app, app.direct, caller, upload, request)
        return
    upload_id = _kept(upload)
    if await asyncio.to_thread(app.parts.is_closed, upload_id):
        return
    digests, began_ms = _digests(request.parts, upload.parts), app.clock.now_ms()
    numbered = list(enumerate(digests, 1))
    sha256, size = await asyncio.to_thread(app.parts.assemble, upload_id, numbered)
    await app.write(artifacts.put, caller, upload.path, sha256, size, began_ms)
    await asyncio.to_thread(app.parts.close, upload_id)


async def _complete_direct(
    app: App, direct: Direct, caller: Caller, upload: Multipart, request: Finish
) -> None:
    landing = _landing(upload)
    if not await app.read(intake.has_landed, landing.key):
        etags = _etags(request.parts, upload.parts)
        size = await asyncio.to_thread(direct.complete, landing, etags)
        await app.write(intake.land, caller, upload.path, landing.key, size)


async def abort(app: App, caller: Caller, folder: str, request: Finish) -> None:
    upload = await _find(app, caller, folder, request)
    if app.direct is not None:
        await asyncio.to_thread(app.direct.abort, _landing(upload))
    else:
        await asyncio.to_thread(app.parts.discard, _kept(upload))


def _landing(upload: Multipart) -> Landing:
    upload_id, _, key = upload.upload_id.partition(" ")
    if not key:
        raise _moved()
    return Landing(key, upload_id)


def _kept(upload: Multipart) -> str:
    if " " in upload.upload_id:
        raise _moved()
    return upload.upload_id


def _moved() -> NotFound:
    return NotFound("No such upload: it began before the artifacts moved to another store.")


async def _find(app: App, caller: Caller, folder: str, request: Finish) -> Multipart:
    path = _target(folder, request.path)
    grant = require(request.upload_id, "upload_id")
    return await app.read(grants.multipart, caller, app.signer, grant, path)


def _target(folder: str, local_path: str) -> str:
    if leads_up(check_text(require(local_path, "path"), "path", LOCAL_PATH_LIMIT)):
        # NOTE: must begin as UNSUPPORTED does: a client then uploads plainly, by the name alone.
        raise InvalidInput(f"{UNSUPPORTED}, for a path with '..' in it: {local_path!r}")
    name = re.split(r"[/\\]", local_path)[-1]
    folder = folder.removesuffix("/")
    return artifacts.check_writable(f"{folder}/{name}" if folder else name)


def _digests(given: Sequence[PartDone], count: int) -> list[str]:
    """The SHA-256 of each part, in order. Raises InvalidInput unless all are there, once."""
    found: list[str] = []
    for number, text in enumerate(_etags(given, count), 1):
        etag = _ETAG.fullmatch(text)
        if etag is None:
            raise InvalidInput(f"The etag of part {number} is none of this server's.")
        found.append(etag[2])
    return found


def _etags(given: Sequence[PartDone], count: int) -> list[str]:
    """The ETag of each part, in order. Raises InvalidInput unless all are there, once."""
    if sorted(part.part_number for part in given) != list(range(1, count + 1)):
        raise InvalidInput(f"Invalid value for parameter 'parts': parts 1 to {count}, each once.")
    ordered = sorted(given, key=lambda part: part.part_number)
    return [check_text(part.etag or "", "etag", ETAG_LIMIT) for part in ordered]
