"""Points of metrics: of runs, and of logged models.

NOTE: a NaN is stored as the value 0 with `is_nan` 1, because SQLite has no NaN; every statement
that compares or sorts values must mind `is_nan`.
"""

import math
from collections.abc import Sequence
from typing import Any

from modelkeep.domain.tracking import Metric, latest_of
from modelkeep.storage.sql.dialects import Db
from modelkeep.storage.sql.pages import rows_of


def stored(value: float) -> tuple[float, int]:
    """(value, is_nan) as the columns hold them. Infinities are themselves."""
    return (0.0, 1) if math.isnan(value) else (value, 0)


def read(value: float, is_nan: int) -> float:
    return math.nan if is_nan else value


def insert_points(db: Db, project_id: int, run: int, metrics: Sequence[Metric]) -> None:
    """Adds points to a run, and moves its latest on where one is more recent."""
    db.many(
        "INSERT INTO metrics (project_id, run, key, step, at_ms, value, is_nan)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (project_id, run, key, step, at_ms, value, is_nan) DO NOTHING",
        [_row(project_id, run, metric) for metric in metrics],
    )
    # One statement decides and writes, so that no other writer can come in between.
    db.many(
        "INSERT INTO latest_metrics (project_id, run, key, step, at_ms, value, is_nan)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, run, key) DO UPDATE SET"
        " step = excluded.step, at_ms = excluded.at_ms, value = excluded.value,"
        " is_nan = excluded.is_nan WHERE (excluded.step, excluded.at_ms, excluded.value)"
        " > (latest_metrics.step, latest_metrics.at_ms, latest_metrics.value)",
        [_row(project_id, run, metric) for metric in latest_of(metrics)],
    )


def points_of(db: Db, project_id: int, run: int, key: str, limit: int, offset: int) -> list[Metric]:
    """The history of a run's metric, by time, step and value."""
    rows = db.all(
        "SELECT value, is_nan, at_ms, step FROM metrics"
        " WHERE project_id = ? AND run = ? AND key = ?"
        " ORDER BY at_ms, step, value, is_nan LIMIT ? OFFSET ?",
        project_id,
        run,
        key,
        limit,
        offset,
    )
    return [Metric(key, read(value, is_nan), at, step) for value, is_nan, at, step in rows]


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


def _row(project_id: int, run: int, metric: Metric) -> tuple[Any, ...]:
    value, is_nan = stored(metric.value)
    return project_id, run, metric.key, metric.step, metric.at_ms, value, is_nan
