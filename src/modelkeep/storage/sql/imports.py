"""Records of what was brought here from other servers."""

from modelkeep.domain.imports import Record
from modelkeep.storage.sql.dialects import Db

_RECORD = "SELECT kind, key, origin, digest, importer, at_ms FROM imports WHERE project_id = ?"


class SqlImports:
    """See `ports.imports.Imports`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def find(self, kind: str, key: str) -> Record | None:
        row = self._db.one(f"{_RECORD} AND kind = ? AND key = ?", self._project_id, kind, key)
        return Record(*row) if row else None

    def note(self, record: Record) -> None:
        self._db.run(
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
