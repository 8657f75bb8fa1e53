"""What was brought here from other servers: from where, what it was then, by whom."""

from alembic import op

from modelkeep.storage.sql.dialects import spelling

revision = "0003"
down_revision = "0002"

TABLE = """
CREATE TABLE imports (
  project_id {int} NOT NULL, kind {text} NOT NULL, key {text} NOT NULL,
  origin {text} NOT NULL, digest {text} NOT NULL, importer {text} NOT NULL, at_ms {int} NOT NULL,
  PRIMARY KEY (project_id, kind, key)) {end}
"""


def upgrade() -> None:
    op.execute(TABLE.format_map(spelling(op.get_bind().dialect.name)))
