"""A receiver of webhooks: a real HTTP server that answers as a test wants it to."""

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_S = 60.0


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def data(self) -> dict[str, Any]:
        return self.json["data"]

    def is_signed(self, secret: bytes, header: str = "x-mlflow-signature") -> bool:
        """Whether a header has the HMAC of `<id>.<time>.<body>`, worked out by itself."""
        signed = b".".join(
            [self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body]
        )
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        return self.headers.get(header) == "v1," + base64.b64encode(digest).decode()


Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Breaks the connection off, without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


class Receiver:
    """`received` holds every request in order; `script` the answers to come, then `otherwise`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: list[Answer] = []
        self.otherwise: Answer = answer(204)
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                announced = int(self.headers.get("content-length", "0"))
                body = self.rfile.read(announced)
                if len(body) < announced:
                    return  # whoever sent it was killed over it: nothing has been received
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._take(Received(self.path, headers, body))(self)

            def do_GET(self) -> None:
                receiver._take(Received(self.path, {}, b""))(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def finish(self) -> None:
                with suppress(OSError, ValueError):  # it was reset
                    super().finish()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        thread.join()
        self._server.server_close()

    def _take(self, request: Received) -> Answer:
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
            return self.script.pop(0) if self.script else self.otherwise

    def wait(self, count: int) -> list[Received]:
        """All that came in, once it is at least so many."""
        return self.until(lambda received: len(received) >= count)

    def until(self, enough: Callable[[list[Received]], bool]) -> list[Received]:
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self.received), WAIT_S):
                raise AssertionError(f"after {WAIT_S:g} s only: {[r.data for r in self.received]}")
            return list(self.received)

    def ids(self) -> set[str]:
        with self._changed:
            return {request.id for request in self.received}


def drip(handler: BaseHTTPRequestHandler) -> None:
    """An answer whose body never ends."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 1000)
        handler.wfile.flush()
        time.sleep(0.001)
