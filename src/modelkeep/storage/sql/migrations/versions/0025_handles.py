"""Models by their handles (docs/decisions/0033)."""

from modelkeep.domain.handles import handle_of
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

COLUMN = "ALTER TABLE models ADD COLUMN handle {text} NOT NULL DEFAULT ''"
INDEXES = """
CREATE UNIQUE INDEX models_handle ON models (project_id, handle) WHERE deleted_ms IS NULL;
CREATE INDEX models_created ON models (project_id, created_ms, id) WHERE deleted_ms IS NULL
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, COLUMN, words)
    for model_id, name in db.all("SELECT id, name FROM models"):
        db.later("UPDATE models SET handle = ? WHERE id = ?", handle_of(name), model_id)
    db.settle()
    run_all(db, INDEXES, words)
