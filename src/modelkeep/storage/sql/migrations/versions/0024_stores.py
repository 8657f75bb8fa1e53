"""Which store the large files lie in."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLE = """
CREATE TABLE stores (
  project_id {int} PRIMARY KEY, place {text} NOT NULL, mark {text} NOT NULL,
  is_marked {int} NOT NULL) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLE, words)
