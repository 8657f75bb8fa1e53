"""Looks for damage: rows that cannot be, bytes that are missing or others, a journal that does not
fit. Nothing is changed. Also beside a server: the rows are read as of one moment, and before the
store; what is missing then is asked for again.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from modelkeep.domain import audit as verifier
from modelkeep.domain.errors import IntegrityFailure
from modelkeep.ports.blobs import Blobs, Stored
from modelkeep.ports.soundness import Rows
from modelkeep.services import audit

LOST_LIMIT = 1_000  # missing blobs that are told of one by one
_FROM_BACKUP = "bring the file back from a backup, or upload the same bytes again"
_WHICH_STORE = "see whether this is the store that it should be: --artifacts, --data-dir"
_RESTORE = "restore a backup (`modelkeep restore`), and compare"

Tell = Callable[[str, int, int], None]
Opened = Callable[[], AbstractContextManager[Rows]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and what to do. Not every finding is damage."""

    kind: str
    what: str
    advice: str
    is_damage: bool = True


def examine(opened: Opened, blobs: Blobs, tell: Tell, *, quick: bool) -> Iterator[Finding]:
    """The findings. `quick` looks at the names and sizes of blobs alone, and hashes none."""
    lost: list[Stored] = []
    with opened() as rows:
        tell("rows", 0, 0)
        for line in rows.damage():
            yield Finding("database", line, _RESTORE)
        for what, count, one in rows.broken():
            yield Finding("rows", f"{count} {what}, as {one}", _RESTORE)
        tell("journal", 0, 0)
        yield from _examine_journal(rows)
        yield from _examine_small(rows, tell, quick=quick)
        yield from _examine_blobs(rows, blobs, lost, tell, quick=quick)
    with opened() as rows:
        for blob in lost[:LOST_LIMIT]:
            if namers := rows.namers(blob.sha256):
                what = f"sha256:{blob.sha256} of {', '.join(namers)} is not in the store"
                yield Finding("missing", what, _FROM_BACKUP)
        if len(lost) > LOST_LIMIT:
            what = f"{len(lost) - LOST_LIMIT} more blobs are not in the store"
            yield Finding("missing", what, _WHICH_STORE)


def _examine_journal(rows: Rows) -> Iterator[Finding]:
    report = verifier.verify(audit.export(rows.work))
    for problem in report.problems:
        yield Finding("journal", problem.message, "see docs/audit.md: who changed it, and when?")
    if report.unlisted:
        yield Finding("journal", f"{report.unlisted} more problems", "run `modelkeep audit verify`")


def _examine_small(rows: Rows, tell: Tell, *, quick: bool) -> Iterator[Finding]:
    if quick:
        return
    for number, (sha256, content) in enumerate(rows.small()):
        tell("small files", number, 0)
        if hashlib.sha256(content).hexdigest() != sha256:
            yield Finding("damaged", f"the small file sha256:{sha256}", _FROM_BACKUP)


def _examine_blobs(
    rows: Rows, blobs: Blobs, lost: list[Stored], tell: Tell, *, quick: bool
) -> Iterator[Finding]:
    orphans = orphan_bytes = done = named = 0
    for stored, sha256, size_bytes in _paired(blobs.stored(), rows.blobs()):
        tell("blobs", done := done + 1, 0)
        named += bool(sha256)
        if stored is None:
            lost.append(Stored(sha256, size_bytes))
        elif not sha256:
            orphans, orphan_bytes = orphans + 1, orphan_bytes + stored.size_bytes
        elif not _is_whole(blobs, stored, size_bytes, quick=quick):
            yield Finding("damaged", f"the blob sha256:{sha256}", _FROM_BACKUP)
    if named and len(lost) == named and not orphans:
        lost.clear()
        yield Finding("store", f"the store is empty, and {named} blobs are named", _WHICH_STORE)
    if orphans:
        what = f"{orphans} blobs of {orphan_bytes} bytes that nothing names"
        yield Finding("orphans", what, "see `modelkeep gc`", is_damage=False)


def lacking(rows: Rows, blobs: Blobs) -> tuple[int, str]:
    """How many blobs that the rows name are not in a store, or of another size; and one of them."""
    count, one = 0, ""
    for stored, sha256, size_bytes in _paired(blobs.stored(), rows.blobs()):
        if sha256 and (stored is None or stored.size_bytes != size_bytes):
            count, one = count + 1, one or sha256
    return count, one


def _is_whole(blobs: Blobs, stored: Stored, size_bytes: int, *, quick: bool) -> bool:
    if stored.size_bytes != size_bytes or quick:
        return stored.size_bytes == size_bytes
    try:
        deque(blobs.read(stored.sha256, size_bytes), maxlen=0)
    except IntegrityFailure:
        return False
    return True


def _paired(
    stored: Iterator[Stored], needed: Iterator[tuple[str, int]]
) -> Iterator[tuple[Stored | None, str, int]]:
    """What is stored beside what is needed, both by name; None and "" for what lacks the other."""
    have, need = next(stored, None), next(needed, None)
    while have or need:
        if need is None or (have and have.sha256 < need[0]):
            yield have, "", 0
            have = next(stored, None)
        elif have is None or need[0] < have.sha256:
            yield None, *need
            need = next(needed, None)
        else:
            yield have, *need
            have, need = next(stored, None), next(needed, None)
