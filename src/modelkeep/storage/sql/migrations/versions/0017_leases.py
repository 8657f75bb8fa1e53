"""Who does which task, of the processes over one database."""

from alembic import op

from modelkeep.storage.sql.dialects import spelling

revision = "0017"
down_revision = "0016"

TABLE = """
CREATE TABLE leases (
  project_id {int} NOT NULL, task {text} NOT NULL, holder {text} NOT NULL,
  until_ms {int} NOT NULL, PRIMARY KEY (project_id, task)) {end}
"""


def upgrade() -> None:
    op.execute(TABLE.format_map(spelling(op.get_bind().dialect.name)))
