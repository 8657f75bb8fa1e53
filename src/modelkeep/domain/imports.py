"""What may become of something that is brought here from another server.

Three states decide: what was brought last time (`base`), what the source says now (`given`) and
what is here (`found`). Whatever was changed here since is left as it is, whoever changed it; what
is here and was never brought is nobody's to overwrite.

| here                     | the source says      | then                                    |
|--------------------------|----------------------|-----------------------------------------|
| nothing                  | anything             | it is made                              |
| the same                 | the same             | nothing                                 |
| as it was brought        | something else       | it is changed                           |
| something else           | anything             | it is left, and that is reported        |

Facts are compared by digests of their canonical JSON, points of metrics by a sum of hashes, which
does not depend on their order and needs none of them in memory.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import check_text

ORIGIN_LIMIT = 500  # characters of a server's address
RUNS_LIMIT = 100  # things in one call
POINTS_LIMIT = 5_000  # points of metrics in one call
FILES_PAGE = 1_000  # files in one answer
BROUGHT_PAGE = 1_000  # things in one answer
# A note on a version whose source had to be written anew. Tags under `modelkeep.` are no evidence.
SOURCE_TAG = "modelkeep.imported.source"

_canonical = msgspec.json.Encoder(order="sorted")
_SUMS = 1 << 128


class End(StrEnum):
    """What came of one thing that was given."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    KEPT = "kept"  # something else is here, and was left as it is
    WAITING = "waiting"  # for an approval
    REFUSED = "refused"  # by the policy, or because what is here of that name is another thing


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one thing ended; `reason` is a sentence where it is not as the source has it."""

    key: str
    end: End
    reason: str = ""


class Kind(StrEnum):
    """The things of which it can be asked what was brought."""

    EXPERIMENT = "experiment"
    RUN = "run"
    LOGGED_MODEL = "logged-model"
    MODEL = "model"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Brought:
    """Something that was brought and is here, not deleted.

    `key` is its id; `within` that of its experiment or model, and empty for those.
    """

    key: str
    name: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """That a thing was brought here: from where, what it was then, by whom first.

    `kind` says what `key` is the id of: run, logged-model, experiment, model, version, or stage (of
    a version) and alias (of a model). `digest` is of the facts, or the plain value of a slot. The
    kinds experiment-name, experiment-id, model-name and model-id have for a key what a thing is
    called at the source, and our id of it for a digest.
    """

    kind: str
    key: str
    origin: str
    digest: str
    importer: str
    at_ms: int


def judge(base: str | None, given: str, found: str) -> End:
    """What to do about something that is here, by digests; `base` is None if it never was brought.

    CHANGED means that it may be made what the source says.
    """
    if found == given:
        return End.UNCHANGED
    return End.CHANGED if found == base else End.KEPT


def digest(facts: Mapping[str, Any]) -> str:
    """The SHA-256 of facts (texts, integers, booleans, None, lists, mappings) in one order."""
    return hashlib.sha256(_canonical.encode(facts)).hexdigest()


@dataclass(slots=True)
class Points:
    """How many points a metric has, and a sum over the hashes of all of them."""

    count: int = 0
    total: int = 0

    def add(self, step: int, at_ms: int, value: float) -> None:
        """Takes one point; NaN is one value, and so are the two zeros."""
        said = "nan" if math.isnan(value) else (value + 0.0).hex()
        hashed = hashlib.sha256(f"{step} {at_ms} {said}".encode()).digest()
        self.total = (self.total + int.from_bytes(hashed[:16])) % _SUMS
        self.count += 1

    @property
    def digest(self) -> str:
        return f"{self.count}:{self.total:032x}"


def check_origin(origin: str) -> str:
    """The address of a server without credentials: it goes into the journal. InvalidInput."""
    check_text(origin, "origin", ORIGIN_LIMIT)
    try:
        parts = urlsplit(origin)
    except ValueError:
        raise InvalidInput("'origin' is not an address.") from None
    is_address = parts.scheme in ("http", "https") and parts.hostname is not None
    if not is_address or not origin.isprintable() or "@" in parts.netloc:
        raise InvalidInput("'origin' must be the http address of a server, without credentials.")
    return origin
