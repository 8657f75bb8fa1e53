"""A real witness, in a process of its own."""

import http.client
import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_port

START_LIMIT_S = 60.0


class Witness:
    """`modelkeep witness serve` for one log. `vkey` is its own key; it is killed by `close`."""

    def __init__(self, folder: Path, log: str) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "modelkeep", "witness", "serve", "--vkey", log),
                *("--name", "w.example/1", "--key", str(folder / "witness.key")),
                *("--state", str(folder / "witness"), "--port", str(self.port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        self.vkey = self._process.stdout.readline().strip()  # printed once it listens

    @property
    def setting(self) -> str:
        """What the server is given to find it."""
        return f"http://127.0.0.1:{self.port}={self.vkey}"

    def post(self, path: str, body: bytes) -> tuple[int, str, str]:
        """The status, the content type and the body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_LIMIT_S)
        connection.request("POST", path, body)
        answer = connection.getresponse()
        found = (answer.status, answer.getheader("content-type", ""), answer.read().decode())
        connection.close()
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
