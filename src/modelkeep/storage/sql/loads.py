"""Who loaded which version, by day."""

from modelkeep.domain.loads import Load, Loader
from modelkeep.ports.loads import Usage
from modelkeep.storage.sql.connection import Db, Row

_LOADER = "l.name, l.kind, l.verified, l.client, l.address"


class SqlLoads:
    """See `ports.loads.Loads`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, load: Load, *, told: bool) -> None:
        loader = load.loader
        self._db.run(
            "INSERT INTO loads (project_id, version_id, day, name, kind, verified, client, address,"
            " count, last_ms, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project_id, version_id, day, name, kind, verified, client, address)"
            " DO UPDATE SET count = loads.count + excluded.count, last_ms = excluded.last_ms,"
            " told = loads.told | excluded.told",
            self._project_id,
            load.version_id,
            load.day,
            loader.name,
            loader.kind,
            int(loader.verified),
            loader.client,
            loader.address,
            load.count,
            load.last_ms,
            int(told),
        )

    def was_told(self, load: Load) -> bool:
        row = self._db.one(
            "SELECT 1 FROM loads WHERE project_id = ? AND version_id = ? AND day = ? AND name = ?"
            " AND address = ? AND told = 1 LIMIT 1",
            self._project_id,
            load.version_id,
            load.day,
            load.loader.name,
            load.loader.address,
        )
        return row is not None

    def of_model(
        self, model_id: int, number: int | None, since_day: int, limit: int
    ) -> list[Usage]:
        rows = self._db.all(
            f"SELECT v.number, {_LOADER}, sum(l.count), count(DISTINCT l.day), max(l.last_ms)"
            " FROM loads l JOIN versions v ON v.id = l.version_id"
            " WHERE l.project_id = ? AND l.day >= ? AND v.model_id = ?"
            + (" AND v.number = ?" if number is not None else "")
            + f" GROUP BY v.number, {_LOADER}"
            " ORDER BY max(l.last_ms) DESC, v.number DESC, l.name, l.client, l.address LIMIT ?",
            self._project_id,
            since_day,
            model_id,
            *(() if number is None else (number,)),
            limit,
        )
        return [_usage(row) for row in rows]

    def sweep(self, before_day: int) -> int:
        return self._db.run(
            "DELETE FROM loads WHERE project_id = ? AND day ="
            " (SELECT min(day) FROM loads WHERE project_id = ? AND day < ?)",
            self._project_id,
            self._project_id,
            before_day,
        )


def _usage(row: Row) -> Usage:
    number, name, kind, verified, client, address, count, days, last_ms = row
    # PostgreSQL adds such numbers up to a decimal one.
    loader = Loader(name, kind, bool(verified), client, address)
    return Usage(number, loader, int(count), days, last_ms)
