"""A real server in a process of its own, of which only the imports were done before.

A process that has imported the server is forked for each one: it is up in a tenth of the time, so
that hundreds of them can be started. Its threads bear their names, for whoever traces one of them.
"""

import contextlib
import ctypes
import http.client
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from modelkeep import server as modelkeep_server
from modelkeep.settings import Settings
from tests.support import ready
from tests.support.ports import free_port

START_LIMIT_S = 60.0
_PR_SET_PTRACER, _ANYONE = 0x59616D61, -1


class ForkedServer:
    """`modelkeep serve` on a data directory; what it says goes to `log`."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process = ready.Ready(_serve, data_dir, self.port, log)
        self._await_health()

    @property
    def pid(self) -> int:
        return self._process.pid

    def threads(self) -> dict[str, int]:
        """The name of each thread, and its id."""
        tasks = Path(f"/proc/{self.pid}/task")
        return {(task / "comm").read_text().strip(): int(task.name) for task in tasks.iterdir()}

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self, limit_s: float) -> int | None:
        """The exit code, negative for a signal, once it has ended by itself; None if it runs on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(limit_s)
        return None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self, limit_s: float) -> int | None:
        """SIGTERM, and the exit code; None if it runs on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        return self.end(limit_s)

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _await_health(self) -> None:
        began = time.monotonic()
        while not self._is_healthy():
            if not self.is_running() or time.monotonic() - began > START_LIMIT_S:
                self.kill()
                raise AssertionError(f"The server did not start:\n{self.log_text()}")
            time.sleep(0.01)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _serve(data_dir: Path, port: int, log: Path) -> None:
    """The forked process: from here on it is what the command would be."""
    ready.speak_to(log, log)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYONE)  # where only a parent may trace otherwise
    _name_threads()
    modelkeep_server.serve(Settings(data_dir=data_dir, port=port))


def _name_threads() -> None:
    """Tells the system the names of the threads to come, as later Pythons do by themselves."""
    run = threading.Thread.run

    def named(thread: threading.Thread) -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(thread.name[:15])
        run(thread)

    setattr(threading.Thread, "run", named)  # noqa: B010 - a type checker would object
