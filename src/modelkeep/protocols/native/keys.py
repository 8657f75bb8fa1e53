"""Access keys over the native API: what AWS's clients sign their calls with.

The first key of another account than the server's own is made by an administrator: what other
accounts may do hangs on that number. Whoever has one may make more of it, for nobody votes with a
key that somebody else made.
"""

import asyncio
from functools import partial
from typing import Any

import msgspec
from litestar import Response, delete, get, post

from modelkeep.domain.accounts import StoredToken
from modelkeep.domain.credentials import DAY_MS, LIFETIME_DAYS, mint_key
from modelkeep.domain.events import instant
from modelkeep.protocols.native import problems
from modelkeep.protocols.native.accounts import Days, Entrance
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import acting
from modelkeep.protocols.rules import of_account
from modelkeep.services import accounts
from modelkeep.services.app import App


class NewKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`days` until it expires; `account_number` of 12 digits, the server's own if it is empty."""

    label: str = ""
    days: Days = LIFETIME_DAYS
    account_number: str = ""


class KeyView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`secret` is given once, when it is made; `used` to the hour; `account_number` is missing of
    the server's own."""

    id: str
    label: str
    created: str
    expires: str
    account_number: str | None = None
    used: str | None = None
    secret: str | None = None


def handlers(app: App, entrance: Entrance) -> list[Any]:
    """The route handlers over an application."""

    @get("/accounts/{name:str}/keys")
    @of_account()
    async def list_keys(name: str) -> list[KeyView]:
        """An account's access keys that are good, newest first."""
        return [_view(key) for key in await app.read(accounts.keys, name)]

    @post("/accounts/{name:str}/keys", status_code=200)
    @of_account()
    async def create_key(request: Http, name: str, data: NewKey) -> KeyView:
        """Makes an access key. Its secret is shown this once.

        Made again with its idempotency key, the call is 409: it names the access key that there is,
        and its secret is not told again.
        """
        once = await acting(app, request, partial(_made_already, request, name))
        entrance.check_open()
        key = mint_key()
        sealed = await asyncio.to_thread(app.vault.seal, key.secret, key.id)
        args = name, key, data.label, data.days * DAY_MS, sealed, data.account_number
        kept = await entrance.change(once, accounts.add_token, caller(request), *args)
        return _view(kept, key.secret)

    @delete("/accounts/{name:str}/keys/{key_id:str}", status_code=204)
    @of_account()
    async def revoke_key(request: Http, name: str, key_id: str) -> None:
        """Revokes an access key."""
        await entrance.change_once(app, request, None, accounts.revoke, name, key_id)

    return [list_keys, create_key, revoke_key]


def _view(key: StoredToken, secret: str | None = None) -> KeyView:
    return KeyView(
        id=key.id,
        label=key.label,
        created=instant(key.created_ms),
        expires=instant(key.expires_ms),
        account_number=key.account_number or None,
        used=instant(key.used_ms) if key.used_ms else None,
        secret=secret,
    )


def _made_already(request: Http, name: str, kept: StoredToken) -> Response[dict[str, Any]]:
    """What the call is answered the second time."""
    return problems.respond(
        request,
        "conflict",
        f"This call has made the access key {kept.id} of {name} already, and its secret was told "
        "then. If that answer was lost, revoke it and make another, under a new key.",
    )
