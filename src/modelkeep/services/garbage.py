"""Finds the bytes that nothing names any more, and deletes them a good while later.

A run of `collect` *marks* what the store has and no row names. A later run deletes what was marked
for longer than the grace and is still unnamed. In between, whoever stores the same bytes again and
names them takes the mark away (`claim`), so an upload that finds its bytes stored already does not
lose them.

Deleting is in three steps, for the store and the database cannot change as one: the marks are
*doomed* in a transaction, which the journal records; then the bytes go; then it is noted that they
are gone. An upload that began before that moment may have relied on them, and is asked to come
again; one that began later has stored them anew. A collector that was killed leaves bytes that are
doomed: it promised to be done by `gone_ms`, so uploads need not wait for longer than that, and the
next run marks anew what still lies there.

A pin (a backup being taken) keeps every marked byte until it is gone: it is looked for in the
transaction that dooms, and whoever holds one reads the rows only after it was committed.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, Unavailable
from modelkeep.domain.events import Event
from modelkeep.ports.blobs import Blobs, Stored
from modelkeep.ports.garbage import Floors, Folder, Inventory, Mark
from modelkeep.ports.work import Work
from modelkeep.services import policies

DAY_MS = 86_400_000
BATCH = 500
DOOM_MS = 600_000  # by when what was doomed is deleted, at the latest
DOOM_S = 300.0  # after which a collector gives a batch up, well before that
SKEW_MS = 60_000  # that the clocks of two machines may differ by
UPLOAD_MS = DAY_MS  # how long ago an upload may have begun of which that is not known

T = TypeVar("T")
Write = Callable[..., Any]  # runs a use case in a transaction
Tell = Callable[[str, int, int], None]


@dataclass(slots=True)
class Amount:
    """So many things, of so many bytes in all."""

    count: int = 0
    size_bytes: int = 0

    def add(self, things: Iterable[Stored]) -> None:
        for thing in things:
            self.count += 1
            self.size_bytes += thing.size_bytes


@dataclass(slots=True)
class Found:
    """What a run found: of deleted runs, logged models and versions whose time is over; of blobs
    and small files that nothing names: seen for the first time, waiting for the grace to be over,
    and due. What was due is deleted, if that was asked for.
    """

    folders: dict[str, Amount] = field(default_factory=dict)
    versions: Amount = field(default_factory=Amount)
    new: Amount = field(default_factory=Amount)
    waiting: Amount = field(default_factory=Amount)
    due: Amount = field(default_factory=Amount)
    small_new: Amount = field(default_factory=Amount)
    small_waiting: Amount = field(default_factory=Amount)
    small_due: Amount = field(default_factory=Amount)


@dataclass(frozen=True, slots=True)
class Terms:
    """`grace_ms` from a mark to the deletion; the floors in days (evidence: None is for good)."""

    grace_ms: int
    deleted_days: int
    evidence_days: int | None


# -- what an upload asks -------------------------------------------------------------------------


def claim(work: Work, sha256: str, began_ms: int | None = None) -> None:
    """Takes a blob that is about to be named out of the garbage.

    `began_ms` is when its bytes began to come; a day ago, if that is not known. Raises Unavailable
    if they may have been deleted since.
    """
    mark = work.garbage.mark_of(sha256)
    if mark is None:
        return
    if began_ms is None:
        began_ms = work.now_ms - UPLOAD_MS
    if mark.gone_ms is not None and began_ms <= mark.gone_ms + SKEW_MS:
        raise Unavailable(
            "The same bytes, which nothing named, were being deleted while these came. Nothing was "
            "stored; send them again in a minute."
        )
    work.garbage.unmark([sha256])


# -- a run ---------------------------------------------------------------------------------------


class Collector:
    """One run; `deletes` is False of one that only looks, and changes nothing."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Inventory]],
        blobs: Blobs,
        write: Write,
        caller: Caller,
        tell: Tell,
    ) -> None:
        self._opened, self._blobs, self._write = opened, blobs, write
        self._caller, self._tell = caller, tell

    def collect(self, terms: Terms, now_ms: int, floors: Floors, *, deletes: bool) -> Found:
        """Raises Conflict while a backup is being taken, Unavailable."""
        found = Found()
        before_ms = now_ms - terms.grace_ms
        with self._opened() as inventory:
            folders = list(inventory.folders(floors.deleted_ms))
            found.versions = Amount(*inventory.versions(floors))
        for folder in folders:
            amount = found.folders.setdefault(folder.kind, Amount())
            if not deletes or self._write(forget_files, self._caller, folder, floors.deleted_ms):
                amount.count += folder.files
                amount.size_bytes += folder.size_bytes
        with self._opened() as inventory:
            self._collect_blobs(inventory, floors, before_ms, found, deletes)
            self._collect_small(inventory, floors, before_ms, found, deletes)
        return found

    def _collect_blobs(
        self, inventory: Inventory, floors: Floors, before_ms: int, found: Found, deletes: bool
    ) -> None:
        named = inventory.named(floors)
        for whole in _batches(_compared(self._blobs.stored(), named, inventory.marks())):
            self._tell("blobs to be deleted", found.due.count, 0)
            batch = [(blob, mark) for blob, mark, is_named in whole if not is_named]
            again = [blob.sha256 for blob, mark, is_named in whole if is_named and mark]
            # What is gone and lies there still was left by a run that was killed, or is just
            # coming in: it begins anew.
            new = [blob for blob, mark in batch if mark is None or mark.gone_ms is not None]
            marked = [(blob, m) for blob, m in batch if m is not None and m.gone_ms is None]
            due = [blob for blob, mark in marked if mark.since_ms <= before_ms]
            found.new.add(new)
            found.waiting.add(blob for blob, mark in marked if mark.since_ms > before_ms)
            if not deletes:
                found.due.add(due)
                continue
            if new or again:
                self._write(mark, new, again)
            if due:
                found.due.add(self._delete(due, before_ms))

    def _delete(self, due: Sequence[Stored], before_ms: int) -> list[Stored]:
        started_s = time.monotonic()
        doomed = self._write(doom, self._caller, due, before_ms)
        for blob in doomed:
            if time.monotonic() - started_s > DOOM_S:
                raise Unavailable("The store takes too long to delete; the next run goes on.")
            self._blobs.delete(blob.sha256)
        self._write(note_gone, doomed)
        return doomed

    def _collect_small(
        self, inventory: Inventory, floors: Floors, before_ms: int, found: Found, deletes: bool
    ) -> None:
        for page in inventory.small(floors):
            new = [file for file, since_ms in page if since_ms is None]
            due = [file for file, since in page if since is not None and since <= before_ms]
            found.small_new.add(new)
            found.small_waiting.add(f for f, since in page if since is not None and f not in due)
            if not deletes:
                found.small_due.add(due)
                continue
            if new:
                self._write(mark_small, new)
            if due:
                found.small_due.add(self._write(delete_small, self._caller, due, before_ms))


def floors_of(work: Work, terms: Terms) -> Floors:
    """The terms as of now, under the policy in force."""
    policy = policies.in_force(work)
    cycles = (policy.default, *policy.lifecycles) if policy else ()
    archived = sorted({"Archived", *(cycle.archived for cycle in cycles)})
    evidence = terms.evidence_days
    return Floors(
        work.now_ms - terms.deleted_days * DAY_MS,
        None if evidence is None else work.now_ms - evidence * DAY_MS,
        tuple(archived),
    )


# -- its transactions ----------------------------------------------------------------------------


def forget_files(work: Work, caller: Caller, folder: Folder, before_ms: int) -> bool:
    """Forgets the files of a run or logged model, if it is deleted still; whether it was."""
    refuse_pinned(work)
    if not work.garbage.is_deleted(folder, before_ms):
        return False
    count = work.artifacts.delete(folder.path)
    after = {"kind": folder.kind, "files": count, "size_bytes": folder.size_bytes}
    work.record(caller, Event("store:files:forgotten", {"folder": folder.path}, after=after))
    return True


def mark(work: Work, blobs: Sequence[Stored], named: Sequence[str]) -> None:
    """Marks blobs as of now; those that are named again are marked no longer."""
    work.garbage.mark(blobs)
    work.garbage.unmark(named)


def doom(work: Work, caller: Caller, due: Sequence[Stored], before_ms: int) -> list[Stored]:
    """Those of the blobs that are to be deleted now."""
    refuse_pinned(work)
    names = [blob.sha256 for blob in due]
    doomed = work.garbage.doom(names, before_ms, work.now_ms + DOOM_MS)
    _record(work, caller, "store:blobs:deleted", doomed)
    return doomed


def note_gone(work: Work, doomed: Sequence[Stored]) -> None:
    if doomed:
        work.garbage.gone([blob.sha256 for blob in doomed])


def mark_small(work: Work, files: Sequence[Stored]) -> None:
    work.garbage.mark_small([file.sha256 for file in files])


def delete_small(work: Work, caller: Caller, due: Sequence[Stored], before_ms: int) -> list[Stored]:
    refuse_pinned(work)
    deleted = work.garbage.delete_small([file.sha256 for file in due], before_ms)
    _record(work, caller, "store:files:deleted", deleted)
    return deleted


def refuse_pinned(work: Work) -> None:
    """Raises Conflict while somebody needs every byte that there is."""
    if pins := work.garbage.pins():
        raise Conflict(
            f"Nothing is deleted now: {pins[0]} is under way. Try again when it is done."
        )


def _record(work: Work, caller: Caller, action: str, blobs: Sequence[Stored]) -> None:
    """Their digest is that of their names, by the line, in order."""
    if not blobs:
        return
    names = "".join(f"{blob.sha256}\n" for blob in blobs)
    after = {
        "count": len(blobs),
        "size_bytes": sum(blob.size_bytes for blob in blobs),
        "names": f"sha256:{hashlib.sha256(names.encode()).hexdigest()}",
    }
    work.record(caller, Event(action, {}, after=after))


# -- streams in the order of the names ------------------------------------------------------------


def _compared(
    stored: Iterator[Stored], named: Iterator[str], marks: Iterator[Mark]
) -> Iterator[tuple[Stored, Mark | None, bool]]:
    """Every blob of the store with its mark, and whether it is named."""
    name, found = next(named, None), next(marks, None)
    for blob in stored:
        while name is not None and name < blob.sha256:
            name = next(named, None)
        while found is not None and found.sha256 < blob.sha256:
            found = next(marks, None)
        yield blob, found if found and found.sha256 == blob.sha256 else None, name == blob.sha256


def _batches(things: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(islice(things, BATCH)):
        yield batch
