"""Stock `mlflow server` with its defaults: several workers, SQLite.

Seeding it through its own API would take minutes, so the rows are inserted into the SQLite file
that it has created, in its own schema (MLflow 3.17), while it is stopped.
"""

import os
import sqlite3
import time
from pathlib import Path

from benchmarks import seeds
from benchmarks.peers.base import Peer
from benchmarks.plan import Catalogue
from benchmarks.seeds import Crowd

_WORKSPACE = "default"


class Mlflow(Peer):
    """The peer. `python` is that of an environment which MLflow is installed in."""

    name = "mlflow"

    def __init__(self, folder: Path, python: Path) -> None:
        super().__init__(folder)
        self._program = python.parent / "mlflow"
        self._database = folder / "mlflow.db"

    def command(self) -> list[str]:
        return [
            *(str(self._program), "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--backend-store-uri", f"sqlite:///{self._database}"),
        ]

    def environment(self) -> dict[str, str]:
        # Its programs start one another by name.
        path = f"{self._program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return super().environment() | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}

    def apart(self) -> Peer:
        return Mlflow(self.folder / "apart", self._program.parent / "python")

    def seed_crowd(self, crowd: Crowd) -> None:
        with self.running():
            pass  # which creates the tables
        seeds.into_sqlite(self._database, seeds.seed_mlflow, crowd)

    def seed(self, catalogue: Catalogue) -> None:
        with self.running():
            pass  # which creates the tables
        now_ms = time.time_ns() // 1_000_000
        models = [catalogue.model(index) for index in range(catalogue.models)]
        numbers = range(1, catalogue.versions + 1)
        db = sqlite3.connect(self._database)
        with db:
            db.executemany(
                "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time)"
                " VALUES (?, ?, ?, ?)",
                [(_WORKSPACE, model, now_ms, now_ms) for model in models],
            )
            db.executemany(
                "INSERT INTO model_versions (workspace, name, version, creation_time,"
                " last_updated_time, current_stage, source, storage_location, status)"
                " VALUES (?, ?, ?, ?, ?, 'None', ?, ?, 'READY')",
                [
                    (_WORKSPACE, model, n, now_ms, now_ms, *(f"s3://b/{model}/{n}",) * 2)
                    for model in models
                    for n in numbers
                ],
            )
            db.executemany(
                "INSERT INTO model_version_tags (workspace, name, version, key, value)"
                " VALUES (?, ?, ?, 'git', ?)",
                [(_WORKSPACE, model, n, f"{model}-{n}") for model in models for n in numbers],
            )
            db.executemany(
                "INSERT INTO registered_model_aliases (workspace, name, alias, version)"
                " VALUES (?, ?, ?, ?)",
                [
                    (_WORKSPACE, model, catalogue.alias(index), catalogue.holder(index))
                    for model in models
                    for index in range(catalogue.aliases)
                ],
            )
            db.execute("ANALYZE")
        db.close()
