"""Signed checkpoints: what the journal is known by to others, and when it must not sign.

A server signs only what continues everything that it has signed before: the newest checkpoint in
the database, and the one that its notary remembers outside of it. If the journal does not begin
with the tree of each, then it was rewound (a copy was restored) or tampered with; nothing is
signed any more until somebody says, with a reason, that a new origin begins. Witnesses, who have
seen more, may object too.
"""

from contextlib import suppress
from dataclasses import dataclass

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import (
    Conflict,
    IntegrityFailure,
    InvalidInput,
    ModelkeepError,
    NotFound,
)
from modelkeep.domain.events import Event
from modelkeep.domain.merkle import Frontier, extends
from modelkeep.domain.notes import Checkpoint, Note, check_name
from modelkeep.ports.checkpoints import Notary, Origin, Signed
from modelkeep.ports.work import Work
from modelkeep.services import proofs

REFRESH_MS = 600_000  # an idle journal is signed again, so that a verifier sees that it lives
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the journal and its checkpoints are. `objection` says why nothing may be signed."""

    tree: Checkpoint  # as it would be signed
    origin: Origin
    signed: Signed | None
    objection: str
    now_ms: int

    @property
    def is_due(self) -> bool:
        """Whether there is something to sign."""
        if self.objection or not self.tree.size:
            return False
        if self.signed is None or self.signed.size < self.tree.size:
            return True
        return self.now_ms - self.signed.at_ms >= REFRESH_MS


def open_first(work: Work, name: str, notary: Notary) -> Origin:
    """The origin that signs; the first one, if there is none yet. Raises InvalidInput."""
    origins = work.checkpoints.origins()
    if origins:
        return origins[-1]
    first = Origin(1, check_name(name), notary.key(name).vkey, work.now_ms)
    work.checkpoints.add_origin(first)
    return first


def standing(work: Work, notary: Notary) -> Standing:
    """Raises NotFound before the first origin was opened, IntegrityFailure for a broken edge."""
    origins = _origins(work)
    origin = origins[-1]
    size, peaks = work.journal.state()
    try:
        root = Frontier.decode(size, peaks).root
    except ValueError as error:
        raise IntegrityFailure(f"The edge of the journal's tree was damaged: {error}.") from None
    tree = Checkpoint(origin.name, size, root)
    signed = work.checkpoints.newest(origin.number)
    objection = _objection(work, notary, origins, tree, signed)
    return Standing(tree, origin, signed, objection, work.now_ms)


def _origins(work: Work) -> list[Origin]:
    if origins := work.checkpoints.origins():
        return origins
    raise NotFound("The journal has no origin yet; it gets one within a second of its first start.")


def _objection(
    work: Work, notary: Notary, origins: list[Origin], tree: Checkpoint, signed: Signed | None
) -> str:
    key = notary.key(tree.origin)
    if origins[-1].vkey != key.vkey:
        return (
            f"The journal is signed by {origins[-1].vkey}, and this server has the key {key.vkey}: "
            "give it the journal's key (--journal-key), or begin a new origin"
        )
    for where, note in (
        ("the database", signed and signed.note),
        ("the notary", notary.remembered()),
    ):
        if note and (why := _contradiction(work, origins, tree, note)):
            return f"{why} (the checkpoint is from {where})"
    return notary.objection(tree.origin)


def _contradiction(work: Work, origins: list[Origin], tree: Checkpoint, note: str) -> str:
    """Why the tree does not continue a checkpoint; empty if it does."""
    try:
        before = Checkpoint.parse(Note.parse(note).text)
        if before.origin != tree.origin:
            known = before.origin in (origin.name for origin in origins)
            return "" if known else f"a checkpoint of {before.origin}, of which it does not know"
        if before.size > tree.size:
            return (
                f"The journal has {tree.size} entries, and a checkpoint of {before.size} was "
                "signed: an older copy was restored, or its tail was cut off"
            )
        hashes = proofs.consistency(work, before.size, tree.size)
    except ModelkeepError as error:
        return error.message.rstrip(".")
    if not extends(before.size, before.root, tree.size, tree.root, hashes):
        return (
            f"The journal does not begin with the {before.size} entries of a checkpoint that was "
            "signed: it was tampered with, or an older copy was restored and went on"
        )
    return ""


def keep(work: Work, origin: int, note: str) -> None:
    """Keeps a note that was signed; of the hours before this one, the last of each.

    One of an origin that gave way to another meanwhile is dropped.
    """
    if work.checkpoints.origins()[-1].number != origin:
        return
    size = Checkpoint.parse(Note.parse(note).text).size
    before = work.checkpoints.newest(origin)
    work.checkpoints.put(Signed(origin, size, note, work.now_ms))
    if before and before.at_ms // HOUR_MS < work.now_ms // HOUR_MS:
        start_ms = before.at_ms - before.at_ms % HOUR_MS
        work.checkpoints.thin(origin, start_ms, start_ms + HOUR_MS)


def add_cosignatures(work: Work, signed: Signed, note: str) -> None:
    """Puts a note with more cosignatures in the place of one without them."""
    work.checkpoints.put(Signed(signed.origin, signed.size, note, signed.at_ms))


def fork(work: Work, caller: Caller, notary: Notary, reason: str, name: str = "") -> Origin:
    """Begins a new origin, which need not continue what was signed under the one before.

    The leaf names the newest checkpoint of the old origin, as far as anything here remembers it.
    Raises InvalidInput without a reason, or for a name that is taken or none; NotFound before the
    first origin was opened, Conflict where nothing keeps the journal from being signed as it was.
    """
    if not reason.strip():
        raise InvalidInput("A fork needs a reason: verifiers will ask why the journal began anew.")
    origins = _origins(work)
    old, number = origins[-1], origins[-1].number + 1
    name = check_name(name or f"{origins[0].name}/{number}")
    if name in (origin.name for origin in origins):
        raise InvalidInput(f"The journal was signed as {name} before; choose another name.")
    if _is_sound(work, notary):
        raise Conflict(
            "The journal continues everything that was signed, with the key that signed it; "
            "there is nothing to fork for."
        )
    new = Origin(number, name, notary.key(name).vkey, work.now_ms)
    work.checkpoints.add_origin(new)
    last = _last(work, notary, old)
    before = {"origin": old.name, "vkey": old.vkey}
    before |= {"size": last.size, "root": last.root.hex()} if last else {}
    event = Event(
        "journal:origin:forked",
        object={"origin": number},
        before=before,
        after={"name": name, "vkey": new.vkey},
        texts={"reason": reason},
    )
    work.record(caller, event)
    return new


def _is_sound(work: Work, notary: Notary) -> bool:
    try:
        return not standing(work, notary).objection
    except IntegrityFailure:
        return False


def _last(work: Work, notary: Notary, origin: Origin) -> Checkpoint | None:
    signed = work.checkpoints.newest(origin.number)
    found: list[Checkpoint] = []
    for note in (signed and signed.note, notary.remembered()):
        with suppress(ModelkeepError):  # what cannot be read any more must not bar the way on
            found.append(Checkpoint.parse(Note.parse(note or "").text))
    own = [checkpoint for checkpoint in found if checkpoint.origin == origin.name]
    return max(own, key=lambda checkpoint: checkpoint.size, default=None)
