"""The front door: what happens to every request, whatever it asks for.

* A foreign `Host` is refused on every path, before anything else: a page that rebinds its own DNS
  name to this address reaches a server, but under its own name. An address is no name that could
  be rebound, so addresses pass, and names only if they are this machine's or were configured.
* A foreign `Origin` is refused for whatever could change something.
* Every request is counted, and told of in the access log where there is one.
* Every answer carries the request's id in `X-Request-Id`, and may neither be sniffed for a type
  nor be shown in a page of somebody else's. A 503 says when to try again.
"""

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Collection, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from modelkeep.domain.access import Caller
from modelkeep.protocols.http import TEXT, Asgi, Receive, Scope, Send, answer
from modelkeep.telemetry import logs
from modelkeep.telemetry.tallies import Requests, route_of

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(:\d+)?", re.ASCII)
_WANTED = (b"host", b"origin", b"x-request-id")
ON_EVERY_ANSWER = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
RETRY = (b"retry-after", b"1")  # seconds
_CLOSE = (b"connection", b"close")
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

_access = logging.getLogger(logs.ACCESS)


class FrontDoor:
    """Wraps an ASGI application with the rules above. `names` are the allowed host names; `shown`
    is a path as a log may have it, where there is an access log.

    `is_closing`: the server is about to stop. Each answer is its connection's last then, so that
    no client sends another call into one that is being closed.
    """

    def __init__(
        self, app: Asgi, names: Collection[str], shown: Callable[[str], str] | None = None
    ) -> None:
        self._app, self._names, self._shown = app, frozenset(names), shown
        self.allows = lru_cache(maxsize=1024)(self._allows)
        self.tally = Requests()
        self.is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        headers = _wanted_headers(scope["headers"])
        scope["modelkeep.request_id"] = given = logs.request_id(headers.get(b"x-request-id"))
        logs.begin_request(scope)
        status = received = sent = 0

        async def receive_counted() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_marked(message: MutableMapping[str, Any]) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = (b"x-request-id", given.encode())
                message["headers"] = [*message["headers"], extra, *ON_EVERY_ANSWER]
                if status == 503:
                    message["headers"].append(RETRY)
                if self.is_closing:
                    message["headers"].append(_CLOSE)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        refusal = self._refusal(scope["method"], headers)
        self.tally.in_flight += 1
        try:
            if refusal:
                await _refuse(send_marked, refusal)
            else:
                await self._app(scope, receive_counted, send_marked)
        finally:
            self.tally.in_flight -= 1
            took_s = time.perf_counter() - began_s
            self.tally.note(scope, status, took_s, received, sent)
            if self._shown is not None:
                path = self._shown(scope["path"])
                _tell(scope, path, status, took_s, received, sent)

    def _refusal(self, method: str, headers: dict[bytes, str]) -> str | None:
        host = headers.get(b"host", "")
        if not self.allows(host):
            return "Invalid Host header - possible DNS rebinding attack detected"
        origin = headers.get(b"origin")
        if origin is None or method in _SAFE or _authority(origin) == host.lower():
            return None
        return "Cross-origin request blocked"

    def _allows(self, host: str) -> bool:
        parts = _HOST.fullmatch(host)
        if parts is None:
            return False
        name = parts["name"].strip("[]").lower()
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _tell(scope: Scope, path: str, status: int, took_s: float, received: int, sent: int) -> None:
    """A line of the access log: without the query, and with who calls as far as that is known."""
    caller: Caller | None = scope.get("modelkeep.caller")
    client: tuple[str, int] | None = scope.get("client")
    fields = {
        "method": scope["method"],
        "route": route_of(scope),
        "path": path,
        "status": status,
        "duration_ms": round(took_s * 1000, 3),
        "bytes_in": received,
        "bytes_out": sent,
        "request_id": scope["modelkeep.request_id"],
        "actor": caller.actor.name if caller else "",
        "peer": client[0] if client else "",
    }
    line = "%(method)s %(path)s %(status)d %(duration_ms).1f ms, %(bytes_out)d bytes, by %(actor)s"
    line += " from %(peer)s [%(request_id)s]"
    _access.info(line, fields, extra={"fields": fields})


def _wanted_headers(pairs: Collection[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """A header sent twice is joined, as HTTP has it: two hosts are together no host of ours."""
    found: dict[bytes, str] = {}
    for name, value in pairs:
        if name in _WANTED:
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _authority(origin: str) -> str | None:
    """Who speaks in an `Origin` header; nobody ("") for "null"."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


async def _refuse(send: Send, why: str) -> None:
    await answer(send, 403, TEXT, why.encode())
