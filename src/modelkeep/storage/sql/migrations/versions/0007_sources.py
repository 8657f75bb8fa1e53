"""Living versions by the start of their source: what looks for the copies of a version asks for.

The start alone, because PostgreSQL indexes no text of over 2,700 bytes.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX versions_source ON versions (project_id, substr(source, 1, 200))"
        " WHERE deleted_ms IS NULL"
    )
