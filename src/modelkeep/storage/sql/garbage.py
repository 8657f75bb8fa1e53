"""Marks on what no row names, and what became of it."""

from collections.abc import Callable, Sequence

from modelkeep.ports.blobs import Stored
from modelkeep.ports.garbage import Folder, Mark
from modelkeep.storage.sql.connection import Db

_TABLES = {"run": "runs", "logged model": "logged_models"}


class SqlGarbage:
    """See `ports.garbage.Garbage`."""

    def __init__(self, db: Db, project_id: int, now_ms: Callable[[], int]) -> None:
        self._db, self._project_id, self._now_ms = db, project_id, now_ms

    def pins(self) -> list[str]:
        rows = self._db.all(
            "SELECT pin FROM pins WHERE project_id = ? AND until_ms > ? ORDER BY pin",
            self._project_id,
            self._now_ms(),
        )
        return [row[0] for row in rows]

    def mark_of(self, sha256: str) -> Mark | None:
        row = self._db.one(
            "SELECT sha256, since_ms, gone_ms FROM garbage WHERE project_id = ? AND sha256 = ?",
            self._project_id,
            sha256,
        )
        return Mark(*row) if row else None

    def mark(self, blobs: Sequence[Stored]) -> None:
        self._put(blobs, None)

    def unmark(self, sha256s: Sequence[str]) -> None:
        among, names = self._db.among(sha256s)
        self._db.run(
            f"DELETE FROM garbage WHERE project_id = ? AND sha256 {among}", self._project_id, *names
        )

    def doom(self, sha256s: Sequence[str], before_ms: int, gone_ms: int) -> list[Stored]:
        among, names = self._db.among(sha256s)
        rows = self._db.all(
            "UPDATE garbage SET gone_ms = ? WHERE project_id = ? AND since_ms <= ?"
            f" AND gone_ms IS NULL AND sha256 {among} RETURNING sha256, size_bytes",
            gone_ms,
            self._project_id,
            before_ms,
            *names,
        )
        return [Stored(*row) for row in sorted(rows)]

    def gone(self, sha256s: Sequence[str]) -> None:
        among, names = self._db.among(sha256s)
        self._db.run(
            f"UPDATE garbage SET gone_ms = ? WHERE project_id = ? AND sha256 {among}",
            self._now_ms(),
            self._project_id,
            *names,
        )

    def mark_small(self, sha256s: Sequence[str]) -> None:
        among, names = self._db.among(sha256s)
        self._db.run(
            "UPDATE small_blobs SET garbage_ms = ? WHERE project_id = ? AND garbage_ms IS NULL"
            f" AND sha256 {among}",
            self._now_ms(),
            self._project_id,
            *names,
        )

    def delete_small(self, sha256s: Sequence[str], before_ms: int) -> list[Stored]:
        among, names = self._db.among(sha256s)
        rows = self._db.all(
            "DELETE FROM small_blobs WHERE project_id = ? AND garbage_ms <= ?"
            f" AND sha256 {among} RETURNING sha256, length(content)",
            self._project_id,
            before_ms,
            *names,
        )
        deleted = [Stored(*row) for row in sorted(rows)]
        self._put(deleted, self._now_ms())
        return deleted

    def is_deleted(self, folder: Folder, before_ms: int) -> bool:
        row = self._db.one(
            f"SELECT 1 FROM {_TABLES[folder.kind]} WHERE id = ? AND deleted_ms <= ?",
            folder.id,
            before_ms,
        )
        return row is not None

    def _put(self, blobs: Sequence[Stored], gone_ms: int | None) -> None:
        self._db.many(
            "INSERT INTO garbage (project_id, sha256, size_bytes, since_ms, gone_ms)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (project_id, sha256) DO UPDATE SET"
            " since_ms = excluded.since_ms, gone_ms = excluded.gone_ms",
            [(self._project_id, b.sha256, b.size_bytes, self._now_ms(), gone_ms) for b in blobs],
        )
