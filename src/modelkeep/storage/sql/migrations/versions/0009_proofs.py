"""Tiles of the journal's tree, its checkpoints, and its entries by the request that made them.

Tiles and requests of the entries that are there already are made here, from what they hold.
"""

import hashlib
import json
from collections.abc import Sequence

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE journal_leaves ADD COLUMN request {text};
CREATE INDEX journal_requests ON journal_leaves (project_id, request) WHERE request <> '';
CREATE TABLE journal_tiles (
  project_id {int} NOT NULL, level {int} NOT NULL, idx {int} NOT NULL, hash {bytes} NOT NULL,
  PRIMARY KEY (project_id, level, idx)) {end};
CREATE TABLE journal_origins (
  project_id {int} NOT NULL, number {int} NOT NULL, name {text} NOT NULL, vkey {text} NOT NULL,
  opened_ms {int} NOT NULL, PRIMARY KEY (project_id, number), UNIQUE (project_id, name)) {end};
CREATE TABLE checkpoints (
  project_id {int} NOT NULL, origin {int} NOT NULL, size {int} NOT NULL, note {text} NOT NULL,
  at_ms {int} NOT NULL, PRIMARY KEY (project_id, origin, size)) {end}
"""
WIDTH = 256  # as merkle.TILE_WIDTH is; written out, for a step must not change with the code
PAGE = 1 << 14


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
    hashes = _read_leaves(db)
    level = 1
    while hashes := [_root(hashes[i : i + WIDTH]) for i in _starts(hashes)]:
        db.many(
            "INSERT INTO journal_tiles (project_id, level, idx, hash) VALUES (1, ?, ?, ?)",
            [(level, index, found) for index, found in enumerate(hashes)],
        )
        level += 1


def _read_leaves(db: Db) -> list[bytes]:
    """The hashes of all entries. What their bodies say of requests goes into its column."""
    hashes: list[bytes] = []
    query = (
        "SELECT idx, hash, body FROM journal_leaves WHERE project_id = 1 AND idx >= ?"
        " ORDER BY idx LIMIT ?"
    )
    while rows := db.all(query, len(hashes), PAGE):
        hashes += [bytes(row[1]) for row in rows]
        db.many(
            "UPDATE journal_leaves SET request = ? WHERE project_id = 1 AND idx = ?",
            [(_request(bytes(row[2])), row[0]) for row in rows],
        )
    return hashes


def _request(body: bytes) -> str:
    try:
        return str(json.loads(body)["req"])
    except (KeyError, TypeError, ValueError):  # somebody was at it: for a verifier to say
        return ""


def _starts(hashes: Sequence[bytes]) -> range:
    return range(0, len(hashes) - WIDTH + 1, WIDTH)


def _root(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]
