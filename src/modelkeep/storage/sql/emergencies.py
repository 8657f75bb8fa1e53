"""Promotions past the gates, and their reviews."""

import json
from collections.abc import Sequence

from modelkeep.domain.emergencies import Emergency, Status
from modelkeep.storage.sql.connection import Db, Row

_COLUMNS = (
    "e.id, e.version_id, e.target, e.opened_by, e.reason, e.decision, e.opened_ms, e.due_ms,"
    " e.status, e.reviewed_by, e.review, e.reviewed_ms"
)


class SqlEmergencies:
    """See `ports.emergencies.Emergencies`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, draft: Emergency) -> int:
        row = self._db.one(
            "INSERT INTO emergencies (project_id, version_id, target, opened_by, reason, decision,"
            " opened_ms, due_ms, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            self._project_id,
            draft.version_id,
            draft.target,
            draft.opened_by,
            draft.reason,
            json.dumps(draft.decision),
            draft.opened_ms,
            draft.due_ms,
            draft.status.value,
        )
        assert row is not None
        return row[0]

    def get(self, emergency_id: int) -> Emergency | None:
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM emergencies e WHERE e.project_id = ? AND e.id = ?",
            self._project_id,
            emergency_id,
        )
        return _emergency(row) if row else None

    def listing(self, statuses: Sequence[Status], limit: int) -> list[Emergency]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM emergencies e WHERE e.project_id = ?"
            f" AND e.status IN ({_marks(statuses)}) ORDER BY e.id DESC LIMIT ?",
            self._project_id,
            *(status.value for status in statuses),
            limit,
        )
        return [_emergency(row) for row in rows]

    def lapsed(self, now_ms: int, limit: int) -> list[Emergency]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM emergencies e WHERE e.project_id = ? AND e.status = ?"
            " AND e.due_ms <= ? ORDER BY e.id LIMIT ?",
            self._project_id,
            Status.OPEN.value,
            now_ms,
            limit,
        )
        return [_emergency(row) for row in rows]

    def of_model(self, model_id: int, statuses: Sequence[Status]) -> list[Emergency]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM emergencies e JOIN versions v ON v.id = e.version_id"
            f" WHERE v.project_id = ? AND v.model_id = ? AND e.status IN ({_marks(statuses)})"
            " ORDER BY e.id",
            self._project_id,
            model_id,
            *(status.value for status in statuses),
        )
        return [_emergency(row) for row in rows]

    def review(
        self, emergency_id: int, status: Status, name: str = "", text: str = "", at_ms: int = 0
    ) -> None:
        self._db.later(
            "UPDATE emergencies SET status = ?, reviewed_by = ?, review = ?, reviewed_ms = ?"
            " WHERE id = ?",
            status.value,
            name,
            text,
            at_ms if name else None,
            emergency_id,
        )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _emergency(row: Row) -> Emergency:
    return Emergency(
        id=row[0],
        version_id=row[1],
        target=row[2],
        opened_by=row[3],
        reason=row[4],
        decision=json.loads(row[5]),
        opened_ms=row[6],
        due_ms=row[7],
        status=Status(row[8]),
        reviewed_by=row[9],
        review=row[10],
        reviewed_ms=row[11],
    )
