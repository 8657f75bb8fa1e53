"""Tokens of pages: where a page of a search ended, for the page behind it to begin there."""

import base64
import hashlib
import json

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Position


def position_token(end: Position | None, search: object) -> str:
    """The token of the page behind a position of a search; empty when there is none."""
    if end is None:
        return ""
    content = json.dumps({"after": end, "of": _fingerprint(search)})
    return base64.b64encode(content.encode()).decode()


def page_position(token: str, search: object) -> Position | None:
    """The position that a token stands for, None for no token.

    `search` is whatever decides what is found and in which order. Raises InvalidInput for a text
    that is no token, and for a token of another search: its position means nothing here.
    """
    if not token:
        return None
    try:
        content = json.loads(token_bytes(token))
    except (ValueError, RecursionError):
        raise InvalidInput("Invalid page token, it is none of this server's") from None
    if not isinstance(content, dict) or content.get("of") != _fingerprint(search):
        raise InvalidInput(
            "Invalid page token, it is of another search. "
            "Ask for the next page with the filter and the order of the first."
        )
    after = content.get("after")
    return tuple(after) if isinstance(after, list) else ()


def _fingerprint(search: object) -> str:
    text = repr(search).encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def token_bytes(token: str) -> bytes:
    try:
        return base64.b64decode(token, validate=True)
    except ValueError:
        raise InvalidInput("Invalid page token, could not base64-decode") from None
