"""The HTTP server that modelkeep runs on, with nothing behind it: it answers 345 bytes of JSON."""

import os
import sys
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.peers.base import Peer

_ROOT = Path(__file__).parents[2]
_BODY = b'{"padding": "' + b"." * 330 + b'"}'  # about as long as the answer to an alias
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


class Hello(Peer):
    """No registry: what HTTP alone costs here."""

    product = "hello"
    databases = ()
    measurements = frozenset()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.peers.hello", str(self.port)]

    def environment(self) -> dict[str, str]:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return super().environment() | {"PYTHONPATH": os.pathsep.join(paths)}


async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        answer,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        server_header=False,
        date_header=False,
    )
