"""A network of its own for a process, on one cable, which can be pulled out."""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket

from tests.support.server import Server

NETWORK = f"10.231.{os.getpid() % 250}"  # one for each run: several may go on beside one another

# Sockets of the file system are known in every network: what comes to one goes to the server.
RELAY = textwrap.dedent("""
    import asyncio, sys

    async def pass_on(reader, writer):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
        except OSError:
            writer.close()
            return
        both = pass_on(reader, to_writer), pass_on(to_reader, writer)
        await asyncio.gather(*both, return_exceptions=True)

    async def main():
        async with await asyncio.start_unix_server(serve, sys.argv[1]) as relay:
            await relay.serve_forever()

    asyncio.run(main())
""")


@dataclass(frozen=True)
class Cable:
    """Between this machine's network, where its end is `here`, and one named `name`."""

    name: str
    here: str

    def pull(self) -> None:
        """From now on packets are lost, and nobody is told so."""
        _ip("link", "set", self.name, "down")

    def put_back(self) -> None:
        _ip("link", "set", self.name, "up")

    def command(self, *words: str) -> list[str]:
        """What runs a command on the other end."""
        return ["ip", "netns", "exec", self.name, *words]


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Raises PermissionError where nobody may make networks."""
    made = Cable(f"mk{os.getpid()}", f"{NETWORK}.1")
    try:
        _ip("netns", "add", made.name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PermissionError(f"A network could not be made: {error}") from None
    try:
        peer = ("peer", "name", "there", "netns", made.name)
        _ip("link", "add", made.name, "type", "veth", *peer)
        _ip("addr", "add", f"{made.here}/24", "dev", made.name)
        made.put_back()
        _ip("-n", made.name, "addr", "add", f"{NETWORK}.2/24", "dev", "there")
        for end in ("lo", "there"):
            _ip("-n", made.name, "link", "set", end, "up")
        yield made
    finally:
        _ip("netns", "del", made.name)


class Apart(Server):
    """A server at the other end of a cable; `door` is a socket of the file system that leads in."""

    def __init__(self, at: Cable, data_dir: Path, database_url: str) -> None:
        super().__init__(data_dir, database_url=database_url, python=Path(sys.executable))
        self._cable, self.door = at, data_dir.parent / f"{data_dir.name}.door"
        words = sys.executable, "-c", RELAY, str(self.door), str(self.port)
        self._relay = subprocess.Popen(at.command(*words))

    def close(self) -> None:
        self.kill()
        self._relay.kill()
        self._relay.wait()

    def _command(self, python: Path) -> Sequence[str | Path]:
        return self._cable.command(*map(str, super()._command(python)))

    def _connection(self) -> HTTPConnection:
        return _Through(self.door)


class _Through(HTTPConnection):
    def __init__(self, door: Path) -> None:
        super().__init__("127.0.0.1", timeout=5)
        self._door = door

    def connect(self) -> None:
        self.sock = socket(AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(self._door))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
