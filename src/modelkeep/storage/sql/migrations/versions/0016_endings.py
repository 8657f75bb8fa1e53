"""How versions end, and who loads them."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE versions ADD COLUMN state {text} NOT NULL DEFAULT 'active';
ALTER TABLE versions ADD COLUMN ending_reason {text} NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN ending_by {text} NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN ending_ms {int};
ALTER TABLE versions ADD COLUMN replacement {int};
ALTER TABLE versions ADD COLUMN blocks_ms {int};
CREATE INDEX versions_blocks ON versions (project_id, blocks_ms) WHERE blocks_ms IS NOT NULL;
CREATE TABLE loads (
  project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  day {int} NOT NULL, name {text} NOT NULL, kind {text} NOT NULL, verified {int} NOT NULL,
  client {text} NOT NULL, address {text} NOT NULL, count {int} NOT NULL, last_ms {int} NOT NULL,
  told {int} NOT NULL,
  PRIMARY KEY (project_id, version_id, day, name, kind, verified, client, address)) {end};
CREATE INDEX loads_day ON loads (project_id, day)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
