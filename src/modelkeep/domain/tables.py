"""Holds what the tables say against what the journal says that they must.

Rows come as they were exported, by the ids of the database; the journal knows a version by its
model and number, a stay by its slot, version and epoch, a vote or comment by its place among those
on its request. What the journal names by a digest (policies, evidence …) is digested again.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.access import ANONYMOUS, Actor
from modelkeep.domain.documents import canonical_digest
from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.ledger import UNKNOWN, Key, Ledger, Row
from modelkeep.domain.manifests import File, Manifest
from modelkeep.domain.papers import digest_of
from modelkeep.domain.policies import source_digest

Exported = dict[str, list[dict[str, Any]]]  # table -> rows
Complain = Callable[[int | None, str], None]

_ELSEWHERE = "one that cannot be"  # equals nothing that a ledger holds

_OF_ACCOUNTS = ("password", "disabled", "revoked")  # facts that a database has as 0 and 1
_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("id",),
    "model_name": ("model", "from_ms", "name"),
    "model_tag": ("model", "key"),
    "version": ("model", "number"),
    "version_tag": ("model", "number", "key"),
    "imported_version": ("model", "number"),
    "version_hand": ("model", "number", "place"),
    "paper": ("model", "number", "name", "revision"),
    "resource": ("id",),
    "resource_revision": ("resource", "revision"),
    "resource_tag": ("resource", "key"),
    "group_policy": ("model",),
    "slot": ("model", "slot"),
    "stay": ("model", "slot", "version", "epoch"),
    "policy": ("revision",),
    "request": ("id",),
    "vote": ("request", "place"),
    "comment": ("request", "place"),
    "emergency": ("id",),
    "hold": ("id",),
    "webhook": ("webhook",),
    "rule": ("rule",),
    "topic": ("topic",),
    "stamp": ("stamp",),
    "account": ("id",),
    "token": ("token",),
    "grant": ("account", "role", "scope"),
    "origin": ("number",),
}
COMPARED = frozenset((*_KEYS, "file", "evidence"))  # the last two by their digests
_TEXTS = ("paper", "resource_revision", "group_policy")  # known by the digest of their bodies
_PLACED = ("vote", "comment")  # known by their order on a request


def compare(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    """Complains of every row that isn't as the ledger has it, with the entry that says so."""
    ids = _Ids.of(rows)
    for table, names in _KEYS.items():
        expected = ledger.tables.get(table, {})
        if table in _PLACED:
            expected = _by_place(expected)
        found: dict[Key, dict[str, Any]] = {}
        for row in rows.get(table, ()):
            row = ids.as_known(table, row)
            key = tuple(row[name] for name in names)
            if key in found:
                complain(_index(expected.get(key)), f"{_shown(table, key)} is there twice")
            found[key] = row
        for key in expected.keys() | found.keys():
            _compare_row(_shown(table, key), expected.get(key), found.get(key), complain)
    _check_files(ledger, rows, complain)
    _check_evidence(ledger, rows, complain)


def _shown(table: str, key: Key) -> str:
    return f"{table} {'/'.join(map(str, key))}"


def _index(row: Row | None) -> int | None:
    return row.index if row else None


def _compare_row(
    shown: str, expected: Row | None, found: dict[str, Any] | None, complain: Complain
) -> None:
    if expected is None:
        complain(None, f"{shown} is in the tables, and no entry of the journal made it")
    elif found is None:
        complain(expected.index, f"{shown} is not in the tables; entry {expected.index} has it")
    else:
        for name, value in expected.values.items():
            if value is not UNKNOWN and found.get(name) != value:
                complain(
                    expected.index,
                    f"{shown}: the tables say {name} is {found.get(name)!r}, "
                    f"entry {expected.index} says {value!r}",
                )


@dataclass(slots=True)
class _Ids:
    """What the database's ids stand for."""

    versions: dict[int, tuple[Any, Any]] = field(default_factory=dict)  # model, number
    stays: dict[int, dict[str, Any]] = field(default_factory=dict)
    # table, request or version -> how many were seen
    places: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Exported) -> "_Ids":
        versions = {row["id"]: (row["model"], row["number"]) for row in rows.get("version", ())}
        return cls(versions, {row["id"]: row for row in rows.get("stay", ())})

    def as_known(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """The row in the journal's words."""
        row = dict(row)
        for name in ("deleted", "approved", "archive_existing", "signed", "semver_fixed",
                     *_OF_ACCOUNTS):  # fmt: skip
            if name in row:
                row[name] = bool(row[name])
        for name in ("author", "requested_by", "importer", "opened_by", "ending_by"):
            if name in row and Actor(row[name]).is_anonymous:
                row[name] = ANONYMOUS
        if table == "imported_version":
            row["version"] = int(row["version"])
        if table in _TEXTS and digest_of(row["body"]) != row["sha256"]:
            row["sha256"] = f"that of another text than {row['sha256']}"
        if table == "rule":
            row["targets"] = _read(row["targets"])
        if table == "version_hand":
            row["place"] = self._place(table, row["version"])
        if table in ("version_tag", "imported_version", "version_hand", "paper"):
            row["model"], row["number"] = self.versions.get(row["version"], (None, None))
        elif table == "slot":
            row["holder"] = self._number(row["holder"], row["model"])
        elif table == "stay":
            row["version"] = self._number(row["version"], row["model"])
            row["prior"] = self._prior(row)
        elif table == "policy":
            row["source_digest"] = source_digest(row["source"])
            if _digest(row["document"]) != row["digest"]:
                row["digest"] = f"that of another document than {row['digest']}"
        elif table in ("request", "emergency", "hold"):
            row["version"] = self.versions.get(row["version"])
        elif table in _PLACED:
            row["place"] = self._place(table, row["request"])
        return row

    def _place(self, table: str, owner: int) -> int:
        """Where a row stands among those of its table that have the same owner."""
        place = self.places.get((table, owner), 0)
        self.places[table, owner] = place + 1
        return place

    def _number(self, version_id: int | None, model: int) -> int | str | None:
        if version_id is None:
            return None
        owner, number = self.versions.get(version_id, (None, None))
        return number if owner == model else _ELSEWHERE

    def _prior(self, row: dict[str, Any]) -> tuple[Any, Any] | str | None:
        if row["prior"] is None:
            return None
        prior = self.stays.get(row["prior"])
        if prior is None or (prior["model"], prior["slot"]) != (row["model"], row["slot"]):
            return _ELSEWHERE
        return self._number(prior["version"], row["model"]), prior["epoch"]


def _by_place(expected: dict[Key, Row]) -> dict[Key, Row]:
    """Votes, or comments, by their request and their place among those on it."""
    placed: dict[Key, Row] = {}
    for (request, _), row in sorted(expected.items()):
        place = sum(1 for known, _ in placed if known == request)
        placed[request, place] = row
    return placed


def _check_files(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    manifests: dict[str, list[File]] = {}
    for row in rows.get("file", ()):
        file = File(row["path"], row["sha256"], row["size_bytes"])
        manifests.setdefault(row["manifest"], []).append(file)
    right = {digest for digest, files in manifests.items() if _is_of(digest, files)}
    for key, row in ledger.tables.get("version", {}).items():
        digest = row.values.get("manifest")
        if digest and digest not in right:
            shown = _shown("version", key)
            complain(row.index, f"{shown}: its files are not those of {digest}")


def _is_of(digest: str, files: Iterable[File]) -> bool:
    try:
        return Manifest.of(files).digest == digest
    except ModelkeepError:
        return False


def _check_evidence(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    """Of every decision, that its evidence is what was frozen, and of requests, whom they bar."""
    bundles = {row["digest"]: row["body"] for row in rows.get("evidence", ())}
    authors = {row["id"]: row["authors"] for row in rows.get("request", ())}
    for digest, index in ledger.evidence.items():
        if digest not in bundles or _digest(bundles[digest]) != digest:
            complain(index, f"entry {index}: its evidence is not that of {digest}")
    for key, row in ledger.tables.get("request", {}).items():
        body = bundles.get(row.values.get("evidence"), "null")
        known = _read(body)
        if known and _read(authors.get(key[0])) != known["authors"]:
            complain(row.index, f"request {key[0]}: its authors are not those of its evidence")


def _digest(text: str) -> str:
    """The canonical digest of a JSON text; an empty text if it has none."""
    try:
        return canonical_digest(json.loads(text))
    except (ValueError, RecursionError, ModelkeepError):
        return ""


def _read(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
