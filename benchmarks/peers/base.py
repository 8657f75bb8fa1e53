"""A server, as the measurements see it."""

import abc
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from benchmarks import processes
from benchmarks.databases import FILES, KINDS, Database
from benchmarks.load import FRONT
from benchmarks.seeds import Catalogue, Crowd

START_LIMIT_S = 180.0
SETTLE_LIMIT_S = 60.0
SETTLED_CPU = 0.1  # processors that a server which has settled may keep busy
LOOK_EVERY_S = 0.5
STOP_LIMIT_S = 20.0
# What any server takes part in that speaks MLflow's registry, tracking and artifacts.
REGISTRY = frozenset(("startup", "cli", "alias", "create", "metrics", "artifacts", "search"))
_NOT_FOR_SERVERS = ("MODELKEEP_", "MLFLOW_", "PYTHONDONTWRITEBYTECODE")


class PeerFailed(Exception):
    """A server did not start; the message ends with the tail of its log."""


class PeerMissing(Exception):
    """A server is not installed; the message says what to do."""


class Peer(abc.ABC):
    """A server on the loopback with its data in a folder of its own, which outlives a stop.

    One file more in this folder is one more server: a subclass that says what it is called, what
    it keeps its data on, and which measurements it takes part in.
    """

    product: ClassVar[str]
    databases: ClassVar[tuple[str, ...]] = KINDS
    measurements: ClassVar[frozenset[str]]  # of `run.MEASUREMENTS`
    most_versions: ClassVar[int] = 1_000_000  # that it's seeded with within minutes
    health: ClassVar[str] = "/health"  # answers 200 once it is up
    front: ClassVar[str] = FRONT  # answers 200, and warms it up
    has_native: ClassVar[bool] = False  # besides others' protocols one of its own

    def __init__(self, folder: Path, database: Database = FILES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.database = folder, database
        self.database_url = database.new()
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._apart = 0

    @property
    def name(self) -> str:
        return f"{self.product}-{self.database.kind}"

    @abc.abstractmethod
    def command(self) -> list[str]:
        """What starts it in the foreground, on `self.port` of the loopback."""

    def version_command(self) -> list[str]:
        """What prints its version, and nothing else."""
        raise NotImplementedError

    def seed(self, catalogue: Catalogue) -> None:
        """Fills an empty server before it's measured. It's stopped before, and after."""
        raise NotImplementedError

    def seed_crowd(self, crowd: Crowd) -> None:
        """Fills an empty server with very many versions. It's stopped before, and after."""
        raise NotImplementedError

    def apart(self) -> Self:
        """Another one of its kind, with nothing in it."""
        self._apart += 1
        return type(self)(self.folder / f"apart-{self._apart}", self.database)

    def crowded(self, crowd: Crowd) -> Self:
        """Another one of its kind with a crowd in it."""
        peer = self.apart()
        peer.seed_crowd(crowd)
        return peer

    def start_once(self) -> None:
        """Which creates its tables, and caches the byte code of its modules."""
        with self.running():
            pass

    def forget(self) -> None:
        """Removes what it has kept in its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """That of this process, but for what would configure a server or keep byte code from
        being cached: installed software has it."""
        return {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_SERVERS)}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> float:
        """Seconds until the first `GET` of its `health` that answers 200."""
        began = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that `stop` reaches every process of it, and no other
            )
        try:
            self._wait_until_healthy(began)
        except BaseException:  # whoever ends the run in the middle of this, too
            self.stop()
            raise
        return time.perf_counter() - began

    def settle(self) -> None:
        """Waits until it idles: one that answers may still be starting most of its workers."""
        deadline = time.perf_counter() + SETTLE_LIMIT_S
        used_s, busy = processes.cpu_s_of_tree(self.pid), 1.0
        while busy > SETTLED_CPU and time.perf_counter() < deadline:
            time.sleep(LOOK_EVERY_S)
            before_s, used_s = used_s, processes.cpu_s_of_tree(self.pid)
            busy = (used_s - before_s) / LOOK_EVERY_S

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whoever did not go along with it
        process.wait()

    def log(self) -> str:
        """What it has said since it was last started."""
        return self._log.read_text(errors="replace")

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _wait_until_healthy(self, began: float) -> None:
        assert self._process is not None
        while not self._is_healthy():
            if self._process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
                raise PeerFailed(f"{self.name} did not start. Its log ends:\n{self.log()[-2000:]}")
            time.sleep(0.005)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self.health)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
