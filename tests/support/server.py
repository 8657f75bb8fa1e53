"""A real server in a process of its own."""

import http.client
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import ready
from tests.support.ports import free_port

START_LIMIT_S = STOP_LIMIT_S = 60.0  # of a machine that has much else to do
LOG_TAIL_CHARS = 4000


class ServerFailed(AssertionError):
    """The server did not start, or did not stop; the message ends with the tail of its log."""


class Server:
    """`modelkeep serve` on the loopback, started by `start` and kept on one port.

    A `python` starts it as it is started elsewhere, imports and all; else see `ready`. Settings of
    the person who runs the tests (`MODELKEEP_…`) do not reach it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        database_url: str = "",
        port: int | None = None,
        python: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.started_in_s = 0.0
        self._args = [*(("--database-url", database_url) if database_url else ()), *args]
        self._env = dict(env or {})
        self._python = python
        self._log = data_dir.parent / f"{data_dir.name}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | ready.Ready | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Returns once `GET /health` answers 200."""
        began = time.monotonic()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MODELKEEP_")}
        self._process = self._launched({**inherited, **self._env})
        while not self._is_healthy():
            code = self._process.poll()
            if code is not None:
                raise ServerFailed(self._told(f"The server exited with {code}"))
            if time.monotonic() - began > START_LIMIT_S:
                self.kill()
                raise ServerFailed(self._told(f"The server was not up after {START_LIMIT_S:g} s"))
            time.sleep(0.01)
        self.started_in_s = time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said. Harmless to one that is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """SIGTERM, and the exit code. Raises ServerFailed if the server doesn't go."""
        self.terminate()
        return self.wait()

    def terminate(self) -> None:
        """SIGTERM, and no more."""
        self._running().terminate()

    def wait(self) -> int:
        """The exit code of a server that is going. Raises ServerFailed if it doesn't."""
        process = self._running()
        try:
            code = process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ServerFailed(self._told(f"It ran on for {STOP_LIMIT_S:g} s")) from error
        self._process = None
        return code

    def restart(self) -> None:
        """Stops it if it runs, and starts it on the same data and port."""
        if self._process is not None:
            self.stop()
        self.start()

    def log_text(self) -> str:
        """What it has printed since the first start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _launched(self, env: Mapping[str, str]) -> "subprocess.Popen[bytes] | ready.Ready":
        folder = self.data_dir.parent
        if self._python is None:
            return ready.command(self._words(), env, folder, self._log)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command(self._python),
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _running(self) -> "subprocess.Popen[bytes] | ready.Ready":
        if self._process is None:
            raise ServerFailed("The server is not running.")
        return self._process

    def _command(self, python: Path) -> Sequence[str | Path]:
        return [python, "-m", "modelkeep", *self._words()]

    def _words(self) -> Sequence[str]:
        return [
            *("serve", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--data-dir", str(self.data_dir), *self._args),
        ]

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def _is_healthy(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _told(self, what: str) -> str:
        return f"{what}. Its log ends:\n{self.log_text()[-LOG_TAIL_CHARS:]}"
