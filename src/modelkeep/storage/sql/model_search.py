"""Finding models: by a tag that few have, or by walking an index of their names or updates."""

from collections.abc import Sequence

from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.storage.sql import plans
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, order_by, page
from modelkeep.storage.sql.search import Fragment, KeyValues, condition, conjunction
from modelkeep.storage.sql.sight import Sight

_TAGS = KeyValues("model_tags", "model_id", "m.id", indexed=True)
_COLUMNS = {
    "name": "m.name",
    "creation_timestamp": "m.created_ms",
    "last_updated_timestamp": "m.updated_ms",
}


class ModelSearch:
    """Searches the living models of a project."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect, sight: Sight) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect
        self._sight = sight

    def find(
        self,
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[int]:
        """The ids of a page; what is equal in its order comes by name."""
        terms = _terms(order)
        check(terms, after)
        few = self._fewest(where, limit)
        if few is not None:
            terms = [term.unindexed for term in terms]
        tests = [
            Fragment(
                f"m.project_id = ? AND m.deleted_ms IS NULL{self._sight.models.sql}",
                (self._project_id, *self._sight.models.params),
            ),
            *(self._test(comparison) for comparison in where),
            *([behind(terms, after)] if after else []),
        ]
        test = conjunction(tests)
        given, joined = "", ""
        if few is not None:
            given = f"WITH few AS MATERIALIZED ({few.sql}) "
            joined = "few CROSS JOIN "
            test = Fragment(f"{test.sql} AND m.id = few.id", (*few.params, *test.params))
        values = ", ".join(term.sql for term in terms)
        rows = self._db.all(
            f"{given}SELECT m.id, {values} FROM {joined}models m"
            f" WHERE {test.sql.removeprefix(' AND ')} {order_by(terms)} LIMIT {limit + 1}",
            *test.params,
        )
        found = page(rows, limit, terms)
        return Page([row[0] for row in found.items], found.end)

    def _fewest(self, where: Sequence[Comparison], limit: int) -> Fragment | None:
        tagged = [c for c in where if c.field == "tag" and c.op != "IS NOT"]
        if not tagged:
            return None
        drivers = [plans.driver(self._dialect, self._project_id, _TAGS, c) for c in tagged]
        return plans.fewest(self._db, drivers, plans.newest("models"), limit)

    def _test(self, comparison: Comparison) -> Fragment:
        if comparison.field != "tag":
            return condition(self._dialect, _COLUMNS[comparison.key], comparison)
        return plans.probe(self._dialect, self._project_id, _TAGS, comparison)


def _terms(order: Sequence[Order]) -> list[Term]:
    """The terms up to the name, which is unique among the living."""
    terms: list[Term] = []
    for wanted in (*order, Order("attribute", "name", ascending=True)):
        kind = str if wanted.key == "name" else int
        terms.append(Term(_COLUMNS[wanted.key], wanted.ascending, kind))
        if wanted.key == "name":
            break
    return terms
