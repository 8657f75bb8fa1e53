"""Killed while files come in: what was acknowledged is there, and nothing is there by half.

A file's content follows from its path, so that whatever is visible afterwards can be judged.
"""

import hashlib
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.server import Server

ROUNDS = int(os.environ.get("MODELKEEP_KILL_ROUNDS", "3"))
SEED = int(os.environ.get("MODELKEEP_KILL_SEED", "1"))
PROXY = "/api/2.0/mlflow-artifacts"
FILES = f"{PROXY}/artifacts"
SIZES = {"small": 3_000, "large": 3_000_000, "parts": 2_500_000}
PART_BYTES = 1_000_000


def content_of(path: str) -> bytes:
    size = SIZES[path.split("/")[1]]
    block = hashlib.sha256(path.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def put(http: httpx.Client, path: str) -> None:
    assert http.put(f"{FILES}/{path}", content=content_of(path)).status_code == 200


def put_in_parts(http: httpx.Client, path: str) -> None:
    folder, _, name = path.rpartition("/")
    content = content_of(path)
    pieces = [content[i : i + PART_BYTES] for i in range(0, len(content), PART_BYTES)]
    asked = {"path": name, "num_parts": len(pieces)}
    made = http.post(f"{PROXY}/mpu/create/{folder}", json=asked).json()
    sent = []
    for credential, piece in zip(made["credentials"], pieces, strict=True):
        answer = http.put(credential["url"], content=piece)
        sent.append({"part_number": credential["part_number"], "etag": answer.headers["etag"]})
    done = {"path": name, "upload_id": made["upload_id"], "parts": sent}
    assert http.post(f"{PROXY}/mpu/complete/{folder}", json=done).status_code == 200


WAYS: tuple[tuple[str, Callable[[httpx.Client, str], None]], ...] = (
    ("small", put),
    ("small", put),
    ("large", put),
    ("parts", put_in_parts),
)


def work(
    url: str, label: str, way: tuple[str, Callable[[httpx.Client, str], None]], kept: list[str]
) -> None:
    """Uploads until the server is gone."""
    kind, send = way
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        for number in range(10_000):
            path = f"{label}/{kind}/{number}"
            try:
                send(http, path)
            except httpx.TransportError:
                return
            kept.append(path)


def check(server: Server, kept: list[str]) -> int:
    """Everything acknowledged is there, all that is there is whole; how many files that are."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:

        def names(folder: str) -> list[str]:
            return [f["path"] for f in http.get(FILES, params={"path": folder}).json()["files"]]

        seen = [
            f"{label}/{kind}/{name}"
            for label in names("")
            for kind in names(label)
            for name in names(f"{label}/{kind}")
        ]
        assert set(kept) <= set(seen)
        for path in seen:
            answer = http.get(f"{FILES}/{path}")
            assert (answer.status_code, answer.content == content_of(path)) == (200, True), path
    assert list((server.data_dir / "incoming").iterdir()) == []
    return len(seen)


@pytest.mark.timeout(400 + 30 * ROUNDS)
def test_a_server_killed_amid_uploads_has_kept_what_it_acknowledged(
    start_server: StartServer,
) -> None:
    print(f"MODELKEEP_KILL_SEED={SEED}")
    choose, server, kept = random.Random(SEED), start_server(), list[str]()
    for number in range(ROUNDS):
        before = len(kept)
        with ThreadPoolExecutor(len(WAYS)) as threads:
            working = [
                threads.submit(work, server.url, f"{number}-{index}", way, kept)
                for index, way in enumerate(WAYS)
            ]
            target = before + choose.randint(5, 40)
            pause = threading.Event()
            while len(kept) < target and not any(w.done() for w in working):
                pause.wait(0.001)
            pause.wait(choose.random() * 0.02)
            server.kill()
            for worker in working:
                worker.result()
        server.start()
        check(server, kept)
    assert check(server, kept) >= len(kept) > ROUNDS


def test_an_upload_in_parts_goes_on_after_a_restart(start_server: StartServer) -> None:
    server = start_server()
    folder, path = "a/parts", "a/parts/x"
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        made = http.post(f"{PROXY}/mpu/create/{folder}", json={"path": "x", "num_parts": 3}).json()
        sent = []
        for index, credential in enumerate(made["credentials"]):
            piece = content_of(path)[index * PART_BYTES : (index + 1) * PART_BYTES]
            answer = http.put(credential["url"], content=piece)
            sent.append({"part_number": index + 1, "etag": answer.headers["etag"]})
            server.restart()
        done = {"path": "x", "upload_id": made["upload_id"], "parts": sent}
        assert http.post(f"{PROXY}/mpu/complete/{folder}", json=done).status_code == 200
        assert http.get(f"{FILES}/{path}").content == content_of(path)
