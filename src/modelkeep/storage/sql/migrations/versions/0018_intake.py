"""Bytes that did not come through the server: what landed in the store and is to be hashed, what is
taken in from other stores, and how far the registration of a version has come."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE versions ADD COLUMN status {text} NOT NULL DEFAULT 'READY';
ALTER TABLE versions ADD COLUMN status_message {text} NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN location {text};
CREATE INDEX versions_unheld ON versions (project_id, substr(coalesce(location, source), 1, 400))
  WHERE manifest_id IS NULL AND deleted_ms IS NULL;
CREATE TABLE arrivals (
  id {id}, project_id {int} NOT NULL, path {text} NOT NULL, object_key {text} NOT NULL,
  size_bytes {int} NOT NULL, attempts {int} NOT NULL, due_ms {int}, ended_ms {int},
  UNIQUE (project_id, object_key)) {end};
CREATE INDEX arrivals_due ON arrivals (project_id, due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE intakes (
  project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  attempts {int} NOT NULL, due_ms {int}, note {text} NOT NULL,
  PRIMARY KEY (project_id, version_id)) {end};
CREATE INDEX intakes_due ON intakes (project_id, due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE pending_files (
  project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  path {text} NOT NULL, sha256 {text} NOT NULL, size_bytes {int} NOT NULL, etag {text} NOT NULL,
  PRIMARY KEY (project_id, version_id, path)) {end};
CREATE INDEX pending_files_arrival ON pending_files (project_id, sha256)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
