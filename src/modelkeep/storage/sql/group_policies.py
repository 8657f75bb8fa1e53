"""Policies of groups."""

from modelkeep.ports.sharing import GroupPolicy
from modelkeep.storage.sql.dialects import Db


class SqlGroupPolicies:
    """See `ports.sharing.GroupPolicies`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def get(self, model_id: int) -> GroupPolicy | None:
        row = self._db.one(
            "SELECT body, sha256, set_by, set_ms FROM group_policies"
            " WHERE project_id = ? AND model_id = ?",
            self._project_id,
            model_id,
        )
        return GroupPolicy(*row) if row else None

    def put(self, model_id: int, policy: GroupPolicy) -> None:
        self._db.later(
            "INSERT INTO group_policies (project_id, model_id, body, sha256, set_by, set_ms)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, model_id) DO UPDATE SET"
            " body = excluded.body, sha256 = excluded.sha256, set_by = excluded.set_by,"
            " set_ms = excluded.set_ms",
            self._project_id,
            model_id,
            policy.body,
            policy.sha256,
            policy.set_by,
            policy.set_ms,
        )

    def delete(self, model_id: int) -> bool:
        return 0 < self._db.run(
            "DELETE FROM group_policies WHERE project_id = ? AND model_id = ?",
            self._project_id,
            model_id,
        )
