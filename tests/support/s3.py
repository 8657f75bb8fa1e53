"""Real servers of S3, each in a process of its own: a lenient one and a strict one.

`moto` keeps everything in memory and takes any credentials. `swift` is OpenStack's store with its
S3 interface, on the disk: it verifies signatures, checksums, and what must (not) be there.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from modelkeep.domain.stores import MARK, Place
from modelkeep.storage.blobs.bucket import connect
from tests.support.clients import ROOT, ClientMissing
from tests.support.ports import free_port

START_LIMIT_S = 90.0
CREDENTIALS = {"moto": ("anybody", "anything"), "swift": ("test:tester", "testing")}
_SWIFT = Path(__file__).with_name("swift_server.py")


class Store:
    """A server of S3; `crash`, `start`, and `freeze` for the tests of what breaks."""

    def __init__(self, kind: str, folder: Path, python: Path) -> None:
        self.kind, self.port = kind, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self.python = folder, python
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's tools, MLflow's clients and modelkeep need to reach it."""
        key, secret = CREDENTIALS[self.kind]
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }

    def start(self) -> None:
        """Returns once it answers."""
        command = [self.python, _SWIFT, self._folder, str(self.port)]
        if self.kind == "moto":
            moto = self.python.with_name("moto_server")
            command = [moto, "-H", "127.0.0.1", "-p", str(self.port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text()[-4000:])
            time.sleep(0.05)

    def crash(self) -> None:
        """SIGKILL. What `moto` held is gone; what `swift` had acknowledged is there again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections are taken, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @cached_property
    def client(self) -> Any:
        """A client of it, as modelkeep makes one. To make one takes half a second."""
        with environment(self.environment):
            return connect("")

    def place(self, prefix: str = "artifacts") -> Place:
        """A prefix in a new bucket."""
        bucket = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=bucket)
        return Place(bucket, prefix)

    def keys(self, place: Place) -> list[str]:
        """What lies in a bucket, but for the mark that a store is known by."""
        found = self.client.list_objects_v2(Bucket=place.bucket).get("Contents", ())
        return [one["Key"] for one in found if not one["Key"].endswith(f"/{MARK}")]

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=60).close()
        except OSError as error:
            return isinstance(error, urllib.error.HTTPError)  # a refusal is an answer
        return True


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def running_store(kind: str) -> Iterator[Store]:
    """Raises ClientMissing when there is no environment of these servers."""
    python = Path(os.environ.get("MODELKEEP_S3_PYTHON") or ROOT / ".envs" / "s3" / "bin" / "python")
    if not python.exists():
        raise ClientMissing(f"There is no {python}, with servers of S3; `make test` installs them.")
    with tempfile.TemporaryDirectory(prefix="modelkeep-s3-") as folder:
        store = Store(kind, Path(folder), python)
        store.start()
        try:
            yield store
        finally:
            store.client.close()
            store.crash()
