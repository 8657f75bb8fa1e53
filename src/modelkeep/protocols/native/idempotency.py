"""Changes that a client may ask for again without having them twice.

A client that sends `Idempotency-Key` and hears nothing makes the same call again with the same
key: it gets the first answer, and `Idempotent-Replayed: true` with it. A key belongs to its caller
and to one call: its method, path, query and body. Every change goes through `change`, or through
the application that `acting` gives.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from litestar import Response

from modelkeep.domain.errors import InvalidInput
from modelkeep.ports.replies import Claim, Reply
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.services import replies
from modelkeep.services.app import App, Runner

KEY_LIMIT = 255  # characters
_KEY = re.compile(rf"[\x20-\x7e]{{1,{KEY_LIMIT}}}")

T = TypeVar("T")


class Replayed(Exception):
    """The call had its effect before; this is what it was answered."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


async def change(
    app: App,
    request: Http,
    view: Callable[[T], Any],
    use_case: Callable[..., T],
    *args: Any,
    **kwargs: Any,
) -> Response[Any]:
    """Makes a change, once for each key, and answers what `view` makes of the use case's value."""
    once = await acting(app, request, view)
    return _response(view(await once.write(use_case, *args, **kwargs)))


async def acting(app: App, request: Http, view: Callable[[Any], Any]) -> App:
    """The application for a service that makes one change by itself, after work of its own.

    Raises Replayed before any of that work if the call was answered before.
    """
    key = _key(request)
    if key is None:
        return app
    claim = Claim(caller(request).actor.name, key, await _digest(request))
    reply = await app.read(replies.known, claim, point=True)
    if reply is not None:
        raise Replayed(reply)
    return replace(app, writer=_Once(app.writer, claim, lambda value: _reply(view(value))))


def _key(request: Http) -> str | None:
    """The key of a call, if it has one. Raises InvalidInput for two, and for what is none."""
    given = request.headers.getall("idempotency-key", [])
    if len(given) > 1:
        raise InvalidInput("A call has one header Idempotency-Key, and not several.")
    if given and not _KEY.fullmatch(given[0]):
        raise InvalidInput(f"An Idempotency-Key has 1 to {KEY_LIMIT} printable ASCII characters.")
    return given[0] if given else None


class _Once:
    """A writer whose use case runs unless its call was answered before."""

    def __init__(self, writer: Runner, claim: Claim, tell: Callable[[Any], Reply]) -> None:
        self._writer, self._claim, self._tell = writer, claim, tell

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        value, reply = await self._writer.submit(
            replies.once, self._claim, self._tell, use_case, *args, **kwargs
        )
        if reply is not None:
            raise Replayed(reply)
        return value


def replay(request: Http, error: Replayed) -> Response[bytes]:
    """The first answer, once more."""
    reply = error.reply
    kind = "application/problem+json" if reply.status >= 400 else "application/json"
    headers = {"Idempotent-Replayed": "true"}
    body = reply.body.encode()
    return Response(body, status_code=reply.status, media_type=kind, headers=headers)


async def _digest(request: Http) -> str:
    scope = request.scope
    target = scope["raw_path"] + b"?" + scope["query_string"]
    body = hashlib.sha256(await request.body()).digest()
    return hashlib.sha256(scope["method"].encode() + b" " + target + b"\n" + body).hexdigest()


def _response(told: Any) -> Response[Any]:
    if isinstance(told, Response):
        return told
    return Response(told, status_code=204 if told is None else 200)


def _reply(told: Any) -> Reply:
    response = _response(told)
    body = "" if told is None else msgspec.json.encode(response.content).decode()
    return Reply(response.status_code or 200, body)
