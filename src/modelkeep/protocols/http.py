"""What every protocol does alike at its edge: who calls, and how large a body may be."""

import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from modelkeep.domain.access import ANONYMOUS, NAME_LIMIT, Actor, Caller
from modelkeep.domain.accounts import is_ours
from modelkeep.domain.errors import InvalidInput, LimitExceeded

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

FIELDS_LIMIT = 2000  # of a query string
TEXT = b"text/plain; charset=utf-8"


async def answer(send: Send, status: int, kind: bytes, body: bytes) -> None:
    """A whole answer, of a media type."""
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def caller_of(scope: Scope) -> Caller:
    """Who calls: the owner of the token, as `protocols.doors` found it; without accounts the user
    name of HTTP basic authentication, unverified; else anonymous."""
    known: Caller | None = scope.get("modelkeep.caller")
    if known is not None:
        return known
    actor = _NOBODY
    for name, value in scope["headers"]:
        if name == b"authorization":
            actor = _actor(value)
            break
    scope["modelkeep.caller"] = caller = Caller(actor, scope["modelkeep.request_id"])
    return caller


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
        name = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        raise InvalidInput("The Authorization header is not valid HTTP basic.") from None
    return claimed_actor(name)


def claimed_actor(name: str) -> Actor:
    """Who somebody says to be, where there are no accounts; nobody by an empty name. Raises
    InvalidInput for what can be no user's name."""
    name = name.strip()
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInput(f"A user name has at most {NAME_LIMIT} printable characters.")
    actor = Actor(name or ANONYMOUS)
    if actor.is_anonymous:
        return _NOBODY
    if is_ours(name):
        raise InvalidInput(f"Nobody can be named '{name}': the server itself acts under it.")
    return actor


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
    return pairs_of(scope["query_string"])


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """As `query_of`, of the query string itself."""
    try:
        return parse_qsl(
            query.decode("ascii"),
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
