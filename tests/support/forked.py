"""A real server in a process of its own, of which only the imports were done before.

A process that has imported the server is forked for each one: it is up in a tenth of the time, so
that hundreds of them can be started. Its threads bear their names, for whoever traces one of them.
"""

import contextlib
import ctypes
import http.client
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

from modelkeep import server as modelkeep_server
from modelkeep.settings import Settings
from tests.support.ports import free_port

START_LIMIT_S = 20.0
_PR_SET_PTRACER, _ANYONE = 0x59616D61, -1
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class ForkedServer:
    """`modelkeep serve` on a data directory; what it says goes to `log`."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process = _context.Process(
            target=_serve, args=(data_dir, self.port, log), daemon=True
        )
        self._process.start()
        self._await_health()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def threads(self) -> dict[str, int]:
        """The name of each thread, and its id."""
        tasks = Path(f"/proc/{self.pid}/task")
        return {(task / "comm").read_text().strip(): int(task.name) for task in tasks.iterdir()}

    def is_running(self) -> bool:
        return self._process.is_alive()

    def end(self, limit_s: float) -> int | None:
        """The exit code, negative for a signal, once it has ended by itself; None if it runs on."""
        self._process.join(limit_s)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

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
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(opened, stream)
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
