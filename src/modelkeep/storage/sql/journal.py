"""Leaves of the journal, appended once a batch, last before its commit."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import IntegrityFailure
from modelkeep.domain.events import Event, Leaf, encode
from modelkeep.domain.merkle import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Frontier,
    Subtree,
    folded,
    leaf_hash,
)
from modelkeep.ports.journal import Entry
from modelkeep.storage.sql.connection import Db, Row

_encode = msgspec.json.Encoder().encode
_COLUMNS = "idx, at_ms, model_id, body, hash, root, texts, request"


class SqlJournal:
    """The journal's rows. `open` and `close` bracket a batch; `add` is the use cases' pen."""

    def __init__(self, db: Db, project_id: int, project: str) -> None:
        self._db, self._project_id, self._project = db, project_id, project
        self._pending: list[tuple[Leaf, int | None, str]] = []  # leaf, model, request
        self._events: list[tuple[str, dict[str, Any]]] = []  # of each of them: action, grounds
        self._frontier = Frontier()
        self._last_ms = 0
        self.now_ms = 0

    # -- the batch -------------------------------------------------------------------------

    def open(self, clock_ms: int) -> None:
        """Begins a batch: reads the tree's edge, and fixes a moment that is not before it."""
        row = self._db.one(
            "SELECT size, peaks, last_ms FROM journal_state WHERE project_id = ?",
            self._project_id,
        )
        assert row is not None
        self._frontier = Frontier.decode(row[0], row[1])
        self._last_ms = row[2]
        self.now_ms = max(clock_ms, row[2])
        self._pending.clear()
        self._events.clear()

    def add(self, caller: Caller, event: Event, model_id: int | None) -> None:
        leaf = encode(
            event,
            at_ms=self.now_ms,
            project=self._project,
            actor=caller.actor,
            request_id=caller.request_id,
            origin=caller.origin,
        )
        self._pending.append((leaf, model_id, caller.request_id))
        self._events.append((event.action, event.why))

    def next_index(self) -> int:
        return self._frontier.size + len(self._pending)

    def mark(self) -> int:
        return len(self._pending)

    def forget_since(self, mark: int) -> None:
        """Drops the leaves of a use case that did not survive."""
        del self._pending[mark:], self._events[mark:]

    def models(self) -> set[int | None]:
        """The models that the batch's leaves are about; None where one is about no model."""
        return {model_id for _, model_id, _ in self._pending}

    @property
    def events(self) -> Sequence[tuple[str, dict[str, Any]]]:
        """The action and the grounds of each leaf of the batch, until the next one begins."""
        return self._events

    def close(self) -> int:
        """Writes the leaves of the surviving use cases and the tree's new edge.

        Returns how many there were.
        """
        if not self._pending:
            return 0
        rows, tiles, frontier = [], [], self._frontier
        for leaf, model_id, request in self._pending:
            digest = leaf_hash(leaf.body)
            whole = frontier.completed(digest)
            index, frontier = frontier.size, frontier.append(digest)
            rows.append(self._row(index, model_id, request, leaf, digest, frontier.root))
            tiles += [(level, (index + 1 >> TILE_HEIGHT * level) - 1, h) for level, h in whole]
        self._db.many(
            "INSERT INTO journal_leaves"
            " (project_id, idx, at_ms, model_id, request, body, hash, root, texts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        if tiles:
            self._db.many(
                "INSERT INTO journal_tiles (project_id, level, idx, hash) VALUES (?, ?, ?, ?)",
                [(self._project_id, *tile) for tile in tiles],
            )
        self._db.later(
            "UPDATE journal_state SET size = ?, peaks = ?, last_ms = ? WHERE project_id = ?",
            frontier.size,
            frontier.encode(),
            self.now_ms,
            self._project_id,
        )
        self._pending.clear()
        return len(rows)

    def _row(
        self, index: int, model_id: int | None, request: str, leaf: Leaf, digest: bytes, root: bytes
    ) -> Row:
        texts = _encode(leaf.texts).decode()
        return (
            self._project_id, index, self.now_ms, model_id, request, leaf.body, digest, root, texts
        )  # fmt: skip

    def erase(self, index: int, field: str) -> None:
        """Forgets a text beside a leaf that a batch before this one, or this one, has added."""
        row = self._db.one(
            "SELECT texts FROM journal_leaves WHERE project_id = ? AND idx = ?",
            self._project_id,
            index,
        )
        if row is None:
            self._pending[index - self._frontier.size][0].texts.pop(field, None)
            return
        texts = {name: pair for name, pair in _texts(row[0]).items() if name != field}
        self._db.later(
            "UPDATE journal_leaves SET texts = ? WHERE project_id = ? AND idx = ?",
            _encode(texts).decode(),
            self._project_id,
            index,
        )

    # -- reading ---------------------------------------------------------------------------

    def size(self) -> int:
        return self.state()[0]

    def size_ahead(self) -> Callable[[], int]:
        """As `size`, of the same moment as the statement that is waited for next, along with it."""
        sql = "SELECT size FROM journal_state WHERE project_id = ?"
        rows = self._db.ahead(sql, self._project_id)
        return lambda: rows()[0][0]

    def models_since(self, start: int) -> set[int | None]:
        """The models that the entries from an index on are about; None for one about no model."""
        rows = self._db.all(
            "SELECT DISTINCT model_id FROM journal_leaves WHERE project_id = ? AND idx >= ?",
            self._project_id,
            start,
        )
        return {model_id for (model_id,) in rows}

    def state(self) -> tuple[int, bytes]:
        row = self._db.one(
            "SELECT size, peaks FROM journal_state WHERE project_id = ?", self._project_id
        )
        assert row is not None
        return row[0], row[1]

    def entries(self, start: int, limit: int) -> list[Entry]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM journal_leaves"
            " WHERE project_id = ? AND idx >= ? ORDER BY idx LIMIT ?",
            self._project_id,
            start,
            limit,
        )
        return [_entry(row) for row in rows]

    def of_model(self, model_id: int, before: int | None, limit: int) -> list[Entry]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM journal_leaves WHERE project_id = ? AND model_id = ?"
            " AND idx < ? ORDER BY idx DESC LIMIT ?",
            self._project_id,
            model_id,
            before if before is not None else 2**62,
            limit,
        )
        return [_entry(row) for row in rows]

    def of_request(self, request: str, limit: int) -> list[Entry]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM journal_leaves WHERE project_id = ? AND request = ?"
            " AND request <> '' ORDER BY idx DESC LIMIT ?",
            self._project_id,
            request,
            limit,
        )
        return [_entry(row) for row in rows]

    def subtrees(self, wanted: Collection[Subtree]) -> dict[Subtree, bytes]:
        by_tile: dict[Subtree, list[Subtree]] = defaultdict(list)
        for level, index in wanted:
            height = level % TILE_HEIGHT
            tile = (level // TILE_HEIGHT, (index << height) // TILE_WIDTH)
            by_tile[tile].append((level, index))
        found: dict[Subtree, bytes] = {}
        for (tile_level, number), subtrees in by_tile.items():
            hashes = self.tile(tile_level, number)
            for level, index in subtrees:
                width = 1 << level % TILE_HEIGHT
                start = index * width % TILE_WIDTH
                below = hashes[start : start + width]
                if len(below) < width:
                    raise IntegrityFailure("The journal lacks entries that its tree counts.")
                found[level, index] = folded(below)
        return found

    def tile(self, level: int, number: int) -> list[bytes]:
        first = number * TILE_WIDTH
        table, which = ("journal_tiles", "level = ? AND ") if level else ("journal_leaves", "")
        rows = self._db.all(
            f"SELECT idx, hash FROM {table} WHERE project_id = ? AND {which}idx >= ? AND idx < ?"
            " ORDER BY idx",
            self._project_id,
            *([level] if level else []),
            first,
            first + TILE_WIDTH,
        )
        # Behind a gap nothing is at its place.
        return [bytes(row[1]) for place, row in enumerate(rows) if row[0] == first + place]

    def tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for kind, sql in _TABLES.items():
            names, query = sql
            for row in self._db.all(query, self._project_id):
                yield kind, dict(zip(names, row, strict=True))


def _entry(row: Row) -> Entry:
    index, at_ms, model_id, body, digest, root, texts, request = row
    return Entry(
        index, at_ms, model_id, bytes(body), bytes(digest), bytes(root), _texts(texts), request
    )


def _texts(stored: str) -> dict[str, tuple[str, str]]:
    """The texts beside a leaf; if somebody made them unreadable, that is for a verifier to say."""
    try:
        return msgspec.json.decode(stored, type=dict[str, tuple[str, str]])
    except msgspec.DecodeError:
        return {"unreadable": ("", stored)}


# What the journal also says, so that a verifier can hold the two against each other.
# fmt: off
_TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "model": (
        ("id", "name", "description", "deleted"),
        "SELECT id, name, description, deleted_ms IS NOT NULL FROM models"
        " WHERE project_id = ? ORDER BY id",
    ),
    "model_name": (
        ("model", "name", "from_ms", "until_ms"),
        "SELECT model_id, name, from_ms, until_ms FROM model_names"
        " WHERE project_id = ? ORDER BY model_id, from_ms, name",
    ),
    "model_tag": (
        ("model", "key", "value"),
        "SELECT model_id, key, value FROM model_tags WHERE project_id = ? ORDER BY model_id, key",
    ),
    "version": (
        ("id", "model", "number", "source", "manifest", "stage", "description", "deleted",
         "author", "run", "logged_model", "semver", "semver_fixed", "state", "ending_reason",
         "ending_by", "ending_ms", "replacement", "blocks_ms"),
        "SELECT v.id, v.model_id, v.number, v.source, m.digest, v.stage, v.description,"
        " v.deleted_ms IS NOT NULL, v.author, v.run_id, v.logged_model_id,"
        " v.semver_major || '.' || v.semver_minor || '.' || v.semver_patch, v.semver_fixed,"
        " v.state, v.ending_reason, v.ending_by, v.ending_ms, v.replacement, v.blocks_ms"
        " FROM versions v LEFT JOIN manifests m ON m.id = v.manifest_id"
        " WHERE v.project_id = ? ORDER BY v.id",
    ),
    "version_tag": (
        ("version", "key", "value"),
        "SELECT version_id, key, value FROM version_tags WHERE project_id = ?"
        " ORDER BY version_id, key",
    ),
    "imported_version": (
        ("version", "importer"),
        "SELECT key, importer FROM imports WHERE project_id = ? AND kind = 'version' ORDER BY key",
    ),
    "version_hand": (
        ("version", "name", "deed"),
        "SELECT v.id, h.name, h.deed FROM hands h JOIN versions v"
        " ON v.project_id = h.project_id AND h.subject = CAST(v.id AS text)"
        " WHERE h.project_id = ? AND h.kind = 'version' ORDER BY h.id",
    ),
    "file": (
        ("manifest", "path", "sha256", "size_bytes"),
        "SELECT m.digest, f.path, f.sha256, f.size_bytes FROM manifest_files f"
        " JOIN manifests m ON m.id = f.manifest_id WHERE f.project_id = ? ORDER BY m.id, f.path",
    ),
    "evidence": (
        ("digest", "body"),
        "SELECT digest, body FROM evidence WHERE project_id = ? ORDER BY id",
    ),
    "paper": (
        ("version", "name", "revision", "media_type", "sha256", "size_bytes", "author", "body"),
        "SELECT version_id, name, revision, media_type, sha256, size_bytes, author, body"
        " FROM papers WHERE project_id = ? ORDER BY id",
    ),
    "resource": (
        ("id", "kind", "name", "revision", "deleted"),
        "SELECT id, kind, name, revision, deleted_ms IS NOT NULL FROM resources"
        " WHERE project_id = ? ORDER BY id",
    ),
    "resource_revision": (
        ("resource", "revision", "status", "sha256", "author", "body"),
        "SELECT resource_id, revision, status, sha256, author, body FROM resource_revisions"
        " WHERE project_id = ? ORDER BY resource_id, revision",
    ),
    "resource_tag": (
        ("resource", "key", "value"),
        "SELECT resource_id, key, value FROM resource_tags WHERE project_id = ?"
        " ORDER BY resource_id, key",
    ),
    "group_policy": (
        ("model", "sha256", "author", "body"),
        "SELECT model_id, sha256, set_by, body FROM group_policies WHERE project_id = ?"
        " ORDER BY model_id",
    ),
    "slot": (
        ("model", "slot", "epoch", "holder"),
        "SELECT model_id, kind || ':' || name, epoch, version_id FROM slots"
        " WHERE project_id = ? ORDER BY id",
    ),
    "stay": (
        ("id", "model", "slot", "version", "epoch", "until_epoch", "from_ms", "until_ms",
         "approved", "prior"),
        "SELECT o.id, s.model_id, s.kind || ':' || s.name, o.version_id, o.epoch, o.until_epoch,"
        " o.from_ms, o.until_ms, o.approved, o.prior_id FROM occupancies o"
        " LEFT JOIN slots s ON s.id = o.slot_id WHERE o.project_id = ? ORDER BY o.id",
    ),
    "policy": (
        ("revision", "digest", "document", "source"),
        "SELECT revision, digest, document, source FROM policies"
        " WHERE project_id = ? ORDER BY revision",
    ),
    "request": (
        ("id", "version", "source", "target", "status", "subject", "evidence", "policy",
         "requested_by", "lent_by", "authors", "reason", "archive_existing", "returns_to", "epoch",
         "expires_ms", "reminded_ms"),
        "SELECT id, version_id, source, target, status, subject, evidence_digest, policy_digest,"
        " requested_by, lent_by, authors, reason, archive_existing, returns_to, epoch, expires_ms,"
        " reminded_ms FROM requests WHERE project_id = ? ORDER BY id",
    ),
    "vote": (
        ("request", "name", "verdict", "comment"),
        "SELECT request_id, name, verdict, comment FROM votes WHERE project_id = ? ORDER BY id",
    ),
    "comment": (
        ("request", "name", "text"),
        "SELECT request_id, name, text FROM comments WHERE project_id = ? ORDER BY id",
    ),
    "emergency": (
        ("id", "version", "target", "opened_by", "reason", "due_ms", "status", "reviewed_by",
         "review"),
        "SELECT id, version_id, target, opened_by, reason, due_ms, status, reviewed_by, review"
        " FROM emergencies WHERE project_id = ? ORDER BY id",
    ),
    "hold": (
        ("id", "version", "reason", "placed_by", "released_reason", "released_by"),
        "SELECT id, version_id, reason, placed_by, released_reason, released_by FROM holds"
        " WHERE project_id = ? ORDER BY id",
    ),
    "account": (
        ("id", "name", "kind", "owner", "password", "password_by", "reset_ms", "disabled",
         "deleted"),
        "SELECT id, name, kind, owner_id, password IS NOT NULL, password_by, reset_ms,"
        " disabled_ms IS NOT NULL, deleted_ms IS NOT NULL FROM accounts"
        " WHERE project_id = ? ORDER BY id",
    ),
    "token": (
        ("token", "account", "kind", "label", "lent_by", "digest", "expires_ms", "account_number",
         "revoked"),
        "SELECT token_id, account_id, kind, label, lent_by, digest, expires_ms, account_number,"
        " revoked_ms IS NOT NULL FROM tokens WHERE project_id = ? ORDER BY id",
    ),
    "grant": (
        ("account", "role", "scope"),
        "SELECT account_id, role, scope FROM role_grants WHERE project_id = ? ORDER BY id",
    ),
    "origin": (
        ("number", "name", "vkey", "opened_ms"),
        # The first is nobody's change; every later one was asked for.
        "SELECT number, name, vkey, opened_ms FROM journal_origins"
        " WHERE project_id = ? AND number > 1 ORDER BY number",
    ),
    "webhook": (
        ("webhook", "name", "url", "topics", "description", "status", "signed", "deleted",
         "sns_topic", "terms"),
        "SELECT webhook_id, name, url, topics, description, status, sealed IS NOT NULL,"
        " deleted_ms IS NOT NULL, sns_topic, terms FROM webhooks WHERE project_id = ?"
        " ORDER BY id",
    ),
    "rule": (
        ("rule", "pattern", "state", "targets", "description"),
        "SELECT arn, pattern, state, targets, description FROM event_rules"
        " WHERE project_id = ? ORDER BY id",
    ),
    "topic": (
        ("topic", "signature_version", "display_name"),
        "SELECT arn, signature_version, display_name FROM sns_topics WHERE project_id = ?"
        " ORDER BY id",
    ),
    "stamp": (
        ("stamp", "certificate"),
        "SELECT stamp_id, certificate FROM sns_stamps WHERE project_id = ? ORDER BY id",
    ),
}
# fmt: on
