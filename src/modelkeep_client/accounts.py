"""Accounts: people and programs, what they may do, and the tokens that they come with."""

from dataclasses import dataclass

from modelkeep_client.addresses import given, segment
from modelkeep_client.transport import Transport
from modelkeep_client.values import built


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a scope: *, model:NAME, prefix:BEGINNING or tag:KEY=VALUE."""

    role: str
    scope: str


@dataclass(frozen=True, slots=True)
class Account:
    """`kind`: user or service; `owner` answers for a service account; `password` is whether there
    is one."""

    name: str
    kind: str
    owner: str
    disabled: bool
    password: bool
    created: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """`token`, the secret itself, is there only when it is made; `used` is to the hour."""

    id: str
    kind: str
    label: str
    created: str
    expires: str
    used: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the caller is to the server. Where there are no accounts a name is a claim: `verified`
    is False."""

    name: str
    kind: str
    verified: bool
    on_behalf_of: str
    grants: tuple[Grant, ...]
    token: Token | None


@dataclass(frozen=True, slots=True)
class Session:
    """`token` is good for twelve hours, or until one signs out."""

    name: str
    token: str
    expires: str


class Accounts:
    """The accounts of a server with `--auth on`; `client.accounts` is one. For admins."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, kind: str | None = None) -> list[Account]:
        """Every account, or those of a kind: user or service."""
        found = self._transport.get("/accounts", kind=kind)
        return [built(Account, account) for account in found]

    def add_user(self, name: str, *, password: str | None = None) -> None:
        """Makes a person's account, which may do nothing yet. Raises AlreadyExists."""
        body = given(name=name, kind="user", password=password)
        self._transport.change("POST", "/accounts", body)

    def add_service(self, name: str, *, owner: str) -> None:
        """Makes an account for a program, for which its owner answers. Raises AlreadyExists."""
        body = {"name": name, "kind": "service", "owner": owner}
        self._transport.change("POST", "/accounts", body)

    def disable(self, name: str) -> None:
        """Refuses an account from now on, and revokes its tokens."""
        self._transport.change("POST", f"{_path(name)}/disable")

    def enable(self, name: str) -> None:
        """Lets a disabled account in again. It needs new tokens."""
        self._transport.change("POST", f"{_path(name)}/enable")

    def delete(self, name: str) -> None:
        """Deletes an account and erases its name; nobody can have that name again."""
        self._transport.change("DELETE", _path(name))

    def set_password(self, name: str, password: str, *, current: str = "") -> None:
        """Sets a person's password, and ends their sessions. One's own needs the `current` one."""
        body = {"password": password, "current": current}
        self._transport.change("PUT", f"{_path(name)}/password", body)

    def grant(self, name: str, role: str, scope: str = "*") -> None:
        """Grants a role: viewer, restricted_viewer, contributor, reviewer, deployer or admin."""
        body = {"role": role, "scope": scope}
        self._transport.change("POST", f"{_path(name)}/grants", body)

    def withhold(self, name: str, role: str, scope: str = "*") -> None:
        """Takes a grant away."""
        params = {"role": role, "on": scope}
        self._transport.change("DELETE", f"{_path(name)}/grants", params=params)

    def sign_in(self, name: str, password: str) -> Session:
        """A session's token, to make a Client with. Raises Unauthenticated."""
        body = {"name": name, "password": password}
        return built(Session, self._transport.change("POST", "/sign-in", body))


class Tokens:
    """The tokens of accounts; `client.tokens` is one. Without a name they are the caller's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, label: str = "", *, of: str | None = None, days: int | None = None) -> Token:
        """Makes a token. Its secret is told this once.

        Raises Conflict, naming the token, where a call whose answer was lost has made it: revoke
        that one, and make another.
        """
        body = given(label=label, days=days)
        return built(Token, self._transport.change("POST", self._path(of), body))

    def list(self, of: str | None = None) -> list[Token]:
        """The tokens that are good, newest first, without their secrets."""
        return [built(Token, token) for token in self._transport.get(self._path(of))]

    def revoke(self, token_id: str, *, of: str | None = None) -> None:
        """Revokes a token, on every server within a second."""
        self._transport.change("DELETE", f"{self._path(of)}/{segment(token_id)}")

    def _path(self, of: str | None) -> str:
        return f"{_path(of or self._transport.get('/whoami')['name'])}/tokens"


def _path(name: str) -> str:
    return f"/accounts/{segment(name)}"
