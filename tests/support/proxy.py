"""A TCP proxy between a server and its database, which cuts and freezes what passes through it."""

import contextlib
import select
import socket
import threading
from urllib.parse import urlsplit


class Proxy:
    """Listens on the loopback; `url` is the database's with the proxy in its place."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace(f":{target.port}/", f":{port}/")
        self.cuts = 0
        self._needles: dict[str, bytes] = {}
        self._is_refusing = self._is_over = False
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, *, question: bytes = b"", answer: bytes = b"", refuse: bool = False) -> None:
        """Cuts a connection, once, in place of passing on what has these bytes in it.

        `refuse`: from then on nobody gets through, until `let_through`.
        """
        self._needles = {"question": question, "answer": answer}
        self._refuse_next = refuse

    def let_through(self) -> None:
        self._is_refusing = False

    def freeze(self) -> None:
        """Passes nothing on, and closes nothing, as a network that has parted."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._is_over = True
        self.thaw()
        self._listener.close()
        for end in list(self._open):
            end.close()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client:  # which `close` may have closed
            self._flows.wait()
            if self._is_refusing:
                return
            with socket.create_connection(self._target) as database:
                ends = {client: (database, "question"), database: (client, "answer")}
                self._open |= ends.keys()
                while self._passes_on(ends):
                    pass
                self._open -= ends.keys()

    def _passes_on(self, ends: dict[socket.socket, tuple[socket.socket, str]]) -> bool:
        for end in select.select(list(ends), [], [], 60)[0]:
            data = end.recv(65_536)
            other, kind = ends[end]
            needle = self._needles.get(kind)
            if needle and needle in data:
                self._needles = {}
                self._is_refusing = self._refuse_next
                self.cuts += 1
                return False
            self._flows.wait()
            if not data:
                return False
            other.sendall(data)
        return True
