"""Policies of groups."""

from collections.abc import Iterable

from modelkeep.domain.sharing import ANYBODY
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

    def shared(self, account: str, handle: str | None, limit: int) -> list[SharedGroup]:
        lets = (
            " AND p.model_id IN (SELECT a.model_id FROM group_policy_accounts a"
            " WHERE a.project_id = ? AND a.account IN (?, ?))"
        )
        params: tuple[str | int, ...] = (self._project_id, self._project_id, account, ANYBODY)
        if handle is not None:
            lets, params = f"{lets} AND m.handle = ?", (*params, handle)
        living = f"WHERE p.project_id = ? AND m.deleted_ms IS NULL{lets}"
        rows = self._db.all(
            "SELECT m.id, m.name, p.body FROM group_policies p JOIN models m ON m.id = p.model_id"
            f" {living} ORDER BY m.id LIMIT ?",
            *params,
            limit,
        )
        tagged = self._db.all(
            "SELECT t.model_id, t.key, t.value FROM group_policies p"
            " JOIN models m ON m.id = p.model_id"
            " JOIN model_tags t ON t.project_id = p.project_id AND t.model_id = p.model_id"
            f" {living}",
            *params,
        )
        tags: dict[int, dict[str, str]] = {}
        for model_id, key, value in tagged:
            tags.setdefault(model_id, {})[key] = value
        return [SharedGroup(row[0], row[1], tags.get(row[0], {}), row[2]) for row in rows]

    def put(self, model_id: int, policy: GroupPolicy, accounts: Iterable[str]) -> None:
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
        self._forget_accounts(model_id)
        for account in accounts:
            self._db.later(
                "INSERT INTO group_policy_accounts (project_id, account, model_id)"
                " VALUES (?, ?, ?)",
                self._project_id,
                account,
                model_id,
            )

    def delete(self, model_id: int) -> bool:
        self._forget_accounts(model_id)
        return 0 < self._db.run(
            "DELETE FROM group_policies WHERE project_id = ? AND model_id = ?",
            self._project_id,
            model_id,
        )

    def _forget_accounts(self, model_id: int) -> None:
        self._db.later(
            "DELETE FROM group_policy_accounts WHERE project_id = ? AND model_id = ?",
            self._project_id,
            model_id,
        )
