"""A genuine MLflow server, to bring content over from."""

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import httpx

from tests.support.clients import Client
from tests.support.ports import free_port

START_LIMIT_S = 180.0  # it imports a great deal


class MlflowServer:
    """`mlflow server` of a client's environment: one worker, everything in a folder of its own.

    `over_files` keeps rows in files and lets clients write artifacts to its disk, as old ones do.
    """

    def __init__(self, client: Client, folder: Path, *, over_files: bool = False) -> None:
        self.client, self._folder = client, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        artifacts = str(folder / "artifacts")
        if over_files:
            self._stores = ["--backend-store-uri", str(folder / "mlruns"), "--no-serve-artifacts",
                            "--default-artifact-root", artifacts]  # fmt: skip
        else:
            self._stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
                            "--artifacts-destination", artifacts]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        programs = self.client.python.parent
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTHON"))}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(programs / "mlflow"), "server", "--workers", "1"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *self._stores,
                ],
                cwd=self._folder,
                # Its programs start one another by name.
                env=inherited
                | {
                    "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it starts workers, which must end with it
            )
        began = time.monotonic()
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() - began > START_LIMIT_S:
                self.stop()
                raise AssertionError((self._folder / "log").read_text()[-4000:])
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None

    def purge(self, table: str, column: str, value: str) -> None:
        """Deletes rows for good, as `mlflow gc` does; of a server over a database."""
        with closing(sqlite3.connect(self._folder / "mlflow.db")) as rows, rows:
            rows.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))

    def _is_healthy(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/health", timeout=5, trust_env=False)
            return answer.status_code == 200
        except httpx.HTTPError:
            return False
