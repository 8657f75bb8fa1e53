"""Versions by the logged model that they were registered from: what `registrations` asks for."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX versions_logged_model ON versions (project_id, logged_model_id)"
        " WHERE logged_model_id IS NOT NULL"
    )
