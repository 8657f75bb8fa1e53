"""Tiles of the journal's tree, its checkpoints, and its entries by the request that made them.

Tiles and requests of the entries that are there already are made here, from what they hold.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import text

from modelkeep.storage.sql.dialects import spelling

revision = "0009"
down_revision = "0008"

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


def upgrade() -> None:
    for statement in TABLES.format_map(spelling(op.get_bind().dialect.name)).split(";\n"):
        op.execute(statement)
    hashes = _read_leaves()
    level = 1
    while hashes := [_root(hashes[i : i + WIDTH]) for i in _starts(hashes)]:
        _run(
            "INSERT INTO journal_tiles (project_id, level, idx, hash) VALUES (1, :level, :i, :h)",
            [{"level": level, "i": index, "h": found} for index, found in enumerate(hashes)],
        )
        level += 1


def _read_leaves() -> list[bytes]:
    """The hashes of all entries. What their bodies say of requests goes into its column."""
    hashes: list[bytes] = []
    query = text(
        "SELECT idx, hash, body FROM journal_leaves WHERE project_id = 1 AND idx >= :start"
        " ORDER BY idx LIMIT :page"
    )
    while rows := op.get_bind().execute(query, {"start": len(hashes), "page": PAGE}).all():
        hashes += [bytes(row[1]) for row in rows]
        _run(
            "UPDATE journal_leaves SET request = :req WHERE project_id = 1 AND idx = :i",
            [{"i": row[0], "req": _request(bytes(row[2]))} for row in rows],
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


def _run(sql: str, rows: list[dict[str, Any]]) -> None:
    op.get_bind().execute(text(sql), rows)
