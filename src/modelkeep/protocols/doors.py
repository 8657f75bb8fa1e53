"""Who makes a call, where there are accounts: everything but a few public paths needs a token.

The token comes by HTTP basic authentication, as the password, or as a bearer token. Whoever has
none, or one that is not good, gets 401 for every path, whether there is such a path or not.

A call may be signed with an access key instead. A dialect whose calls all are (`signs`) is let
through as nobody, who may do nothing, and says by `enter` who calls once it knows.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from modelkeep.domain.access import Access, Actor, Caller
from modelkeep.domain.errors import Unauthenticated
from modelkeep.domain.sharing import Guest
from modelkeep.ports.work import Work
from modelkeep.protocols.http import Asgi, Receive, Scope, Send, header
from modelkeep.services import permits
from modelkeep.services.directory import Directory, Identity
from modelkeep.settings import is_loopback

IDENTITY = "modelkeep.identity"  # where a request's scope has it
SIGNED = "AWS4-HMAC-SHA256 "  # how the `Authorization` of a signed call begins
_CHALLENGE = (b"www-authenticate", b'Basic realm="mlflow"')
_FORWARDED = (b"forwarded", b"x-forwarded-for")


def enter(
    scope: Scope,
    identity: Identity,
    spend: Callable[[Work], None] | None = None,
    guest: Guest | None = None,
) -> Caller:
    """Says who makes the call, from now on. `spend` and `guest` as in `permits.ask`."""
    scope[IDENTITY] = identity
    actor = replace(identity.actor, account=guest.account) if guest else identity.actor
    caller = Caller(actor, scope["modelkeep.request_id"], access=identity.access)
    scope["modelkeep.caller"] = caller
    permits.ask(caller, spend, guest)
    return caller


class Authentication:
    """Wraps an ASGI application.

    `is_public` tells of a path that it asks nobody for a token; `signs` of a call that it is for a
    dialect which finds out by itself; `verify` enters who has signed a call, and gives its body
    again; `render` gives the type and the body, in JSON, of a refusal at a path; `note` records
    what a caller was denied, before they are told.
    """

    def __init__(
        self,
        app: Asgi,
        directory: Directory,
        is_public: Callable[[str], bool],
        signs: Callable[[Scope], bool],
        verify: Callable[[Scope, Receive], Awaitable[Receive]],
        render: Callable[[Scope, Unauthenticated], tuple[bytes, bytes]],
        note: Callable[[Caller], Awaitable[None]],
    ) -> None:
        self._app, self._directory = app, directory
        self._is_public, self._signs, self._verify = is_public, signs, verify
        self._render, self._note = render, note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._is_public(scope["path"]) or self._signs(scope):
            nobody = Caller(Actor(), scope["modelkeep.request_id"], access=Access())
            scope["modelkeep.caller"] = nobody
            permits.ask(nobody)
        else:
            try:
                if header(scope, b"authorization").startswith(SIGNED):
                    receive = await self._verify(scope, receive)
                else:
                    enter(scope, self._identify(scope))
            except Unauthenticated as error:
                await _refuse(send, *self._render(scope, error))
                return

        async def send_noted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 403:
                await self._note(scope["modelkeep.caller"])
            await send(message)

        await self._app(scope, receive, send_noted)

    def _identify(self, scope: Scope) -> Identity:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            raise Unauthenticated(
                "You are not authenticated. Give a token: MLFLOW_TRACKING_TOKEN, or "
                "MLFLOW_TRACKING_USERNAME with the token as MLFLOW_TRACKING_PASSWORD; on the "
                "command line, `modelkeep login NAME`."
            )
        return self._directory.identify(given[0], is_local=_is_local(scope))


def _is_local(scope: Scope) -> bool:
    """Whether a call comes from this machine, and not through a proxy on it."""
    forwarded = any(name in _FORWARDED for name, _ in scope["headers"])
    client = scope.get("client")
    return not forwarded and client is not None and is_loopback(client[0])


async def _refuse(send: Send, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        _CHALLENGE,
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
