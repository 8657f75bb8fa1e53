"""Records of what was brought here from other servers."""

from collections.abc import Sequence

from modelkeep.domain.imports import Record
from modelkeep.storage.sql.dialects import Db
from modelkeep.storage.sql.search import any_of

_RECORD = "SELECT kind, key, origin, digest, importer, at_ms FROM imports WHERE project_id = ?"


class SqlImports:
    """See `ports.imports.Imports`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def find(self, kind: str, key: str) -> Record | None:
        return self.known(kind, [key]).get(key)

    def known(self, kind: str, keys: Sequence[str]) -> dict[str, Record]:
        wanted = any_of("key", keys)
        rows = self._db.all(
            f"{_RECORD} AND kind = ? AND {wanted.sql}", self._project_id, kind, *wanted.params
        )
        return {row[1]: Record(*row) for row in rows}

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
