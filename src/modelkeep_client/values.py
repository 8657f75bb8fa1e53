"""What the server answers, as values. Times are RFC 3339 in UTC, digests `sha256:<hex>`.

Fields that a newer server adds are left aside.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model. `semver` is the newest version's; `production` is the newest version
    there, `versions` how many it has."""

    name: str
    newest: int | None
    semver: str | None
    production: int | None
    aliases: dict[str, int]
    versions: int
    created: str
    updated: str
    description: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a version should not be used any more, and the number of the one to use instead.

    `blocks` is when a deprecated one will be blocked; `warning` tells all of it.
    """

    reason: str
    by: str
    since: str
    replacement: int | None
    blocks: str | None
    warning: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version. `manifest` is the digest of its bytes, None where the server does not hold them.

    `status` is verified or unverified, accordingly; or pending while bytes wait to be hashed, and
    failed when they were not what was uploaded. `claim` is what the tag `semantic_version` says,
    where that is not its `semver`. `state` is active, deprecated, blocked or retired;
    `ending` is None of an active one.
    """

    model: str
    version: int
    semver: str
    claim: str | None
    stage: str
    status: str
    state: str
    ending: Ending | None
    aliases: tuple[str, ...]
    created: str
    updated: str
    author: str
    run: str | None
    logged_model: str | None
    source: str
    manifest: str | None
    description: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Moved:
    """The version that a move was about, as it is after it."""

    model: str
    version: int
    semver: str
    stage: str
    manifest: str | None
    source: str
    author: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate said: `outcome` is passed, pending or failed."""

    gate: str
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gates said together, of which policy and evidence."""

    outcome: str
    verdicts: tuple[Verdict, ...]
    policy_digest: str
    evidence_digest: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of asking for a move.

    `result`: moved, unchanged, waiting, refused, rejected or void. `epoch` is the slot's then.
    """

    result: str
    target: str
    epoch: int
    message: str
    request: int | None
    decision: Decision | None
    version: Moved

    @property
    def is_done(self) -> bool:
        return self.result in ("moved", "unchanged")

    @property
    def is_waiting(self) -> bool:
        return self.result == "waiting"

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.decision.verdicts if self.decision else ()


@dataclass(frozen=True, slots=True)
class Stay:
    """A version's time in a slot; `until` is None while it lasts."""

    slot: str
    version: int
    epoch: int
    since: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A stage or alias and what it holds now. A move may name its `epoch`."""

    slot: str
    epoch: int
    versions: tuple[int, ...]
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What every slot of a model held at a time. `name_then` is what it was called."""

    model: str
    name_then: str
    at: str
    slots: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request for an approval.

    `status`: pending, approved, rejected, changes_requested, withdrawn, void or expired.
    """

    id: int
    model: str
    version: int
    source: str
    target: str
    status: str
    requested_by: str
    authors: tuple[str, ...]
    reason: str
    subject: str
    evidence: str
    policy: str
    created: str
    expires: str
    closed: str | None
    closing: str


@dataclass(frozen=True, slots=True)
class Load:
    """How often somebody loaded a version, on how many days, and when last.

    `name` is None for whoever has none: `address` is where their calls came from. One that is not
    `verified` is a claim.
    """

    version: int
    name: str | None
    kind: str
    verified: bool
    client: str
    address: str
    loads: int
    days: int
    last: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that a version froze. `sha256` has 64 hex digits."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a policy, and whether it is enforced."""

    path: str
    enforced: bool
    note: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a policy did."""

    revision: int
    digest: str
    changed: bool
    sections: tuple[Section, ...]
    findings: tuple[str, ...]
    warnings: tuple[str, ...]
    voided_requests: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. `reason` says why the server disabled it, if it did."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    description: str
    status: str
    reason: str
    signed: bool
    failures: int
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What a receiver answered to an example."""

    success: bool
    status: int | None
    response: str
    error: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook, or there. `entry` is the journal's, None for a test."""

    id: str
    event: str
    entry: int | None
    state: str
    attempts: int
    replays: int
    created: str
    attempted: str | None
    next: str | None
    status: int | None
    response: str
    error: str
    body: str


def built(kind: type[T], body: Mapping[str, Any]) -> T:
    """A value from an answer. Raises KeyError, TypeError for one that lacks a field; one with a
    default may be lacking."""
    found = {
        name: _made(hint, body[name])
        for name, hint, needed in _hints(kind)
        if needed or name in body
    }
    return kind(**found)


@cache
def _hints(kind: type[Any]) -> tuple[tuple[str, Any, bool], ...]:
    """(field, its type, whether an answer must have it) of a value's class."""
    hints = get_type_hints(kind)
    return tuple((f.name, hints[f.name], f.default is MISSING) for f in fields(kind))


def _made(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in (types.UnionType, Union):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if is_dataclass(hint) and isinstance(hint, type):
        return built(hint, value)
    if get_origin(hint) is tuple:
        return tuple(_made(get_args(hint)[0], item) for item in value)
    return value
