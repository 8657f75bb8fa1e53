"""What becomes of measurements that fail, and of connections that servers close."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks import load, schedule
from benchmarks.load import Client, LoadFailed
from benchmarks.plan import Sample
from benchmarks.schedule import Step

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_what_was_measured_before_a_failure_is_kept_and_the_rest_goes_on() -> None:
    first, second = (Sample(f"alias: {n}", "modelkeep-sqlite", n, "/s", rate=True) for n in (1, 2))

    def broken() -> Iterator[Sample]:
        yield first
        raise LoadFailed("it broke")

    found = schedule.carry_out([Step("alias", 1, broken), Step("create", 1, lambda: [second])])

    assert found == ([first, second], ["alias: it broke"])


def test_a_connection_that_was_idle_for_long_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uvicorn does after 5 s, this server closes what is idle, without a word."""
    monkeypatch.setattr(load, "_KEPT_S", -1)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        closing = threading.Thread(target=_answer_and_close, args=(listening, 2))
        closing.start()
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}")

        answers = [client.call("GET", "/health") for _ in range(2)]

        client.close()
        closing.join()
    assert answers == [{}, {}]


def _answer_and_close(listening: socket.socket, times: int) -> None:
    for _ in range(times):
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(ANSWER)
