"""What was brought here from other servers: from where, what it was then, by whom."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLE = """
CREATE TABLE imports (
  project_id {int} NOT NULL, kind {text} NOT NULL, key {text} NOT NULL,
  origin {text} NOT NULL, digest {text} NOT NULL, importer {text} NOT NULL, at_ms {int} NOT NULL,
  PRIMARY KEY (project_id, kind, key)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLE, words)
