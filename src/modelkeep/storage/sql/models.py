"""Registered models: their rows, names, tags and numbers."""

from collections.abc import Collection, Sequence

import msgspec

from modelkeep.domain.handles import handle_of
from modelkeep.domain.models import Model
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.ports.registry import Listing
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.memory import Memory
from modelkeep.storage.sql.model_search import ModelSearch
from modelkeep.storage.sql.package_search import PackageSearch
from modelkeep.storage.sql.pages import CHUNK, in_order
from modelkeep.storage.sql.sight import Sight

_COLUMNS = "m.id, m.name, m.description, m.created_ms, m.updated_ms"
_MODEL = (
    "SELECT {columns},"
    " (SELECT {tags} FROM model_tags t WHERE t.project_id = m.project_id AND t.model_id = m.id),"
    " (SELECT {aliases} FROM slots s JOIN versions v ON v.id = s.version_id"
    " WHERE s.project_id = m.project_id AND s.model_id = m.id) FROM models m"
)

_numbers = msgspec.json.Decoder(dict[str, int])


class SqlModels:
    """See `ports.registry.Models`."""

    def __init__(
        self,
        db: Db,
        project_id: int,
        dialect: Dialect,
        sight: Sight,
        memory: Memory | None = None,
    ) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect
        self._sight, self._memory = sight, memory
        self._model = _MODEL.format(
            columns=_COLUMNS,
            tags=db.gathered("t.key", "t.value"),
            aliases=db.gathered("s.name", "v.number"),
        )

    def get(self, name: str) -> Model | None:
        row = self._db.one(
            f"{self._model} WHERE m.project_id = ? AND m.name = ? AND m.deleted_ms IS NULL"
            f"{self._sight.models.sql}",
            self._project_id,
            name,
            *self._sight.models.params,
        )
        return _model(row) if row else None

    def find(self, name: str) -> int | None:
        row = self._db.one(
            "SELECT id FROM models m WHERE project_id = ? AND name = ? AND deleted_ms IS NULL"
            f"{self._sight.models.sql}",
            self._project_id,
            name,
            *self._sight.models.params,
        )
        return row[0] if row else None

    def is_taken(self, name: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM models WHERE project_id = ? AND handle = ? AND deleted_ms IS NULL",
            self._project_id,
            handle_of(name),
        )
        return row is not None

    def by_handle(self, handle: str) -> str | None:
        row = self._db.one(
            "SELECT name FROM models m WHERE project_id = ? AND handle = ? AND deleted_ms IS NULL"
            f"{self._sight.models.sql}",
            self._project_id,
            handle,
            *self._sight.models.params,
        )
        return row[0] if row else None

    def listed(self, wanted: Listing, limit: int, after: Position | None) -> Page[Model]:
        listing = PackageSearch(self._db, self._project_id, self._dialect, self._sight)
        return self._whole(listing.models(wanted, limit, after))

    def hidden(self, names: Collection[str]) -> frozenset[str]:
        return self._sight.hidden(self._db, names)

    def gives_bytes(self, model_id: int) -> bool:
        test = self._sight.bytes
        if not test.sql:
            return True
        sql = f"SELECT 1 FROM models m WHERE m.id = ?{test.sql}"
        return self._db.one(sql, model_id, *test.params) is not None

    def add(self, name: str, description: str, at_ms: int) -> int:
        row = self._db.one(
            "INSERT INTO models"
            " (project_id, name, handle, description, next_number, created_ms, updated_ms)"
            " VALUES (?, ?, ?, ?, 1, ?, ?) RETURNING id",
            self._project_id,
            name,
            handle_of(name),
            description,
            at_ms,
            at_ms,
        )
        assert row is not None
        self._begin_name(row[0], name, at_ms)
        return row[0]

    def rename(self, model_id: int, name: str, at_ms: int) -> None:
        self._forget_place(model_id)
        self._db.later(
            "UPDATE models SET name = ?, handle = ?, updated_ms = ? WHERE id = ?",
            name,
            handle_of(name),
            at_ms,
            model_id,
        )
        self._end_name(model_id, at_ms)
        self._begin_name(model_id, name, at_ms)

    def describe(self, model_id: int, description: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE models SET description = ?, updated_ms = ? WHERE id = ?",
            description,
            at_ms,
            model_id,
        )

    def touch(self, model_id: int, at_ms: int) -> None:
        self._db.later("UPDATE models SET updated_ms = ? WHERE id = ?", at_ms, model_id)

    def delete(self, model_id: int, at_ms: int) -> None:
        self._forget_place(model_id)
        self._db.later("UPDATE models SET deleted_ms = ? WHERE id = ?", at_ms, model_id)
        self._end_name(model_id, at_ms)

    def tag(self, model_id: int, key: str) -> str | None:
        row = self._db.one(
            "SELECT value FROM model_tags WHERE project_id = ? AND model_id = ? AND key = ?",
            self._project_id,
            model_id,
            key,
        )
        return row[0] if row else None

    def set_tag(self, model_id: int, key: str, value: str) -> None:
        self._forget_place(model_id)
        self._db.later(
            "INSERT INTO model_tags (project_id, model_id, key, value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, model_id, key) DO UPDATE SET value = excluded.value",
            self._project_id,
            model_id,
            key,
            value,
        )

    def delete_tag(self, model_id: int, key: str) -> bool:
        return 0 < self._db.run(
            "DELETE FROM model_tags WHERE project_id = ? AND model_id = ? AND key = ?",
            self._project_id,
            model_id,
            key,
        )

    def take_number(self, model_id: int, number: int, at_ms: int) -> None:
        self._db.later(
            "UPDATE models SET next_number = ?, updated_ms = ? WHERE id = ?",
            number + 1,
            at_ms,
            model_id,
        )

    def reserve(self, model_id: int, number: int) -> None:
        self._forget_place(model_id)
        self._db.later(
            "UPDATE models SET next_number = ? WHERE id = ? AND next_number <= ?",
            number + 1,
            model_id,
            number,
        )

    def backdate(self, model_id: int, created_ms: int) -> None:
        self._db.later("UPDATE models SET created_ms = ? WHERE id = ?", created_ms, model_id)

    def search(
        self,
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Model]:
        search = ModelSearch(self._db, self._project_id, self._dialect, self._sight)
        return self._whole(search.find(where, order, limit, after))

    def named_at(self, name: str, at_ms: int) -> tuple[int, str] | None:
        seen = self._sight.of("model_id")
        row = self._db.one(
            "SELECT model_id FROM model_names WHERE project_id = ? AND name = ?"
            f"{seen.sql} ORDER BY from_ms <= ? AND (until_ms IS NULL OR until_ms > ?) DESC,"
            " until_ms IS NULL DESC, until_ms DESC LIMIT 1",
            self._project_id,
            name,
            *seen.params,
            at_ms,
            at_ms,
        )
        if row is None:
            return None
        then = self._db.one(
            "SELECT name FROM model_names WHERE project_id = ? AND model_id = ? AND from_ms <= ?"
            " ORDER BY from_ms DESC, until_ms IS NULL DESC, until_ms DESC LIMIT 1",
            self._project_id,
            row[0],
            at_ms,
        )
        return row[0], then[0] if then else name

    def names(self, model_id: int) -> list[str]:
        rows = self._db.all(
            "SELECT DISTINCT name FROM model_names WHERE project_id = ? AND model_id = ?",
            self._project_id,
            model_id,
        )
        return [row[0] for row in rows]

    def all(self) -> list[Model]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM models m WHERE m.project_id = ? AND m.deleted_ms IS NULL"
            " ORDER BY m.name",
            self._project_id,
        )
        return [Model(*row) for row in rows]

    def _whole(self, found: Page[int]) -> Page[Model]:
        models: dict[int, Model] = {}
        for start in range(0, len(found.items), CHUNK):
            among, ids = self._db.among(found.items[start : start + CHUNK])
            rows = self._db.all(f"{self._model} WHERE m.id {among}", *ids)
            models |= {row[0]: _model(row) for row in rows}
        return Page([models[model_id] for model_id in found.items], found.end)

    def _forget_place(self, model_id: int) -> None:
        if self._memory:
            self._memory.places.drop(model_id)

    def _begin_name(self, model_id: int, name: str, at_ms: int) -> None:
        self._db.later(
            "INSERT INTO model_names (project_id, model_id, name, from_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, model_id, from_ms, name) DO UPDATE SET until_ms = NULL",
            self._project_id,
            model_id,
            name,
            at_ms,
        )

    def _end_name(self, model_id: int, at_ms: int) -> None:
        self._db.later(
            "UPDATE model_names SET until_ms = ? WHERE project_id = ? AND model_id = ?"
            " AND until_ms IS NULL",
            at_ms,
            self._project_id,
            model_id,
        )


def _model(row: Row) -> Model:
    return Model(
        *row[:5],
        tags=in_order(row[5]) if row[5] else {},
        aliases=_numbers.decode(row[6]) if row[6] else {},
    )
