"""What calls with an idempotency key were answered, for when they come again."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLE = """
CREATE TABLE replies (
  project_id {int} NOT NULL, caller {text} NOT NULL, key {text} NOT NULL, call {text} NOT NULL,
  status {int} NOT NULL, body {text} NOT NULL, created_ms {int} NOT NULL,
  PRIMARY KEY (project_id, caller, key)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLE, words)
    db.run("CREATE INDEX replies_age ON replies (project_id, created_ms)")
