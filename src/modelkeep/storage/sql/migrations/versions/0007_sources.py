"""Living versions by the start of their source: what looks for the copies of a version asks for.

The start alone, because PostgreSQL indexes no text of over 2,700 bytes.
"""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

INDEX = """
CREATE INDEX versions_source ON versions (project_id, substr(source, 1, 200))
  WHERE deleted_ms IS NULL
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, INDEX, words)
