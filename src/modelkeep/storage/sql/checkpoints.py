"""Origins and signed checkpoints of the journal."""

from collections.abc import Iterator

from modelkeep.ports.checkpoints import Origin, Signed
from modelkeep.storage.sql.connection import Db

_SIGNED = "SELECT origin, size, note, at_ms FROM checkpoints WHERE project_id = ?"


class SqlCheckpoints:
    """See `ports.checkpoints.Checkpoints`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def origins(self) -> list[Origin]:
        rows = self._db.all(
            "SELECT number, name, vkey, opened_ms FROM journal_origins WHERE project_id = ?"
            " ORDER BY number",
            self._project_id,
        )
        return [Origin(*row) for row in rows]

    def add_origin(self, origin: Origin) -> None:
        self._db.later(
            "INSERT INTO journal_origins (project_id, number, name, vkey, opened_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            self._project_id,
            origin.number,
            origin.name,
            origin.vkey,
            origin.opened_ms,
        )

    def newest(self, origin: int) -> Signed | None:
        row = self._db.one(
            f"{_SIGNED} AND origin = ? ORDER BY size DESC LIMIT 1", self._project_id, origin
        )
        return Signed(*row) if row else None

    def put(self, signed: Signed) -> None:
        self._db.later(
            "INSERT INTO checkpoints (project_id, origin, size, note, at_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (project_id, origin, size)"
            " DO UPDATE SET note = excluded.note, at_ms = excluded.at_ms",
            self._project_id,
            signed.origin,
            signed.size,
            signed.note,
            signed.at_ms,
        )

    def thin(self, origin: int, start_ms: int, end_ms: int) -> None:
        these = "project_id = ? AND origin = ? AND at_ms >= ? AND at_ms < ?"
        which = (self._project_id, origin, start_ms, end_ms)
        self._db.later(
            f"DELETE FROM checkpoints WHERE {these}"
            f" AND size < (SELECT max(size) FROM checkpoints WHERE {these})",
            *which,
            *which,
        )

    def all(self) -> Iterator[Signed]:
        rows = self._db.all(f"{_SIGNED} ORDER BY size, origin", self._project_id)
        return (Signed(*row) for row in rows)
