"""The semantic version of every version (docs/decisions/0015).

Those that are here already get their number as the major one: nobody compared them. The journal,
which says nothing of it, is played back the same way (`domain/ledger.py`).
"""

from alembic import op

from modelkeep.storage.sql.dialects import spelling

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    kind = spelling(op.get_bind().dialect.name)["int"]
    for part in ("major", "minor", "patch", "fixed"):
        op.execute(f"ALTER TABLE versions ADD COLUMN semver_{part} {kind} NOT NULL DEFAULT 0")
    op.execute("UPDATE versions SET semver_major = number")
    op.execute(
        "CREATE UNIQUE INDEX versions_semver ON versions"
        " (project_id, model_id, semver_major, semver_minor, semver_patch)"
    )
