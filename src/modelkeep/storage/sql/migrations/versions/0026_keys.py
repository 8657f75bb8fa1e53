"""Access keys, with their sealed secrets, and signatures that were used (docs/decisions/0034)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE tokens ADD COLUMN sealed {text} NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN account_number {text} NOT NULL DEFAULT '';
CREATE TABLE signatures (
  project_id {int} NOT NULL, signature {text} NOT NULL, seen_ms {int} NOT NULL,
  until_ms {int} NOT NULL, PRIMARY KEY (project_id, signature)) {end};
CREATE INDEX signatures_until ON signatures (project_id, until_ms)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
