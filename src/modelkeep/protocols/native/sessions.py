"""Coming in: signing in and out, who one is, and the first administrator."""

import asyncio
from typing import Any, cast

import msgspec
from litestar import Request, get, post

from modelkeep.domain.accounts import check_password
from modelkeep.domain.credentials import SESSION_MS, TokenKind
from modelkeep.domain.errors import Forbidden
from modelkeep.domain.events import instant
from modelkeep.protocols.doors import IDENTITY
from modelkeep.protocols.http import Scope, caller_of
from modelkeep.protocols.native.accounts import (
    Entrance,
    GrantView,
    TokenView,
    view_grants,
    view_token,
)
from modelkeep.protocols.native.paths import SIGN_IN
from modelkeep.protocols.rules import BEARER, KNOWN
from modelkeep.services import accounts
from modelkeep.services.app import App
from modelkeep.services.directory import Identity

_Http = Request[Any, Any, Any]


class Credentials(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    password: str


class SessionView(msgspec.Struct, kw_only=True):
    """`token` is good for twelve hours, or until one signs out."""

    name: str
    token: str
    expires: str


class CallerView(msgspec.Struct, kw_only=True):
    """`verified` is false where there are no accounts: then a name is a claim, and everybody may do
    everything. `on_behalf_of` is who answers for a service account."""

    name: str
    kind: str
    verified: bool
    on_behalf_of: str
    grants: list[GrantView]
    token: TokenView | None


def handlers(app: App, entrance: Entrance) -> list[Any]:
    """The route handlers over an application."""

    @post(SIGN_IN, status_code=200, keyless=True)
    @BEARER
    async def sign_in(data: Credentials) -> SessionView:
        """Gives a session's token for a name and a password."""
        entrance.check_open()
        token = await entrance.sign_in(data.name, data.password)
        await asyncio.to_thread(entrance.directory.reload)
        expires = instant(entrance.now_ms() + SESSION_MS)
        return SessionView(name=data.name, token=token.text, expires=expires)

    @post("/sign-out", status_code=204, keyless=True)
    @KNOWN
    async def sign_out(request: _Http) -> None:
        """Ends the session that the call is made in. Other tokens are revoked by their id."""
        entrance.check_open()
        identity = _identity(request)
        if identity and identity.account and identity.token.kind is TokenKind.SESSION:
            caller = caller_of(cast("Scope", request.scope))
            name, token_id = identity.account.name, identity.token.id
            await entrance.change(app, accounts.revoke, caller, name, token_id)

    @get("/whoami")
    @KNOWN
    async def who_am_i(request: _Http) -> CallerView:
        """Who the caller is here, and what they may do."""
        caller, identity = caller_of(cast("Scope", request.scope)), _identity(request)
        actor = caller.actor
        return CallerView(
            name=actor.name,
            kind="anonymous" if actor.is_anonymous else actor.kind.value,
            verified=actor.verified,
            on_behalf_of=actor.on_behalf_of,
            grants=view_grants(list(caller.access.grants)),
            token=view_token(identity.token) if identity else None,
        )

    @post("/first-admin", status_code=200, keyless=True)
    @KNOWN
    async def make_first_admin(request: _Http, data: Credentials) -> dict[str, str]:
        """Makes an administrator; takes the bootstrap token that the server has printed."""
        identity = _identity(request)
        if identity is None or identity.token.kind is not TokenKind.BOOTSTRAP:
            raise Forbidden("This takes the bootstrap token that the server has printed.")
        hashed = await entrance.sign_in.hash(check_password(data.password))
        caller = caller_of(cast("Scope", request.scope))
        await entrance.change(app, accounts.begin, caller, identity.token.id, data.name, hashed)
        return {"name": data.name}

    return [sign_in, sign_out, who_am_i, make_first_admin]


def _identity(request: _Http) -> Identity | None:
    return cast("Scope", request.scope).get(IDENTITY)
