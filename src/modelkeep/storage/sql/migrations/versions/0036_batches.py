"""The last batch that each writer of PostgreSQL has stored (docs/decisions/0024)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE batches (
  project_id {int} NOT NULL, writer {text} NOT NULL,
  number {int} NOT NULL, stored_ms {int} NOT NULL,
  PRIMARY KEY (project_id, writer)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
