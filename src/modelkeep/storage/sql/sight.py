"""Which models a caller's grants show, as a condition of SQL: what `Access.may` says, row by row.

It stands in every look-up, list and search of models, versions and requests, so that one that may
not be seen is left out before anything is counted, sorted or cut into pages.
"""

from collections.abc import Collection
from dataclasses import dataclass

from modelkeep.domain.access import Access, Reach, Scope, Verb
from modelkeep.ports.sharing import Among
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.search import Fragment, any_of

_NOTHING_MORE = Fragment("", ())


@dataclass(frozen=True, slots=True)
class _Named:
    """What a statement calls a row that has a name and tags."""

    row: str
    tags: str  # the table
    owner: str  # its column that names the row


_MODELS = _Named("m", "model_tags", "model_id")
_RESOURCES = _Named("c", "resource_tags", "resource_id")


@dataclass(frozen=True, slots=True)
class Sight:
    """What `access` shows; without one, everything. Of a guest, what of that is `among` these."""

    project_id: int
    access: Access | None = None
    among: Among | None = None

    @property
    def models(self) -> Fragment:
        """` AND …` for a statement over `models m`."""
        return self._within(self._allowing(Verb.READ), self.among and self.among.models)

    @property
    def resources(self) -> Fragment:
        """` AND …` for a statement over `resources c`: what a model of that name and those tags
        would be to the caller, they are."""
        return self._within(self._allowing(Verb.READ, _RESOURCES), self.among and ())

    @property
    def bytes(self) -> Fragment:
        """As `models`, of those whose files may be downloaded."""
        return self._within(self._allowing(Verb.DOWNLOAD), self.among and self.among.bytes)

    def of(self, column: str) -> Fragment:
        """` AND …` where `column` holds a model's id."""
        test = self.models
        if not test.sql:
            return test
        sql = f" AND EXISTS (SELECT 1 FROM models m WHERE m.id = {column}{test.sql})"
        return Fragment(sql, test.params)

    def hidden(self, db: Db, names: Collection[str]) -> frozenset[str]:
        """Those of the names that no model has which may be seen."""
        test = self.models
        if not test.sql or not names:
            return frozenset()
        some = any_of("m.name", sorted(names))
        rows = db.all(
            "SELECT m.name FROM models m WHERE m.project_id = ? AND m.deleted_ms IS NULL"
            f"{test.sql} AND {some.sql}",
            self.project_id,
            *test.params,
            *some.params,
        )
        return frozenset(names) - {row[0] for row in rows}

    def _within(self, test: Fragment, ids: tuple[int, ...] | None) -> Fragment:
        if ids is None:
            return test
        some = any_of("m.id", ids)
        return Fragment(f"{test.sql} AND {some.sql}", (*test.params, *some.params))

    def _allowing(self, verb: Verb, of: _Named = _MODELS) -> Fragment:
        if self.access is None or self.access.may(verb):
            return _NOTHING_MORE
        tests = [self._test(scope, of) for scope in self.access.scopes(verb)]
        if not tests:
            return Fragment(" AND 1 = 0", ())
        params = tuple(value for test in tests for value in test.params)
        return Fragment(f" AND ({' OR '.join(test.sql for test in tests)})", params)

    def _test(self, scope: Scope, of: _Named) -> Fragment:
        if scope.reach is Reach.MODEL:
            return Fragment(f"{of.row}.name = ?", (scope.value,))
        if scope.reach is Reach.PREFIX:
            # PostgreSQL counts characters in 32 bits, and its integers are bound as 64.
            return Fragment(
                f"substr({of.row}.name, 1, CAST(? AS INTEGER)) = ?",
                (len(scope.value), scope.value),
            )
        sql = (
            f"EXISTS (SELECT 1 FROM {of.tags} g"
            f" WHERE g.project_id = ? AND g.{of.owner} = {of.row}.id"
            " AND g.key = ? AND g.value = ?)"
        )
        return Fragment(sql, (self.project_id, scope.key, scope.value))
