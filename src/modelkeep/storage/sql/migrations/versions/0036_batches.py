"""The last batch that each writer of PostgreSQL has stored (docs/decisions/0024)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE batches (
  writer {text} PRIMARY KEY, number {int} NOT NULL, stored_ms {int} NOT NULL) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
