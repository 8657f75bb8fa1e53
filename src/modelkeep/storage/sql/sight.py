"""Which models a caller's grants show, as a condition of SQL: what `Access.may` says, row by row.

It stands in every look-up, list and search of models, versions and requests, so that one that may
not be seen is left out before anything is counted, sorted or cut into pages.
"""

from collections.abc import Collection
from dataclasses import dataclass

from modelkeep.domain.access import Access, Reach, Scope, Verb
from modelkeep.storage.sql.dialects import Db
from modelkeep.storage.sql.search import Fragment, any_of

_NOTHING_MORE = Fragment("", ())


@dataclass(frozen=True, slots=True)
class Sight:
    """What `access` shows; without one, everything."""

    project_id: int
    access: Access | None = None

    @property
    def models(self) -> Fragment:
        """` AND …` for a statement over `models m`."""
        return self._allowing(Verb.READ)

    @property
    def bytes(self) -> Fragment:
        """As `models`, of those whose files may be downloaded."""
        return self._allowing(Verb.DOWNLOAD)

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

    def _allowing(self, verb: Verb) -> Fragment:
        if self.access is None or self.access.may(verb):
            return _NOTHING_MORE
        tests = [self._test(scope) for scope in self.access.scopes(verb)]
        if not tests:
            return Fragment(" AND 1 = 0", ())
        params = tuple(value for test in tests for value in test.params)
        return Fragment(f" AND ({' OR '.join(test.sql for test in tests)})", params)

    def _test(self, scope: Scope) -> Fragment:
        if scope.reach is Reach.MODEL:
            return Fragment("m.name = ?", (scope.value,))
        if scope.reach is Reach.PREFIX:
            # PostgreSQL counts characters in 32 bits, and its integers are bound as 64.
            return Fragment(
                "substr(m.name, 1, CAST(? AS INTEGER)) = ?", (len(scope.value), scope.value)
            )
        sql = (
            "EXISTS (SELECT 1 FROM model_tags g WHERE g.project_id = ? AND g.model_id = m.id"
            " AND g.key = ? AND g.value = ?)"
        )
        return Fragment(sql, (self.project_id, scope.key, scope.value))
