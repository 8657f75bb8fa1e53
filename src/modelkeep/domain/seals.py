"""What checkpoints say of a journal that is being verified.

Every checkpoint, of the export or kept elsewhere, must be a tree that the journal passes through.
Whoever verifies says which keys are the log's, and which witnesses must have cosigned the newest
checkpoint; without a key, the export's own are taken, which shows only that they fit.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.errors import IntegrityFailure, ModelkeepError
from modelkeep.domain.merkle import Frontier
from modelkeep.domain.notes import Check, Checkpoint, Note, PublicKey, opened

Finding = tuple[int, str]  # the first entry that may be meant, and what is wrong


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier brings along. Without `check` no signature is looked at, only roots.

    `since` are notes of checkpoints that were kept; `quorum` how many of the witnesses must have
    cosigned; `max_age_s` how old the newest checkpoint may be at `now_s`.
    """

    check: Check | None = None
    keys: tuple[PublicKey, ...] = ()
    witnesses: tuple[PublicKey, ...] = ()
    quorum: int = 0
    since: tuple[str, ...] = ()
    max_age_s: int | None = None
    now_s: int = 0


@dataclass(slots=True)
class Seals:
    """The checkpoints of one verification. Raises ModelkeepError for a `since` that is none."""

    trust: Trust
    count: int = 0
    size: int = 0
    complaints: list[str] = field(default_factory=list)
    cosigned_by: list[str] = field(default_factory=list)
    stale: str = ""  # why what was verified may not be the newest
    _expected: dict[int, list[Checkpoint]] = field(default_factory=lambda: defaultdict(list))
    _newest: tuple[str, int] | None = None  # of the export: note, milliseconds
    _reached: int = 0  # the largest tree that a checkpoint speaks of, and was found
    _unsigned_ms: int | None = None  # of the first entry that the newest checkpoint lacks

    def __post_init__(self) -> None:
        for note in self.trust.since:
            checkpoint = Checkpoint.parse(Note.parse(note).text)
            self._expected[checkpoint.size].append(checkpoint)
            self._vouch(note, self.trust.keys)

    def take(self, line: dict[str, Any]) -> None:
        """A checkpoint of the export. Raises ModelkeepError for one that is none."""
        note, at_ms = str(line["note"]), int(line["at_ms"])
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        self._expected[checkpoint.size].append(checkpoint)
        self._vouch(note, self.trust.keys or (PublicKey.parse(line["vkey"]),))
        self.count += 1
        if self._newest is None or checkpoint.size >= self.size:
            self.size, self._newest = checkpoint.size, (note, at_ms)

    def _vouch(self, note: str, keys: tuple[PublicKey, ...]) -> None:
        if self.trust.check is None or not keys:
            return
        try:
            opened(note, keys, self.trust.check)
        except IntegrityFailure as error:
            self.complaints.append(error.message)

    def reach(self, frontier: Frontier, at_ms: int) -> Finding | None:
        """The tree has grown to here, by an entry of this time; what a checkpoint objects."""
        size = frontier.size
        if size == self.size + 1:
            self._unsigned_ms = at_ms
        for checkpoint in self._expected.get(size, ()):
            if checkpoint.root != frontier.root:
                first = self._reached
                return first, (
                    f"the tree of the first {size} entries is not that of the checkpoint "
                    f"({checkpoint.origin}): one of the entries {first} to {size - 1} was altered"
                )
            self._reached = size
        return None

    def beyond(self, size: int) -> list[Finding]:
        """The checkpoints of larger trees than the whole."""
        return [
            (
                size,
                f"a checkpoint ({checkpoint.origin}) is of {larger} entries, and there are {size}: "
                "the tail was cut off, or an older copy was restored",
            )
            for larger in sorted(self._expected)
            if larger > size
            for checkpoint in self._expected[larger]
        ]

    def close(self) -> None:
        """Sees who has cosigned the newest checkpoint, and how old it is."""
        times = self._witnessed()
        if self._newest is None and (self.trust.keys or self.trust.quorum):
            self.complaints.append("The export has no checkpoint.")
        if self.trust.max_age_s is not None:
            self.stale = self._staleness(self.trust.max_age_s, times)

    def _staleness(self, max_age_s: int, times: list[int]) -> str:
        if self._newest is None:
            return "nothing was signed"
        signed_s = times[-1] if times else self._newest[1] // 1000
        if self.trust.now_s - signed_s > max_age_s:
            return f"the newest checkpoint is {self.trust.now_s - signed_s} s old"
        left_s = self.trust.now_s - (self._unsigned_ms or self.trust.now_s * 1000) // 1000
        return f"entry {self.size} was left unsigned for {left_s} s" if left_s > max_age_s else ""

    def _witnessed(self) -> list[int]:
        """The times of as many of the latest cosignatures as are asked for, latest first."""
        found: dict[PublicKey, int | None] = {}
        if self._newest and self.trust.check:
            try:
                note = Note.parse(self._newest[0])
                found = note.signers(self.trust.witnesses, self.trust.check)
            except ModelkeepError as error:
                self.complaints.append(error.message)
        self.cosigned_by = sorted(key.name for key in found)
        if len(found) < self.trust.quorum:
            self.complaints.append(
                f"{len(found)} of the witnesses have cosigned the newest checkpoint; "
                f"{self.trust.quorum} must."
            )
        times = sorted((time_s or 0 for time_s in found.values()), reverse=True)
        return [*times, *[0] * self.trust.quorum][: self.trust.quorum]
