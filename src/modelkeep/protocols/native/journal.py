"""The journal over the native API: its entries, its export, and what proves it to others.

Checkpoints, receipts and tiles are as C2SP has them (tlog-checkpoint, tlog-proof, tlog-tiles), so
that tools which know those need nothing of ours. Below `/journal` the paths are those of
tlog-tiles; the origin's name says nothing about where it is served.
"""

import re
import tempfile
from collections.abc import Iterator
from typing import IO, Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter
from litestar.response import Stream

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import Conflict, NotFound
from modelkeep.domain.events import instant
from modelkeep.domain.notes import encode64
from modelkeep.ports.checkpoints import Origin
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.history import EntryView, view_entries
from modelkeep.protocols.native.idempotency import acting
from modelkeep.protocols.rules import everywhere
from modelkeep.services import audit, checkpoints, history, proofs, signing
from modelkeep.services.app import App
from modelkeep.services.checkpoints import Standing

CHUNK_BYTES = 1 << 20
_TEXT = "text/plain"  # the framework adds the charset
_TILE = re.compile(
    r"/(?P<kind>entries|0|[1-9][0-9]?)(?P<number>(/x[0-9]{3}){0,4}/[0-9]{3})"
    r"(\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_Index = Annotated[int, Parameter(ge=0, le=2**53)]


class Fork(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`origin` names the new one; left out, it is the first one's name with a number."""

    reason: str
    origin: str = ""


class OriginView(msgspec.Struct, kw_only=True):
    """A name under which the journal signs, and the key that verifies it."""

    number: int
    name: str
    vkey: str
    opened: str


class StatusView(msgspec.Struct, kw_only=True):
    """`objection` says why nothing is signed; it is empty as long as all is well. `root` is that
    of the `entries` that there are now; `signed_entries` is what the newest checkpoint covers."""

    origin: OriginView
    entries: int
    root: str
    signed_entries: int
    signed: str | None
    objection: str
    witnesses: list[str]


class ProofView(msgspec.Struct, kw_only=True):
    """The hashes of a proof in base64, in the order of RFC 6962."""

    hashes: list[str]


class ReceiptView(msgspec.Struct, kw_only=True):
    """The receipt of the entry at an index, as text (C2SP tlog-proof)."""

    index: int
    receipt: str


def handlers(app: App) -> list[Any]:
    """The route handlers over an application."""

    @get("/journal/entries")
    @everywhere(Verb.READ)
    async def journal_entries(
        start: _Index = 0, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100
    ) -> list[EntryView]:
        """The journal's entries from an index on, in order."""
        return view_entries(await app.read(history.entries, start, limit))

    @get("/journal/export", media_type="application/x-ndjson")
    @everywhere(Verb.READ)
    async def export_journal() -> Stream:
        """Everything a verifier needs, of one moment, as lines of JSON."""
        # A journal may be larger than memory, and its snapshot ends with the read: so, a file.
        file = tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES)
        await app.read(audit.write_export, file)
        file.seek(0)
        return Stream(_chunks(file), media_type="application/x-ndjson")

    @get("/journal/status")
    @everywhere(Verb.READ)
    async def journal_status() -> StatusView:
        """What is signed, with which key, and what keeps the server from signing if it does not."""
        return _status(await _standing(), [witness.key.vkey for witness in app.witnesses])

    @get("/journal/checkpoint", media_type=_TEXT)
    @everywhere(Verb.READ)
    async def journal_checkpoint() -> Response[str]:
        """The newest signed checkpoint, with its cosignatures. 409 while signing is refused."""
        standing = await _standing()
        if standing.objection:
            raise Conflict(f"No checkpoint is given out: {standing.objection}.")
        if standing.signed is None:
            raise NotFound(
                "Nothing was signed yet: there is no entry, or the first is a second old."
            )
        return Response(standing.signed.note, media_type=_TEXT, headers=_NOT_KEPT)

    async def _standing() -> Standing:
        return await app.read(checkpoints.standing, app.notary)

    @get("/journal/proofs/inclusion")
    @everywhere(Verb.READ)
    async def prove_inclusion(index: _Index, size: _Index) -> ProofView:
        """That an entry is in the tree of the first `size` entries."""
        return _proof(await app.read(proofs.inclusion, index, size))

    @get("/journal/proofs/consistency")
    @everywhere(Verb.READ)
    async def prove_consistency(
        old: Annotated[int, Parameter(query="from", ge=0, le=2**53)],
        new: Annotated[int, Parameter(query="to", ge=0, le=2**53)],
    ) -> ProofView:
        """That the tree of `to` entries begins with that of `from`."""
        return _proof(await app.read(proofs.consistency, old, new))

    @get("/journal/entries/{index:int}/receipt", media_type=_TEXT)
    @everywhere(Verb.READ)
    async def entry_receipt(index: int) -> Response[str]:
        """The receipt of an entry, by its index."""
        found = await app.read(proofs.receipt, index)
        return Response(found.encode(), media_type=_TEXT)

    @get("/journal/receipts/{request_id:str}")
    @everywhere(Verb.READ)
    async def request_receipts(request_id: str) -> list[ReceiptView]:
        """The receipts of the entries that a request made; every answer has its id in a header."""
        found = await app.read(proofs.receipts, request_id)
        return [ReceiptView(index=one.index, receipt=one.encode()) for one in found]

    @get("/journal/tile/{path:path}", media_type="application/octet-stream")
    @everywhere(Verb.READ)
    async def journal_tile(path: str) -> Response[bytes]:
        """A tile of the tree, or the entries under one."""
        parts = _TILE.fullmatch(path)
        width = int(parts["width"] or 256) if parts else 0
        if parts is None or width > 256:
            raise NotFound(f"'{path[:100]}' is not where a tile would be.")
        number = int(re.sub("[/x]", "", parts["number"]))
        if parts["kind"] == "entries":
            found = await app.read(proofs.bundle, number, width)
        else:
            found = await app.read(proofs.tile, int(parts["kind"]), number, width)
        return Response(found, media_type="application/octet-stream", headers=_KEPT)

    @post("/journal/fork", status_code=200)
    @everywhere(Verb.ADMIN)
    async def fork_journal(request: Http, data: Fork) -> OriginView:
        """Begins a new origin, for a reason; the journal tells where the old one ended."""
        once = await acting(app, request, _origin)
        return _origin(await signing.fork(once, caller(request), data.reason, data.origin))

    return [
        journal_entries, export_journal, journal_status, journal_checkpoint, prove_inclusion,
        prove_consistency, entry_receipt, request_receipts, journal_tile, fork_journal,
    ]  # fmt: skip


_NOT_KEPT = {"cache-control": "no-store"}
_KEPT = {"cache-control": "max-age=31536000, immutable"}


def _status(standing: Standing, witnesses: list[str]) -> StatusView:
    signed = standing.signed
    return StatusView(
        origin=_origin(standing.origin),
        entries=standing.tree.size,
        root=standing.tree.root.hex(),
        signed_entries=signed.size if signed else 0,
        signed=instant(signed.at_ms) if signed else None,
        objection=standing.objection,
        witnesses=witnesses,
    )


def _origin(origin: Origin) -> OriginView:
    return OriginView(
        number=origin.number, name=origin.name, vkey=origin.vkey, opened=instant(origin.opened_ms)
    )


def _proof(hashes: list[bytes]) -> ProofView:
    return ProofView(hashes=[encode64(value) for value in hashes])


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
