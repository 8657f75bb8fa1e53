"""Indexes for searches in a registry of many versions.

A page is read by walking an index in its order, from where the last page ended: over all versions,
or over those of one model, by the time of their update. What was deleted is in neither.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = """
DROP INDEX versions_updated;
CREATE INDEX versions_updated ON versions (project_id, updated_ms) WHERE deleted_ms IS NULL;
CREATE INDEX versions_of_model ON versions (project_id, model_id, updated_ms, number)
  WHERE deleted_ms IS NULL
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
