"""Rows of a big registry, inserted straight into a stopped server's database.

A hundred thousand versions through an API take minutes, and through MLflow's an hour. A fifth of
them are versions of one model, `big`; the rest are spread evenly over `m-000000`, `m-000001`, …
Each has the tags `framework` (one of four values) and `git` (its own), one in a thousand `rare`,
and others to make ten of them; the newest version of each model has the alias `champion`.
modelkeep's journal knows nothing of rows that come this way: `audit verify` would say so.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

BIG = "big"
FRAMEWORKS = ("sklearn", "torch", "xgb", "onnx")
TAGS = 10  # of each version
_BEGAN_MS = 1_760_000_000_000

Row = tuple[Any, ...]
Insert = Callable[[str, str, Iterable[Row]], None]  # a table, its columns, rows


@dataclass(frozen=True, slots=True)
class Version:
    """One of the seeded versions; `index` counts them all from 0."""

    index: int
    model: int  # an index of `Crowd.models`
    number: int
    created_ms: int
    updated_ms: int

    @property
    def tags(self) -> dict[str, str]:
        own = {"framework": FRAMEWORKS[self.index % 4], "git": f"g{self.index}"}
        if self.index % 1000 == 1:
            own["rare"] = "yes"
        return own | {f"note-{n}": f"of {self.index}" for n in range(TAGS - len(own))}


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many versions there are, and the models that they are of."""

    versions: int

    @property
    def models(self) -> list[str]:
        return [*(f"m-{index:06d}" for index in range(max(10, self.versions // 100))), BIG]

    def __iter__(self) -> Iterator[Version]:
        others, of_big = len(self.models) - 1, self.versions // 5
        numbers = [0] * (others + 1)
        for index in range(self.versions):
            model = others if index < of_big else (index - of_big) % others
            numbers[model] += 1
            created_ms = _BEGAN_MS + index
            # Updates come in another order than creations.
            updated_ms = _BEGAN_MS + index * 7919 % self.versions
            yield Version(index, model, numbers[model], created_ms, updated_ms)


def seed_modelkeep(insert: Insert, crowd: Crowd) -> None:
    """Fills the tables of modelkeep, which must be empty, in its default project."""
    models, champions = crowd.models, {version.model: version for version in crowd}
    insert(
        "models",
        "id, project_id, name, description, next_number, created_ms, updated_ms",
        (
            (index + 1, 1, name, "", champions[index].number + 1, _BEGAN_MS, _BEGAN_MS + index)
            for index, name in enumerate(models)
        ),
    )
    insert(
        "model_names",
        "project_id, model_id, name, from_ms",
        ((1, index + 1, name, _BEGAN_MS) for index, name in enumerate(models)),
    )
    insert(
        "versions",
        "id, project_id, model_id, number, source, description, stage, author, created_ms,"
        " updated_ms, semver_major",
        (
            (
                *(v.index + 1, 1, v.model + 1, v.number, _source(models[v.model], v)),
                *("d", "None", "ann", v.created_ms, v.updated_ms, v.number),
            )
            for v in crowd
        ),
    )
    insert(
        "version_tags",
        "project_id, version_id, key, value",
        ((1, v.index + 1, key, value) for v in crowd for key, value in v.tags.items()),
    )
    insert(
        "slots",
        "id, project_id, model_id, kind, name, epoch, version_id",
        (
            (model + 1, 1, model + 1, "alias", "champion", 1, v.index + 1)
            for model, v in champions.items()
        ),
    )
    insert(
        "occupancies",
        "project_id, slot_id, version_id, epoch, from_ms, approved",
        ((1, model + 1, v.index + 1, 1, v.created_ms, 0) for model, v in champions.items()),
    )


def seed_mlflow(insert: Insert, crowd: Crowd) -> None:
    """Fills the tables of MLflow 3.17, which must be empty, in its default workspace."""
    models, champions = crowd.models, {version.model: version for version in crowd}
    insert(
        "registered_models",
        "workspace, name, creation_time, last_updated_time",
        (("default", name, _BEGAN_MS, _BEGAN_MS + index) for index, name in enumerate(models)),
    )
    insert(
        "model_versions",
        "workspace, name, version, creation_time, last_updated_time, description, current_stage,"
        " source, storage_location, status",
        (
            (
                *("default", models[v.model], v.number, v.created_ms, v.updated_ms, "d", "None"),
                *(*(_source(models[v.model], v),) * 2, "READY"),
            )
            for v in crowd
        ),
    )
    insert(
        "model_version_tags",
        "workspace, name, version, key, value",
        (
            ("default", models[v.model], v.number, key, value)
            for v in crowd
            for key, value in v.tags.items()
        ),
    )
    insert(
        "registered_model_aliases",
        "workspace, name, alias, version",
        (("default", models[model], "champion", v.number) for model, v in champions.items()),
    )


def _source(model: str, version: Version) -> str:
    return f"s3://bucket/models/{model}/{version.number}"


def into_sqlite(path: Path, seed: Callable[[Insert, Crowd], None], crowd: Crowd) -> None:
    """All or nothing."""
    db = sqlite3.connect(path)

    def insert(table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    with db:
        seed(insert, crowd)
    db.close()


def into_postgres(url: str, seed: Callable[[Insert, Crowd], None], crowd: Crowd) -> None:
    """All or nothing; then what PostgreSQL would do by itself within a minute or so."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def insert(table: str, columns: str, rows: Iterable[Row]) -> None:
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)

        seed(insert, crowd)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
