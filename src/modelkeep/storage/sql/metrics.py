"""Points of metrics: of runs, and of logged models.

NOTE: a NaN is stored as the value 0 with `is_nan` 1, because SQLite has no NaN; every statement
that compares or sorts values must mind `is_nan`.
"""

import math
from collections.abc import Sequence
from itertools import chain

from modelkeep.domain.search import Page, Position
from modelkeep.domain.tracking import Metric, sample_places
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.keyset import Term, behind, check, order_by
from modelkeep.storage.sql.pages import rows_of
from modelkeep.storage.sql.search import Fragment, any_of

ROWS_A_STATEMENT = 100  # 700 parameters; both databases take more than 30,000
_COLUMNS = "project_id, run, key, step, at_ms, value, is_nan"
_ONE = "(?, ?, ?, ?, ?, ?, ?)"
_MANY = ", ".join([_ONE] * ROWS_A_STATEMENT)
_BY_TIME = (Term("at_ms"), Term("step"), Term("value", kind=float), Term("is_nan"))


def stored(value: float) -> tuple[float, int]:
    """(value, is_nan) as the columns hold them. Infinities are themselves."""
    return (0.0, 1) if math.isnan(value) else (value, 0)


def read(value: float, is_nan: int) -> float:
    return math.nan if is_nan else value


def insert_points(db: Db, project_id: int, run: int, metrics: Sequence[Metric]) -> None:
    """Adds points to a run, and moves its latest on where one is more recent."""
    rows = sorted({_row(project_id, run, metric) for metric in metrics})
    _insert(
        db,
        f"INSERT INTO metrics ({_COLUMNS}) VALUES",
        f"ON CONFLICT ({_COLUMNS}) DO NOTHING",
        rows,
    )
    # Rows are in the order of `Metric.recency`, so that the last of each key is its latest. One
    # statement decides and writes, so that no other writer can come in between.
    _insert(
        db,
        f"INSERT INTO latest_metrics ({_COLUMNS}) VALUES",
        "ON CONFLICT (project_id, run, key) DO UPDATE SET step = excluded.step,"
        " at_ms = excluded.at_ms, value = excluded.value, is_nan = excluded.is_nan"
        " WHERE (excluded.step, excluded.at_ms, excluded.value, excluded.is_nan)"
        " > (latest_metrics.step, latest_metrics.at_ms, latest_metrics.value,"
        " latest_metrics.is_nan)",
        list({row[2]: row for row in rows}.values()),
    )


def _insert(db: Db, before: str, after: str, rows: Sequence[Row]) -> None:
    """As `Db.many`, but many rows a statement.

    The driver hands the interpreter over to other threads at each statement, and may wait
    milliseconds to get it back while one of them parses the next request.
    """
    whole = len(rows) - len(rows) % ROWS_A_STATEMENT
    for start in range(0, whole, ROWS_A_STATEMENT):
        chunk = rows[start : start + ROWS_A_STATEMENT]
        db.run(f"{before} {_MANY} {after}", *chain.from_iterable(chunk))
    if whole < len(rows):
        db.many(f"{before} {_ONE} {after}", rows[whole:])


def points_of(
    db: Db, project_id: int, run: int, key: str, limit: int, after: Position | None
) -> Page[Metric]:
    """A page of the history of a run's metric, by time, step and value.

    No index has that order: each page, the first as any other, reads all points of the metric. One
    that had it would make logging points a quarter slower.
    """
    check(_BY_TIME, after)
    follows = behind(_BY_TIME, after) if after else Fragment("1 = 1", ())
    rows = db.all(
        "SELECT at_ms, step, value, is_nan FROM metrics"
        f" WHERE project_id = ? AND run = ? AND key = ? AND {follows.sql}"
        f" {order_by(_BY_TIME)} LIMIT ?",
        *(project_id, run, key, *follows.params, limit + 1),
    )
    end = tuple(rows[limit - 1]) if len(rows) > limit else None
    found = [Metric(key, read(value, is_nan), at, step) for at, step, value, is_nan in rows[:limit]]
    return Page(found, end)


def points_after(
    db: Db, project_id: int, run: int, after: Metric | None, limit: int
) -> list[Metric]:
    """Points of a run's metrics in the order of the table's key: after one, or the first."""
    key = "key, step, at_ms, value, is_nan"
    follows = f" AND ({key}) > (?, ?, ?, ?, ?)" if after else ""
    last = _row(project_id, run, after)[2:] if after else ()
    rows = db.all(
        f"SELECT {key} FROM metrics WHERE project_id = ? AND run = ?{follows}"
        f" ORDER BY {key} LIMIT ?",
        project_id,
        run,
        *last,
        limit,
    )
    return [Metric(k, read(value, is_nan), at, step) for k, step, at, value, is_nan in rows]


def points_of_many(
    db: Db, project_id: int, run_ids: Sequence[str], key: str, limit: int
) -> list[Metric]:
    """The first points of many runs, by run id, then as in `points_of`; each says its run."""
    wanted = any_of("r.run_id", run_ids)
    rows = db.all(
        "SELECT m.value, m.is_nan, m.at_ms, m.step, r.run_id FROM runs r"
        " JOIN metrics m ON m.project_id = r.project_id AND m.run = r.id AND m.key = ?"
        f" WHERE r.project_id = ? AND {wanted.sql}"
        " ORDER BY r.run_id, m.at_ms, m.step, m.value, m.is_nan LIMIT ?",
        *(key, project_id, *wanted.params, limit),
    )
    return [
        Metric(key, read(value, is_nan), at, step, run_id=run_id)
        for value, is_nan, at, step, run_id in rows
    ]


def sampled_points(
    db: Db, project_id: int, run: int, key: str, size: int, steps: tuple[int, int] | None
) -> list[Metric]:
    """The points of a run's metric at `sample_places`, by step, time and value.

    That is the order of the table's key: to number the points is to walk along it.
    """
    within, span = (" AND step BETWEEN ? AND ?", steps) if steps else ("", ())
    points = f"FROM metrics WHERE project_id = ? AND run = ? AND key = ?{within}"
    counted = db.one(f"SELECT COUNT(*) {points}", project_id, run, key, *span)
    places = any_of("place", sample_places(counted[0] if counted else 0, size))
    rows = db.all(
        "SELECT value, is_nan, at_ms, step FROM (SELECT value, is_nan, at_ms, step,"
        f" ROW_NUMBER() OVER (ORDER BY step, at_ms, value, is_nan) AS place {points}) AS points"
        f" WHERE {places.sql} ORDER BY place",
        *(project_id, run, key, *span, *places.params),
    )
    return [Metric(key, read(value, is_nan), at, step) for value, is_nan, at, step in rows]


def latest_points(db: Db, project_id: int, runs: Sequence[int]) -> dict[int, list[Metric]]:
    """Run -> the latest point of each of its metrics, by key."""
    select = (
        "SELECT run, key, value, is_nan, at_ms, step FROM latest_metrics"
        " WHERE project_id = ? AND run"
    )
    found: dict[int, list[Metric]] = {}
    for run, key, value, is_nan, at, step in sorted(rows_of(db, select, project_id, runs)):
        found.setdefault(run, []).append(Metric(key, read(value, is_nan), at, step))
    return found


def _row(project_id: int, run: int, metric: Metric) -> Row:
    value, is_nan = stored(metric.value)
    return project_id, run, metric.key, metric.step, metric.at_ms, value, is_nan
