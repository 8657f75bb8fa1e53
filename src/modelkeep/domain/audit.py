"""Verifies a journal from its export, without trusting whoever exported it.

Every leaf is hashed again, the tree is built again, and each leaf's recorded root is held against
it, so that the first entry that was altered, dropped, inserted or moved is named. Then the leaves
are played back and held against the tables.

What it cannot see yet: a tail that was cut off together with the tables' rows and the tree's edge,
or a whole journal rewritten consistently. That takes checkpoints kept elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modelkeep.domain.documents import canonical_digest
from modelkeep.domain.events import LEAF_VERSION, commitment, instant
from modelkeep.domain.ledger import UNKNOWN, Key, Ledger, Row
from modelkeep.domain.manifests import File, Manifest
from modelkeep.domain.merkle import Frontier, leaf_hash

BLIND_SPOTS = (
    "a tail cut off together with everything that it did, and a journal rewritten from end to "
    "end: both need checkpoints kept off this machine, which do not exist yet",
    "the bytes of artifacts: they are hashed whenever they are read, not here",
)
PROBLEM_LIMIT = 100  # more are counted, not listed


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit. `index` is the first entry concerned, None if there is none."""

    index: int | None
    message: str


@dataclass(slots=True)
class Report:
    """What a verification found. `is_intact` is False when anything at all did not fit."""

    size: int = 0
    root: str = ""
    erased_texts: int = 0
    rows: int = 0
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


def verify(lines: Iterable[dict[str, Any]]) -> Report:
    """The report on an export (see `services.audit.export` for its lines)."""
    report, ledger, chain = Report(), Ledger(), _Chain()
    rows: dict[str, list[dict[str, Any]]] = {}
    head: dict[str, Any] | None = None
    ended = False
    for line in lines:
        match line["kind"]:
            case "head":
                head = line
            case "entry":
                chain.take(line, report, ledger)
            case "row":
                rows.setdefault(line["table"], []).append(line["row"])
            case "end":
                ended = True
    report.size, report.root = chain.frontier.size, chain.frontier.root.hex()
    if not ended or head is None:
        report.add(None, "the export was cut off; nothing after its last line was checked")
        return report
    _check_edge(head, chain, report)
    if report.is_intact:  # with a bad entry, what the tables should say is not known
        report.rows = _compare(ledger, rows, report)
    return report


@dataclass(slots=True)
class _Chain:
    """The tree as it is built again, leaf by leaf."""

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
        if digest.hex() != entry["hash"]:
            self._complain(report, index, "its body does not have the hash that was recorded")
        elif self.frontier.root.hex() != entry["root"]:
            self._complain(report, index, "the tree up to it does not have the recorded root")
        try:
            self._read(entry, body, report, ledger)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            report.add(index, f"entry {index} cannot be read: {type(error).__name__} {error}")

    def _complain(self, report: Report, index: int, what: str) -> None:
        if not self.is_broken:  # every later root differs too; only the first says where
            report.add(index, f"entry {index} was altered: {what}")
        self.is_broken = True

    def _read(self, entry: dict[str, Any], body: bytes, report: Report, ledger: Ledger) -> None:
        index, leaf = entry["index"], msgspec.json.decode(body)
        if leaf["v"] != LEAF_VERSION:
            report.add(index, f"entry {index} is of format {leaf['v']}, unknown to this verifier")
            return
        if leaf["t"] != instant(entry["at_ms"]) or entry["at_ms"] < self.last_ms:
            report.add(index, f"entry {index} is dated {leaf['t']}, which does not fit its place")
        self.last_ms = max(self.last_ms, entry["at_ms"])
        texts = _checked_texts(entry, leaf, report)
        ledger.play(index, entry["at_ms"], leaf, texts)


def _checked_texts(entry: dict[str, Any], leaf: dict[str, Any], report: Report) -> dict[str, str]:
    """The texts that are still there and are what the leaf committed to."""
    found: dict[str, str] = {}
    for name, (salt, text) in entry["texts"].items():
        if leaf["texts"].get(name) == commitment(salt, text):
            found[name] = text
        else:
            report.add(entry["index"], f"entry {entry['index']}: its text '{name}' was altered")
    report.erased_texts += len(set(leaf["texts"]) - set(entry["texts"]))
    return found


def _check_edge(head: dict[str, Any], chain: _Chain, report: Report) -> None:
    size = chain.frontier.size
    if head["size"] != size:
        low = min(head["size"], size)
        report.add(low, f"the tree's edge is at {head['size']} entries, and there are {size}")
    elif head["peaks"] != chain.frontier.encode().hex() and not chain.is_broken:
        report.add(max(size - 1, 0), "the tree's recorded edge is not that of these entries")


# -- the tables ----------------------------------------------------------------------------------


def _compare(ledger: Ledger, rows: dict[str, list[dict[str, Any]]], report: Report) -> int:
    for index, message in ledger.contradictions:
        report.add(index, f"entry {index} {message}")
    keyed = dict(_keyed(rows))
    for table in _KEYS:
        expected, found = ledger.tables.get(table, {}), keyed[table]
        if table == "vote":
            expected = _votes(expected)
        for key in expected.keys() | found.keys():
            _compare_row(table, key, expected.get(key), found.get(key), report)
    _check_contents(ledger, rows, report)
    return sum(len(listed) for listed in rows.values())


def _check_contents(ledger: Ledger, rows: dict[str, list[dict[str, Any]]], report: Report) -> None:
    """Holds manifests and evidence, which the journal names by digest, against their digests."""
    manifests: dict[str, list[File]] = {}
    for row in rows.get("file", ()):
        file = File(row["path"], row["sha256"], row["size_bytes"])
        manifests.setdefault(row["manifest"], []).append(file)
    for key, row in ledger.tables.get("version", {}).items():
        digest = row.values.get("manifest")
        if digest and Manifest.of(manifests.get(digest, ())).digest != digest:
            shown = "/".join(map(str, key))
            report.add(row.index, f"version {shown}: its files are not those of {digest}")
    bundles = {row["digest"]: row["body"] for row in rows.get("evidence", ())}
    for key, row in ledger.tables.get("request", {}).items():
        digest = row.values.get("evidence")
        body = bundles.get(digest)
        if body is None or canonical_digest(msgspec.json.decode(body)) != digest:
            report.add(row.index, f"request {key[0]}: its evidence is not that of {digest}")


def _compare_row(
    table: str, key: Key, expected: Row | None, found: dict[str, Any] | None, report: Report
) -> None:
    shown = f"{table} {'/'.join(map(str, key))}"
    if expected is None:
        report.add(None, f"{shown} is in the tables, and no entry of the journal made it")
    elif found is None:
        report.add(expected.index, f"{shown} is not in the tables; entry {expected.index} has it")
    else:
        for name, value in expected.values.items():
            if value is not UNKNOWN and found.get(name) != value:
                report.add(
                    expected.index,
                    f"{shown}: the tables say {name} is {found.get(name)!r}, "
                    f"entry {expected.index} says {value!r}",
                )


_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("id",),
    "model_tag": ("model", "key"),
    "version": ("model", "number"),
    "version_tag": ("model", "number", "key"),
    "slot": ("model", "slot"),
    "stay": ("model", "slot", "version", "epoch"),
    "policy": ("revision",),
    "request": ("id",),
    "vote": ("request", "name"),
}


def _keyed(rows: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[Key, dict]]]:
    """The tables' rows by the keys that the journal knows them by."""
    versions = {row["id"]: (row["model"], row["number"]) for row in rows.get("version", ())}
    for table, names in _KEYS.items():
        found: dict[Key, dict] = {}
        for row in rows.get(table, ()):
            row = dict(row)
            if "deleted" in row:
                row["deleted"] = bool(row["deleted"])
            if table == "version_tag":
                row["model"], row["number"] = versions.get(row["version"], (None, None))
            elif table == "request":
                row["version"] = versions.get(row["version"])
            elif table == "slot" and row["holder"] is not None:
                row["holder"] = versions.get(row["holder"], (None, None))[1]
            found[tuple(row[name] for name in names)] = row
        yield table, found


def _votes(expected: dict[Key, Row]) -> dict[Key, Row]:
    """Votes by request and voter, as the table has them; a voter erased is left out."""
    return {
        (key[0], row.values["name"]): row
        for key, row in expected.items()
        if row.values["name"] is not UNKNOWN
    }
