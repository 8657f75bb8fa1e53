"""What every protocol does alike at its edge: who calls, from where, and how large a body may be.

* A foreign `Host` is refused on every path, before anything else: a page that rebinds its own DNS
  name to this address reaches a server, but under its own name. An address is no name that could
  be rebound, so addresses pass, and names only if they are this machine's or were configured.
* A foreign `Origin` is refused for whatever could change something.
* Every answer carries the request's id in `X-Request-Id`, and may neither be sniffed for a type
  nor be shown in a page of somebody else's.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from modelkeep.domain.access import ANONYMOUS, NAME_LIMIT, Actor, Caller
from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.telemetry import request_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(:\d+)?", re.ASCII)
_WANTED = (b"host", b"origin", b"x-request-id")
FIELDS_LIMIT = 2000  # of a query string
_ON_EVERY_ANSWER = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


class FrontDoor:
    """Wraps an ASGI application with the rules above. `names` are the allowed host names."""

    def __init__(self, app: Asgi, names: Collection[str]) -> None:
        self._app, self._names = app, frozenset(names)
        self._is_allowed = lru_cache(maxsize=1024)(self._allows)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _wanted_headers(scope["headers"])
        scope["modelkeep.request_id"] = given = request_id(headers.get(b"x-request-id"))

        async def send_marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                extra = (b"x-request-id", given.encode())
                message["headers"] = [*message["headers"], extra, *_ON_EVERY_ANSWER]
            await send(message)

        refusal = self._refusal(scope["method"], headers)
        if refusal:
            await _refuse(send_marked, refusal)
        else:
            await self._app(scope, receive, send_marked)

    def _refusal(self, method: str, headers: dict[bytes, str]) -> str | None:
        host = headers.get(b"host", "")
        if not self._is_allowed(host):
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
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})


def caller_of(scope: Scope) -> Caller:
    """Who calls: the owner of the token, as `protocols.doors` found it; without accounts the user
    name of HTTP basic authentication, unverified; else anonymous."""
    known: Caller | None = scope.get("modelkeep.caller")
    if known is not None:
        return known
    for name, value in scope["headers"]:
        if name == b"authorization":
            return Caller(_actor(value), scope["modelkeep.request_id"])
    return Caller(_NOBODY, scope["modelkeep.request_id"])


def loader_in(scope: Scope) -> Caller:
    """As `caller_of`, with what the client calls itself and where it calls from: of those calls
    that count as loads, since it takes longer."""
    caller = caller_of(scope)
    client: tuple[str, int] | None = scope.get("client")
    return Caller(
        caller.actor,
        caller.request_id,
        access=caller.access,
        client=header(scope, b"user-agent"),
        address=client[0] if client else "",
    )


_NOBODY = Actor()


@lru_cache(maxsize=1024)
def _actor(header: bytes) -> Actor:
    kind, _, encoded = header.partition(b" ")
    if kind.lower() != b"basic":
        return _NOBODY
    try:
        name = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0].strip()
    except (binascii.Error, ValueError):
        raise InvalidInput("The Authorization header is not valid HTTP basic.") from None
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInput(f"A user name has at most {NAME_LIMIT} printable characters.")
    actor = Actor(name or ANONYMOUS)
    return _NOBODY if actor.is_anonymous else actor


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body. Raises LimitExceeded as soon as it is known to be longer."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit_bytes:
            raise _too_long(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The connection was closed before the body was complete.")
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise _too_long(limit_bytes)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_long(limit_bytes: int) -> LimitExceeded:
    return LimitExceeded(f"The request's body is longer than the limit of {limit_bytes} bytes.")


def path_of(scope: Scope) -> str:
    """The path, decoded once. Raises InvalidInput where its bytes are no UTF-8.

    The HTTP server puts U+FFFD for such bytes, so that many paths would be one.
    """
    path: str = scope["path"]
    if "\ufffd" in path:
        try:
            unquote_to_bytes(scope["raw_path"]).decode()
        except UnicodeDecodeError:
            raise InvalidInput("The path is not valid UTF-8.") from None
    return path


def query_of(scope: Scope) -> list[tuple[str, str]]:
    """The pairs of the query string, in order. Raises InvalidInput where it is no UTF-8."""
    try:
        return parse_qsl(
            scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_LIMIT,
        )
    except ValueError:
        raise InvalidInput(
            f"The query string is not valid, or has over {FIELDS_LIMIT} fields."
        ) from None


def header(scope: Scope, name: bytes) -> str:
    """A header's value, or an empty string."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""
