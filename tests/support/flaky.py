"""A way to a server that loses, cuts off and spoils what a test tells it to."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What becomes of a call, by its method and path: None passes it on. "lost": done, but the answer
# never comes. "dropped": neither. "half": the answer breaks off in the middle. A number: that
# status, and nothing is done.
Fate = Callable[[str, str], str | int | None]


class Flaky:
    """`url` leads to a server on the loopback; `fate` decides what each call meets."""

    def __init__(self, port: int) -> None:
        self.fate: Fate = lambda method, path: None
        self.calls: list[tuple[str, str]] = []
        flaky = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError):  # whoever called has gone
                    super().handle_one_request()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                flaky.calls.append((self.command, self.path))
                fate = flaky.fate(self.command, self.path)
                self.close_connection = fate is not None
                if fate == "dropped":
                    return
                if isinstance(fate, int):
                    self.send_response(fate)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                answer, content = self._passed_on(body, port)
                if fate == "lost":
                    return
                self.send_response_only(answer.status)
                length = answer.headers.get("Content-Length") or str(len(content))
                for name, value in answer.headers.items():
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if fate == "half" else content)

            do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the library's names

            def _passed_on(self, body: bytes, port: int) -> tuple[http.client.HTTPResponse, bytes]:
                way = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                with contextlib.closing(way):
                    headers = dict(self.headers)
                    headers.pop("Expect", None)
                    way.request(self.command, self.path, body=body, headers=headers)
                    answer = way.getresponse()
                    return answer, answer.read()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Flaky"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def once(self, fate: str | int, method: str, within: str = "") -> None:
        """That fate for the next call of that method whose path has that in it."""
        met = threading.Event()

        def decide(called: str, path: str) -> str | int | None:
            if called == method and within in path and not met.is_set():
                met.set()
                return fate
            return None

        self.fate = decide
