"""Answers to calls with an idempotency key."""

from modelkeep.ports.replies import Claim, Reply
from modelkeep.storage.sql.connection import Db


class SqlReplies:
    """See `ports.replies.Replies`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def find(self, caller: str, key: str, since_ms: int) -> tuple[str, Reply] | None:
        row = self._db.one(
            "SELECT call, status, body FROM replies"
            " WHERE project_id = ? AND caller = ? AND key = ? AND created_ms >= ?",
            self._project_id,
            caller,
            key,
            since_ms,
        )
        return (row[0], Reply(row[1], row[2])) if row else None

    def keep(self, claim: Claim, reply: Reply, now_ms: int) -> None:
        self._db.later(
            "INSERT INTO replies (project_id, caller, key, call, status, body, created_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, caller, key) DO UPDATE SET"
            " call = excluded.call, status = excluded.status, body = excluded.body,"
            " created_ms = excluded.created_ms",
            self._project_id,
            claim.caller,
            claim.key,
            claim.call,
            reply.status,
            reply.body,
            now_ms,
        )

    def sweep(self, before_ms: int, limit: int) -> int:
        return self._db.run(
            "DELETE FROM replies WHERE project_id = ? AND (caller, key) IN (SELECT caller, key"
            " FROM replies WHERE project_id = ? AND created_ms < ? ORDER BY created_ms LIMIT ?)",
            self._project_id,
            self._project_id,
            before_ms,
            limit,
        )
