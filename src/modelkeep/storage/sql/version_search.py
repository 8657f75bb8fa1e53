"""Finding versions, whatever their number: see `plans` for the ways there are, and `keyset`.

Only ids are found here, with the values by which they are sorted; whole rows are read of a page
alone. Times tie where many versions changed in one millisecond, and then the name decides, which
is in another table. So whoever walks by time takes a *run* of equal times apart: it is sorted if
it is short, and else the models are walked by name, looking up what each has in the run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.storage.sql import plans
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, order_by, page, segments
from modelkeep.storage.sql.search import Fragment, KeyValues, any_of, condition, conjunction
from modelkeep.storage.sql.sight import Sight

SHORT_RUN = 1_000  # versions; so many are sorted sooner than models are walked
SOURCE_CHARS = 200  # of a source; the migrations index as many
SPARE = 8  # rows read beyond a page, to see that its last run ended
SAMPLE = 50  # versions that are looked at
ALL = 1 << 31  # rows: a limit that there is for the planners alone

_TAGS = KeyValues("version_tags", "version_id", "v.id", indexed=True)
_COLUMNS = {
    "name": "m.name",
    "version_number": "v.number",
    "run_id": "v.run_id",
    "source_path": "v.source",
    "creation_timestamp": "v.created_ms",
    "last_updated_timestamp": "v.updated_ms",
}
_UPDATED = "last_updated_timestamp"
_WALKED_IN_A_MODEL = (_UPDATED, "version_number")
# CROSS JOIN tells SQLite which table comes first; PostgreSQL finds out by itself.
_MODELS_FIRST = "models m CROSS JOIN versions v"
_VERSIONS_FIRST = "versions v CROSS JOIN models m"


class VersionSearch:
    """Searches the living versions of a project."""

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
        """The ids of a page. Raises InvalidInput for a position of another search."""
        names = {c.value for c in where if _names(c)}
        keys = _keys(order, one_model=bool(names))
        terms = [_term(o) for o in keys]
        check(terms, after)
        if len(names) > 1:
            return Page([])
        rest = [c for c in where if not _names(c)]
        models = [self._is_of(name) for name in names]
        few = None
        if drivers := self._drivers(rest):
            sample = self._sample(rest, models, terms[0])
            few = plans.fewest(self._db, drivers, self._among(names), limit, sample)
            rest = [c for c in rest if few is None or c is not few.settles]
        scope = [*self._scope(rest), *models]
        walk = _Walk(self._db, scope, self._probes(rest), terms, limit + 1)
        found = page(walk.rows(keys[0].key, few, after, one_model=bool(names)), limit, terms)
        return Page([row[0] for row in found.items], found.end)

    def _is_of(self, name: object) -> Fragment:
        """That a version is of the model of this name; its id is found on the way."""
        found = self._model("id", name)
        return Fragment(f"v.model_id = ({found.sql})", found.params)

    def _among(self, names: Iterable[object]) -> Fragment:
        """A statement that finds how many versions there may be."""
        for name in names:
            return self._model("next_number - 1", name)
        return plans.newest("versions")

    def _model(self, column: str, name: object) -> Fragment:
        return Fragment(
            f"SELECT {column} FROM models WHERE project_id = ? AND name = ? AND deleted_ms IS NULL",
            (self._project_id, name),
        )

    def _scope(self, where: Sequence[Comparison]) -> list[Fragment]:
        living = "{0}.project_id = ? AND {0}.deleted_ms IS NULL"
        scope = [Fragment(living.format(t), (self._project_id,)) for t in ("v", "m")]
        seen = self._sight.models
        scope.append(Fragment(f"m.id = v.model_id{seen.sql}", seen.params))
        columns = [c for c in where if c.field != "tag"]
        return scope + [condition(self._dialect, _COLUMNS[c.key], c) for c in columns]

    def _probes(self, where: Sequence[Comparison]) -> list[Fragment]:
        """What is looked up for each row."""
        tags = [c for c in where if c.field == "tag"]
        return [plans.probe(self._dialect, self._project_id, _TAGS, c) for c in tags]

    def _sample(
        self, where: Sequence[Comparison], models: Sequence[Fragment], first: Term
    ) -> Fragment | None:
        """What the versions that a walk meets first have of what is looked for, if tags alone are:
        first what there are drivers for."""
        if first.sql != _COLUMNS[_UPDATED] or any(c.field != "tag" for c in where):
            return None
        probes = self._probes(sorted(where, key=_lacks))
        within = conjunction(models)
        return Fragment(
            f"SELECT {', '.join(probe.sql for probe in probes)}"
            " FROM (SELECT v.id FROM versions v WHERE v.project_id = ?"
            f" AND v.deleted_ms IS NULL{within.sql} {order_by([first])} LIMIT {SAMPLE}) v",
            (*conjunction(probes).params, self._project_id, *within.params),
        )

    def _drivers(self, where: Sequence[Comparison]) -> "list[_Driver]":
        """For each condition that an index can answer, the statement that does."""
        drivers: list[_Driver] = []
        for comparison in where:
            if _lacks(comparison):
                continue  # that is in no index
            if comparison.field == "tag":
                found = plans.driver(self._dialect, self._project_id, _TAGS, comparison)
                drivers.append(_Driver(found.sql, found.params, comparison))
            elif comparison.key == "name":
                drivers.append(self._of_models(comparison))
            elif comparison.key == "run_id":
                drivers.append(self._of_runs(comparison))
            elif comparison.key == "source_path" and comparison.op in ("=", "IN"):
                drivers.append(self._of_sources(comparison))
        return drivers

    def _of_models(self, comparison: Comparison) -> "_Driver":
        test = condition(self._dialect, "name", comparison)
        return _Driver(
            "SELECT id FROM versions WHERE project_id = ? AND deleted_ms IS NULL AND model_id IN"
            " (SELECT id FROM models WHERE project_id = ? AND deleted_ms IS NULL"
            f" AND {test.sql})",
            (self._project_id, self._project_id, *test.params),
        )

    def _of_runs(self, comparison: Comparison) -> "_Driver":
        test = condition(self._dialect, "run_id", comparison)
        sql = f"SELECT id FROM versions WHERE project_id = ? AND {test.sql}"
        return _Driver(sql, (self._project_id, *test.params))

    def _of_sources(self, comparison: Comparison) -> "_Driver":
        """The index has but the start of a source; the rest is tested where rows are read."""
        given = comparison.value if isinstance(comparison.value, tuple) else (comparison.value,)
        starts = sorted({str(value)[:SOURCE_CHARS] for value in given})
        test = any_of(f"substr(source, 1, {SOURCE_CHARS})", starts)
        sql = f"SELECT id FROM versions WHERE project_id = ? AND deleted_ms IS NULL AND {test.sql}"
        return _Driver(sql, (self._project_id, *test.params))


@dataclass(frozen=True, slots=True)
class _Driver(Fragment):
    """`settles`: what need not be tested of those that it finds."""

    settles: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Walk:
    """Reads at most `limit` rows of a scope: a version's id, then the values of the terms.

    `probes` are tests of which each is a look-up in another table.
    """

    db: Db
    scope: Sequence[Fragment]
    probes: Sequence[Fragment]
    terms: Sequence[Term]
    limit: int

    def rows(
        self, first: str, few: Fragment | None, after: Position | None, *, one_model: bool
    ) -> list[Row]:
        """What comes after a position, in order; `first` is the key that sorts first."""
        if few is not None:
            return self._sorted(after, few)
        if one_model and first in _WALKED_IN_A_MODEL:
            return self._in_segments(_VERSIONS_FIRST, (), self.terms, after, self.limit)
        if not one_model and first == "name":
            return self._in_segments(_MODELS_FIRST, (), self.terms, after, self.limit)
        if not one_model and first == _UPDATED:
            return self._by_time(after)
        return self._sorted(after)

    def _sorted(self, after: Position | None, few: Fragment | None = None) -> list[Row]:
        terms = [term.unindexed for term in self.terms]
        tests = [behind(terms, after)] if after else []
        if few is None:
            return self._select(_VERSIONS_FIRST, tests, terms, self.limit)
        return self._of_few(few, [*tests, Fragment("v.id = few.id", ())], terms)

    def _in_segments(
        self,
        tables: str,
        tests: Sequence[Fragment],
        terms: Sequence[Term],
        after: Position | None,
        limit: int,
    ) -> list[Row]:
        """Range by range, where an index has all the terms."""
        rows: list[Row] = []
        for bounds, order in segments(terms, after):
            if len(rows) < limit:
                rows += self._select(tables, [*tests, *bounds], order, limit - len(rows))
        return rows

    # -- by time -------------------------------------------------------------------------------

    def _by_time(self, after: Position | None) -> list[Row]:
        if after is None or not self._is_long(after[0]):
            return self._later([behind(self.terms, after)] if after else [], after, self.limit)
        rows = self._run(after[0], after[1:], self.limit)
        missing = self.limit - len(rows)
        time = self.terms[0]
        beyond = Fragment(f"{time.sql} {time.beyond} ?", (after[0],))
        return rows + (self._later([beyond], None, missing) if missing else [])

    def _later(self, bounds: Sequence[Fragment], after: Position | None, limit: int) -> list[Row]:
        """What lies within bounds; the walk tells where runs end, and is put in order here."""
        read = self._select(_VERSIONS_FIRST, bounds, self.terms[:1], limit + SPARE)
        if len(read) < limit + SPARE:
            return self._put_in_order(read)[:limit]
        # Of the last run more may follow, and come before what was read of it.
        last = read[-1][1]
        whole = self._put_in_order(row for row in read if row[1] != last)[:limit]
        missing = limit - len(whole)
        within = after[1:] if after and after[0] == last else None
        return whole + (self._run(last, within, missing) if missing else [])

    def _run(self, time: object, after: Position | None, limit: int) -> list[Row]:
        """Versions of one time, from a position within it on."""
        same = Fragment(f"{self.terms[0].sql} = ?", (time,))
        terms = self.terms[1:]
        if self._is_long(time):
            return self._in_segments(_MODELS_FIRST, [same], terms, after, limit)
        terms = [term.unindexed for term in terms]
        tests = [same, *([behind(terms, after)] if after else [])]
        return self._select(_VERSIONS_FIRST, tests, terms, limit)

    def _is_long(self, time: object) -> bool:
        """Whether a run is worth walking the models for, if their names come next."""
        if self.terms[1].sql != _COLUMNS["name"]:
            return False
        same = Fragment(f"{self.terms[0].sql} = ?", (time,))
        living = self.scope[0]
        tests = conjunction([living, same])
        counted = self.db.one(
            "SELECT count(*) FROM (SELECT 1 FROM versions v"
            f" WHERE {tests.sql.removeprefix(' AND ')} LIMIT {SHORT_RUN + 1}) run",
            *tests.params,
        )
        assert counted is not None
        return counted[0] > SHORT_RUN

    def _put_in_order(self, rows: Iterable[Row]) -> list[Row]:
        found = list(rows)
        for place, term in reversed(list(enumerate(self.terms, start=1))):
            found.sort(key=itemgetter(place), reverse=not term.ascending)
        return found

    # -- statements ----------------------------------------------------------------------------

    def _select(
        self,
        tables: str,
        tests: Sequence[Fragment],
        order: Sequence[Term],
        limit: int,
    ) -> list[Row]:
        values = ", ".join(term.sql for term in self.terms)
        where = conjunction([*self.scope, *self.probes, *tests])
        return self.db.all(
            f"SELECT v.id, {values} FROM {tables}"
            f" WHERE {where.sql.removeprefix(' AND ')} {order_by(order)} LIMIT {limit}",
            *where.params,
        )

    def _of_few(self, few: Fragment, tests: Sequence[Fragment], order: Sequence[Term]) -> list[Row]:
        """They are put in order first, and probed in that order until there are enough."""
        values = ", ".join(term.sql for term in order)
        where, probes = conjunction([*self.scope, *tests]), conjunction(self.probes)
        probing = f" WHERE {probes.sql.removeprefix(' AND ')}" if self.probes else ""
        return self.db.all(
            f"WITH few AS MATERIALIZED ({few.sql}) SELECT v.* FROM"
            f" (SELECT v.id, {values} FROM few CROSS JOIN {_VERSIONS_FIRST}"
            f" WHERE {where.sql.removeprefix(' AND ')} {order_by(order)} LIMIT {ALL}) v"
            f"{probing} LIMIT {self.limit}",
            *few.params,
            *where.params,
            *probes.params,
        )


def _names(comparison: Comparison) -> bool:
    """Whether it names the one model that is searched."""
    return (comparison.field, comparison.key, comparison.op) == ("attribute", "name", "=")


def _lacks(comparison: Comparison) -> bool:
    """Whether it is true of what lacks a value."""
    return comparison.op == "IS NOT"


def _keys(order: Sequence[Order], *, one_model: bool) -> list[Order]:
    """The keys up to where the order is unique, without the name where all have one."""
    unique = {"version_number"} if one_model else {"name", "version_number"}
    ties = [Order("attribute", key, ascending=True) for key in ("name", "version_number")]
    keys: list[Order] = []
    for wanted in (*order, *ties):
        seen = {key.key for key in keys}
        if unique <= seen:
            break
        if wanted.key not in seen and not (one_model and wanted.key == "name"):
            keys.append(wanted)
    return keys


def _term(order: Order) -> Term:
    kind = str if order.key == "name" else int
    return Term(_COLUMNS[order.key], order.ascending, kind)
