"""Logged models."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelkeep.domain.search import Comparison, Page, Position
from modelkeep.domain.tracking import LoggedModel, Metric
from modelkeep.ports.tracking import DatasetFilter, MetricOrder, NewLoggedModel
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import Term, behind, check, nulls_last, order_by, page
from modelkeep.storage.sql.metrics import read, stored
from modelkeep.storage.sql.pages import pairs_of, rows_of
from modelkeep.storage.sql.run_search import number_test
from modelkeep.storage.sql.search import (
    Fragment,
    KeyValues,
    any_of,
    condition,
    conjunction,
    having,
    holds,
)

_SHOWN = (
    "id, model_id, experiment_id, name, model_type, source_run_id, status, author, artifact_uri,"
    " created_ms, updated_ms"
)
_MODEL = f"SELECT {_SHOWN}, deleted_ms IS NOT NULL FROM logged_models m"
_ID = "(SELECT id FROM logged_models WHERE project_id = ? AND model_id = ?)"
_TAGS = KeyValues("logged_model_tags", "model", "m.id")
_PARAMS = KeyValues("logged_model_params", "model", "m.id")
_METRICS = KeyValues("logged_model_metrics", "model", "m.id")
_COLUMNS = {
    "name": "m.name",
    "model_id": "m.model_id",
    "model_type": "m.model_type",
    "status": "m.status",
    "source_run_id": "m.source_run_id",
    "experiment_id": "m.experiment_id",
    "artifact_uri": "m.artifact_uri",
    "creation_timestamp": "m.created_ms",
    "last_updated_timestamp": "m.updated_ms",
}
_NUMBERS = ("experiment_id", "creation_timestamp", "last_updated_timestamp")


class SqlLoggedModels:
    """See `ports.tracking.LoggedModels`."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect

    # -- one model -------------------------------------------------------------------------

    def get(self, model_id: str, *, deleted: bool = False) -> LoggedModel | None:
        model = self.find(model_id, deleted=deleted)
        return self._dress([model])[0] if model else None

    def find(self, model_id: str, *, deleted: bool = False) -> LoggedModel | None:
        model = self._one(model_id)
        return None if model is None or (model.deleted and not deleted) else model

    def add(self, new: NewLoggedModel, at_ms: int) -> None:
        self._db.later(
            "INSERT INTO logged_models (project_id, model_id, experiment_id, name, model_type,"
            " source_run_id, status, author, artifact_uri, created_ms, updated_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, 'PENDING', ?, ?, ?, ?)",
            self._project_id,
            new.model_id,
            new.experiment_id,
            new.name,
            new.model_type,
            new.source_run_id,
            new.author,
            new.artifact_uri,
            at_ms,
            at_ms,
        )

    def set_status(self, model_id: str, status: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE logged_models SET status = ?, updated_ms = ?"
            " WHERE project_id = ? AND model_id = ?",
            status,
            at_ms,
            self._project_id,
            model_id,
        )

    def delete(self, model_id: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE logged_models SET deleted_ms = ?, updated_ms = ?"
            " WHERE project_id = ? AND model_id = ?",
            at_ms,
            at_ms,
            self._project_id,
            model_id,
        )

    def params(self, model_id: str, keys: Sequence[str]) -> dict[str, str]:
        wanted = any_of("key", keys)
        rows = self._db.all(
            "SELECT key, value FROM logged_model_params"
            f" WHERE project_id = ? AND model = {_ID} AND {wanted.sql}",
            *(self._project_id, self._project_id, model_id),
            *wanted.params,
        )
        return dict(rows)

    def add_params(self, model_id: str, params: Mapping[str, str]) -> None:
        self._db.many(
            "INSERT INTO logged_model_params (project_id, model, key, value)"
            f" VALUES (?, {_ID}, ?, ?)",
            [
                (self._project_id, self._project_id, model_id, key, value)
                for key, value in params.items()
            ],
        )

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        self._db.many(
            f"INSERT INTO logged_model_tags (project_id, model, key, value) VALUES (?, {_ID}, ?, ?)"
            " ON CONFLICT (project_id, model, key) DO UPDATE SET value = excluded.value",
            [
                (self._project_id, self._project_id, model_id, key, value)
                for key, value in tags.items()
            ],
        )

    def delete_tag(self, model_id: str, key: str) -> bool:
        return 0 < self._db.run(
            f"DELETE FROM logged_model_tags WHERE project_id = ? AND model = {_ID} AND key = ?",
            *(self._project_id, self._project_id, model_id),
            key,
        )

    def log_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        self._db.many(
            "INSERT INTO logged_model_metrics (project_id, model, run_id, key, step, at_ms, value,"
            f" is_nan, dataset_name, dataset_digest) VALUES (?, {_ID}, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project_id, model, run_id, key, step, at_ms, dataset_name,"
            " dataset_digest) DO NOTHING",
            [
                (
                    *(self._project_id, self._project_id, metric.model_id, run_id),
                    *(metric.key, metric.step, metric.at_ms, *stored(metric.value)),
                    *(metric.dataset_name or "", metric.dataset_digest or ""),
                )
                for metric in metrics
                if metric.model_id is not None
            ],
        )

    def _one(self, model_id: str) -> LoggedModel | None:
        row = self._db.one(
            f"{_MODEL} WHERE m.project_id = ? AND m.model_id = ?", self._project_id, model_id
        )
        return LoggedModel(*row[:11], deleted=bool(row[11])) if row else None

    # -- many models -----------------------------------------------------------------------

    def search(
        self,
        experiment_ids: Sequence[int],
        where: Sequence[Comparison],
        datasets: Sequence[DatasetFilter],
        order: Sequence[MetricOrder],
        limit: int,
        after: Position | None,
    ) -> Page[LoggedModel]:
        values, terms = self._order(order)
        check(terms, after)
        measured = _measured_on(datasets)
        tests = [any_of("m.experiment_id", experiment_ids)]
        tests += [self._test(comparison, measured) for comparison in where]
        if measured and not any(comparison.field == "metric" for comparison in where):
            tests.append(self._has_point(measured))
        test = conjunction(tests)
        bounds = behind(terms, after) if after else Fragment("1 = 1", ())
        rows = self._db.all(
            f"WITH found AS MATERIALIZED (SELECT {_SHOWN}{values.sql} FROM logged_models m"
            f" WHERE m.project_id = ? AND m.deleted_ms IS NULL{test.sql})"
            f" SELECT {_SHOWN}, {', '.join(term.sql for term in terms)} FROM found"
            f" WHERE {bounds.sql} {order_by(terms)} LIMIT {limit + 1}",
            *values.params,
            self._project_id,
            *test.params,
            *bounds.params,
        )
        found = page(rows, limit, terms)
        return Page(self._dress([LoggedModel(*row) for row in found.items]), found.end)

    def _test(self, comparison: Comparison, measured: Fragment | None) -> Fragment:
        if comparison.field == "tag":
            return holds(self._dialect, self._project_id, _TAGS, comparison)
        if comparison.field == "param":
            return holds(self._dialect, self._project_id, _PARAMS, comparison)
        if comparison.field == "metric":
            value = number_test(self._dialect, comparison)
            both = conjunction([value, *([measured] if measured else [])])
            test = Fragment(both.sql.removeprefix(" AND "), both.params)
            return having(self._project_id, _METRICS, comparison.key, test)
        return condition(self._dialect, _COLUMNS[comparison.key], comparison)

    def _has_point(self, measured: Fragment) -> Fragment:
        sql = "SELECT 1 FROM logged_model_metrics WHERE project_id = ? AND model = m.id"
        return Fragment(f"EXISTS ({sql} AND {measured.sql})", (self._project_id, *measured.params))

    def _order(self, order: Sequence[MetricOrder]) -> tuple[Fragment, list[Term]]:
        """The values to sort by that are no columns, `, … AS by0`, and the terms."""
        values: list[Fragment] = []
        terms: list[Term] = []
        for number, wanted in enumerate(order):
            key, ascending = wanted.order.key, wanted.order.ascending
            if wanted.order.field == "metric":
                value = self._latest_value(key, wanted.dataset)
                values.append(Fragment(f", {value.sql} AS by{number}", value.params))
                terms += nulls_last(Term(f"by{number}", ascending, float))
            else:
                kind = int if key in _NUMBERS else str
                terms += nulls_last(Term(_COLUMNS[key].removeprefix("m."), ascending, kind))
        terms += (Term("created_ms", ascending=False), Term("model_id", kind=str))
        sql = "".join(value.sql for value in values)
        return Fragment(sql, tuple(p for value in values for p in value.params)), terms

    def _latest_value(self, key: str | None, dataset: DatasetFilter | None) -> Fragment:
        measured = _measured_on([dataset] if dataset else [])
        on = f" AND {measured.sql}" if measured else ""
        return Fragment(
            "(SELECT CASE WHEN is_nan = 1 THEN NULL ELSE value END FROM logged_model_metrics"
            f" WHERE project_id = ? AND model = m.id AND key = ?{on}"
            " ORDER BY at_ms DESC, step DESC, run_id LIMIT 1)",
            (self._project_id, key, *(measured.params if measured else ())),
        )

    def _dress(self, models: Sequence[LoggedModel]) -> list[LoggedModel]:
        ids = [model.id for model in models]
        tags = pairs_of(self._db, "logged_model_tags", "model", self._project_id, ids)
        params = pairs_of(self._db, "logged_model_params", "model", self._project_id, ids)
        points = self._points({model.id: model.model_id for model in models})
        registrations = self._registrations([model.model_id for model in models])
        return [
            replace(
                model,
                tags=tags.get(model.id, {}),
                params=params.get(model.id, {}),
                points=tuple(points.get(model.id, ())),
                registrations=tuple(registrations.get(model.model_id, ())),
            )
            for model in models
        ]

    def _points(self, models: Mapping[int, str]) -> dict[int, list[Metric]]:
        select = (
            "SELECT model, key, step, at_ms, run_id, dataset_name, dataset_digest, value, is_nan"
            " FROM logged_model_metrics WHERE project_id = ? AND model"
        )
        found: dict[int, list[Metric]] = {}
        for model, key, step, at, run_id, name, digest, value, is_nan in sorted(
            rows_of(self._db, select, self._project_id, list(models))
        ):
            point = Metric(
                *(key, read(value, is_nan), at, step, models[model]),
                *(name or None, digest or None, run_id),
            )
            found.setdefault(model, []).append(point)
        return found

    def _registrations(self, model_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
        """Logged model -> (name, number) of its versions, by name and number."""
        select = (
            "SELECT v.logged_model_id, m.name, v.number FROM versions v"
            " JOIN models m ON m.id = v.model_id"
            " WHERE v.deleted_ms IS NULL AND m.deleted_ms IS NULL"
            " AND v.project_id = ? AND v.logged_model_id"
        )
        found: dict[str, list[tuple[str, int]]] = {}
        for model_id, name, number in sorted(
            rows_of(self._db, select, self._project_id, model_ids)
        ):
            found.setdefault(model_id, []).append((name, number))
        return found


def _measured_on(datasets: Sequence[DatasetFilter]) -> Fragment | None:
    """That a point was measured on one of the data sets; None when any will do."""
    if not datasets:
        return None
    tests, params = [], []
    for dataset in datasets:
        given = {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
        tests.append(" AND ".join(f"{column} = ?" for column, text in given.items() if text))
        params += [text for text in given.values() if text]
    return Fragment(f"({' OR '.join(tests)})", tuple(params))
