"""The semantic version of every version (docs/decisions/0015).

Those that are here already get their number as the major one: nobody compared them. The journal,
which says nothing of it, is played back the same way (`domain/ledger.py`).
"""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words


def upgrade(db: Db, words: Words) -> None:
    kind = words["int"]
    for part in ("major", "minor", "patch", "fixed"):
        db.run(f"ALTER TABLE versions ADD COLUMN semver_{part} {kind} NOT NULL DEFAULT 0")
    db.run("UPDATE versions SET semver_major = number")
    db.run(
        "CREATE UNIQUE INDEX versions_semver ON versions"
        " (project_id, model_id, semver_major, semver_minor, semver_patch)"
    )
