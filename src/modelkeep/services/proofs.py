"""Proofs about the journal, each from a few tiles of its tree whatever its size."""

from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.merkle import (
    Span,
    consistency_path,
    inclusion_path,
    parts,
    proof,
)
from modelkeep.domain.notes import Checkpoint, Note
from modelkeep.domain.receipts import Receipt
from modelkeep.ports.journal import Entry
from modelkeep.ports.work import Work

RECEIPTS_LIMIT = 100  # of one request, which may make more entries


def inclusion(work: Work, index: int, size: int) -> list[bytes]:
    """The proof that an entry is in the tree of the first `size` entries. Raises InvalidInput."""
    have = work.journal.size()
    if not 0 <= index < size <= have:
        raise InvalidInput(
            f"There is no proof for entry {index} of {size}: the index must be below the size, "
            f"and the size at most {have}, which is how many entries there are."
        )
    return _proof(work, inclusion_path(index, size))


def consistency(work: Work, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` entries begins with that of `old`. Raises InvalidInput."""
    have = work.journal.size()
    if not 0 <= old <= new <= have:
        raise InvalidInput(
            f"There is no proof from {old} to {new} entries: the first must not be larger than "
            f"the second, nor the second than {have}, which is how many entries there are."
        )
    return _proof(work, consistency_path(old, new))


def _proof(work: Work, path: list[Span]) -> list[bytes]:
    wanted = {subtree for span in path for subtree in parts(span)}
    return proof(path, work.journal.subtrees(wanted))


def tile(work: Work, level: int, number: int, width: int) -> bytes:
    """A tile of the tree, cut to a width of 1 to 256 hashes. Raises NotFound."""
    hashes = work.journal.tile(level, number)[:width]
    if len(hashes) < width:
        raise NotFound(f"The tree has no tile {number} of width {width} at level {level} yet.")
    return b"".join(hashes)


def bundle(work: Work, number: int, width: int) -> bytes:
    """The entries under a tile of the lowest level, each after its length. Raises NotFound."""
    entries = work.journal.entries(number * 256, width)
    if len(entries) < width or entries[-1].index != number * 256 + width - 1:
        raise NotFound(f"The journal has no bundle {number} of {width} entries yet.")
    return b"".join(len(e.body).to_bytes(2, "big") + e.body for e in entries)


def receipt(work: Work, index: int) -> Receipt:
    """The receipt of an entry, by the newest checkpoint.

    Raises NotFound, and Conflict while no checkpoint covers the entry yet.
    """
    found = work.journal.entries(index, 1)
    if not found or found[0].index != index:
        raise NotFound(f"The journal has no entry {index}.")
    return _receipt(work, found[0])


def receipts(work: Work, request_id: str) -> list[Receipt]:
    """The receipts of what a request left in the journal, oldest first, at most 100.

    Raises NotFound and Conflict.
    """
    found = work.journal.of_request(request_id, RECEIPTS_LIMIT)
    if not found:
        raise NotFound(f"No entry of the journal was made by the request {request_id[:100]}.")
    return [_receipt(work, entry) for entry in reversed(found)]


def _receipt(work: Work, entry: Entry) -> Receipt:
    origins = work.checkpoints.origins()
    signed = work.checkpoints.newest(origins[-1].number) if origins else None
    if signed is None or signed.size <= entry.index:
        raise Conflict(
            f"Entry {entry.index} is not covered by a checkpoint yet. One is signed within about "
            "a second, unless the server refuses to sign: see the journal's status."
        )
    size = Checkpoint.parse(Note.parse(signed.note).text).size
    return Receipt(entry.body, entry.index, tuple(inclusion(work, entry.index, size)), signed.note)
