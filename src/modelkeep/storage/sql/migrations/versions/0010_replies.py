"""What calls with an idempotency key were answered, for when they come again."""

from alembic import op

from modelkeep.storage.sql.dialects import spelling

revision = "0010"
down_revision = "0009"

TABLE = """
CREATE TABLE replies (
  project_id {int} NOT NULL, caller {text} NOT NULL, key {text} NOT NULL, call {text} NOT NULL,
  status {int} NOT NULL, body {text} NOT NULL, created_ms {int} NOT NULL,
  PRIMARY KEY (project_id, caller, key)) {end}
"""


def upgrade() -> None:
    op.execute(TABLE.format_map(spelling(op.get_bind().dialect.name)))
    op.execute("CREATE INDEX replies_age ON replies (project_id, created_ms)")
