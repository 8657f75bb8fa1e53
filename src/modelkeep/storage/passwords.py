"""Passwords at rest: argon2id, with the parameters that RFC 9106 recommends second (64 MiB)."""

import secrets
from functools import cached_property
from typing import Any


class Argon2Passwords:
    """See `ports.accounts.Passwords`. The library is loaded by the first password."""

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def is_right(self, hashed: str | None, password: str) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError

        try:
            return self._hasher.verify(hashed or self._nobodys, password) and hashed is not None
        except (Argon2Error, InvalidHashError):
            return False

    @cached_property
    def _hasher(self) -> Any:
        from argon2 import PasswordHasher

        return PasswordHasher()

    @cached_property
    def _nobodys(self) -> str:
        """Checked where there is no account, so that its absence takes as long to find."""
        return self._hasher.hash(secrets.token_hex())
