"""Tokens: what the server hands out in an address, and believes when it comes back.

`<claims>.<tag>`: the claims are JSON, the tag is HMAC-SHA-256 (RFC 2104) over the purpose and the
claims, both in base64url. Anyone may read a token; only who has the key can make one. A token
of one purpose is none of another, and none is believed after it expires.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from modelkeep.domain.errors import Forbidden

Claim = str | int


class Signer:
    """Makes and reads tokens under one key of 32 bytes or more."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, purpose: str, expires_ms: int, *claims: Claim) -> str:
        content = _encode(msgspec.json.encode((expires_ms, *claims)))
        return f"{content}.{self._tag(purpose, content)}"

    def read(self, purpose: str, token: str, now_ms: int) -> Sequence[Claim]:
        """The claims that were signed for this purpose. Raises Forbidden if the token is none."""
        content, _, tag = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(tag, self._tag(purpose, content)):
            raise Forbidden("This address was not made by this server, or was changed.")
        expires_ms, *claims = msgspec.json.decode(_decode(content), type=list[Claim])
        assert isinstance(expires_ms, int)
        if now_ms >= expires_ms:
            raise Forbidden("This address has expired; ask for another.")
        return claims

    def _tag(self, purpose: str, content: str) -> str:
        signed = f"{purpose}:{content}".encode()
        return _encode(hmac.digest(self._key, signed, hashlib.sha256))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
