"""Tokens: their form, what of one is stored, and how one is checked.

    mk<kind>_<id>_<secret><check>

`kind` is one letter, `id` 12 characters that are no secret and by which a token is looked up, the
secret 30 characters (178 bits), `check` the CRC-32 of all that stands before it, in 6 characters;
all of them base62. So a scanner finds one in a leak without asking anybody (`PATTERN`), and a
mistyped one is refused without a look-up. What is stored is the SHA-256 of the secret: it has so
many bits that no slow hash would make it harder to guess.

An access key signs and is never shown after it was made: an id of 20 characters and a secret of 40
(238 bits), as AWS's clients have them. To verify what it signed takes the secret itself, so besides
its digest the secret is kept sealed.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

from modelkeep.domain.errors import Unauthenticated

ID_CHARS, SECRET_CHARS, CHECK_CHARS = 12, 30, 6
PATTERN = r"\bmk[psib]_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}\b"  # for scanners; published in the docs

KEY_PREFIX, KEY_ID_CHARS, KEY_SECRET_CHARS = "MK", 20, 40

DAY_MS = 24 * 60 * 60 * 1000
LIFETIME_DAYS, LIFETIME_LIMIT_DAYS = 90, 365
SESSION_MS = 12 * 60 * 60 * 1000
BOOTSTRAP_MS = 60 * 60 * 1000

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"mk([psib])_([0-9A-Za-z]{12})_([0-9A-Za-z]{30})([0-9A-Za-z]{6})", re.ASCII)


class TokenKind(StrEnum):
    """The value is the letter in the token's prefix."""

    PERSONAL = "p"
    SERVICE = "s"
    SESSION = "i"  # signed in
    BOOTSTRAP = "b"
    ACCESS = "k"  # an access key, which is presented by what it signs alone


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its bearer has it. It does not show its secret unless asked for its `text`."""

    kind: TokenKind
    id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """Not of an access key, of which the secret is never sent."""
        body = f"mk{self.kind}_{self.id}_{self.secret}"
        return body + _check(body)

    @property
    def digest(self) -> str:
        """What is stored of it: the SHA-256 of its secret, in hex."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def is_of(self, digest: str) -> bool:
        """Whether this is the token of which `digest` is stored; takes the same time either way."""
        return hmac.compare_digest(self.digest, digest)


def mint(kind: TokenKind) -> Token:
    """A new token."""
    return Token(kind, _random(ID_CHARS), _random(SECRET_CHARS))


def mint_key() -> Token:
    """A new access key."""
    upper = _ALPHABET[:36]
    id_ = "".join(secrets.choice(upper) for _ in range(KEY_ID_CHARS - len(KEY_PREFIX)))
    return Token(TokenKind.ACCESS, KEY_PREFIX + id_, _random(KEY_SECRET_CHARS))


def read(text: str) -> Token:
    """The token that a text is. Raises Unauthenticated for one that can be none."""
    match = _FORM.fullmatch(text)
    if match is None or not hmac.compare_digest(_check(text[:-CHECK_CHARS]), match[4]):
        raise Unauthenticated(
            "This is no token of modelkeep. Give one as a bearer token, or as the password of HTTP "
            "basic authentication (MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_PASSWORD)."
        )
    return Token(TokenKind(match[1]), match[2], match[3])


def presented(header: bytes) -> tuple[str, Token]:
    """The user name ("" if there is none) and the token of an `Authorization` header.

    Raises Unauthenticated for any other header.
    """
    scheme, _, given = header.partition(b" ")
    given = given.strip()
    if scheme.lower() == b"bearer":
        return "", read(given.decode("latin-1"))
    if scheme.lower() != b"basic":
        raise Unauthenticated("Authenticate with a token: HTTP basic, or bearer.")
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthenticated("The Authorization header is not valid HTTP basic.") from None
    return name.strip(), read(password)


def _random(chars: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(chars))


def _check(text: str) -> str:
    value, digits = zlib.crc32(text.encode("latin-1")), ""
    for _ in range(CHECK_CHARS):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
