"""Holds on versions."""

from modelkeep.ports.holds import Hold
from modelkeep.storage.sql.connection import Db

_HOLD = (
    "SELECT h.id, h.version_id, h.reason, h.placed_by, h.placed_ms, h.released_reason,"
    " h.released_by, h.released_ms FROM holds h"
)


class SqlHolds:
    """See `ports.holds.Holds`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, version_id: int, reason: str, by: str, at_ms: int) -> int:
        row = self._db.one(
            "INSERT INTO holds (project_id, version_id, reason, placed_by, placed_ms)"
            " VALUES (?, ?, ?, ?, ?) RETURNING id",
            self._project_id,
            version_id,
            reason,
            by,
            at_ms,
        )
        assert row is not None
        return row[0]

    def of_version(self, version_id: int) -> Hold | None:
        row = self._db.one(
            f"{_HOLD} WHERE h.project_id = ? AND h.version_id = ? AND h.released_ms IS NULL",
            self._project_id,
            version_id,
        )
        return Hold(*row) if row else None

    def of_model(self, model_id: int) -> list[Hold]:
        rows = self._db.all(
            f"{_HOLD} JOIN versions v ON v.id = h.version_id"
            " WHERE h.project_id = ? AND v.model_id = ? AND h.released_ms IS NULL ORDER BY h.id",
            self._project_id,
            model_id,
        )
        return [Hold(*row) for row in rows]

    def listing(self, limit: int) -> list[Hold]:
        rows = self._db.all(
            f"{_HOLD} WHERE h.project_id = ? AND h.released_ms IS NULL ORDER BY h.id DESC LIMIT ?",
            self._project_id,
            limit,
        )
        return [Hold(*row) for row in rows]

    def release(self, hold_id: int, reason: str, by: str, at_ms: int) -> None:
        self._db.run(
            "UPDATE holds SET released_reason = ?, released_by = ?, released_ms = ? WHERE id = ?",
            reason,
            by,
            at_ms,
            hold_id,
        )
