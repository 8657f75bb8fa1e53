"""Stock `mlflow server` with its defaults: several workers, on SQLite or PostgreSQL.

Seeding it through its own API would take minutes, so the rows are inserted into the database that
it has created, in its own schema (MLflow 3.17), while it is stopped.
"""

import os
from pathlib import Path

from benchmarks import seeds
from benchmarks.databases import FILES, Database
from benchmarks.peers import mlflow_rows
from benchmarks.peers.base import REGISTRY, Peer, PeerMissing
from benchmarks.seeds import Catalogue, Crowd

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".envs" / "bench" / "bin" / "python"  # `make bench` makes it


class Mlflow(Peer):
    """The peer, in an environment of its own; MODELKEEP_BENCH_MLFLOW_PYTHON names another one."""

    product = "mlflow"
    measurements = REGISTRY
    most_versions = 100_000  # a million with their tags would take a quarter of an hour

    def __init__(self, folder: Path, database: Database = FILES) -> None:
        super().__init__(folder, database)
        python = Path(os.environ.get("MODELKEEP_BENCH_MLFLOW_PYTHON") or _PYTHON)
        if not python.exists():
            raise PeerMissing(f"MLflow is not installed: there is no {python}. Run `make bench`.")
        self._program = python.parent / "mlflow"
        self._file = folder / "mlflow.db"

    def command(self) -> list[str]:
        # SQLAlchemy 2.1 takes psycopg 3 for the driver unless one is named.
        url = self.database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
        return [
            *(str(self._program), "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--backend-store-uri", url or f"sqlite:///{self._file}"),
        ]

    def version_command(self) -> list[str]:
        return [str(self._program), "--version"]

    def environment(self) -> dict[str, str]:
        # Its programs start one another by name.
        path = f"{self._program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return super().environment() | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}

    def seed(self, catalogue: Catalogue) -> None:
        self.start_once()
        seeds.into(self.database_url or self._file, mlflow_rows.of_catalogue(catalogue))

    def seed_crowd(self, crowd: Crowd) -> None:
        self.start_once()
        seeds.into(self.database_url or self._file, mlflow_rows.of_crowd(crowd))


PEER = Mlflow
