"""The documents of versions, and the roles that a vote was cast with."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE papers (
  id {id}, project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  name {text} NOT NULL, revision {int} NOT NULL, media_type {text} NOT NULL, sha256 {text} NOT NULL,
  size_bytes {int} NOT NULL, body {text} NOT NULL, author {text} NOT NULL,
  attached_ms {int} NOT NULL, UNIQUE (project_id, version_id, name, revision)) {end};
ALTER TABLE votes ADD COLUMN roles {text} NOT NULL DEFAULT ''
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
