"""Models and versions as SageMaker lists its groups and packages."""

from collections.abc import Sequence

from modelkeep.domain.models import PROMPT_TAG
from modelkeep.domain.packages import SINGLE_TAG
from modelkeep.domain.search import Comparison, Page, Position
from modelkeep.ports.registry import Listing, PackageListing
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, order_by, page
from modelkeep.storage.sql.search import Fragment, condition, conjunction
from modelkeep.storage.sql.sight import Sight

_VERSIONS = "versions v JOIN models m ON m.id = v.model_id"
_TAGGED = (
    "EXISTS (SELECT 1 FROM model_tags t WHERE t.project_id = m.project_id AND t.model_id = m.id"
    " AND t.key = ?{value})"
)


class PackageSearch:
    """Lists what lives, and what whoever asks may see."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect, sight: Sight) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect
        self._sight = sight

    def models(self, wanted: Listing, limit: int, after: Position | None) -> Page[int]:
        """Their ids."""
        terms = [Term("m.created_ms", wanted.ascending), Term("m.id", wanted.ascending)]
        if wanted.by_handle:
            terms = [Term("m.handle", wanted.ascending, str)]
        tests = [*self._tests("m", wanted), _kind(single=False)]
        return self._page("m.id", "models m", tests, terms, limit, after)

    def versions(self, wanted: PackageListing, limit: int, after: Position | None) -> Page[int]:
        """Their ids."""
        terms = [Term("v.created_ms", wanted.ascending), Term("v.id", wanted.ascending)]
        if wanted.by_handle:
            handle = Term("m.handle", wanted.ascending, str)
            terms = [handle, Term("v.number", wanted.ascending)]
        tests = [*self._tests("v", wanted), Fragment("v.deleted_ms IS NULL", ()), _no_prompt()]
        if wanted.model_id is not None:
            tests.append(Fragment("v.model_id = ?", (wanted.model_id,)))
        if wanted.single is not None:
            tests.append(_kind(single=wanted.single))
        return self._page("v.id", _VERSIONS, tests, terms, limit, after)

    def _tests(self, made: str, wanted: Listing) -> list[Fragment]:
        tests = [
            Fragment(f"{made}.project_id = ?", (self._project_id,)),
            Fragment("m.deleted_ms IS NULL", ()),
        ]
        if wanted.contains:  # of letters, digits and dashes alone: nothing that LIKE would read
            contains = Comparison("attribute", "handle", "ILIKE", f"%{wanted.contains}%")
            tests.append(condition(self._dialect, "m.handle", contains))
        if wanted.from_ms is not None:
            tests.append(Fragment(f"{made}.created_ms > ?", (wanted.from_ms,)))
        if wanted.until_ms is not None:
            tests.append(Fragment(f"{made}.created_ms < ?", (wanted.until_ms,)))
        return tests

    def _page(
        self,
        row_id: str,
        tables: str,
        tests: Sequence[Fragment],
        terms: Sequence[Term],
        limit: int,
        after: Position | None,
    ) -> Page[int]:
        check(terms, after)
        where = conjunction([*tests, *([behind(terms, after)] if after else [])])
        values = ", ".join(term.sql for term in terms)
        rows = self._db.all(
            f"SELECT {row_id}, {values} FROM {tables}"
            f" WHERE {where.sql.removeprefix(' AND ')}{self._sight.models.sql}"
            f" {order_by(terms)} LIMIT {limit + 1}",
            *where.params,
            *self._sight.models.params,
        )
        found = page(rows, limit, terms)
        return Page([row[0] for row in found.items], found.end)


def _kind(*, single: bool) -> Fragment:
    """That a model is a package without a group, or a group."""
    if single:
        return Fragment(_TAGGED.format(value=""), (SINGLE_TAG,))
    no_prompt = _no_prompt()
    sql = f"NOT {_TAGGED.format(value='')} AND {no_prompt.sql}"
    return Fragment(sql, (SINGLE_TAG, *no_prompt.params))


def _no_prompt() -> Fragment:
    sql = "NOT " + _TAGGED.format(value=" AND lower(t.value) = 'true'")
    return Fragment(sql, (PROMPT_TAG,))
