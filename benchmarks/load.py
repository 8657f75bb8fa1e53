"""Load on a server of this machine: wrk with one thread, on connections that are kept alive."""

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

API = "/api/2.0/mlflow"
NATIVE = "/api/v1"
FRONT = f"{API}/registered-models/search?max_results=1"  # of what speaks of MLflow
_SCRIPTS = Path(__file__).parent / "wrk"
_TIMEOUT_S = 30
_KEPT_S = 2.0  # that every server keeps a connection open for on which nothing is asked


class LoadFailed(Exception):
    """The load did not run, or the server refused a part of it: its numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. Latencies are those of whole requests, in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def drive(url: str, script: str, connections: int, seconds: int, *args: object) -> Load:
    """Runs `wrk/<script>.lua` against `url`. Raises LoadFailed unless every answer was a 2xx."""
    _refuse_strangers(url)
    outcome = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", f"{_TIMEOUT_S}s"),
            *("--script", f"{script}.lua", url, "--", *map(str, args)),
        ],
        check=False,
        cwd=_SCRIPTS,
        capture_output=True,
        text=True,
        timeout=seconds + 2 * _TIMEOUT_S,
    )
    said = [line for line in outcome.stdout.splitlines() if line.startswith("SUMMARY ")]
    if outcome.returncode != 0 or not said:
        raise LoadFailed(f"wrk failed:\n{outcome.stdout}{outcome.stderr}")
    found: dict[str, Any] = json.loads(said[0].removeprefix("SUMMARY "))
    if found["refused"] or found["broken"]:
        raise LoadFailed(f"{script} on {connections} connections: {found}")
    return Load(found["requests"], found["seconds"], found["p50_ms"], found["p99_ms"])


def warm_up(url: str, seconds: int, front: str = FRONT) -> None:
    """Reaches every worker of a server: what its first request costs is not what we measure."""
    if seconds:
        drive(url + front, "get", 16, seconds)


class Client:
    """One connection that is kept alive, as long as it is used."""

    def __init__(self, url: str, prefix: str = API) -> None:
        _refuse_strangers(url)
        self._prefix, parts = prefix, urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=_TIMEOUT_S
        )
        self._used_s = time.monotonic()

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        """The answer's JSON. Raises LoadFailed for anything but a 200."""
        headers = headers if body is None else {"Content-Type": "application/json", **headers}
        content = None if body is None else json.dumps(body)
        if time.monotonic() - self._used_s > _KEPT_S:
            self._connection.close()  # or the server does, just while we ask
        self._connection.request(method, self._prefix + path, content, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._used_s = time.monotonic()
        if answer.status != 200:
            raise LoadFailed(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def close(self) -> None:
        self._connection.close()


def _refuse_strangers(url: str) -> None:
    if urlsplit(url).hostname != "127.0.0.1":
        raise LoadFailed(f"Load goes to this machine's loopback only, never to {url}.")
