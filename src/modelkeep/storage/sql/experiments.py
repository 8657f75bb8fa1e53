"""Experiments."""

from collections.abc import Mapping, Sequence

from modelkeep.domain.locations import PROXIED
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import ACTIVE, Experiment
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, order_by, page
from modelkeep.storage.sql.pages import pairs_of
from modelkeep.storage.sql.search import (
    Fragment,
    KeyValues,
    any_of,
    condition,
    conjunction,
    holds,
)

_SHOWN = (
    "e.id, e.name, e.artifact_location, e.lifecycle_stage, e.created_ms, e.updated_ms, e.author"
)
_EXPERIMENT = f"SELECT {_SHOWN} FROM experiments e"
_TAGS = KeyValues("experiment_tags", "experiment_id", "e.id")
_COLUMNS = {
    "name": "e.name",
    "experiment_id": "e.id",
    "creation_time": "e.created_ms",
    "last_update_time": "e.updated_ms",
}
_TIE = Order("attribute", "experiment_id", ascending=False)


class SqlExperiments:
    """See `ports.tracking.Experiments`."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect

    def get(self, experiment_id: int) -> Experiment | None:
        return self._one("e.project_id = ? AND e.id = ?", self._project_id, experiment_id)

    def named(self, name: str) -> Experiment | None:
        return self._one("e.project_id = ? AND e.name = ?", self._project_id, name)

    def add(
        self, name: str, artifact_location: str, author: str, at_ms: int, root: str = ""
    ) -> int:
        row = self._db.one(
            "INSERT INTO experiments (project_id, name, artifact_location, lifecycle_stage,"
            " created_ms, updated_ms, author) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            self._project_id,
            name,
            artifact_location,
            ACTIVE,
            at_ms,
            at_ms,
            author,
        )
        assert row is not None
        if not artifact_location:
            self.locate(row[0], root or PROXIED, at_ms)
        return row[0]

    def locate(self, experiment_id: int, root: str, at_ms: int) -> None:
        separator = "" if root.endswith("/") else "/"
        location = f"{root}{separator}{experiment_id}"
        self._set(experiment_id, "artifact_location", location, at_ms)

    def any_within(self, folder: str) -> bool:
        place = PROXIED + folder
        row = self._db.one(
            "SELECT 1 FROM experiments WHERE project_id = ?"
            " AND (artifact_location = ? OR"
            " substr(artifact_location, 1, CAST(? AS INTEGER)) = ?) LIMIT 1",
            self._project_id,
            place,
            len(place) + 1,
            f"{place}/",
        )
        return row is not None

    def rename(self, experiment_id: int, name: str, at_ms: int) -> None:
        self._set(experiment_id, "name", name, at_ms)

    def set_lifecycle(self, experiment_id: int, stage: str, at_ms: int) -> None:
        self._set(experiment_id, "lifecycle_stage", stage, at_ms)

    def set_tags(self, experiment_id: int, tags: Mapping[str, str]) -> None:
        self._db.many(
            "INSERT INTO experiment_tags (project_id, experiment_id, key, value)"
            " VALUES (?, ?, ?, ?) ON CONFLICT (project_id, experiment_id, key)"
            " DO UPDATE SET value = excluded.value",
            [(self._project_id, experiment_id, key, value) for key, value in tags.items()],
        )

    def delete_tag(self, experiment_id: int, key: str) -> bool:
        return 0 < self._db.run(
            "DELETE FROM experiment_tags WHERE project_id = ? AND experiment_id = ? AND key = ?",
            self._project_id,
            experiment_id,
            key,
        )

    def search(
        self,
        stages: Sequence[str],
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Experiment]:
        terms = [_term(wanted) for wanted in (*order, _TIE)]
        check(terms, after)
        tests = conjunction(
            [
                any_of("e.lifecycle_stage", stages),
                *(self._test(comparison) for comparison in where),
                *([behind(terms, after)] if after else []),
            ]
        )
        values = ", ".join(term.sql for term in terms)
        rows = self._db.all(
            f"SELECT {_SHOWN}, {values} FROM experiments e WHERE e.project_id = ?{tests.sql}"
            f" {order_by(terms)} LIMIT {limit + 1}",
            self._project_id,
            *tests.params,
        )
        found = page(rows, limit, terms)
        return Page(self._dress(found.items), found.end)

    def _test(self, comparison: Comparison) -> Fragment:
        if comparison.field == "tag":
            return holds(self._dialect, self._project_id, _TAGS, comparison)
        return condition(self._dialect, _COLUMNS[comparison.key], comparison)

    def _set(self, experiment_id: int, column: str, value: str, at_ms: int) -> None:
        self._db.later(
            f"UPDATE experiments SET {column} = ?, updated_ms = ? WHERE project_id = ? AND id = ?",
            value,
            at_ms,
            self._project_id,
            experiment_id,
        )

    def _one(self, where: str, *params: object) -> Experiment | None:
        row = self._db.one(f"{_EXPERIMENT} WHERE {where}", *params)
        return self._dress([row])[0] if row else None

    def _dress(self, rows: Sequence[Row]) -> list[Experiment]:
        ids = [row[0] for row in rows]
        tags = pairs_of(self._db, "experiment_tags", "experiment_id", self._project_id, ids)
        return [Experiment(*row, tags=tags.get(row[0], {})) for row in rows]


def _term(order: Order) -> Term:
    return Term(_COLUMNS[order.key], order.ascending, str if order.key == "name" else int)
