"""Runs, and what is logged to them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import (
    ACTIVE,
    CONTEXT_TAG,
    Dataset,
    DatasetUse,
    Metric,
    ModelOutput,
    Run,
)
from modelkeep.ports.tracking import NewRun
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.keyset import behind, check, order_by, page
from modelkeep.storage.sql.metrics import (
    insert_points,
    latest_points,
    points_after,
    points_of,
    points_of_many,
    sampled_points,
)
from modelkeep.storage.sql.pages import pairs_of, rows_of
from modelkeep.storage.sql.run_search import conditions, order_of
from modelkeep.storage.sql.search import any_of, conjunction

_SHOWN = (
    "r.id, r.run_id, r.experiment_id, r.name, r.user_id, r.author, r.status, r.start_ms,"
    " r.end_ms, r.artifact_uri, r.lifecycle_stage"
)
_RUN = f"SELECT {_SHOWN} FROM runs r"


class SqlRuns:
    """See `ports.tracking.Runs`."""

    def __init__(self, db: Db, project_id: int, dialect: Dialect) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect

    # -- one run ---------------------------------------------------------------------------

    def get(self, run_id: str) -> Run | None:
        run = self.find(run_id)
        return self._dress([run])[0] if run else None

    def find(self, run_id: str) -> Run | None:
        row = self._db.one(
            f"{_RUN} WHERE r.project_id = ? AND r.run_id = ?", self._project_id, run_id
        )
        return Run(*row) if row else None

    def add(self, new: NewRun) -> int:
        row = self._db.one(
            "INSERT INTO runs (project_id, run_id, experiment_id, name, user_id, author, status,"
            " start_ms, artifact_uri, lifecycle_stage)"
            " VALUES (?, ?, ?, ?, ?, ?, 'RUNNING', ?, ?, ?) RETURNING id",
            self._project_id,
            new.run_id,
            new.experiment_id,
            new.name,
            new.user_id,
            new.author,
            new.start_ms,
            new.artifact_uri,
            ACTIVE,
        )
        assert row is not None
        return row[0]

    def update(self, id: int, *, name: str, status: str, end_ms: int | None) -> None:
        self._db.later(
            "UPDATE runs SET name = ?, status = ?, end_ms = ? WHERE id = ?",
            name,
            status,
            end_ms,
            id,
        )

    def set_lifecycle(self, id: int, stage: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE runs SET lifecycle_stage = ?, deleted_ms = ? WHERE id = ?",
            stage,
            None if stage == ACTIVE else at_ms,
            id,
        )

    def set_lifecycle_in(self, experiment_id: int, stage: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE runs SET lifecycle_stage = ?, deleted_ms = ?"
            " WHERE project_id = ? AND experiment_id = ?",
            stage,
            None if stage == ACTIVE else at_ms,
            self._project_id,
            experiment_id,
        )

    # -- what is logged --------------------------------------------------------------------

    def params(self, id: int, keys: Sequence[str]) -> dict[str, str]:
        wanted = any_of("key", keys)
        rows = self._db.all(
            f"SELECT key, value FROM run_params WHERE project_id = ? AND run = ? AND {wanted.sql}",
            self._project_id,
            id,
            *wanted.params,
        )
        return dict(rows)

    def add_params(self, id: int, params: Mapping[str, str]) -> None:
        self._db.many(
            "INSERT INTO run_params (project_id, run, key, value) VALUES (?, ?, ?, ?)",
            [(self._project_id, id, key, value) for key, value in params.items()],
        )

    def tag(self, id: int, key: str) -> str | None:
        row = self._db.one(
            "SELECT value FROM run_tags WHERE project_id = ? AND run = ? AND key = ?",
            self._project_id,
            id,
            key,
        )
        return row[0] if row else None

    def set_tags(self, id: int, tags: Mapping[str, str]) -> None:
        self._db.many(
            "INSERT INTO run_tags (project_id, run, key, value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, run, key) DO UPDATE SET value = excluded.value",
            [(self._project_id, id, key, value) for key, value in tags.items()],
        )

    def delete_tag(self, id: int, key: str) -> bool:
        return 0 < self._db.run(
            "DELETE FROM run_tags WHERE project_id = ? AND run = ? AND key = ?",
            self._project_id,
            id,
            key,
        )

    def log_metrics(self, id: int, metrics: Sequence[Metric]) -> None:
        insert_points(self._db, self._project_id, id, metrics)

    def history(self, id: int, key: str, limit: int, after: Position | None) -> Page[Metric]:
        return points_of(self._db, self._project_id, id, key, limit, after)

    def points(self, id: int, after: Metric | None, limit: int) -> list[Metric]:
        return points_after(self._db, self._project_id, id, after, limit)

    def histories(self, run_ids: Sequence[str], key: str, limit: int) -> list[Metric]:
        return points_of_many(self._db, self._project_id, run_ids, key, limit)

    def sample(self, id: int, key: str, size: int, steps: tuple[int, int] | None) -> list[Metric]:
        return sampled_points(self._db, self._project_id, id, key, size, steps)

    def authors(self, experiment_id: int) -> list[str]:
        rows = self._db.all(
            "SELECT DISTINCT author FROM runs WHERE project_id = ? AND experiment_id = ?",
            self._project_id,
            experiment_id,
        )
        return [row[0] for row in rows]

    def dataset_uses(self, experiment_ids: Sequence[int], limit: int) -> list[DatasetUse]:
        scope = any_of("r.experiment_id", experiment_ids)
        rows = self._db.all(
            "SELECT DISTINCT r.experiment_id, d.name, d.digest, d.context"
            " FROM runs r JOIN run_datasets d ON d.project_id = r.project_id AND d.run = r.id"
            f" WHERE r.project_id = ? AND {scope.sql} ORDER BY 1, 2, 3, 4 LIMIT ?",
            self._project_id,
            *scope.params,
            limit,
        )
        return [DatasetUse(*row) for row in rows]

    def add_datasets(self, id: int, datasets: Sequence[Dataset]) -> None:
        self._db.many(
            "INSERT INTO run_datasets (project_id, run, name, digest, source_type, source, schema,"
            " profile, tags, context) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (project_id, run, name, digest) DO NOTHING",
            [
                (
                    *(self._project_id, id, d.name, d.digest, d.source_type, d.source),
                    *(d.schema, d.profile, json.dumps(d.tags), d.tags.get(CONTEXT_TAG, "")),
                )
                for d in datasets
            ],
        )

    def add_model_inputs(self, id: int, model_ids: Sequence[str]) -> None:
        self._link(id, "input", [ModelOutput(model_id) for model_id in model_ids])

    def add_model_outputs(self, id: int, outputs: Sequence[ModelOutput]) -> None:
        self._link(id, "output", outputs)

    def _link(self, id: int, direction: str, models: Sequence[ModelOutput]) -> None:
        self._db.many(
            "INSERT INTO run_models (project_id, run, model_id, direction, step)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (project_id, run, model_id, direction)"
            " DO UPDATE SET step = excluded.step",
            [(self._project_id, id, model.model_id, direction, model.step) for model in models],
        )

    # -- many runs -------------------------------------------------------------------------

    def search(
        self,
        experiment_ids: Sequence[int],
        stages: Sequence[str],
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Run]:
        joins, terms = order_of(order)
        check(terms, after)
        scope = [any_of("r.experiment_id", experiment_ids), any_of("r.lifecycle_stage", stages)]
        bounds = [behind(terms, after)] if after else []
        tests = conjunction([*scope, *conditions(self._dialect, self._project_id, where), *bounds])
        values = ", ".join(term.sql for term in terms)
        rows = self._db.all(
            f"SELECT {_SHOWN}, {values} FROM runs r{joins.sql} WHERE r.project_id = ?{tests.sql}"
            f" {order_by(terms)} LIMIT {limit + 1}",
            *joins.params,
            self._project_id,
            *tests.params,
        )
        found = page(rows, limit, terms)
        return Page(self._dress([Run(*row) for row in found.items]), found.end)

    def _dress(self, runs: Sequence[Run]) -> list[Run]:
        db, project_id, ids = self._db, self._project_id, [run.id for run in runs]
        params = pairs_of(db, "run_params", "run", project_id, ids)
        tags = pairs_of(db, "run_tags", "run", project_id, ids)
        latest = latest_points(db, project_id, ids)
        datasets = self._datasets(ids)
        inputs, outputs = self._models(ids)
        return [
            replace(
                run,
                params=params.get(run.id, {}),
                tags=tags.get(run.id, {}),
                latest=tuple(latest.get(run.id, ())),
                datasets=tuple(datasets.get(run.id, ())),
                model_inputs=tuple(inputs.get(run.id, ())),
                model_outputs=tuple(outputs.get(run.id, ())),
            )
            for run in runs
        ]

    def _datasets(self, ids: Sequence[int]) -> dict[int, list[Dataset]]:
        select = (
            "SELECT run, name, digest, source_type, source, schema, profile, tags"
            " FROM run_datasets WHERE project_id = ? AND run"
        )
        rows: list[Row] = list(rows_of(self._db, select, self._project_id, ids))
        found: dict[int, list[Dataset]] = {}
        for run, *fields, tags in sorted(rows, key=lambda row: row[:3]):
            found.setdefault(run, []).append(Dataset(*fields, tags=json.loads(tags)))
        return found

    def _models(
        self, ids: Sequence[int]
    ) -> tuple[dict[int, list[str]], dict[int, list[ModelOutput]]]:
        """The logged models that runs read, and those that they made, by step."""
        select = (
            "SELECT run, direction, step, model_id FROM run_models WHERE project_id = ? AND run"
        )
        inputs: dict[int, list[str]] = {}
        outputs: dict[int, list[ModelOutput]] = {}
        for run, direction, step, model_id in sorted(
            rows_of(self._db, select, self._project_id, ids)
        ):
            if direction == "input":
                inputs.setdefault(run, []).append(model_id)
            else:
                outputs.setdefault(run, []).append(ModelOutput(model_id, step))
        return inputs, outputs
