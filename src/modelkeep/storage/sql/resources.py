"""Model cards and models of SageMaker's clients."""

from dataclasses import replace

from modelkeep.domain.resources import Kind, Resource, Saying
from modelkeep.domain.search import Comparison, Page, Position
from modelkeep.ports.resources import Sought
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, order_by, page
from modelkeep.storage.sql.pages import pairs_of
from modelkeep.storage.sql.search import Fragment, condition, conjunction
from modelkeep.storage.sql.sight import Sight

_COLUMNS = (
    "c.id, c.kind, c.name, c.created_ms, c.created_by, r.revision, r.body, r.status,"
    " r.revised_ms, r.author"
)
_TABLES = "resources c JOIN resource_revisions r ON r.resource_id = c.id"
_LATEST = f"{_TABLES} AND r.revision = c.revision"


class SqlResources:
    """See `ports.resources.Resources`."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect, sight: Sight) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect
        self._sight = sight

    def get(self, kind: Kind, name: str, revision: int | None = None) -> Resource | None:
        which, params = ("", ()) if revision is None else (" AND r.revision = ?", (revision,))
        seen = self._sight.resources
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM {_LATEST if revision is None else _TABLES}"
            f" WHERE c.project_id = ? AND c.kind = ? AND c.name = ? AND c.deleted_ms IS NULL"
            f"{which}{seen.sql}",
            self._project_id,
            kind.value,
            name,
            *params,
            *seen.params,
        )
        if row is None:
            return None
        tags = pairs_of(self._db, "resource_tags", "resource_id", self._project_id, [row[0]])
        return _resource(row, tags.get(row[0], {}))

    def is_taken(self, kind: Kind, name: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM resources"
            " WHERE project_id = ? AND kind = ? AND name = ? AND deleted_ms IS NULL",
            self._project_id,
            kind.value,
            name,
        )
        return row is not None

    def add(self, kind: Kind, name: str, by: str, at_ms: int) -> int:
        row = self._db.one(
            "INSERT INTO resources (project_id, kind, name, created_ms, created_by, revision)"
            " VALUES (?, ?, ?, ?, ?, 0) RETURNING id",
            self._project_id,
            kind.value,
            name,
            at_ms,
            by,
        )
        assert row is not None
        return row[0]

    def say(self, resource_id: int, revision: int, said: Saying, by: str, at_ms: int) -> None:
        self._db.later(
            "INSERT INTO resource_revisions"
            " (project_id, resource_id, revision, status, body, sha256, author, revised_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._project_id,
            resource_id,
            revision,
            said.status,
            said.body,
            said.sha256,
            by,
            at_ms,
        )
        self._db.later("UPDATE resources SET revision = ? WHERE id = ?", revision, resource_id)

    def delete(self, resource_id: int, at_ms: int) -> None:
        self._db.later("UPDATE resources SET deleted_ms = ? WHERE id = ?", at_ms, resource_id)

    def set_tag(self, resource_id: int, key: str, value: str) -> None:
        self._db.later(
            "INSERT INTO resource_tags (project_id, resource_id, key, value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, resource_id, key) DO UPDATE SET value = excluded.value",
            self._project_id,
            resource_id,
            key,
            value,
        )

    def delete_tag(self, resource_id: int, key: str) -> bool:
        return 0 < self._db.run(
            "DELETE FROM resource_tags WHERE project_id = ? AND resource_id = ? AND key = ?",
            self._project_id,
            resource_id,
            key,
        )

    def listed(
        self, kind: Kind, wanted: Sought, limit: int, after: Position | None
    ) -> Page[Resource]:
        scope = "c.project_id = ? AND c.kind = ? AND c.deleted_ms IS NULL"
        tests = [Fragment(scope, (self._project_id, kind.value))]
        if wanted.contains:  # of letters, digits and dashes alone: nothing that LIKE would read
            contains = Comparison("attribute", "name", "ILIKE", f"%{wanted.contains}%")
            tests.append(condition(self._dialect, "c.name", contains))
        if wanted.by_name:
            terms = [Term("c.name", wanted.ascending, str)]
        else:
            time = "r.revised_ms" if wanted.by_change else "c.created_ms"
            terms = [Term(time, wanted.ascending), Term("c.id", wanted.ascending)]
        found = self._page(_LATEST, "c.created_ms", wanted, tests, terms, limit, after)
        ids = [one.id for one in found.items]
        tags = pairs_of(self._db, "resource_tags", "resource_id", self._project_id, ids)
        items = [replace(one, tags=tags.get(one.id, {})) for one in found.items]
        return Page(items, found.end)

    def revisions(
        self, resource_id: int, wanted: Sought, limit: int, after: Position | None
    ) -> Page[Resource]:
        tests = [Fragment("c.project_id = ? AND c.id = ?", (self._project_id, resource_id))]
        terms = [Term("r.revision", wanted.ascending)]
        return self._page(_TABLES, "r.revised_ms", wanted, tests, terms, limit, after)

    def _page(
        self,
        tables: str,
        time: str,
        wanted: Sought,
        tests: list[Fragment],
        terms: list[Term],
        limit: int,
        after: Position | None,
    ) -> Page[Resource]:
        check(terms, after)
        if wanted.status:
            tests.append(Fragment("r.status = ?", (wanted.status,)))
        if wanted.from_ms is not None:
            tests.append(Fragment(f"{time} > ?", (wanted.from_ms,)))
        if wanted.until_ms is not None:
            tests.append(Fragment(f"{time} < ?", (wanted.until_ms,)))
        if after:
            tests.append(behind(terms, after))
        where, seen = conjunction(tests), self._sight.resources
        rows = self._db.all(
            f"SELECT {_COLUMNS}, {', '.join(term.sql for term in terms)} FROM {tables}"
            f" WHERE {where.sql.removeprefix(' AND ')}{seen.sql}"
            f" {order_by(terms)} LIMIT {limit + 1}",
            *where.params,
            *seen.params,
        )
        found = page(rows, limit, terms)
        return Page([_resource(row, {}) for row in found.items], found.end)


def _resource(row: Row, tags: dict[str, str]) -> Resource:
    resource_id, kind, name, created_ms, created_by, revision, body, status, at_ms, by = row
    said = Saying(body, status)
    return Resource(
        resource_id, Kind(kind), name, created_ms, created_by, revision, said, at_ms, by, tags
    )
