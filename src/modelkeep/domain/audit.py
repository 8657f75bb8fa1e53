"""Verifies a journal from its export, without trusting whoever exported it.

Every leaf is hashed again, the tree is built again, and each leaf's recorded root is held against
it, so that the first entry that was altered, dropped, inserted or moved is named. Then the leaves
are played back and held against the tables.

What the export cannot show by itself is a tail that was cut off together with the tables' rows
and the tree's edge, or a journal rewritten from end to end: that takes checkpoints, of which
whoever verifies has kept one, or names witnesses who have (`domain.seals`).

NOTE: this and what it stands on must need nothing but Python's own library: `modelkeep-verify` is
made of it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.events import LEAF_VERSION, commitment, instant
from modelkeep.domain.ledger import Ledger
from modelkeep.domain.merkle import Frontier, leaf_hash
from modelkeep.domain.seals import Seals, Trust
from modelkeep.domain.tables import COMPARED, Exported, compare

BLIND_SPOTS = (
    "a tail cut off together with everything that it did, and a journal rewritten from end to "
    "end, unless you give a checkpoint that you kept (--since), or the witnesses' keys",
    "the bytes of artifacts: they are hashed whenever they are read, not here",
    "what the journal does not speak of: experiments, runs and their metrics (a decision rests on "
    "the evidence that was frozen), the list of past decisions, times of creation, run links",
)
KINDS = ("head", "checkpoint", "entry", "row", "end")  # of an export's lines
PROBLEM_LIMIT = 100  # more are counted, not listed

# What reading a line can raise that is not as an export writes it. Nobody vouches for the lines.
_UNREADABLE = (
    AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError, ModelkeepError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit. `index` is the first entry concerned, None if there is none."""

    index: int | None
    message: str


@dataclass(slots=True)
class Report:
    """What a verification found. `is_intact` is False when anything at all did not fit.

    Apart from that, `unsigned` says which signatures are missing or false, and `stale` why what
    was verified may not be the newest. `forks` are (entry, origin that began there); `strange` the
    tables that this verifier does not know, which a newer server may have.
    """

    size: int = 0
    root: str = ""
    erased: list[tuple[int, str]] = field(default_factory=list)  # (entry, which text)
    rows: int = 0
    strange: list[str] = field(default_factory=list)
    checkpoints: int = 0
    signed_size: int = 0  # how many entries the newest checkpoint covers
    witnesses: list[str] = field(default_factory=list)  # who has cosigned that
    unsigned: list[str] = field(default_factory=list)
    stale: str = ""
    forks: list[tuple[int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0

    @property
    def is_intact(self) -> bool:
        return not self.problems

    @property
    def first_bad(self) -> int | None:
        """The lowest index of an entry that does not fit."""
        return min((p.index for p in self.problems if p.index is not None), default=None)

    def add(self, index: int | None, message: str) -> None:
        if len(self.problems) < PROBLEM_LIMIT:
            self.problems.append(Problem(index, message))
        else:
            self.unlisted += 1


def verify(lines: Iterable[dict[str, Any]], trust: Trust | None = None) -> Report:
    """The report on an export (see `services.audit.export` for its lines).

    Raises InvalidInput for a checkpoint of `trust.since` that is none.
    """
    report, ledger, seals = Report(), Ledger(), Seals(trust or Trust())
    chain, export = _Chain(seals), _Export(seals)
    for line in lines:
        try:
            if line["kind"] == "entry":
                chain.take(line, report, ledger)
            else:
                export.take(line)
        except _UNREADABLE as error:
            report.add(None, f"a line of the export cannot be read: {_said(error)}")
    report.size, report.root = chain.frontier.size, chain.frontier.root.hex()
    if not export.has_ended or export.head is None:
        report.add(None, "the export was cut off; nothing after its last line was checked")
        return report
    _check_edge(export.head, chain, report)
    _close_seals(seals, report)
    if report.is_intact:  # with a bad entry, what the tables should say is not known
        for index, message in ledger.contradictions:
            report.add(index, f"entry {index} {message}")
        _compare(ledger, export.rows, report)
    forks = ledger.tables.get("origin", {}).values()
    report.forks = [(row.index, str(row.values["name"])) for row in forks]
    return report


def _close_seals(seals: Seals, report: Report) -> None:
    for index, message in seals.beyond(report.size):
        report.add(index, message)
    seals.close()
    report.checkpoints, report.signed_size = seals.count, seals.size
    report.witnesses, report.unsigned = seals.cosigned_by, seals.complaints
    report.stale = seals.stale


def _compare(ledger: Ledger, rows: Exported, report: Report) -> None:
    report.strange = sorted(rows.keys() - COMPARED)
    report.rows = sum(len(found) for table, found in rows.items() if table in COMPARED)
    try:
        compare(ledger, rows, report.add)
    except _UNREADABLE as error:
        report.add(None, f"the rows of the tables cannot be read: {_said(error)}")


def _said(error: Exception) -> str:
    return error.message if isinstance(error, ModelkeepError) else f"{type(error).__name__} {error}"


@dataclass(slots=True)
class _Export:
    """What an export says besides its entries."""

    seals: Seals
    head: dict[str, Any] | None = None
    rows: Exported = field(default_factory=dict)
    has_ended: bool = False

    def take(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "head":
                self.head = {"size": int(line["size"]), "peaks": str(line["peaks"])}
            case "checkpoint":
                self.seals.take(line)
            case "row":
                self.rows.setdefault(line["table"], []).append(dict(line["row"]))
            case "end":
                self.has_ended = True
            case other:
                raise ValueError(f"of kind {other}, unknown to this verifier")


@dataclass(slots=True)
class _Chain:
    """The tree as it is built again, leaf by leaf."""

    seals: Seals
    frontier: Frontier = field(default_factory=Frontier)
    last_ms: int = 0
    is_broken: bool = False

    def take(self, entry: dict[str, Any], report: Report, ledger: Ledger) -> None:
        expected, index = self.frontier.size, entry["index"]
        if index != expected and not self.is_broken:
            what = "is missing" if index > expected else "appears twice"
            report.add(min(expected, index), f"entry {min(expected, index)} {what}")
            self.is_broken = True
        body = entry["body"].encode()
        digest = leaf_hash(body)
        self.frontier = self.frontier.append(digest)
        # Behind the first that does not fit every root differs too; only that one says where.
        if not self.is_broken and (found := self._wrong(entry, digest)):
            report.add(*found)
            self.is_broken = True
        try:
            self._read(entry, body, report, ledger)
        except _UNREADABLE as error:
            report.add(index, f"entry {index} cannot be read: {_said(error)}")

    def _wrong(self, entry: dict[str, Any], digest: bytes) -> tuple[int, str] | None:
        index = entry["index"]
        if digest.hex() != entry["hash"]:
            why = "its body does not have the hash that was recorded"
        elif self.frontier.root.hex() != entry["root"]:
            why = "the tree up to it does not have the recorded root"
        else:
            return self.seals.reach(self.frontier, entry["at_ms"])
        return index, f"entry {index} was altered: {why}"

    def _read(self, entry: dict[str, Any], body: bytes, report: Report, ledger: Ledger) -> None:
        index, leaf = entry["index"], json.loads(body)
        if leaf["v"] != LEAF_VERSION:
            report.add(index, f"entry {index} is of format {leaf['v']}, unknown to this verifier")
            return
        if leaf["t"] != instant(entry["at_ms"]) or entry["at_ms"] < self.last_ms:
            report.add(index, f"entry {index} is dated {leaf['t']}, which does not fit its place")
        if leaf["obj"].get("model") != entry["model"]:
            report.add(index, f"entry {index} is told under another model than its own")
        self.last_ms = max(self.last_ms, entry["at_ms"])
        texts = _checked_texts(entry, leaf, report)
        if not self.is_broken:  # else nobody asks what the tables should say
            ledger.play(index, entry["at_ms"], leaf, texts)


def _checked_texts(entry: dict[str, Any], leaf: dict[str, Any], report: Report) -> dict[str, str]:
    """The texts that are still there and are what the leaf committed to."""
    found: dict[str, str] = {}
    for name, (salt, text) in entry["texts"].items():
        if leaf["texts"].get(name) == commitment(salt, text):
            found[name] = text
        else:
            report.add(entry["index"], f"entry {entry['index']}: its text '{name}' was altered")
    gone = sorted(set(leaf["texts"]) - set(entry["texts"]))
    report.erased.extend((entry["index"], name) for name in gone)
    return found


def _check_edge(head: dict[str, Any], chain: _Chain, report: Report) -> None:
    size = chain.frontier.size
    if head["size"] != size:
        low = min(head["size"], size)
        report.add(low, f"the tree's edge is at {head['size']} entries, and there are {size}")
    elif head["peaks"] != chain.frontier.encode().hex() and not chain.is_broken:
        report.add(max(size - 1, 0), "the tree's recorded edge is not that of these entries")
