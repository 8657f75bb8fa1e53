"""Signing in: a name and a password for a session's token.

The only slow hash there is. It runs in a thread, a few at a time, as long for a name that nobody
has as for one that somebody has, and so often for one name only.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from modelkeep.domain.access import NAME_LIMIT, person
from modelkeep.domain.accounts import PASSWORD_LIMIT
from modelkeep.domain.credentials import Token, TokenKind, mint
from modelkeep.domain.errors import InvalidInput, TooOften, Unauthenticated
from modelkeep.ports.accounts import Passwords
from modelkeep.services import accounts
from modelkeep.services.app import App

AT_ONCE = 2  # passwords that are hashed side by side: each takes 64 MiB
FAILURES_LIMIT = 10  # of one name, in WINDOW_MS
WINDOW_MS = 15 * 60 * 1000
NAMES_LIMIT = 10_000  # names whose failures are remembered


class SignIn:
    """Checks passwords for an application. `app` reads and writes without a permit: nobody who
    signs in has one yet."""

    def __init__(self, app: App, passwords: Passwords, now_ms: Callable[[], int]) -> None:
        self._app, self._passwords, self._now_ms = app, passwords, now_ms
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._failures: OrderedDict[str, list[int]] = OrderedDict()

    async def __call__(self, name: str, password: str) -> Token:
        """A session's token. Raises Unauthenticated, TooOften."""
        if len(name) > NAME_LIMIT or len(password) > PASSWORD_LIMIT:
            raise InvalidInput("No account has so long a name or password.")
        self._count(name)
        hashed = await self._app.read(accounts.password_of, name)
        if not await self._is_right(hashed, password):
            raise Unauthenticated("The name or the password is wrong.")
        assert hashed is not None
        self._failures.pop(person(name), None)
        token = mint(TokenKind.SESSION)
        await self._app.write(accounts.sign_in, name, hashed, token)
        return token

    async def is_password(self, name: str, password: str) -> bool:
        """Whether it is the password of somebody. Raises TooOften."""
        self._count(name)
        return await self._is_right(await self._app.read(accounts.password_of, name), password)

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._passwords.hash, password)

    async def _is_right(self, hashed: str | None, password: str) -> bool:
        async with self._turn:
            return await asyncio.to_thread(self._passwords.is_right, hashed, password)

    def _count(self, name: str) -> None:
        """Counts an attempt as failed until it has succeeded: many at once are many."""
        now_ms, key = self._now_ms(), person(name)
        recent = [at for at in self._failures.pop(key, []) if at > now_ms - WINDOW_MS]
        if len(recent) < FAILURES_LIMIT:
            recent.append(now_ms)
            self._failures[key] = recent
        else:
            self._failures[key] = recent
            raise TooOften(
                f"{FAILURES_LIMIT} attempts to sign in as this user failed within "
                f"{WINDOW_MS // 60_000} minutes. Try again later."
            )
        if len(self._failures) > NAMES_LIMIT:
            self._failures.popitem(last=False)
