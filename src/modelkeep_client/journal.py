"""The journal: what happened, and the proof of it.

Checkpoints, receipts and proofs are as C2SP has them (tlog-checkpoint, tlog-proof, RFC 6962), so
that tools which know those can check them, too.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelkeep_client.addresses import segment
from modelkeep_client.transport import Transport
from modelkeep_client.values import built


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind`: user, service, system or anonymous; `verified` is False of a name only claimed."""

    kind: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """`act` was done to `obj`, which was `pre` and became `post`, because of `why`, in the request
    `req`. `texts` are what a person wrote, and names of people; an erased one is missing. `hash`
    is the leaf's, in 64 hex digits."""

    index: int
    hash: str
    id: str
    t: str
    project: str
    actor: Actor
    act: str
    obj: dict[str, Any]
    pre: dict[str, Any]
    post: dict[str, Any]
    why: dict[str, Any]
    texts: dict[str, str]
    req: str


@dataclass(frozen=True, slots=True)
class Origin:
    """A name under which the journal signs, and the key that verifies it."""

    number: int
    name: str
    vkey: str
    opened: str


@dataclass(frozen=True, slots=True)
class Status:
    """`objection` says why nothing is signed; it is empty as long as all is well."""

    origin: Origin
    entries: int
    root: str
    signed_entries: int
    signed: str | None
    objection: str
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of the entry at an index: a text that `modelkeep-verify receipt` takes."""

    index: int
    receipt: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit. `index` is the first entry concerned, None if there is none."""

    index: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found. `intact` is False when anything at all did not fit; apart from
    that, `signature_problems` says which signatures are missing or false, and `stale` why what was
    verified may not be the newest."""

    intact: bool
    entries: int
    root: str
    rows_compared: int
    checkpoints: int
    signed_entries: int
    cosigned_by: tuple[str, ...]
    first_bad_entry: int | None
    problems: tuple[Finding, ...]
    signature_problems: tuple[str, ...]
    stale: str
    cannot_see: tuple[str, ...]


class Journal:
    """The journal of a server; `client.journal` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def entries(self, start: int = 0, page_size: int = 100) -> Iterator[Entry]:
        """The entries from an index on, in order."""
        while True:
            page = self._transport.get("/journal/entries", start=start, limit=page_size)
            yield from (built(Entry, entry) for entry in page)
            if len(page) < page_size:
                return
            start = page[-1]["index"] + 1

    def status(self) -> Status:
        """What is signed, with which key, and what keeps the server from signing if it does not."""
        return built(Status, self._transport.get("/journal/status"))

    def checkpoint(self) -> str:
        """The newest signed checkpoint. Keep it elsewhere: `verify` takes it.

        Raises NotFound before the first, Conflict while the server refuses to sign.
        """
        return self._transport.text("/journal/checkpoint")

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The hashes that prove the entry at `index` to be in the tree of the first `size`."""
        found = self._transport.get("/journal/proofs/inclusion", index=index, size=size)
        return _hashes(found)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The hashes that prove the tree of `new` entries to begin with that of `old`."""
        path = "/journal/proofs/consistency"
        return _hashes(self._transport.get(path, **{"from": old, "to": new}))

    def receipt(self, index: int) -> str:
        """The receipt of an entry, which proves it without the server."""
        return self._transport.text(f"/journal/entries/{index}/receipt")

    def receipts(self, request_id: str) -> list[Receipt]:
        """The receipts of what a request has recorded; `X-Request-Id` of any answer names it."""
        found = self._transport.get(f"/journal/receipts/{segment(request_id)}")
        return [built(Receipt, receipt) for receipt in found]

    def export(self, file: str | Path) -> Path:
        """Writes all that a verifier needs, of one moment, as lines of JSON."""
        with Path(file).open("w", encoding="utf-8") as target:
            target.writelines(
                json.dumps(line) + "\n" for line in self._transport.lines("/journal/export")
            )
        return Path(file)

    def verify(
        self,
        *,
        vkeys: Sequence[str] = (),
        witnesses: Sequence[str] = (),
        quorum: int | None = None,
        since: Sequence[str | Path] = (),
        max_age_s: int | None = None,
    ) -> Verified:
        """Recomputes the journal here, from its leaves, and holds it against the server's tables.

        `vkeys` are keys of the journal, `witnesses` those of who cosigns, of whom `quorum` must
        have (all); `since` are files with checkpoints that you kept; the newest may be `max_age_s`
        old. Needs `cryptography` where there are keys. Raises ValueError for a key that is none.
        """
        import modelkeep_verify as verifier  # the one file, which needs nothing of the server

        kept = [str(file) for file in since]
        try:
            trust = verifier.trust_in([*vkeys], [*witnesses], quorum, kept, max_age_s)
        except verifier.InvalidInput as error:
            raise ValueError(str(error)) from None
        report = verifier.verify(self._transport.lines("/journal/export"), trust)
        return built(Verified, verifier.report_json(report))

    def fork(self, reason: str, *, origin: str = "") -> Origin:
        """Begins a new origin where the journal does not continue what was signed."""
        body = {"reason": reason, "origin": origin}
        return built(Origin, self._transport.change("POST", "/journal/fork", body))


def _hashes(body: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(map(b64decode, body["hashes"]))
