"""Policies of groups."""

from modelkeep.ports.sharing import GroupPolicy, SharedGroup
from modelkeep.storage.sql.connection import Db


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

    def shared(self, handle: str | None, limit: int) -> list[SharedGroup]:
        of_one, params = (" AND m.handle = ?", (handle,)) if handle is not None else ("", ())
        rows = self._db.all(
            "SELECT m.id, m.name, p.body FROM group_policies p JOIN models m ON m.id = p.model_id"
            f" WHERE p.project_id = ? AND m.deleted_ms IS NULL{of_one} ORDER BY m.id LIMIT ?",
            self._project_id,
            *params,
            limit,
        )
        tagged = self._db.all(
            "SELECT t.model_id, t.key, t.value FROM group_policies p"
            " JOIN models m ON m.id = p.model_id"
            " JOIN model_tags t ON t.project_id = p.project_id AND t.model_id = p.model_id"
            f" WHERE p.project_id = ? AND m.deleted_ms IS NULL{of_one}",
            self._project_id,
            *params,
        )
        tags: dict[int, dict[str, str]] = {}
        for model_id, key, value in tagged:
            tags.setdefault(model_id, {})[key] = value
        return [SharedGroup(row[0], row[1], tags.get(row[0], {}), row[2]) for row in rows]

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
