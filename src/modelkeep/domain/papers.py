"""The documents of a version: its card, a validation report, a data sheet, whatever a policy names.

A document is a text under a name, attached to a version after it was registered; attaching another
under the same name takes the place of the first, whose digest stays in the journal. The one called
`card` is read as JSON where it is an object, so that expressions can look into it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.errors import InvalidInput

CARD = "card"
BODY_LIMIT_BYTES = 256 * 1024
NAME_LIMIT = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]*")
MEDIA_TYPES = ("text/markdown", "text/plain", "application/json")


@dataclass(frozen=True, slots=True)
class Document:
    """A text attached to a version. `sha256` is of its UTF-8 bytes; `at_ms` since the epoch.

    `revision` counts those of one name on one version, from 1; 0 before it is attached.
    """

    name: str
    revision: int
    media_type: str
    sha256: str
    size_bytes: int
    author: str
    at_ms: int
    body: str = ""  # left out of listings


def check_name(name: str) -> str:
    """The name itself. InvalidInput unless it is 1 to 100 of a-z, 0-9, `_`, `-`, `.`."""
    if len(name) > NAME_LIMIT or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name:.80}' is no name of a document; it has 1 to {NAME_LIMIT} of a-z, 0-9, '_', "
            "'-' and '.', and begins with a letter or digit."
        )
    return name


def make(name: str, media_type: str, body: str, author: str, at_ms: int) -> Document:
    """A document of these. InvalidInput for a name, type, size or body that none may have."""
    check_name(name)
    if media_type not in MEDIA_TYPES:
        raise InvalidInput(f"media_type must be one of {', '.join(MEDIA_TYPES)}.")
    size = len(body.encode(errors="surrogatepass"))
    if not body.strip() or size > BODY_LIMIT_BYTES:
        raise InvalidInput(f"A document has 1 to {BODY_LIMIT_BYTES} bytes; {name} has {size}.")
    if media_type == "application/json":
        _parsed(name, body)
    return Document(name, 0, media_type, digest_of(body), size, author, at_ms, body)


def digest_of(body: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()


def card_of(document: Document | None) -> Mapping[str, Any] | None:
    """What a card says, if it is an object in JSON."""
    if document is None or document.media_type != "application/json":
        return None
    said = _parsed(document.name, document.body)
    return said if isinstance(said, dict) else None


def _parsed(name: str, body: str) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The document {name} is not JSON: {error}.") from None


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
