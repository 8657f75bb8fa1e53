"""An answer leaves in as few packets as it can, and a long one as it comes."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.conftest import StartServer

LARGE = 5 << 20


def connected(url: str) -> socket.socket:
    at = urlsplit(url)
    return socket.create_connection((at.hostname or "", at.port or 0), timeout=60)


def test_head_and_body_of_an_answer_arrive_in_one_packet(start_server: StartServer) -> None:
    server = start_server()
    with connected(server.url) as wire:
        for _ in range(20):
            wire.sendall(b"GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head, _, body = wire.recv(1 << 16).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body


def test_answers_to_requests_in_one_packet_come_whole_and_in_order(
    start_server: StartServer,
) -> None:
    server = start_server()
    one = b"GET /api/2.0/mlflow/registered-models/get?name=m%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connected(server.url) as wire:
        wire.sendall(b"".join(one % n for n in range(30)) + last)
        told = b""
        while chunk := wire.recv(1 << 16):
            told += chunk
    places = [told.index(b"name=m%d " % n) for n in range(30)]
    assert places == sorted(places)
    assert told.count(b"HTTP/1.1 404") == 30
    assert told.count(b"HTTP/1.1 200") == 1


def test_a_large_file_comes_whole(start_server: StartServer, tmp_path: Path) -> None:
    server, content = start_server(), bytes(range(256)) * (LARGE // 256)
    url = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/large.bin"
    assert httpx.put(url, content=content, timeout=60).status_code == 200
    with httpx.stream("GET", url, timeout=60) as answer:
        assert b"".join(answer.iter_raw()) == content
    assert httpx.head(url).headers["content-length"] == str(LARGE)
