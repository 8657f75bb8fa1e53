"""The bytes of small files, beside the rows that name them (docs/decisions/0008)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLE = """
CREATE TABLE small_blobs (
  project_id {int} NOT NULL, sha256 {text} NOT NULL, content {bytes} NOT NULL,
  PRIMARY KEY (project_id, sha256)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLE, words)
