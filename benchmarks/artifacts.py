"""Artifacts through the server: one large file, and many small ones, up and down.

`PUT` and `GET mlflow-artifacts/artifacts/…` by clients that keep their connections. Those of the
small files are sockets: `http.client` takes as much of the processors for a file as a server may
(350 µs, and these 90), which they share. Beside the large file, the limits: what `cp` and a flush,
and hashing and writing the same file with one flush at its end, take in the same folder a moment
before. No content is sent twice, and every byte that comes back is compared.
"""

import hashlib
import http.client
import multiprocessing
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks import processes
from benchmarks.load import LoadFailed
from benchmarks.peers.base import Peer
from benchmarks.plan import MACHINE, Plan, Sample

FILES = "/api/2.0/mlflow-artifacts/artifacts"
PIECE_BYTES = 1 << 20
BLOCK_BYTES = 16_384  # that a client reads and sends at a time, as urllib3 does
LOOK_EVERY_S = 0.1
TIMEOUT_S = 600


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    source = _large_file(peer.folder.parent / "large.bin", plan.large_bytes)
    return [*_large(peer, source), *_small(peer, plan)]


# -- one large file ----------------------------------------------------------------------------


def _large_file(path: Path, size: int) -> Path:
    """Made once, and another one each time by its first bytes. Reading it brings it into the page
    cache, from where every client sends it."""
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            for start in range(0, size, PIECE_BYTES):
                file.write(os.urandom(min(PIECE_BYTES, size - start)))
    with path.open("r+b") as file:
        file.write(os.urandom(32))
        while file.read(PIECE_BYTES):
            pass
    return path


def _large(peer: Peer, source: Path) -> list[Sample]:
    mib = source.stat().st_size / 2**20
    copied = _seconds(lambda: _copy(source, peer.folder / "copy.bin"))
    limit = _seconds(lambda: _hash_and_write(source, peer.folder / "copy.bin"))
    up, up_growth = _watched(peer, lambda: _put_file(peer, source))
    down, down_growth = _watched(peer, lambda: _get_file(peer, source))
    rows = (
        ("limit, cp of one file and a flush", MACHINE, copied, {}),
        ("limit, SHA-256, write and flush of one file", MACHINE, limit, {}),
        ("one file up", peer.name, up, {"limit_pct": 100 * limit / up, **up_growth}),
        ("one file down", peer.name, down, down_growth),
    )
    return [
        Sample(f"artifacts: {case}", server, mib / seconds, "MiB/s", True, detail)
        for case, server, seconds, detail in rows
    ]


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=never", "--reflink=never", source, target], check=True)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    target.unlink()


def _hash_and_write(source: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as here, target.open("wb", buffering=0) as there:
        while piece := here.read(PIECE_BYTES):
            digest.update(piece)
            there.write(piece)
        os.fsync(there.fileno())
    target.unlink()


def _put_file(peer: Peer, source: Path) -> None:
    connection = http.client.HTTPConnection(
        "127.0.0.1", peer.port, timeout=TIMEOUT_S, blocksize=BLOCK_BYTES
    )
    with source.open("rb") as file:
        headers = {"Content-Length": str(source.stat().st_size)}
        connection.request("PUT", f"{FILES}/bench/large.bin", file, headers)
        _expect_200(connection.getresponse())
    connection.close()


def _get_file(peer: Peer, source: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=TIMEOUT_S)
    connection.request("GET", f"{FILES}/bench/large.bin")
    answer = connection.getresponse()
    with source.open("rb") as file:
        while piece := answer.read(PIECE_BYTES):
            if piece != file.read(len(piece)):
                raise LoadFailed("The file that came back is another.")
        if answer.status != 200 or file.read(1):
            raise LoadFailed(f"The file did not come back: {answer.status}")
    connection.close()


def _seconds(do: Callable[[], None]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def _watched(peer: Peer, do: Callable[[], None]) -> tuple[float, dict[str, float]]:
    """The seconds it takes, and how much the server's resident memory grows meanwhile."""
    before = peak = processes.memory_of_tree(peer.pid).rss_mb
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(LOOK_EVERY_S):
            peak = max(peak, processes.memory_of_tree(peer.pid).rss_mb)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        seconds = _seconds(do)
    finally:
        over.set()
        watcher.join()
    return seconds, {"rss_growth_mb": peak - before}


# -- many small files --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Share:
    """What one client sends or fetches."""

    port: int
    label: str
    files: range
    size: int

    def content(self, index: int) -> bytes:
        return random.Random(f"{self.label} {index}").randbytes(self.size)

    def path(self, index: int) -> str:
        return f"{FILES}/bench/{self.label}/{index}.bin"


def _small(peer: Peer, plan: Plan) -> list[Sample]:
    label = f"{time.time_ns():x}"
    clients, count = plan.small_clients, plan.small_files
    samples = []
    context = multiprocessing.get_context("spawn")
    start = (context.Barrier(clients),)
    with ProcessPoolExecutor(clients, context, _set_start, start) as pool:
        for way, client in (("up", _put_share), ("down", _get_share)):
            ranges = [range(first, count, clients) for first in range(clients)]
            shares = [_Share(peer.port, label, r, plan.small_bytes) for r in ranges]
            spans = list(pool.map(client, shares))
            rate = count / (max(end for _, end in spans) - min(begin for begin, _ in spans))
            case = f"artifacts: small files {way}, {clients} clients"
            samples.append(Sample(case, peer.name, rate, "/s", rate=True))
    return samples


_start: list[Barrier] = []  # in a client's process, where all of a load begin


def _set_start(barrier: Barrier) -> None:
    _start.append(barrier)


def _put_share(share: _Share) -> tuple[float, float]:
    contents = {index: share.content(index) for index in share.files}
    client = _Client(share.port)
    began = time.perf_counter()
    for index, content in contents.items():
        client.call("PUT", share.path(index), content)
    return began, time.perf_counter()


def _get_share(share: _Share) -> tuple[float, float]:
    contents = {index: share.content(index) for index in share.files}
    client = _Client(share.port)
    began = time.perf_counter()
    for index, content in contents.items():
        if client.call("GET", share.path(index)) != content:
            raise LoadFailed("The file that came back is another.")
    return began, time.perf_counter()


class _Client:
    """As much of HTTP/1.1 as these calls need: one connection, bodies of an announced length.

    It is made once every client has a connection.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._host = f"127.0.0.1:{port}"
        _start[0].wait(TIMEOUT_S)

    def call(self, method: str, path: str, content: bytes = b"") -> bytes:
        """The body of the answer. Raises LoadFailed for one that is not 200."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(content)}"
        self._socket.sendall(f"{head}\r\n\r\n".encode() + content)
        status, length = self._answers.readline(), None
        while (line := self._answers.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None:
            raise LoadFailed(f"An answer without a length: {status!r}")
        body = self._answers.read(length)
        if b" 200 " not in status:
            raise LoadFailed(f"{status!r} {body[:300]!r}")
        return body


def _expect_200(answer: http.client.HTTPResponse) -> bytes:
    content = answer.read()
    if answer.status != 200:
        raise LoadFailed(f"{answer.status} {content[:300]!r}")
    return content
