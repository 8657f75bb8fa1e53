"""Who does which task, of the processes over one database."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLE = """
CREATE TABLE leases (
  project_id {int} NOT NULL, task {text} NOT NULL, holder {text} NOT NULL,
  until_ms {int} NOT NULL, PRIMARY KEY (project_id, task)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLE, words)
