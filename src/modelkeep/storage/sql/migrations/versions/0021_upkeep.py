"""Holds on versions; what garbage collection has marked and deleted; pins that keep it waiting."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE holds (
  id {id}, project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  reason {text} NOT NULL, placed_by {text} NOT NULL, placed_ms {int} NOT NULL,
  released_reason {text} NOT NULL DEFAULT '', released_by {text} NOT NULL DEFAULT '',
  released_ms {int}) {end};
CREATE UNIQUE INDEX holds_version ON holds (project_id, version_id) WHERE released_ms IS NULL;
CREATE TABLE garbage (
  project_id {int} NOT NULL, sha256 {text} NOT NULL, size_bytes {int} NOT NULL,
  since_ms {int} NOT NULL, gone_ms {int}, PRIMARY KEY (project_id, sha256)) {end};
ALTER TABLE small_blobs ADD COLUMN garbage_ms {int};
CREATE TABLE pins (
  project_id {int} NOT NULL, pin {text} NOT NULL, until_ms {int} NOT NULL,
  PRIMARY KEY (project_id, pin)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
