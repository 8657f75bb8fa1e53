"""Records of what was brought here from other servers."""

from modelkeep.domain.imports import Brought, Kind, Record
from modelkeep.domain.tracking import ACTIVE
from modelkeep.storage.sql.connection import Db

_RECORD = "SELECT kind, key, origin, digest, importer, at_ms FROM imports WHERE project_id = ?"

_ID = "CAST(i.key AS BIGINT)"
# Of each kind: what is shown of it, the tables that have it, and what tells that it is not deleted.
_HERE = {
    Kind.EXPERIMENT: (
        "t.name, ''",
        f"experiments t ON t.id = {_ID}",
        f"t.lifecycle_stage = '{ACTIVE}'",
    ),
    Kind.RUN: (
        "t.name, CAST(t.experiment_id AS TEXT)",
        "runs t ON t.run_id = i.key",
        f"t.lifecycle_stage = '{ACTIVE}'",
    ),
    Kind.LOGGED_MODEL: (
        "t.name, CAST(t.experiment_id AS TEXT)",
        "logged_models t ON t.model_id = i.key",
        "t.deleted_ms IS NULL",
    ),
    Kind.MODEL: ("t.name, ''", f"models t ON t.id = {_ID}", "t.deleted_ms IS NULL"),
    Kind.VERSION: (
        "CAST(t.number AS TEXT), CAST(t.model_id AS TEXT)",
        f"versions t ON t.id = {_ID}",
        "t.deleted_ms IS NULL",
    ),
}


class SqlImports:
    """See `ports.imports.Imports`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def find(self, kind: str, key: str) -> Record | None:
        row = self._db.one(f"{_RECORD} AND kind = ? AND key = ?", self._project_id, kind, key)
        return Record(*row) if row else None

    def note(self, record: Record) -> None:
        self._db.later(
            "INSERT INTO imports (project_id, kind, key, origin, digest, importer, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, kind, key) DO UPDATE SET"
            " origin = excluded.origin, digest = excluded.digest, at_ms = excluded.at_ms",
            self._project_id,
            record.kind,
            record.key,
            record.origin,
            record.digest,
            record.importer,
            record.at_ms,
        )

    def brought(self, kind: Kind, origin: str, after: str, limit: int) -> list[Brought]:
        shown, joined, is_here = _HERE[kind]
        rows = self._db.all(
            f"SELECT i.key, {shown} FROM imports i"
            f" JOIN {joined} AND t.project_id = i.project_id AND {is_here}"
            " WHERE i.project_id = ? AND i.kind = ? AND i.key > ? AND i.origin = ?"
            " ORDER BY i.key LIMIT ?",
            self._project_id,
            kind.value,
            after,
            origin,
            limit,
        )
        return [Brought(*row) for row in rows]
