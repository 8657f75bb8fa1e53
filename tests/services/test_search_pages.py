"""Pages of a search: together they are the whole, in order, in whichever way it was found."""

import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import ACTIVE, Metric
from modelkeep.ports.tracking import MetricOrder
from modelkeep.services import sources
from modelkeep.storage.sql import plans, version_search
from modelkeep.storage.sql.connection import Row
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.sight import Sight
from modelkeep.storage.sql.version_search import VersionSearch
from modelkeep.storage.sql.work import SqlWork

T0 = 1_700_000_000_000
MODELS = ("Zoo", "a", "b%", "big", "ä")
LONG = f"s3://{'é' * 250}/100"  # a source
KEYS = ("name", "version_number", "creation_timestamp", "last_updated_timestamp")
TIED = version_search.SHORT_RUN + 100

_walks = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def by(key: str, *, ascending: bool = True, field: str = "attribute") -> Order:
    return Order(field, key, ascending)


NEWEST = (by("last_updated_timestamp", ascending=False), by("name"), by("version_number"))


@pytest.fixture
def work(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqlWork]:
    """The tables themselves: these tests write thousands of rows past the journal."""
    if not database_url:
        shutil.copyfile(request.getfixturevalue("new_file"), tmp_path / "modelkeep.db")
    dialect = dialect_for(database_url, tmp_path)
    work = SqlWork(dialect.connect(read_only=False), dialect)
    yield work
    work.db.close()


def insert(work: SqlWork, table: str, columns: str, rows: Sequence[Row]) -> None:
    marks = ", ".join("?" * len(columns.split(",")))
    work.db.run("BEGIN")  # else each row is flushed by itself
    work.db.many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
    work.db.run("COMMIT")


def walk(
    find: Callable[[int, Position | None], Page[Any]], limit: int, *, between: Any = None
) -> list[Any]:
    """What all pages of a search hold, one after another."""
    found, after = [], None
    while True:
        page = find(limit, after)
        assert len(page.items) == limit or page.end is None
        found += page.items
        after = page.end
        if after is None:
            return found
        if between:
            between()


# -- versions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seeded:
    """A version that is searched for."""

    id: int
    name: str
    version_number: int
    creation_timestamp: int
    last_updated_timestamp: int
    kind: str
    rare: str
    source: str

    @property
    def run_id(self) -> str | None:
        return f"run{self.id % 5}" if self.id % 50 == 0 else None


def _seeded() -> list[Seeded]:
    """Most of them tie in one millisecond, the others in a few."""
    numbers = dict.fromkeys(MODELS, 0)
    found = []
    for index in range(TIED + 300):
        name = MODELS[index % 4] if index % 3 else "big"
        numbers[name] += 1
        updated_ms = T0 + (5 if index < TIED else index * 7 % 11)
        rare = f"r{index % 2}" if index % 97 == 0 else ""
        # Some begin alike for longer than the index sees.
        source = f"s3://{'é' * 250 if index % 100 == 0 else 'b'}/{index % 400}"
        seeded = (name, numbers[name], T0 + index // 7, updated_ms, "xyz"[index % 3], rare, source)
        found.append(Seeded(index + 1, *seeded))
    return found


SEEDED = _seeded()


@pytest.fixture
def crowd(work: SqlWork) -> SqlWork:
    ids = {name: index for index, name in enumerate(MODELS, start=1)}
    insert(
        work,
        "models",
        "id, project_id, name, handle, description, next_number, created_ms, updated_ms",
        [(index, 1, name, name, "", 2 * TIED, T0, T0 + index % 2) for name, index in ids.items()],
    )
    insert(
        work,
        "versions",
        "id, project_id, model_id, number, source, run_id, description, stage, author, created_ms,"
        " updated_ms, semver_major",
        [
            (
                *(s.id, 1, ids[s.name], s.version_number, s.source, s.run_id, "", "None", ""),
                *(s.creation_timestamp, s.last_updated_timestamp, s.version_number),
            )
            for s in SEEDED
        ],
    )
    tags = [(1, s.id, "kind", s.kind) for s in SEEDED]
    tags += [(1, s.id, "rare", s.rare) for s in SEEDED if s.rare]
    insert(work, "version_tags", "project_id, version_id, key, value", tags)
    return work


def tag(key: str, value: str, op: str = "=") -> Comparison:
    return Comparison("tag", key, op, value)


def attribute(key: str, op: str, value: Any) -> Comparison:
    return Comparison("attribute", key, op, value)


# Conditions, and what they mean in Python.
CONDITIONS: list[tuple[Comparison, Callable[[Seeded], bool]]] = [
    (tag("kind", "x"), lambda s: s.kind == "x"),
    (tag("kind", "x", "!="), lambda s: s.kind != "x"),
    (tag("rare", "r1"), lambda s: s.rare == "r1"),
    (tag("rare", "r1", "!="), lambda s: s.rare not in ("", "r1")),
    (tag("rare", "%0", "LIKE"), lambda s: s.rare == "r0"),
    (tag("none", "x"), lambda s: False),
    (attribute("name", "=", "big"), lambda s: s.name == "big"),
    (attribute("name", "=", "a"), lambda s: s.name == "a"),
    (attribute("name", "LIKE", "b%"), lambda s: s.name[0] == "b"),
    (attribute("name", "ILIKE", "%O%"), lambda s: s.name == "Zoo"),
    (attribute("name", "!=", "big"), lambda s: s.name != "big"),
    (attribute("name", "IN", ("a", "Zoo")), lambda s: s.name in ("a", "Zoo")),
    (attribute("version_number", ">", 100), lambda s: s.version_number > 100),
    (attribute("source_path", "=", "s3://b/7"), lambda s: s.source == "s3://b/7"),
    (attribute("source_path", "=", LONG), lambda s: s.source == LONG),
    (attribute("source_path", "IN", (LONG, "s3://b/7")), lambda s: s.source in (LONG, "s3://b/7")),
    (attribute("source_path", "!=", LONG), lambda s: s.source != LONG),
    (attribute("run_id", "=", "run0"), lambda s: s.run_id == "run0"),
]
orders = (
    st.permutations(KEYS)
    .flatmap(
        lambda keys: st.tuples(*(st.builds(by, st.just(k), ascending=st.booleans()) for k in keys))
    )
    .flatmap(lambda order: st.integers(0, 4).map(lambda length: order[:length]))
)


def expected(order: Sequence[Order], tests: Sequence[Callable[[Seeded], bool]]) -> list[int]:
    found = [s for s in SEEDED if all(test(s) for test in tests)]
    for key in reversed((*order, by("name"), by("version_number"))):
        found.sort(key=lambda s: getattr(s, key.key), reverse=not key.ascending)
    return [s.id for s in found]


@_walks
@given(
    st.lists(st.sampled_from(CONDITIONS), max_size=3),
    orders | st.just(NEWEST),
    st.sampled_from([7, 60, 400, 5_000]),
)
def test_pages_of_versions_are_the_whole_in_order(
    crowd: SqlWork,
    conditions: list[tuple[Comparison, Callable[[Seeded], bool]]],
    order: tuple[Order, ...],
    limit: int,
) -> None:
    search = VersionSearch(crowd.db, 1, dialect_of(crowd), Sight(1))
    where = [comparison for comparison, _ in conditions]
    found = walk(lambda n, after: search.find(where, order, n, after), limit)
    assert found == expected(order, [test for _, test in conditions])


def dialect_of(work: SqlWork) -> Any:
    return work.versions._dialect


def test_whoever_was_not_touched_is_on_exactly_one_page(crowd: SqlWork) -> None:
    """Between two pages some are updated, some deleted, and the models of others renamed."""
    touched: set[int] = set()

    def disturb() -> None:
        page = len(touched) // 3
        changed, deleted, moved = (SEEDED[(page * 31 + step) % len(SEEDED)] for step in (0, 9, 17))
        crowd.versions.touch(changed.id, T0 + 1_000 + page)
        crowd.versions.delete(deleted.id, T0 + 3)
        crowd.versions.touch(moved.id, T0 - page)
        touched.update((changed.id, deleted.id, moved.id, -page))

    found = walk(lambda n, after: crowd.versions.search([], NEWEST, n, after), 40, between=disturb)
    seen = [version.id for version in found]
    untouched = {s.id for s in SEEDED} - touched
    assert len(untouched) > TIED
    assert [id for id in seen if id in untouched] == [
        id for id in expected(NEWEST, []) if id in untouched
    ]


# -- the others: pages, and the one page that has room for everything ------------------------------


@pytest.fixture
def tracked(work: SqlWork) -> SqlWork:
    """Forty runs and logged models with equal, missing and odd values of everything."""
    values = (1.0, 1.0, -0.0, 0.0, math.inf, -math.inf, 0.1 + 0.2, None, "NaN", 5e-324)
    count = range(1, 41)
    insert(
        work,
        "runs",
        "id, project_id, run_id, experiment_id, name, user_id, author, status, start_ms, end_ms,"
        " artifact_uri, lifecycle_stage",
        [
            (
                *(i, 1, f"r{i * 7 % 41:02}", 0, f"n{i % 3}", "u", "", "RUNNING", T0 + i % 4),
                *(T0 + i % 2 if i % 3 else None, "x", ACTIVE),
            )
            for i in count
        ],
    )
    insert(
        work,
        "logged_models",
        "id, project_id, model_id, experiment_id, name, model_type, source_run_id, status, author,"
        " artifact_uri, created_ms, updated_ms",
        [
            (
                *(i, 1, f"m-{i * 7 % 41:02}", 0, f"n{i % 3}", "t" if i % 2 else None, None),
                *("READY", "", "x", T0 + i % 4, T0),
            )
            for i in count
        ],
    )
    metrics = [
        (i, 0.0 if value == "NaN" else value, int(value == "NaN"))
        for i in count
        if (value := values[i % len(values)]) is not None
    ]
    insert(
        work,
        "latest_metrics",
        "project_id, run, key, step, at_ms, value, is_nan",
        [(1, i, "acc", 0, T0, value, is_nan) for i, value, is_nan in metrics],
    )
    insert(
        work,
        "logged_model_metrics",
        "project_id, model, run_id, key, step, at_ms, value, is_nan, dataset_name, dataset_digest",
        [(1, i, "r", "acc", 0, T0, value, is_nan, "", "") for i, value, is_nan in metrics],
    )
    insert(
        work,
        "run_tags",
        "project_id, run, key, value",
        [(1, i, "t", "é" * (i % 4)) for i in count if i % 5],
    )
    insert(
        work,
        "experiments",
        "project_id, name, artifact_location, lifecycle_stage, created_ms, updated_ms",
        [(1, f"e{i}", "x", ACTIVE, T0 + i % 3, T0 + i % 2) for i in count],
    )
    insert(
        work,
        "models",
        "project_id, name, handle, description, next_number, created_ms, updated_ms",
        [(1, f"m{i}", f"m{i}", "", 1, T0, T0 + i % 3) for i in count],
    )
    return work


def some_of(*known: Order) -> st.SearchStrategy[list[Order]]:
    both = [o for key in known for o in (key, by(key.key, ascending=False, field=key.field))]
    return st.lists(st.sampled_from(both), max_size=3, unique_by=lambda o: (o.field, o.key))


limits = st.sampled_from([1, 3, 39, 40, 41])
_RUN_ORDERS = some_of(
    *(by(key) for key in ("start_time", "end_time", "run_name", "run_id")),
    by("acc", field="metric"),
    by("t", field="tag"),
    by("t", field="param"),
)


@_walks
@given(_RUN_ORDERS, limits)
def test_pages_of_runs_are_the_whole_in_order(
    tracked: SqlWork, order: list[Order], limit: int
) -> None:
    def find(limit: int, after: Position | None) -> Page[Any]:
        found = tracked.runs.search([0], [ACTIVE], [], order, limit, after)
        return Page([run.run_id for run in found.items], found.end)

    assert walk(find, limit) == (whole := find(100, None).items)
    assert len(set(whole)) == 40


@_walks
@given(
    some_of(
        *(by(key) for key in ("name", "creation_timestamp", "model_type", "source_run_id")),
        by("acc", field="metric"),
    ),
    limits,
)
def test_pages_of_logged_models_are_the_whole_in_order(
    tracked: SqlWork, order: list[Order], limit: int
) -> None:
    def find(limit: int, after: Position | None) -> Page[Any]:
        by_metric = [MetricOrder(o) for o in order]
        found = tracked.logged_models.search([0], [], [], by_metric, limit, after)
        return Page([model.model_id for model in found.items], found.end)

    assert walk(find, limit) == (whole := find(100, None).items)
    assert len(set(whole)) == 40


@_walks
@given(
    some_of(*(by(k) for k in ("name", "experiment_id", "creation_time", "last_update_time"))),
    some_of(*(by(k) for k in ("name", "last_updated_timestamp"))),
    limits,
)
def test_pages_of_experiments_and_of_models_are_the_whole_in_order(
    tracked: SqlWork, order: list[Order], model_order: list[Order], limit: int
) -> None:
    def experiments(limit: int, after: Position | None) -> Page[Any]:
        found = tracked.experiments.search([ACTIVE], [], order, limit, after)
        return Page([experiment.id for experiment in found.items], found.end)

    def models(limit: int, after: Position | None) -> Page[Any]:
        found = tracked.models.search([], model_order, limit, after)
        return Page([model.name for model in found.items], found.end)

    assert len(experiments(100, None).items) == 41  # and the default one
    assert walk(experiments, limit) == experiments(100, None).items
    assert len(models(100, None).items) == 40
    assert walk(models, limit) == models(100, None).items


def test_points_logged_between_two_pages_of_a_history_move_no_other(tracked: SqlWork) -> None:
    """Among equal times, steps and values, odd ones, and on both sides of where a page ended."""
    values = (1.0, -0.0, math.inf, -math.inf, 0.1 + 0.2, math.nan, 5e-324)
    points = [Metric("m", values[i % 7], T0 + i % 5, i % 3) for i in range(105)]
    tracked.runs.log_metrics(1, [*points, Metric("other", 1.0, T0, 0)])
    later = (Metric("m", 100.0 + i, T0 + i % 6, i % 4) for i in range(1_000))

    def find(limit: int, after: Position | None) -> Page[Any]:
        found = tracked.runs.history(1, "m", limit, after)
        return Page([(p.at_ms, p.step, str(p.value)) for p in found.items], found.end)

    whole = find(1_000, None).items
    assert len(set(whole)) == len(whole) == 105
    assert walk(find, 7) == walk(find, 105) == whole
    found = walk(find, 7, between=lambda: tracked.runs.log_metrics(1, [next(later)]))
    assert len(found) > 105
    assert [point for point in found if point in whole] == whole


@pytest.mark.parametrize("position", [(), (T0, 0, 1.0), ("x", 0, 1.0, 0), (T0, 0, None, 0)])
def test_a_position_that_is_none_of_a_history_is_refused(work: SqlWork, position: Any) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token"):
        work.runs.history(1, "m", 10, position)


@pytest.mark.parametrize(
    "position",
    [
        *((), (1,), (1, 2, 3), ("x", "a", 1), (T0, 1, "a"), (T0, None, 1), (2**63, "a", 1)),
        *((True, "a", 1), ([T0], "a", 1), (1.5, "a", 1), (T0, "a", {"x": 1})),
    ],
)
def test_a_position_that_is_none_of_this_order_is_refused(work: SqlWork, position: Any) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token"):
        work.versions.search([], NEWEST, 10, position)


def test_a_position_may_hold_what_no_row_has(work: SqlWork) -> None:
    for name in ("", "ä" * 1000, "'; --"):
        assert work.versions.search([], NEWEST, 10, (0, name, -1)).items == []
    with pytest.raises(InvalidInput):
        work.versions.search([], NEWEST, 10, (0, "\ud800", 1))


# -- how it is found -----------------------------------------------------------------------------


SCANS = re.compile(r"SCAN ([vm]|versions|version_tags)\b")  # in the words of SQLite
ROW_BY_ROW = re.compile(r"(CO-ROUTINE v\n.*)\nSCAN v\b", re.DOTALL)  # what a subquery finds
SEQ_SCAN = re.compile("Seq Scan")  # in those of PostgreSQL


class Spy:
    """A connection that remembers what was asked of it."""

    def __init__(self, work: SqlWork) -> None:
        self._db, self.asked = work.db, list[tuple[str, tuple[Any, ...]]]()
        self._on_sqlite = dialect_of(work).name == "sqlite"

    def all(self, sql: str, *params: Any) -> list[Row]:
        self.asked.append((sql, params))
        return self._db.all(sql, *params)

    def one(self, sql: str, *params: Any) -> Row | None:
        self.asked.append((sql, params))
        return self._db.one(sql, *params)

    def ahead(self, sql: str, *params: Any) -> Callable[[], list[Row]]:
        self.asked.append((sql, params))
        return self._db.ahead(sql, *params)

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        return self._db.among(values)

    def gathered(self, key: str, value: str) -> str:
        return self._db.gathered(key, value)

    def plans(self) -> list[str]:
        """The plan of each statement, none of which looks at all versions or all tags."""
        # So few rows would be read faster without an index: what counts is that one would do.
        if not self._on_sqlite:
            self._db.run("SET enable_seqscan = off")
            self._db.run("ANALYZE versions")  # as PostgreSQL does by itself, sooner or later
        explain = "EXPLAIN QUERY PLAN" if self._on_sqlite else "EXPLAIN"
        found = [self._db.all(f"{explain} {sql}", *params) for sql, params in self.asked]
        plans = ["\n".join(str(row[-1]) for row in rows) for rows in found]
        for plan in plans:
            looked = ROW_BY_ROW.sub(r"\1", plan)
            assert not (SCANS if self._on_sqlite else SEQ_SCAN).search(looked), plan
        return plans

    def plan_of_few(self) -> str:
        """The plan of the statement that finds few rows first, and then sorts them."""
        plans = zip(self.asked, self.plans(), strict=True)
        return next(plan for (sql, _), plan in plans if sql.startswith("WITH few AS"))


WALKS: dict[str, tuple[list[Comparison], tuple[Order, ...]]] = {
    "newest first": ([], NEWEST),
    "oldest first": ([], (by("last_updated_timestamp"), *NEWEST[1:])),
    "by name": ([], (by("name"), *NEWEST)),
    "a frequent tag": ([tag("kind", "x")], NEWEST),
    "one model": ([attribute("name", "=", "big")], NEWEST),
    "one model by number": (
        [attribute("name", "=", "big")],
        (by("version_number", ascending=False),),
    ),
}


@pytest.mark.parametrize("case", WALKS)
def test_a_page_is_read_by_walking_an_index(crowd: SqlWork, case: str) -> None:
    where, order = WALKS[case]
    spy = Spy(crowd)
    search = VersionSearch(spy, 1, dialect_of(crowd), Sight(1))  # pyright: ignore[reportArgumentType]
    first = search.find(where, order, 20, None)
    search.find(where, order, 20, first.end)
    for plan in spy.plans():
        # A run of equal times is sorted, if it is short.
        assert "FOR ORDER BY" not in plan or "updated_ms=?" in plan, plan


FEW: dict[str, tuple[Comparison, str]] = {
    "a tag": (tag("rare", "r1"), "version_tags_value"),
    "a run": (attribute("run_id", "=", "run0"), "versions_run"),
    "a source": (attribute("source_path", "=", "s3://b/7"), "versions_source"),
    "a long source": (attribute("source_path", "=", LONG), "versions_source"),
    "one of some sources": (attribute("source_path", "IN", ("s3://b/7", "x")), "versions_source"),
}


@pytest.mark.parametrize("limit", [20, 100_000])
@pytest.mark.parametrize("case", FEW)
def test_what_few_have_is_found_without_a_scan(crowd: SqlWork, case: str, limit: int) -> None:
    """Also by a client that names no limit, whose page has room for all versions."""
    where, index = FEW[case]
    spy = Spy(crowd)
    search = VersionSearch(spy, 1, dialect_of(crowd), Sight(1))  # pyright: ignore[reportArgumentType]
    assert search.find([where], NEWEST, limit, None).items
    assert index in spy.plan_of_few()


def test_what_many_have_is_not_counted(crowd: SqlWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "WORTH_A_LOOK", 0)
    spy = Spy(crowd)
    search = VersionSearch(spy, 1, dialect_of(crowd), Sight(1))  # pyright: ignore[reportArgumentType]
    assert len(search.find([tag("kind", "x")], NEWEST, 20, None).items) == 20
    assert len(search.find([tag("kind", "x"), tag("rare", "r1")], NEWEST, 20, None).items) > 1
    counted = [params for sql, params in spy.asked if sql.endswith(" matches")]
    assert {params[1] for params in counted} == {"rare"}


def test_which_way_a_page_was_found_does_not_show(
    crowd: SqlWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "WORTH_A_LOOK", 0)
    search = VersionSearch(crowd.db, 1, dialect_of(crowd), Sight(1))
    also, test_also = CONDITIONS[1]
    for comparison, test in CONDITIONS[:6]:  # those of tags
        where = [comparison, also]
        found = walk(lambda *page, where=where: search.find(where, NEWEST, *page), 60)
        assert found == expected(NEWEST, [test, test_also]), where


def test_a_list_of_large_numbers_may_follow_one_of_small_ones(crowd: SqlWork) -> None:
    for first in (1, 40_000, 1 << 31, 1 << 40):
        among, ids = crowd.db.among([first, 2])
        found = crowd.db.all(f"SELECT id FROM versions WHERE id {among}", *ids)
        assert {row[0] for row in found} == {first, 2} & {s.id for s in SEEDED}


def test_copies_of_a_version_are_found_without_a_scan(crowd: SqlWork) -> None:
    original, copy = SEEDED[0], SEEDED[-1]
    label = f"models:/{original.name}/{original.version_number}"
    crowd.db.run("UPDATE versions SET source = ? WHERE id = ?", label, copy.id)
    names = "project_id, model_id, name, from_ms"
    insert(crowd, "model_names", names, [(1, MODELS.index(original.name) + 1, original.name, 0)])
    version = crowd.versions.by_id(original.id)
    assert version is not None
    spy = Spy(crowd)
    work = SqlWork(spy, dialect_of(crowd))  # pyright: ignore[reportArgumentType]
    assert [found.id for found in sources.copies(work, version, 100)] == [copy.id]
    assert "versions_source" in spy.plan_of_few()


def test_what_few_have_is_found_by_its_index(crowd: SqlWork) -> None:
    spy = Spy(crowd)
    search = VersionSearch(spy, 1, dialect_of(crowd), Sight(1))  # pyright: ignore[reportArgumentType]
    assert len(search.find([tag("kind", "x"), tag("rare", "r1")], NEWEST, 20, None).items) > 1
    rare = [params for sql, params in spy.asked if sql.startswith("WITH few AS")]
    assert rare[0][1:3] == ("rare", "r1")
    assert "version_tags_value" in spy.plan_of_few()
