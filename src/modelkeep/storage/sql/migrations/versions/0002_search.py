"""Indexes for searches in a registry of many versions.

A page is read by walking an index in its order, from where the last page ended: over all versions,
or over those of one model, by the time of their update. What was deleted is in neither.
"""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

STATEMENTS = """
DROP INDEX versions_updated;
CREATE INDEX versions_updated ON versions (project_id, updated_ms) WHERE deleted_ms IS NULL;
CREATE INDEX versions_of_model ON versions (project_id, model_id, updated_ms, number)
  WHERE deleted_ms IS NULL
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, STATEMENTS, words)
