"""A registry with accounts, in this process: the whole application behind its door."""

import asyncio
import base64
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from modelkeep.bootstrap import Running
from modelkeep.domain import audit as verifier
from modelkeep.domain.access import Access, Actor, Caller, Grant, Role, scope_of
from modelkeep.domain.credentials import DAY_MS, Token, TokenKind, mint
from modelkeep.services import accounts, audit
from modelkeep.settings import Settings
from modelkeep.site import build
from modelkeep.storage.passwords import Argon2Passwords
from tests.support.clock import MovedClock

BOSS = Caller(Actor("boss", verified=True))


class QuickPasswords(Argon2Passwords):
    """The real hash with little work in it: tests hash many passwords."""

    @cached_property
    def _hasher(self) -> PasswordHasher:
        return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class Estate:
    """Accounts are made directly; everything else is asked over HTTP, with a token or without."""

    def __init__(
        self, folder: Path, database_url: str, clock: MovedClock, *, auth: bool = True
    ) -> None:
        self.folder, self.clock = folder, clock
        self._settings = Settings(data_dir=folder, database_url=database_url, auth=auth)
        self._start()
        self.tokens: dict[str, str] = {}
        self.user("boss", "admin")

    def _start(self) -> None:
        self.running = Running(self._settings, self.clock)
        self.running.passwords = QuickPasswords()
        self._loop = asyncio.Runner()
        self.asgi = build(self.running, self._settings, self.clock.now_ms).door
        self.running.directory.reload()

    def close(self) -> None:
        self._loop.close()
        self.running.close()

    def restart(self) -> None:
        self.close()
        self._start()

    def verify(self) -> verifier.Report:
        return verifier.verify(self.running.reader.run(lambda work: list(audit.export(work))))

    def write(self, use_case: Callable[..., Any], *args: Any, by: Caller = BOSS) -> Any:
        value = self.running.writer.run(use_case, by, *args)
        self.running.directory.reload()
        return value

    def user(self, name: str, *grants: str) -> str:
        """A person with grants, each as in "viewer model:churn"; their token."""
        self.write(accounts.add_user, name, None)
        return self._granted(name, TokenKind.PERSONAL, grants)

    def service(self, name: str, owner: str, *grants: str) -> str:
        self.write(accounts.add_service, name, owner)
        return self._granted(name, TokenKind.SERVICE, grants)

    def grant(self, name: str, *grants: str) -> None:
        for grant in grants:
            role, _, scope = grant.partition(" ")
            self.write(accounts.add_grant, name, Grant(Role(role), scope_of(scope or "*")))

    def token(self, name: str, days: int = 90, kind: TokenKind = TokenKind.PERSONAL) -> Token:
        """One that they have made themselves or, of a service account, whoever answers for it."""
        token = mint(kind)
        account = self.running.reader.run(accounts.named, name)
        owner = self.running.reader.run(lambda work: work.accounts.owners_of([name]))
        maker = Caller(Actor(owner[0] if owner else account.name, verified=True))
        self.write(accounts.add_token, name, token, "", days * DAY_MS, by=maker)
        return token

    def _granted(self, name: str, kind: TokenKind, grants: tuple[str, ...]) -> str:
        self.grant(name, *grants)
        self.tokens[name] = self.token(name, kind=kind).text
        return self.tokens[name]

    def put(self, path: str, content: bytes, by: str) -> httpx.Response:
        return self.call("PUT", path, by, content=content)

    def call(
        self,
        method: str,
        path: str,
        by: str = "",
        json: Any = None,
        headers: dict[str, str] | None = None,
        client: str = "127.0.0.1",
        content: bytes | None = None,
    ) -> httpx.Response:
        """An answer to `by`, to a token itself, or to nobody."""
        token = self.tokens.get(by, by)
        given = {"authorization": f"Bearer {token}"} if token else {}
        request_id = {"x-request-id": "a" * 32}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.asgi, client=(client, 50_000))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:5000"
            ) as http:
                return await http.request(
                    method,
                    path,
                    json=json,
                    content=content,
                    headers=given | request_id | (headers or {}),
                )

        return self._loop.run(send())


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def access_of(*grants: str) -> Access:
    """What grants give, each as in "viewer model:churn"."""
    parts = [grant.partition(" ") for grant in grants]
    return Access(tuple(Grant(Role(role), scope_of(scope or "*")) for role, _, scope in parts))
