"""Stock MLflow clients, each in a Python of its own that knows nothing of modelkeep."""

import os
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN_LIMIT_S = 300.0  # below pytest's own limit, so that the client's last words are seen
ERROR_TAIL_CHARS = 4000


class ClientFailed(AssertionError):
    """The script ended with another exit code than 0; `stderr` is all that it said."""

    def __init__(self, message: str, stderr: str) -> None:
        super().__init__(message)
        self.stderr = stderr


class ClientMissing(Exception):
    """There is no environment of this client; the message says what to do."""


@dataclass(frozen=True)
class Client:
    """Runs scripts against a server, as a user, in a folder of its own."""

    name: str
    python: Path
    folder: Path

    def run(
        self,
        script: str | Path,
        *args: str,
        url: str,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        limit_s: float = RUN_LIMIT_S,
    ) -> str:
        """What the script printed. A `Path` names a file; a `str` is the script itself, indented
        as it pleases.

        Without a user the client sends no credentials. Raises ClientFailed.
        """
        code = [str(script)] if isinstance(script, Path) else ["-c", textwrap.dedent(script)]
        outcome = subprocess.run(
            [self.python, *code, *args],
            check=False,
            cwd=self.folder,
            env=self._environment(url, user) | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
        )
        if outcome.returncode != 0:
            raise ClientFailed(
                f"The {self.name} client exited with {outcome.returncode}. It printed:\n"
                f"{outcome.stdout[-ERROR_TAIL_CHARS:]}\n{outcome.stderr[-ERROR_TAIL_CHARS:]}",
                outcome.stderr,
            )
        return outcome.stdout

    def _environment(self, url: str, user: str | None) -> dict[str, str]:
        ours = ("MLFLOW_", "MODELKEEP_", "PYTHON")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        # MLflow sends the user's name only together with a password; nobody checks it yet.
        credentials = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": "unused"}
        return inherited | {
            "GIT_PYTHON_REFRESH": "quiet",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # what the server answers first is what counts
            "MLFLOW_TRACKING_URI": url,
            "NO_PROXY": "127.0.0.1,localhost",
            **{k: v for k, v in credentials.items() if user and v},
        }


def client(name: str, variable: str, environment: str, folder: Path) -> Client:
    """The client whose Python the variable names, or that `make test` installed.

    Raises ClientMissing when neither is there.
    """
    python = Path(os.environ.get(variable) or ROOT / ".envs" / environment / "bin" / "python")
    if not python.exists():
        raise ClientMissing(
            f"The {name} client is not installed: there is no {python}. "
            f"`make test` installs it; {variable} names another Python that has it."
        )
    return Client(name, python, folder)
