"""Signatures under which something was changed, for as long as they could be used again."""

from modelkeep.storage.sql.connection import Db


class SqlSignatures:
    """See `ports.signatures.Signatures`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def first_seen(self, signature: str, now_ms: int, until_ms: int) -> int:
        row = self._db.one(
            "INSERT INTO signatures (project_id, signature, seen_ms, until_ms)"
            " VALUES (?, ?, ?, ?) ON CONFLICT (project_id, signature)"
            " DO UPDATE SET until_ms = excluded.until_ms RETURNING seen_ms",
            self._project_id,
            signature,
            now_ms,
            until_ms,
        )
        assert row is not None
        return row[0]

    def sweep(self, before_ms: int, limit: int) -> int:
        return self._db.run(
            "DELETE FROM signatures WHERE project_id = ? AND signature IN (SELECT signature"
            " FROM signatures WHERE project_id = ? AND until_ms < ? ORDER BY until_ms LIMIT ?)",
            self._project_id,
            self._project_id,
            before_ms,
            limit,
        )
