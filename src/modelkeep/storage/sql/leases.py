"""Leases of tasks."""

from modelkeep.ports.leases import Lease
from modelkeep.storage.sql.connection import Db


class SqlLeases:
    """See `ports.leases.Leases`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def get(self, task: str) -> Lease | None:
        row = self._db.one(
            "SELECT holder, until_ms FROM leases WHERE project_id = ? AND task = ?",
            self._project_id,
            task,
        )
        return Lease(*row) if row else None

    def put(self, task: str, lease: Lease) -> None:
        self._db.later(
            "INSERT INTO leases (project_id, task, holder, until_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, task) DO UPDATE SET holder = excluded.holder,"
            " until_ms = excluded.until_ms",
            self._project_id,
            task,
            lease.holder,
            lease.until_ms,
        )
