"""What is to be hashed or taken in, and the trees of the versions that wait for it."""

from collections.abc import Sequence

from modelkeep.domain.manifests import File
from modelkeep.domain.stores import Place
from modelkeep.ports.intake import Arrival, Intake
from modelkeep.storage.sql.connection import Db

_START = 400  # characters of an address that are indexed
_WHERE = f"substr(coalesce(location, source), 1, {_START})"
_ARRIVAL = "SELECT id, path, object_key, size_bytes, attempts FROM arrivals"


class SqlIntakes:
    """See `ports.intake.Intakes`. All but the reads run in the one writer: a lease that is read and
    then written is nobody else's in between."""

    def __init__(self, db: Db, project_id: int, places: tuple[Place, ...] = ()) -> None:
        self._db, self._project_id, self.places = db, project_id, places

    # -- arrivals --------------------------------------------------------------------------

    def land(self, path: str, key: str, size_bytes: int, at_ms: int) -> int | None:
        row = self._db.one(
            "INSERT INTO arrivals (project_id, path, object_key, size_bytes, attempts, due_ms)"
            " VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (project_id, object_key) DO NOTHING"
            " RETURNING id",
            self._project_id,
            path,
            key,
            size_bytes,
            at_ms,
        )
        return row[0] if row else None

    def is_open(self, arrival_id: int) -> bool:
        row = self._db.one("SELECT due_ms FROM arrivals WHERE id = ?", arrival_id)
        return row is not None and row[0] is not None

    def lease_arrivals(self, now_ms: int, until_ms: int, limit: int) -> list[Arrival]:
        rows = self._db.all(
            f"{_ARRIVAL} WHERE project_id = ? AND due_ms <= ? ORDER BY due_ms, id LIMIT ?",
            self._project_id,
            now_ms,
            limit,
        )
        for row in rows:
            self._db.run(
                "UPDATE arrivals SET due_ms = ?, attempts = attempts + 1 WHERE id = ?",
                until_ms,
                row[0],
            )
        return [Arrival(*row) for row in rows]

    def put_off_arrival(self, arrival_id: int, due_ms: int) -> None:
        self._db.run("UPDATE arrivals SET due_ms = ? WHERE id = ?", due_ms, arrival_id)

    def end_arrival(self, arrival_id: int, at_ms: int) -> None:
        self._db.run(
            "UPDATE arrivals SET due_ms = NULL, ended_ms = ? WHERE id = ?", at_ms, arrival_id
        )

    def has_landed(self, key: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM arrivals WHERE project_id = ? AND object_key = ?", self._project_id, key
        )
        return row is not None

    def prune(self, before_ms: int) -> None:
        self._db.run(
            "DELETE FROM arrivals WHERE project_id = ? AND ended_ms < ?",
            self._project_id,
            before_ms,
        )

    def known_keys(self, keys: Sequence[str]) -> frozenset[str]:
        among, some = self._db.among(keys)
        rows = self._db.all(
            f"SELECT object_key FROM arrivals WHERE project_id = ? AND due_ms IS NOT NULL"
            f" AND object_key {among}",
            self._project_id,
            *some,
        )
        return frozenset(row[0] for row in rows)

    # -- intakes ---------------------------------------------------------------------------

    def find(self, low: str, high: str, limit: int) -> list[int]:
        rows = self._db.all(
            "SELECT id FROM versions v WHERE project_id = ? AND manifest_id IS NULL"
            " AND deleted_ms IS NULL"
            f" AND {_WHERE} >= ? AND {_WHERE} < ?"
            " AND NOT EXISTS (SELECT 1 FROM intakes i"
            " WHERE i.project_id = v.project_id AND i.version_id = v.id) LIMIT ?",
            self._project_id,
            low[:_START],
            high[:_START],
            limit,
        )
        return [row[0] for row in rows]

    def open(self, version_id: int, at_ms: int) -> None:
        self._db.run(
            "INSERT INTO intakes (project_id, version_id, attempts, due_ms, note)"
            " VALUES (?, ?, 0, ?, '') ON CONFLICT (project_id, version_id) DO NOTHING",
            self._project_id,
            version_id,
            at_ms,
        )

    def pass_over(self, version_id: int, at_ms: int) -> None:
        self.open(version_id, at_ms)
        self.put_off_intake(version_id, None, "a label of another account's")

    def is_due(self, now_ms: int) -> bool:
        row = self._db.one(
            "SELECT EXISTS (SELECT 1 FROM arrivals WHERE project_id = ? AND due_ms <= ?)"
            " OR EXISTS (SELECT 1 FROM intakes WHERE project_id = ? AND due_ms <= ?)",
            self._project_id,
            now_ms,
            self._project_id,
            now_ms,
        )
        assert row is not None
        return bool(row[0])

    def backlog(self) -> int:
        row = self._db.one(
            "SELECT (SELECT count(*) FROM arrivals WHERE project_id = ? AND due_ms IS NOT NULL)"
            " + (SELECT count(*) FROM intakes WHERE project_id = ? AND due_ms IS NOT NULL)",
            self._project_id,
            self._project_id,
        )
        assert row is not None
        return row[0]

    def lease_intake(self, now_ms: int, until_ms: int) -> Intake | None:
        row = self._db.one(
            "SELECT i.version_id, coalesce(v.location, v.source), i.attempts FROM intakes i"
            " JOIN versions v ON v.id = i.version_id"
            " WHERE i.project_id = ? AND i.due_ms <= ? ORDER BY i.due_ms, i.version_id LIMIT 1",
            self._project_id,
            now_ms,
        )
        if row is None:
            return None
        self._db.run(
            "UPDATE intakes SET due_ms = ?, attempts = attempts + 1"
            " WHERE project_id = ? AND version_id = ?",
            until_ms,
            self._project_id,
            row[0],
        )
        return Intake(*row)

    def put_off_intake(self, version_id: int, due_ms: int | None, note: str) -> None:
        self._db.run(
            "UPDATE intakes SET due_ms = ?, note = ? WHERE project_id = ? AND version_id = ?",
            due_ms,
            note,
            self._project_id,
            version_id,
        )

    # -- the trees of versions that wait ---------------------------------------------------

    def expect(self, version_id: int, files: Sequence[File], etag: str = "") -> None:
        if not files:
            return
        self._db.many(
            "INSERT INTO pending_files (project_id, version_id, path, sha256, size_bytes, etag)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, version_id, path) DO UPDATE SET"
            " sha256 = excluded.sha256, size_bytes = excluded.size_bytes, etag = excluded.etag",
            [
                (self._project_id, version_id, file.path, file.sha256, file.size_bytes, etag)
                for file in files
            ],
        )

    def expected(self, version_id: int) -> list[tuple[File, str]]:
        rows = self._db.all(
            "SELECT path, sha256, size_bytes, etag FROM pending_files"
            " WHERE project_id = ? AND version_id = ? ORDER BY path",
            self._project_id,
            version_id,
        )
        return [(File(*row[:3]), row[3]) for row in rows]

    def waiting_for(self, mark: str) -> list[int]:
        rows = self._db.all(
            "SELECT DISTINCT version_id FROM pending_files WHERE project_id = ? AND sha256 = ?"
            " ORDER BY version_id",
            self._project_id,
            mark,
        )
        return [row[0] for row in rows]

    def resolve(self, mark: str, sha256: str) -> None:
        self._db.run(
            "UPDATE pending_files SET sha256 = ? WHERE project_id = ? AND sha256 = ?",
            sha256,
            self._project_id,
            mark,
        )

    def forget(self, version_id: int) -> None:
        self._db.run(
            "DELETE FROM pending_files WHERE project_id = ? AND version_id = ?",
            self._project_id,
            version_id,
        )
