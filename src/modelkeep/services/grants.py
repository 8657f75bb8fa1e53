"""Grants: signed words that let whoever has them do one thing with one file, for a while.

A client that may read or write a path gets a grant for it, inside an address that another
connection may follow. The server keeps no list of grants: what one is for is in its claims. A
grant to download is for the bytes that the path named when it was asked for: whoever reads a file
in parts gets one file, not two mixed, though it be overwritten meanwhile. If the path is deleted,
or its version blocked, the grant is void.
"""

from dataclasses import dataclass

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import Forbidden, InvalidInput, LimitExceeded
from modelkeep.domain.manifests import File
from modelkeep.domain.models import Version
from modelkeep.domain.tokens import Signer
from modelkeep.ports.work import Work
from modelkeep.services import artifacts
from modelkeep.services.artifacts import Found

LONGEST_S = 604_800  # a week, as object stores have it
DOWNLOAD_S = 300  # MLflow's MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS
UPLOAD_S = 900
MULTIPART_S = 86_400  # from the creation of an upload to its completion; swept after that
PARTS_LIMIT = 10_000
PART_LIMIT_BYTES = 5 << 30


@dataclass(frozen=True, slots=True)
class Multipart:
    """An upload in parts: where they are kept, which path it is for, how many will come."""

    upload_id: str
    path: str
    parts: int


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever has a grant to write a path does so as `caller`, to whom it was given."""

    path: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Part:
    upload_id: str
    number: int


def to_download(
    work: Work, signer: Signer, path: str, seconds: int
) -> tuple[str, File, Version | None]:
    """A grant for the bytes that a path names now, the file, and whose version's it is. Raises
    NotFound, Blocked."""
    until_ms = _until(work, seconds)
    file, version = artifacts.find(work, path)
    return signer.sign("download", until_ms, path, file.sha256, file.size_bytes), file, version


def download(work: Work, signer: Signer, grant: str) -> Found:
    """What a grant is for. Raises Forbidden for one that is none, NotFound if the path is gone."""
    path, sha256, size_bytes = signer.read("download", grant, work.now_ms)
    _, version = artifacts.find(work, str(path))
    return artifacts.with_bytes(work, File(str(path), str(sha256), int(size_bytes)), version)


def to_upload(work: Work, caller: Caller, signer: Signer, path: str, seconds: int) -> str:
    """A grant to write a path. Raises InvalidInput; Forbidden for what is frozen, or somebody
    else's."""
    until_ms = _until(work, seconds)
    artifacts.check_put(work, caller, path)
    return signer.sign("upload as", until_ms, path, *_signature(caller))


def upload(work: Work, signer: Signer, grant: str) -> Bearer:
    """What a grant lets write, and as whom. Raises Forbidden for one that is none."""
    path, name, lent_by = signer.read("upload as", grant, work.now_ms)
    return Bearer(str(path), Caller(Actor(str(name), lent_by=str(lent_by))))


def multipart_expiry(work: Work, caller: Caller, path: str, parts: int) -> int:
    """Until when, in ms, an upload may be completed that begins now. Raises as `to_upload`."""
    artifacts.check_put(work, caller, path)
    if not 0 <= parts <= PARTS_LIMIT:
        raise LimitExceeded(f"num_parts must be 0 to {PARTS_LIMIT}, got {parts}.")
    return work.now_ms + MULTIPART_S * 1000


def to_multipart(
    caller: Caller, signer: Signer, of: Multipart, until_ms: int
) -> tuple[str, list[str]]:
    """A grant to complete or abort an upload, and one for each of its parts."""
    whole = to_finish(caller, signer, of, until_ms)
    numbers = range(1, of.parts + 1)
    return whole, [signer.sign("part", until_ms, of.upload_id, n) for n in numbers]


def to_finish(caller: Caller, signer: Signer, of: Multipart, until_ms: int) -> str:
    """A grant to complete or abort an upload."""
    claims = of.upload_id, of.path, of.parts
    return signer.sign("multipart as", until_ms, *claims, *_signature(caller))


def multipart(work: Work, caller: Caller, signer: Signer, grant: str, path: str) -> Multipart:
    """The upload that a grant is for. Raises Forbidden if it isn't the caller's, to this path."""
    claims = signer.read("multipart as", grant, work.now_ms)
    upload_id, for_path, parts, *by = claims
    if for_path != path:
        raise Forbidden(f"This upload is not one to '{path}'.")
    if tuple(by) != _signature(caller):
        raise Forbidden("Somebody else has begun this upload; its parts are theirs.")
    return Multipart(str(upload_id), path, int(parts))


def part(work: Work, signer: Signer, grant: str) -> Part:
    """The part that a grant is for. Raises Forbidden for one that is none."""
    upload_id, number = signer.read("part", grant, work.now_ms)
    return Part(str(upload_id), int(number))


def _signature(caller: Caller) -> tuple[str, str]:
    return caller.actor.name, caller.actor.lent_by


def _until(work: Work, seconds: int) -> int:
    if not 1 <= seconds <= LONGEST_S:
        raise InvalidInput(f"expiration must be between 1 and {LONGEST_S} seconds (got {seconds}).")
    return work.now_ms + seconds * 1000
