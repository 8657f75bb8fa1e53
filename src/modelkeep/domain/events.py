"""The grammar of events, and the leaf that each one leaves in the journal.

An action is `noun:what:happened`. An event holds plain facts and, apart from them, texts that a
person wrote or that name a person: reasons, comments, user names. A leaf carries only a salted
commitment to each text, and the text with its salt is kept beside it, so that it can be erased
later and the leaf still verifies.

NOTE: the leaf's format is for ever. A new format must take a new "v", and verifiers must keep
reading the old ones. Leaves are canonical JSON (RFC 8785); facts are limited to strings, integers
below 2**53, booleans, null, lists and objects with ASCII keys, for which sorted keys and compact
output are exactly that.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from modelkeep.domain.access import Actor
from modelkeep.domain.errors import LimitExceeded

LEAF_VERSION = 1
LEAF_LIMIT_BYTES = 65_535  # tlog-tiles entries carry a 16-bit length

_canonical = msgspec.json.Encoder(order="sorted")
_ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_PAIRS = tuple(a + b for a in _ULID_ALPHABET for b in _ULID_ALPHABET)  # of ten bits each


@dataclass(frozen=True, slots=True)
class Event:
    """A change, refusal or vote, as a use case records it.

    `object` says to what; `before` and `after` what it was and became; `why` the grounds
    (digests, ids). `texts` are personal or free text by field name; they never enter the leaf.
    """

    action: str
    object: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    why: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An encoded event: `body` is hashed; `texts` (field -> (salt hex, text)) stand beside it."""

    body: bytes
    texts: dict[str, tuple[str, str]]


def tag_texts(tags: Mapping[str, str]) -> dict[str, str]:
    """Tag values as texts of an event, in the order of its list of keys.

    They're numbered because a leaf's own keys are ASCII, and a tag's key may be any text.
    """
    return {f"tag.{index}": value for index, value in enumerate(tags.values())}


def commitment(salt_hex: str, text: str) -> str:
    """A commitment to a text under a salt of 16 bytes: HMAC-SHA256, as `hmac-sha256:<hex>`."""
    return f"hmac-sha256:{hmac.digest(bytes.fromhex(salt_hex), text.encode(), 'sha256').hex()}"


@lru_cache(maxsize=64)  # every leaf of a batch has the same
def instant(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC, three decimals, `Z`."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{ms % 1000:03d}Z"


def ulid(ms: int) -> str:
    """A sortable unique id of 26 characters: 48 bits of time, 80 random bits (ULID spec)."""
    value = ms << 80 | secrets.randbits(80)
    return "".join([_ULID_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


def encode(
    event: Event, *, at_ms: int, project: str, actor: Actor, request_id: str, origin: str = ""
) -> Leaf:
    """The leaf of an event; `origin` is that of an import. LimitExceeded if it would be longer
    than 65,535 bytes.
    """
    texts = dict(event.texts)
    imported = {"imported": {"from": origin}} if origin else {}
    if not actor.is_anonymous:
        texts["actor"] = actor.name
    if actor.on_behalf_of:
        texts["on_behalf_of"] = actor.on_behalf_of
    if actor.account:
        texts["actor_account"] = actor.account
    salted = {name: (secrets.token_hex(16), text) for name, text in texts.items()}
    body = _canonical.encode(
        {
            "v": LEAF_VERSION,
            "id": ulid(at_ms),
            "t": instant(at_ms),
            "project": project,
            "actor": {
                "kind": "anonymous" if actor.is_anonymous else actor.kind.value,
                "verified": actor.verified,
            },
            "act": event.action,
            "obj": event.object,
            "pre": event.before,
            "post": event.after,
            "why": imported | event.why,
            "texts": {name: commitment(salt, text) for name, (salt, text) in salted.items()},
            "req": request_id,
        }
    )
    if len(body) > LEAF_LIMIT_BYTES:
        raise LimitExceeded(
            f"This change would need a journal entry of {len(body)} bytes; "
            f"the limit is {LEAF_LIMIT_BYTES}."
        )
    return Leaf(body, salted)
