"""Accounts over the native API: people, service accounts, what they may do, and their tokens.

Every change is in force, here, when it is answered; on other replicas within a second.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, delete, get, post, put

from modelkeep.domain.access import Grant, Kind, Role, Verb, person, scope_of
from modelkeep.domain.accounts import StoredToken, check_password
from modelkeep.domain.credentials import (
    DAY_MS,
    LIFETIME_DAYS,
    LIFETIME_LIMIT_DAYS,
    Token,
    TokenKind,
    mint,
)
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput
from modelkeep.domain.events import instant
from modelkeep.protocols.native import problems
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import acting
from modelkeep.protocols.rules import everywhere, of_account
from modelkeep.services import accounts
from modelkeep.services.accounts import Listed
from modelkeep.services.app import App
from modelkeep.services.directory import Directory
from modelkeep.services.passwords import SignIn

T = TypeVar("T")
Days = Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_LIMIT_DAYS)]
KINDS = {TokenKind.PERSONAL: "personal", TokenKind.SERVICE: "service",
         TokenKind.SESSION: "session", TokenKind.BOOTSTRAP: "bootstrap",
         TokenKind.ACCESS: "access key"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entrance:
    """How people come in: who is known, how passwords are checked, and the time.

    `is_open` is False with `--auth off`. Nobody is known then, and nobody may prepare themselves an
    account for the day on which it is on.
    """

    directory: Directory
    sign_in: SignIn
    now_ms: Callable[[], int]
    is_open: bool

    def check_open(self) -> None:
        """Raises Conflict where there are no accounts."""
        if not self.is_open:
            raise Conflict("This server runs with --auth off: it has no accounts.")

    async def change(self, app: App, use_case: Callable[..., T], *args: Any) -> T:
        """A change of accounts, in force when it returns.

        Calls that bring a password come here without a key: what is kept of a call with one, its
        answer and a digest of its body, must not let a secret be guessed.
        """
        self.check_open()
        value = await app.write(use_case, *args)
        await asyncio.to_thread(self.directory.reload)
        return value

    async def change_once(
        self, app: App, request: Http, told: dict[str, str] | None, use_case: Any, *args: Any
    ) -> None:
        """As `change`, once for each idempotency key, whose answer is `told`."""
        once = await acting(app, request, lambda _: told)
        await self.change(once, use_case, caller(request), *args)


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`owner` is the person who answers for a service account; `password` a user's, if any."""

    name: str
    kind: Literal["user", "service"] = "user"
    owner: str | None = None
    password: str | None = None


class NewPassword(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`current` is asked of whoever changes their own."""

    password: str
    current: str = ""


class NewToken(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`days` until it expires."""

    label: str = ""
    days: Days = LIFETIME_DAYS


class GrantView(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`scope`: *, model:NAME, prefix:BEGINNING or tag:KEY=VALUE."""

    role: Role
    scope: str = "*"


class AccountView(msgspec.Struct, kw_only=True):
    name: str
    kind: str
    owner: str
    disabled: bool
    password: bool
    created: str
    grants: list[GrantView]


class TokenView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`token` is given once, when it is made; `used` to the hour."""

    id: str
    kind: str
    label: str
    created: str
    expires: str
    used: str | None = None
    token: str | None = None


def handlers(app: App, entrance: Entrance) -> list[Any]:
    """The route handlers over an application."""
    change, change_once = entrance.change, entrance.change_once

    @get("/accounts")
    @everywhere(Verb.ADMIN)
    async def list_accounts(kind: Literal["user", "service"] | None = None) -> list[AccountView]:
        """Every account, with what it was granted."""
        found = await app.read(accounts.listing, Kind(kind) if kind else None)
        return [_view(listed) for listed in found]

    @post("/accounts", status_code=200)
    @everywhere(Verb.ADMIN)
    async def create_account(request: Http, data: NewAccount) -> dict[str, str]:
        """Makes an account, which may do nothing until something is granted to it.

        With a password, an idempotency key is not looked at: made again, the call is 409.
        """
        told = {"name": data.name}
        if data.kind == "service":
            if data.owner is None or data.password is not None:
                raise InvalidInput("A service account needs an owner, and has no password.")
            args = data.name, data.owner
            await change_once(app, request, told, accounts.add_service, *args)
        elif data.password is None:
            await change_once(app, request, told, accounts.add_user, data.name, None)
        else:
            hashed = await _hashed(data.password)
            await change(app, accounts.add_user, caller(request), data.name, hashed)
        return told

    @post("/accounts/{name:str}/disable", status_code=200)
    @everywhere(Verb.ADMIN)
    async def disable_account(request: Http, name: str) -> dict[str, str]:
        """Refuses an account from now on, and revokes its tokens."""
        await change_once(app, request, {"name": name}, accounts.disable, name)
        return {"name": name}

    @post("/accounts/{name:str}/enable", status_code=200)
    @everywhere(Verb.ADMIN)
    async def enable_account(request: Http, name: str) -> dict[str, str]:
        """Lets a disabled account in again; its tokens stay revoked."""
        await change_once(app, request, {"name": name}, accounts.enable, name)
        return {"name": name}

    @delete("/accounts/{name:str}", status_code=204)
    @everywhere(Verb.ADMIN)
    async def delete_account(request: Http, name: str) -> None:
        """Deletes an account and erases its name; nobody can have that name again."""
        await change_once(app, request, None, accounts.delete, name)

    @put("/accounts/{name:str}/password", keyless=True)
    @of_account()
    async def set_password(request: Http, name: str, data: NewPassword) -> dict[str, str]:
        """Sets a person's password, and ends their sessions."""
        asks = caller(request)
        is_own = asks.actor.verified and person(asks.actor.name) == person(name)
        if is_own and not await entrance.sign_in.is_password(name, data.current):
            raise Forbidden("The current password is wrong.")
        hashed = await _hashed(data.password)
        await change(app, accounts.set_password, asks, name, hashed)
        return {"name": name}

    @post("/accounts/{name:str}/grants", status_code=200)
    @everywhere(Verb.ADMIN)
    async def add_grant(request: Http, name: str, data: GrantView) -> dict[str, str]:
        """Grants a role on a scope."""
        grant = _grant(data.role, data.scope)
        await change_once(app, request, {"name": name}, accounts.add_grant, name, grant)
        return {"name": name}

    @delete("/accounts/{name:str}/grants", status_code=204)
    @everywhere(Verb.ADMIN)
    async def remove_grant(request: Http, name: str, role: Role, on: str = "*") -> None:
        """Takes a role away on the scope `on`."""
        grant = _grant(role, on)
        await change_once(app, request, None, accounts.remove_grant, name, grant)

    @get("/accounts/{name:str}/tokens")
    @of_account()
    async def list_tokens(name: str) -> list[TokenView]:
        """An account's tokens that are good, newest first."""
        return [view_token(token) for token in await app.read(accounts.tokens, name)]

    @post("/accounts/{name:str}/tokens", status_code=200)
    @of_account()
    async def create_token(request: Http, name: str, data: NewToken) -> TokenView:
        """Makes a token. It is shown this once.

        Made again with its idempotency key, the call is 409: it names the token that there is, and
        its secret is not kept.
        """
        once = await acting(app, request, partial(_made_already, request, name))
        account = await app.read(accounts.named, name)
        is_person = account.kind is Kind.USER
        token = mint(TokenKind.PERSONAL if is_person else TokenKind.SERVICE)
        lifetime_ms = data.days * DAY_MS
        args = caller(request), name, token, data.label, lifetime_ms
        kept = await change(once, accounts.add_token, *args)
        return view_token(kept, token)

    @delete("/accounts/{name:str}/tokens/{token_id:str}", status_code=204)
    @of_account()
    async def revoke_token(request: Http, name: str, token_id: str) -> None:
        """Revokes a token."""
        await change_once(app, request, None, accounts.revoke, name, token_id)

    async def _hashed(password: str) -> str:
        return await entrance.sign_in.hash(check_password(password))

    return [
        list_accounts, create_account, disable_account, enable_account, delete_account,
        set_password, add_grant, remove_grant, list_tokens, create_token, revoke_token,
    ]  # fmt: skip


def view_token(token: StoredToken, minted: Token | None = None) -> TokenView:
    return TokenView(
        id=token.id,
        kind=KINDS[token.kind],
        label=token.label,
        created=instant(token.created_ms),
        expires=instant(token.expires_ms),
        used=instant(token.used_ms) if token.used_ms else None,
        token=minted.text if minted else None,
    )


def _made_already(request: Http, name: str, kept: StoredToken) -> Response[dict[str, Any]]:
    """What the call is answered the second time."""
    return problems.respond(
        request,
        "conflict",
        f"This call has made the token {kept.id} of {name} already, and its secret was told then. "
        "If that answer was lost, revoke the token and make another, under a new key.",
    )


def view_grants(grants: list[Grant]) -> list[GrantView]:
    return [GrantView(role=grant.role, scope=str(grant.scope)) for grant in grants]


def _view(listed: Listed) -> AccountView:
    account = listed.account
    return AccountView(
        name=account.name,
        kind=account.kind.value,
        owner=listed.owner,
        disabled=account.disabled,
        password=account.has_password,
        created=instant(account.created_ms),
        grants=view_grants(listed.grants),
    )


def _grant(role: str, scope: str) -> Grant:
    try:
        return Grant(Role(role), scope_of(scope))
    except ValueError:
        known = ", ".join(known.value for known in Role)
        raise InvalidInput(f"'{role[:100]}' is no role; known: {known}.") from None
