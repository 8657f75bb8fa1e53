"""Versions by the logged model that they were registered from: what `registrations` asks for."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

INDEX = """
CREATE INDEX versions_logged_model ON versions (project_id, logged_model_id)
  WHERE logged_model_id IS NOT NULL
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, INDEX, words)
