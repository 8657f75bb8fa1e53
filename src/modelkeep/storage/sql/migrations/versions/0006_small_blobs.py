"""The bytes of small files, beside the rows that name them (docs/decisions/0008)."""

from alembic import op

from modelkeep.storage.sql.dialects import spelling

revision = "0006"
down_revision = "0005"

TABLE = """
CREATE TABLE small_blobs (
  project_id {int} NOT NULL, sha256 {text} NOT NULL, content {bytes} NOT NULL,
  PRIMARY KEY (project_id, sha256)) {end}
"""


def upgrade() -> None:
    op.execute(TABLE.format_map(spelling(op.get_bind().dialect.name)))
