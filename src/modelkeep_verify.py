"""modelkeep-verify: proves or refutes a journal, off-line, without any part of the server.

Exit codes: 0 all is well; 2 tampered with, and the first bad entry is named; 3 a signature is
missing or false; 4 nothing is wrong, but it is older than it may be; 64 wrong usage.
"""

# Made by scripts/bundle_verifier.py from the modules named below: change those, and make it again.
# SPDX-License-Identifier: Apache-2.0

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import math
import re
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, Self

# -- modelkeep.cli.client --------------------------------------------------------------------------


def plain(text: str) -> str:
    """A text for a terminal: what others wrote is shown, and none of it steers the screen."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


# -- modelkeep.domain.errors -----------------------------------------------------------------------


class ModelkeepError(Exception):
    """The root. `message` is shown to the caller as it stands."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(ModelkeepError):
    """The caller sent something that can't be right; the message names the field and the limit."""


class LimitExceeded(ModelkeepError):
    """Too many, too long or too large; the message names the limit."""


class IntegrityFailure(ModelkeepError):
    """Stored bytes no longer hash to what was recorded. They are not served."""


# -- modelkeep.domain.access -----------------------------------------------------------------------


ANONYMOUS = "anonymous"


# What is drawn as nothing though it is no control: fillers, variation selectors, the blank of
# Braille (Unicode 17, Default_Ignorable_Code_Point, but for what `category` says).
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


@lru_cache(maxsize=4096)
def person(name: str) -> str:
    """The form in which two spellings of one name are one person.

    NFKC, case folded, stripped, one space for many, and without the characters that nobody sees
    (controls, joiners, direction marks, fillers): "Ann", " ann" and "ann" with a zero-width space
    are one. A person's form is its own form.
    """
    while (folded := _folded(name)) != name:
        name = folded
    return name


def _folded(name: str) -> str:
    seen = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))
    seen = unicodedata.normalize("NFKC", _BLANK.sub("", seen))
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


class Kind(StrEnum):
    """What a caller is. Only a user is a person, and only a person may approve."""

    USER = "user"
    SERVICE = "service"
    ANONYMOUS = "anonymous"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller. `verified` is False while identities are claims.

    `on_behalf_of` is the person who answers for a service account: whatever it did, they did too.
    `lent_by` made the token that the caller came with, or the password that it was signed in with,
    if that was somebody else: it may be them who calls. `account` is that which the caller speaks
    for, where it is another than the server's own.
    """

    name: str = ANONYMOUS
    verified: bool = False
    kind: Kind = Kind.USER
    on_behalf_of: str = ""
    lent_by: str = ""
    account: str = ""

    @property
    def is_anonymous(self) -> bool:
        return person(self.name) in ("", ANONYMOUS)


# -- modelkeep.domain.events -----------------------------------------------------------------------


LEAF_VERSION = 1


def commitment(salt_hex: str, text: str) -> str:
    """A commitment to a text under a salt of 16 bytes: HMAC-SHA256, as `hmac-sha256:<hex>`."""
    return f"hmac-sha256:{hmac.digest(bytes.fromhex(salt_hex), text.encode(), 'sha256').hex()}"


@lru_cache(maxsize=64)  # every leaf of a batch has the same
def instant(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC, three decimals, `Z`."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{ms % 1000:03d}Z"


# -- modelkeep.domain.ledger -----------------------------------------------------------------------


UNKNOWN = object()  # the text was erased; the leaf still proves that there was one


Key = tuple[Any, ...]


@dataclass(slots=True)
class Row:
    """An expected row and the index of the leaf that last changed it."""

    values: dict[str, Any]
    index: int


@dataclass(slots=True)
class Ledger:
    """The expected tables: name -> key -> row; and contradictions: (leaf index, sentence)."""

    tables: dict[str, dict[Key, Row]] = field(default_factory=dict)
    evidence: dict[str, int] = field(default_factory=dict)  # digest -> who spoke of it last
    contradictions: list[tuple[int, str]] = field(default_factory=list)

    def play(self, index: int, at_ms: int, leaf: dict[str, Any], texts: dict[str, str]) -> None:
        """Plays one leaf. `texts` are those of its texts that were not erased.

        Raises KeyError or TypeError for a leaf that lacks what its action needs.
        """
        step = _Step(self, index, at_ms, leaf, texts)
        if "evidence" in leaf["why"]:
            self.evidence[leaf["why"]["evidence"]] = index
        handler = _HANDLERS.get(leaf["act"])
        if handler:
            handler(step)
        step.shift()
        step.close_requests()

    def put(self, table: str, key: Key, index: int, **values: Any) -> None:
        known = self.tables.setdefault(table, {})
        if key in known:
            known[key].values.update(values)
            known[key].index = index
        else:
            known[key] = Row(values, index)

    def drop(self, table: str, key: Key) -> None:
        self.tables.setdefault(table, {}).pop(key, None)

    def value(self, table: str, key: Key, name: str, default: Any = None) -> Any:
        row = self.tables.get(table, {}).get(key)
        return row.values.get(name, default) if row else default


@dataclass(slots=True)
class _Step:
    """One leaf on its way into the ledger."""

    ledger: Ledger
    index: int
    at_ms: int
    leaf: dict[str, Any]
    texts: dict[str, str]

    @property
    def obj(self) -> dict[str, Any]:
        return self.leaf["obj"]

    @property
    def after(self) -> dict[str, Any]:
        return self.leaf["post"]

    def text(self, name: str, otherwise: Any = "") -> Any:
        """A text; UNKNOWN if it was erased; `otherwise` if the leaf never had it."""
        if name not in self.leaf["texts"]:
            return otherwise
        return self.texts.get(name, UNKNOWN)

    def put(self, table: str, key: Key, **values: Any) -> None:
        self.ledger.put(table, key, self.index, **values)

    def set_tags(self, table: str, owner: Key) -> None:
        for position, key in enumerate(self.after.get("tags", ())):
            self.put(table, (*owner, key), value=self.text(f"tag.{position}"))
        for key in self.after.get("untagged", ()):
            self.ledger.drop(table, (*owner, key))

    def name(self, name: str | None) -> None:
        """The model is called this from now on or, with None, nothing."""
        model, now = self.obj["model"], self.at_ms
        borne = self.ledger.value("borne name", (model,), "borne")
        if borne:
            self.put("model_name", borne, until_ms=now)
        key = (model, now, name) if name else None
        self.put("borne name", (model,), borne=key)
        if key:
            self.put("model_name", key, until_ms=None)

    # -- stages, slots and stays -------------------------------------------------------------

    def shift(self) -> None:
        """Carries out the moves that a leaf lists, after holding them against what was before."""
        before, after = self.leaf["pre"], self.after
        for slot in before.get("slots", ()):
            self.expect("slot", (self.obj["model"], slot["slot"]), "epoch", slot["epoch"], 0)
        for moved in before.get("stages", ()):
            key = (self.obj["model"], moved["version"])
            self.expect("version", key, "stage", moved["stage"], "None")
        slots = {slot["slot"]: slot for slot in after.get("slots", ())}
        for moved in after.get("stages", ()):
            self._move(moved["version"], moved["stage"], slots)
        for slot in slots.values():
            self._move_slot(slot)

    def _move(self, number: int, stage: str, slots: dict[str, Any]) -> None:
        model = self.obj["model"]
        left = self.ledger.value("version", (model, number), "stage", "None")
        if left == stage:
            return
        self.put("version", (model, number), stage=stage)
        if left != "None":
            self._end_stay(slots[f"stage:{left}"], number)
        if stage != "None":
            self._begin_stay(slots[f"stage:{stage}"], number)

    def _move_slot(self, slot: dict[str, Any]) -> None:
        key = (self.obj["model"], slot["slot"])
        if "version" in slot:
            holder = self.ledger.value("slot", key, "holder")
            if holder is not None:
                self._end_stay(slot, holder)
            if slot["version"] is not None:
                self._begin_stay(slot, slot["version"])
        self.put("slot", key, holder=slot.get("version"), epoch=slot["epoch"])

    def _begin_stay(self, slot: dict[str, Any], number: int) -> None:
        prior = slot.get("prior")
        key = (self.obj["model"], slot["slot"], number, slot["epoch"])
        self.put(
            "stay",
            key,
            from_ms=self.at_ms,
            until_ms=None,
            until_epoch=None,
            approved=slot.get("approved", False),
            prior=(prior["version"], prior["epoch"]) if prior else None,
        )
        self.put("open stay", key[:3], epoch=slot["epoch"])

    def _end_stay(self, slot: dict[str, Any], number: int) -> None:
        short = (self.obj["model"], slot["slot"], number)
        epoch = self.ledger.value("open stay", short, "epoch")
        if epoch is not None:
            self.put("stay", (*short, epoch), until_ms=self.at_ms, until_epoch=slot["epoch"])
            self.ledger.drop("open stay", short)

    def expect(self, table: str, key: Key, name: str, said: Any, at_first: Any) -> None:
        known = self.ledger.value(table, key, name, at_first)
        if known != said:
            self.ledger.contradictions.append(
                (self.index, f"says that the {name} of {key[1]} was {said}; it was {known}")
            )

    def close_requests(self) -> None:
        for closed in self.after.get("requests", ()):
            self.put("request", (closed["id"],), status=closed["status"])


def _model(step: _Step) -> None:
    key = (step.obj["model"],)
    if step.leaf["act"] in ("model:created", "model:imported"):
        step.put("model", key, deleted=False, description="")
    if "name" in step.after:
        step.put("model", key, name=step.after["name"])
        step.name(step.after["name"])
    if "description" in step.leaf["texts"]:
        step.put("model", key, description=step.text("description"))
    if step.after.get("deleted"):
        step.put("model", key, deleted=True)
        step.name(None)
    step.set_tags("model_tag", key)


def _version(step: _Step) -> None:
    key = (step.obj["model"], step.obj["version"])
    if step.leaf["act"] in ("version:created", "version:imported"):
        step.put(
            "version",
            key,
            id=step.after["id"],
            source=step.after["source"],
            author=step.text("author", step.text("actor", ANONYMOUS)),
            run=step.after["run"],
            logged_model=step.after["logged_model"],
            manifest=step.obj["manifest"],
            stage="None",
            description="",
            deleted=False,
            # What was registered before contracts were compared has its number as the major one.
            semver=step.after.get("semver", f"{key[1]}.0.0"),
            semver_fixed=step.after.get("semver_fixed", False),
            state="active",
            ending_reason="",
            ending_by=ANONYMOUS,
            ending_ms=None,
            replacement=None,
            blocks_ms=None,
        )
    elif "semver" in step.after:
        step.expect("version", key, "semver", step.leaf["pre"]["semver"], None)
        step.put("version", key, semver=step.after["semver"], semver_fixed=True)
    elif "manifest" in step.after:
        step.expect("version", key, "manifest", step.leaf["pre"]["manifest"], None)
        step.put("version", key, manifest=step.after["manifest"])
    for place, deed in enumerate(step.after.get("hands", ())):
        step.put("version_hand", (*key, place), name=step.text(f"hand.{place}"), deed=deed)
    if step.leaf["act"] == "version:imported":
        step.put("imported_version", key, importer=step.text("actor", ANONYMOUS))
    if "description" in step.leaf["texts"]:
        step.put("version", key, description=step.text("description"))
    if step.after.get("deleted"):
        step.put("version", key, deleted=True)
    step.set_tags("version_tag", key)


def _ending(step: _Step) -> None:
    key = (step.obj["model"], step.obj["version"])
    step.expect("version", key, "state", step.leaf["pre"]["state"], "active")
    facts = {name: step.after[name] for name in ("state", "replacement", "blocks_ms")}
    step.put(
        "version",
        key,
        ending_reason=step.text("reason"),
        ending_by=step.text("actor", ANONYMOUS),
        ending_ms=step.at_ms,
        **facts,
    )


def _paper(step: _Step) -> None:
    paper = step.after["document"]
    key = (step.obj["model"], step.obj["version"], paper["name"], paper["revision"])
    facts = {name: paper[name] for name in ("media_type", "sha256", "size_bytes")}
    step.put("paper", key, author=step.text("actor", ANONYMOUS), **facts)


def _resource(step: _Step) -> None:
    key, after = (step.obj["resource"],), step.after
    if step.leaf["act"] == "resource:created":
        step.put("resource", key, kind=step.obj["kind"], name=step.obj["name"], deleted=False)
    if "revision" in after:
        facts = {name: after[name] for name in ("status", "sha256")}
        by = step.text("actor", ANONYMOUS)
        step.put("resource", key, revision=after["revision"])
        step.put("resource_revision", (*key, after["revision"]), author=by, **facts)
    if after.get("deleted"):
        step.put("resource", key, deleted=True)
    step.set_tags("resource_tag", key)


def _group_policy(step: _Step) -> None:
    key = (step.obj["model"],)
    if step.leaf["act"] == "model:policy:set":
        by = step.text("actor", ANONYMOUS)
        step.put("group_policy", key, sha256=step.after["sha256"], author=by)
    else:
        step.ledger.drop("group_policy", key)


def _comment(step: _Step) -> None:
    key = (step.obj["request"], step.index)
    step.put("comment", key, name=step.text("actor", ANONYMOUS), text=step.text("comment"))


def _reminded(step: _Step) -> None:
    for request in step.after["reminded"]:
        step.put("request", (request,), reminded_ms=step.at_ms)


def _emergency(step: _Step) -> None:
    told = step.after["emergency"]
    if step.leaf["act"] == "version:stage:forced":
        step.put(
            "emergency",
            (told["id"],),
            version=(step.obj["model"], step.obj["version"]),
            target=told["target"],
            due_ms=told["due_ms"],
            opened_by=step.text("actor", ANONYMOUS),
            reason=step.text("reason"),
            status="open",
            reviewed_by="",
            review="",
        )
    else:
        step.put("emergency", (told["id"],), status=told["status"])
    if step.leaf["act"] == "emergency:review:done":
        by, text = step.text("actor", ANONYMOUS), step.text("comment")
        step.put("emergency", (told["id"],), reviewed_by=by, review=text)


def _hold(step: _Step) -> None:
    by, reason = step.text("actor", ANONYMOUS), step.text("reason")
    key = (step.after["hold"],)
    if step.leaf["act"] == "version:hold:placed":
        version = (step.obj["model"], step.obj["version"])
        step.put("hold", key, version=version, placed_by=by, reason=reason)
        by, reason = "", ""
    step.put("hold", key, released_by=by, released_reason=reason)


def _policy(step: _Step) -> None:
    after = step.after
    step.put("policy", (after["revision"],), digest=after["policy"], source_digest=after["source"])


def _request(step: _Step) -> None:
    opened = next(r for r in step.after["requests"] if r["status"] == "pending")
    step.put(
        "request",
        (opened["id"],),
        version=(step.obj["model"], step.obj["version"]),
        source=step.leaf["pre"]["stage"],
        target=step.after["target"],
        requested_by=step.text("actor", ANONYMOUS),
        lent_by=step.text("lent_by"),
        reason=step.text("reason"),
        archive_existing=step.after["archive_existing"],
        returns_to=step.after["returns_to"],
        epoch=step.after["epoch"],
        expires_ms=step.after["expires_ms"],
        subject=step.after["subject"],
        evidence=step.leaf["why"]["evidence"],
        policy=step.leaf["why"]["policy"],
        reminded_ms=None,
    )


def _vote(step: _Step) -> None:
    key = (step.obj["request"], step.index)
    step.put(
        "vote",
        key,
        name=step.text("actor"),
        verdict=step.after["verdict"],
        comment=step.text("comment"),
    )


def _webhook(step: _Step) -> None:
    key, after = (step.obj["webhook"],), step.after
    if step.leaf["act"] == "webhook:created":
        step.put("webhook", key, description="", deleted=False, sns_topic="", terms="")
    texts = ("name", "url", "description")
    values = {name: step.text(name) for name in texts if name in step.leaf["texts"]}
    facts = ("status", "signed", "deleted", "sns_topic", "terms")
    values |= {name: after[name] for name in facts if name in after}
    if "topics" in after:
        values["topics"] = " ".join(after["topics"])
    step.put("webhook", key, **values)


def _rule(step: _Step) -> None:
    key, after = (step.obj["rule"],), step.after
    if step.leaf["act"] == "rule:deleted":
        return step.ledger.drop("rule", key)
    facts = {name: after[name] for name in ("pattern", "state", "targets")}
    return step.put("rule", key, description=step.text("description"), **facts)


def _topic(step: _Step) -> None:
    key = (step.obj["topic"],)
    if step.leaf["act"] == "topic:deleted":
        return step.ledger.drop("topic", key)
    if step.leaf["act"] == "topic:created":
        step.put("topic", key, signature_version=1, display_name="")
    return step.put("topic", key, **step.after)


def _stamp(step: _Step) -> None:
    step.put("stamp", (step.obj["stamp"],), certificate=step.after["certificate"])


def _account(step: _Step) -> None:
    key, after = (step.obj["account"],), step.after
    if step.leaf["act"] == "account:created":
        step.put("account", key, disabled=False, deleted=False, reset_ms=None)
        step.put("account", key, name=step.text("name"))
    names = ("kind", "owner", "password", "disabled", "deleted")
    step.put("account", key, **{name: after[name] for name in names if name in after})
    if "password" in after:
        step.put("account", key, password_by=step.text("lent_by"))
    if after.get("reset"):
        step.put("account", key, reset_ms=step.at_ms)
    if after.get("deleted"):
        step.put("account", key, name=f"deleted-{key[0]}")
        for grant in [g for g in step.ledger.tables.get("grant", {}) if g[0] == key[0]]:
            step.ledger.drop("grant", grant)
    _revoked(step)


def _token(step: _Step) -> None:
    names = ("account", "kind", "digest", "expires_ms")
    values = {name: step.after[name] for name in names}
    values["account_number"] = step.after.get("account_number", "")  # of an access key alone
    texts = {"label": step.text("label"), "lent_by": step.text("lent_by")}
    step.put("token", (step.obj["token"],), **values, **texts, revoked=False)


def _revoked(step: _Step) -> None:
    for token in step.after.get("revoked", ()):
        step.put("token", (token,), revoked=True)


def _grant(step: _Step) -> None:
    key = (step.obj["account"], step.after["role"], step.after["scope"])
    if step.leaf["act"] == "grant:added":
        step.put("grant", key)
    else:
        step.ledger.drop("grant", key)


def _origin(step: _Step) -> None:
    after = step.after
    key = (step.obj["origin"],)
    step.put("origin", key, name=after["name"], vkey=after["vkey"], opened_ms=step.at_ms)


_HANDLERS = {
    "model:created": _model,
    "model:imported": _model,
    "model:renamed": _model,
    "model:described": _model,
    "model:deleted": _model,
    "model:tag:set": _model,
    "model:tag:deleted": _model,
    "model:policy:set": _group_policy,
    "model:policy:deleted": _group_policy,
    "resource:created": _resource,
    "resource:revised": _resource,
    "resource:deleted": _resource,
    "resource:tag:set": _resource,
    "resource:tag:deleted": _resource,
    "version:created": _version,
    "version:imported": _version,
    "version:described": _version,
    "version:deleted": _version,
    "version:semver:raised": _version,
    "version:bytes:verified": _version,
    "version:tag:set": _version,
    "version:tag:deleted": _version,
    "version:deprecated": _ending,
    "version:blocked": _ending,
    "version:retired": _ending,
    "version:reinstated": _ending,
    "version:document:attached": _paper,
    "policy:revision:applied": _policy,
    "approval:request:opened": _request,
    "approval:vote:cast": _vote,
    "approval:comment:added": _comment,
    "approval:request:reminded": _reminded,
    "version:stage:forced": _emergency,
    "version:hold:placed": _hold,
    "version:hold:released": _hold,
    "emergency:review:done": _emergency,
    "emergency:review:overdue": _emergency,
    "webhook:created": _webhook,
    "webhook:changed": _webhook,
    "webhook:disabled": _webhook,
    "webhook:deleted": _webhook,
    "rule:set": _rule,
    "rule:deleted": _rule,
    "topic:created": _topic,
    "topic:changed": _topic,
    "topic:deleted": _topic,
    "topic:stamp:made": _stamp,
    "account:created": _account,
    "account:disabled": _account,
    "account:enabled": _account,
    "account:deleted": _account,
    "account:password:set": _account,
    "token:created": _token,
    "token:revoked": _revoked,
    "grant:added": _grant,
    "grant:removed": _grant,
    "journal:origin:forked": _origin,
}


# -- modelkeep.domain.merkle -----------------------------------------------------------------------


EMPTY_ROOT = hashlib.sha256(b"").digest()


TILE_HEIGHT = 8  # C2SP tlog-tiles: of the inner nodes, only those of every eighth level are kept


TILE_WIDTH = 1 << TILE_HEIGHT


PROOF_LIMIT = 63  # hashes, as C2SP has it: enough for 2**62 leaves


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf (RFC 6962: SHA-256 of 0x00 and the body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962: SHA-256 of 0x01, left, right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier after one more leaf hash; amortised one node hash, at most 64."""
        peaks, carry, bits = list(self.peaks), leaf, self.size
        while bits & 1:
            carry = node_hash(peaks.pop(), carry)
            bits >>= 1
        return Frontier(self.size + 1, (*peaks, carry))

    def completed(self, leaf: bytes) -> list[tuple[int, bytes]]:
        """What one more leaf makes whole of 256, 65,536 … leaves: (how many tiles high, hash)."""
        found: list[tuple[int, bytes]] = []
        if (self.size + 1) % TILE_WIDTH:
            return found
        peaks, carry, height = list(self.peaks), leaf, 0
        while self.size >> height & 1:
            carry = node_hash(peaks.pop(), carry)
            height += 1
            if height % TILE_HEIGHT == 0:
                found.append((height // TILE_HEIGHT, carry))
        return found

    @property
    def root(self) -> bytes:
        """The tree's root: 32 bytes; `EMPTY_ROOT` for no leaves."""
        return joined(self.peaks) if self.peaks else EMPTY_ROOT

    def encode(self) -> bytes:
        """The peaks, end to end."""
        return b"".join(self.peaks)

    @classmethod
    def decode(cls, size: int, encoded: bytes) -> "Frontier":
        """What `encode` gave; ValueError if the number of peaks does not fit the size."""
        peaks = tuple(encoded[i : i + 32] for i in range(0, len(encoded), 32))
        if len(encoded) % 32 or len(peaks) != size.bit_count():
            raise ValueError(f"{len(encoded)} bytes of peaks do not fit a tree of {size} leaves")
        return cls(size, peaks)


def joined(hashes: Iterable[bytes]) -> bytes:
    """The root over perfect subtrees, each smaller than the one before; at least one."""
    *left, root = hashes
    for peak in reversed(left):
        root = node_hash(peak, root)
    return root


def includes(leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> bool:
    """Whether the hashes prove that a tree has this leaf (a leaf hash) at the index."""
    if not 0 <= index < size or not _are_hashes([leaf, root, *hashes]):
        return False
    at, last, found = index, size - 1, leaf
    for sibling in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(old: int, old_root: bytes, new: int, new_root: bytes, hashes: Sequence[bytes]) -> bool:
    """Whether the hashes prove that the new tree begins with all of the old one."""
    if not 0 <= old <= new or not _are_hashes([old_root, new_root, *hashes]):
        return False
    if old in (0, new):
        known = EMPTY_ROOT if old == 0 else new_root
        return not hashes and old_root == known and (new > 0 or new_root == EMPTY_ROOT)
    rest = list(hashes) if old & (old - 1) else [old_root, *hashes]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not rest:
        return False
    before = after = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _are_hashes(values: Sequence[bytes]) -> bool:
    return len(values) <= PROOF_LIMIT + 2 and all(len(value) == 32 for value in values)


# -- modelkeep.domain.notes ------------------------------------------------------------------------


Check = Callable[[bytes, bytes, bytes], bool]  # public key, message, signature


LOG_KIND, WITNESS_KIND = 1, 4  # a signature over the text; a cosignature, which has a time


NOTE_LIMIT = 256 * 1024  # characters of a note


SIGNATURE_LIMIT = 100


NAME_LIMIT = 256  # characters of a key's name, and of an origin


SIZE_LIMIT = 2**63  # of a tree; and seconds, of a time


_notes_MARK = "— "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public Ed25519 key under a name, for one kind of signature."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that a signature's line says it by."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    @property
    def vkey(self) -> str:
        """`<name>+<id, hex>+<base64>`, as others are told of it."""
        return f"{self.name}+{self.id.hex()}+{encode64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """What `vkey` gave. Raises InvalidInput."""
        name, _, rest = vkey.strip().partition("+")
        id_hex, _, encoded = rest.partition("+")
        packed = decode64(encoded, "the key")
        if len(packed) != 33 or packed[0] not in (LOG_KIND, WITNESS_KIND):
            _refuse(f"'{vkey[:200]}' is no Ed25519 key of the form name+id+base64")
        key = cls(check_name(name), packed[0], packed[1:])
        if key.id.hex() != id_hex:
            _refuse(f"the key of {name} does not have the id {id_hex[:20]}")
        return key

    def signature(self, payload: bytes) -> "Signature":
        """See `Signature.payload`."""
        return Signature(self.name, self.id, payload)

    def holds(self, text: str, payload: bytes, check: Check) -> bool:
        """Whether a signature's payload is this key's on a note's text."""
        if self.kind == LOG_KIND:
            return len(payload) == 64 and check(self.public, text.encode(), payload)
        if len(payload) != 72:
            return False
        time_s = int.from_bytes(payload[:8], "big")
        message = cosigned(text, time_s)
        return time_s < SIZE_LIMIT and check(self.public, message, payload[8:])


def cosigned(text: str, time_s: int) -> bytes:
    """What a witness signs: the note's text, and when (seconds since the epoch)."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """A line under a note. `payload` is the signature, after 8 bytes of time if it has a time."""

    name: str
    key_id: bytes
    payload: bytes

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Raises InvalidInput. The line comes without its end."""
        name, space, encoded = line.removeprefix(_notes_MARK).partition(" ")
        if not line.startswith(_notes_MARK) or not space:
            _refuse(f"'{line[:100]}' is not the line of a signature")
        packed = decode64(encoded, f"the signature of {name[:100]}")
        if len(packed) < 5:
            _refuse(f"the signature of {name[:100]} is too short")
        return cls(check_name(name), packed[:4], packed[4:])

    @property
    def line(self) -> str:
        """What `parse` read, with its end."""
        return f"{_notes_MARK}{self.name} {encode64(self.key_id + self.payload)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its final newline, and its signatures; nothing is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, source: str) -> "Note":
        """Raises InvalidInput for whatever is not exactly a signed note."""
        if len(source) > NOTE_LIMIT:
            _refuse(f"a note has at most {NOTE_LIMIT} characters")
        if any((c < " " and c != "\n") or "\ud800" <= c <= "\udfff" for c in source):
            _refuse("a note is UTF-8 without control characters")
        head, blank, tail = source.rpartition("\n\n")
        if not blank or not head or not tail.endswith("\n"):
            _refuse("a note is a text, an empty line, and lines of signatures")
        lines = tail[:-1].split("\n")
        if len(lines) > SIGNATURE_LIMIT:
            _refuse(f"a note has at most {SIGNATURE_LIMIT} signatures")
        signatures = tuple(Signature.parse(line) for line in lines)
        if len({(s.name, s.key_id) for s in signatures}) < len(signatures):
            _refuse("a key has signed the note twice")
        return cls(head + "\n", signatures)

    @property
    def source(self) -> str:
        """What `parse` read."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def signed(self, new: Signature) -> "Note":
        """With one more signature, in place of an older one of the same key."""
        others = [s for s in self.signatures if (s.name, s.key_id) != (new.name, new.key_id)]
        return Note(self.text, (*others, new))

    def signers(self, keys: Collection[PublicKey], check: Check) -> dict[PublicKey, int | None]:
        """Which of the known keys have signed: key -> the time of its cosignature, in seconds.

        Raises IntegrityFailure if a signature of a known key does not hold.
        """
        known = {(key.name, key.id): key for key in keys}
        found: dict[PublicKey, int | None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.holds(self.text, signature.payload, check):
                raise IntegrityFailure(f"The signature of {key.name} does not hold.")
            is_timed = key.kind == WITNESS_KIND
            found[key] = int.from_bytes(signature.payload[:8], "big") if is_timed else None
        return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: under which name, how many leaves, which root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Of a note's text. Raises InvalidInput. Lines after the third are left to others."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]) or lines[-1]:
            _refuse("a checkpoint has an origin, a size and a root, and no empty line")
        origin, size, root = lines[0], decimal(lines[1], "the size"), decode64(lines[2], "the root")
        if len(root) != 32:
            _refuse("the root of a checkpoint has 32 bytes")
        if size == 0 and root != EMPTY_ROOT:
            _refuse("an empty tree has no other root than the hash of nothing")
        if len(origin) > NAME_LIMIT:
            _refuse(f"an origin has at most {NAME_LIMIT} characters")
        return cls(origin, size, root)


def opened(source: str, keys: Collection[PublicKey], check: Check) -> Checkpoint:
    """The checkpoint of a note that the log's key has signed, among the keys.

    Raises InvalidInput for what is none, and IntegrityFailure if none of the keys that bear its
    origin's name has signed it, or one has not.
    """
    note = Note.parse(source)
    checkpoint = Checkpoint.parse(note.text)
    own = [key for key in keys if key.name == checkpoint.origin and key.kind == LOG_KIND]
    if not note.signers(own, check):
        raise IntegrityFailure(
            f"The checkpoint of {checkpoint.origin} at {checkpoint.size} entries is not signed by "
            "a key that is known for it."
        )
    return checkpoint


def check_name(name: str) -> str:
    """The name of a key: 1 to 256 characters, no space of any kind, no plus."""
    if not name or len(name) > NAME_LIMIT or "+" in name or any(c.isspace() for c in name):
        _refuse(f"a key's name has 1 to {NAME_LIMIT} characters without spaces or '+'")
    return name


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode64(text: str, what: str) -> bytes:
    """Raises InvalidInput for all but the one form in which the bytes are written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or encode64(data) != text:
        _refuse(f"{what} is not canonical base64")
    return data


def decimal(text: str, what: str) -> int:
    """A number from 0 to 2**63 - 1 without leading zeros. Raises InvalidInput."""
    is_plain = text.isascii() and text.isdigit() and len(text) < 20
    if not is_plain or str(int(text)) != text or int(text) >= SIZE_LIMIT:
        _refuse(f"{what} is not a plain number from 0 to 2**63 - 1")
    return int(text)


def _refuse(why: str) -> NoReturn:
    raise InvalidInput(f"{why[0].upper()}{why[1:]}.")


# -- modelkeep.domain.seals ------------------------------------------------------------------------


Finding = tuple[int, str]  # the first entry that may be meant, and what is wrong


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verifier brings along. Without `check` no signature is looked at, only roots.

    `since` are notes of checkpoints that were kept; `quorum` how many of the witnesses must have
    cosigned; `max_age_s` how old the newest checkpoint may be at `now_s`.
    """

    check: Check | None = None
    keys: tuple[PublicKey, ...] = ()
    witnesses: tuple[PublicKey, ...] = ()
    quorum: int = 0
    since: tuple[str, ...] = ()
    max_age_s: int | None = None
    now_s: int = 0


@dataclass(slots=True)
class Seals:
    """The checkpoints of one verification. Raises ModelkeepError for a `since` that is none."""

    trust: Trust
    count: int = 0
    size: int = 0
    complaints: list[str] = field(default_factory=list)
    cosigned_by: list[str] = field(default_factory=list)
    stale: str = ""  # why what was verified may not be the newest
    _expected: dict[int, list[Checkpoint]] = field(default_factory=lambda: defaultdict(list))
    _newest: tuple[str, int] | None = None  # of the export: note, milliseconds
    _reached: int = 0  # the largest tree that a checkpoint speaks of, and was found
    _unsigned_ms: int | None = None  # of the first entry that the newest checkpoint lacks

    def __post_init__(self) -> None:
        for note in self.trust.since:
            checkpoint = Checkpoint.parse(Note.parse(note).text)
            self._expected[checkpoint.size].append(checkpoint)
            self._vouch(note, self.trust.keys)

    def take(self, line: dict[str, Any]) -> None:
        """A checkpoint of the export. Raises ModelkeepError for one that is none."""
        note, at_ms = str(line["note"]), int(line["at_ms"])
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        self._expected[checkpoint.size].append(checkpoint)
        self._vouch(note, self.trust.keys or (PublicKey.parse(line["vkey"]),))
        self.count += 1
        if self._newest is None or checkpoint.size >= self.size:
            self.size, self._newest = checkpoint.size, (note, at_ms)

    def _vouch(self, note: str, keys: tuple[PublicKey, ...]) -> None:
        if self.trust.check is None or not keys:
            return
        try:
            opened(note, keys, self.trust.check)
        except IntegrityFailure as error:
            self.complaints.append(error.message)

    def reach(self, frontier: Frontier, at_ms: int) -> Finding | None:
        """The tree has grown to here, by an entry of this time; what a checkpoint objects."""
        size = frontier.size
        if size == self.size + 1:
            self._unsigned_ms = at_ms
        for checkpoint in self._expected.get(size, ()):
            if checkpoint.root != frontier.root:
                first = self._reached
                return first, (
                    f"the tree of the first {size} entries is not that of the checkpoint "
                    f"({checkpoint.origin}): one of the entries {first} to {size - 1} was altered"
                )
            self._reached = size
        return None

    def beyond(self, size: int) -> list[Finding]:
        """The checkpoints of larger trees than the whole."""
        return [
            (
                size,
                f"a checkpoint ({checkpoint.origin}) is of {larger} entries, and there are {size}: "
                "the tail was cut off, or an older copy was restored",
            )
            for larger in sorted(self._expected)
            if larger > size
            for checkpoint in self._expected[larger]
        ]

    def close(self) -> None:
        """Sees who has cosigned the newest checkpoint, and how old it is."""
        times = self._witnessed()
        if self._newest is None and (self.trust.keys or self.trust.quorum):
            self.complaints.append("The export has no checkpoint.")
        if self.trust.max_age_s is not None:
            self.stale = self._staleness(self.trust.max_age_s, times)

    def _staleness(self, max_age_s: int, times: list[int]) -> str:
        if self._newest is None:
            return "nothing was signed"
        signed_s = times[-1] if times else self._newest[1] // 1000
        if self.trust.now_s - signed_s > max_age_s:
            return f"the newest checkpoint is {self.trust.now_s - signed_s} s old"
        left_s = self.trust.now_s - (self._unsigned_ms or self.trust.now_s * 1000) // 1000
        return f"entry {self.size} was left unsigned for {left_s} s" if left_s > max_age_s else ""

    def _witnessed(self) -> list[int]:
        """The times of as many of the latest cosignatures as are asked for, latest first."""
        found: dict[PublicKey, int | None] = {}
        if self._newest and self.trust.check:
            try:
                note = Note.parse(self._newest[0])
                found = note.signers(self.trust.witnesses, self.trust.check)
            except ModelkeepError as error:
                self.complaints.append(error.message)
        self.cosigned_by = sorted(key.name for key in found)
        if len(found) < self.trust.quorum:
            self.complaints.append(
                f"{len(found)} of the witnesses have cosigned the newest checkpoint; "
                f"{self.trust.quorum} must."
            )
        times = sorted((time_s or 0 for time_s in found.values()), reverse=True)
        return [*times, *[0] * self.trust.quorum][: self.trust.quorum]


# -- modelkeep.domain.canonical --------------------------------------------------------------------


_SAFE_INTEGER = 2**53 - 1  # section 3.2.2.3: beyond it JSON numbers lose digits


def canonical(value: Any) -> bytes:
    """The canonical form. ValueError for what has none: NaN, infinity, integers beyond 2**53,
    half a surrogate pair, keys that are no text, and whatever is not JSON."""
    return _written(value).encode()


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError(f"{value} is beyond 2**53")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=_by_utf16)
        return "{" + ",".join(f"{_written(name)}:{_written(value[name])}" for name in names) + "}"
    raise ValueError(f"a {type(value).__name__} is not JSON")


def _by_utf16(name: object) -> bytes:
    if not isinstance(name, str):
        raise ValueError(f"the key {name!r:.80} is not a text")
    return name.encode("utf-16-be")


def _number(value: float) -> str:
    """As ECMAScript writes it: the digits are those of Python's `repr`, their layout is not."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    sign, (mantissa, _, exponent) = "-" * (value < 0), repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


# -- modelkeep.domain.documents --------------------------------------------------------------------


def canonical_digest(value: Any) -> str:
    """`sha256:<hex>` over the RFC 8785 form of a JSON value; InvalidInput if it has none."""
    try:
        encoded = canonical(value)
    except ValueError as error:
        raise InvalidInput(f"This has no canonical JSON form: {error}.") from error
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


# -- modelkeep.domain.manifests --------------------------------------------------------------------


FILE_LIMIT = 20_000


_manifests_HEADER = b"modelkeep-manifest/1\n"


_manifests_MARK = "arrival:"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a tree: relative path, SHA-256 (64 hex digits), size in bytes.

    Of a file that came past the server and that nobody has hashed yet, `sha256` is `marked(id)`.
    """

    path: str
    sha256: str
    size_bytes: int

    @property
    def is_hashed(self) -> bool:
        return not self.sha256.startswith(_manifests_MARK)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A frozen tree. `digest` is `sha256:<hex>` over `encode()`."""

    files: tuple[File, ...]

    @classmethod
    def of(cls, files: Iterable[File]) -> "Manifest":
        """A manifest of 1 to 20,000 files with distinct paths; LimitExceeded beyond that."""
        ordered = tuple(sorted(files, key=lambda file: file.path.encode()))
        if len(ordered) > FILE_LIMIT:
            raise LimitExceeded(f"A version may have at most {FILE_LIMIT} files.")
        return cls(ordered)

    def encode(self) -> bytes:
        lines = (f"{f.sha256} {f.size_bytes} {f.path}\n".encode() for f in self.files)
        return _manifests_HEADER + b"".join(lines)

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum(f.size_bytes for f in self.files)


# -- modelkeep.domain.papers -----------------------------------------------------------------------


def digest_of(body: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()


# -- modelkeep.domain.policies ---------------------------------------------------------------------


def source_digest(text: str) -> str:
    """`sha256:<hex>` of a policy's text as it was written, which is what people read."""
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


# -- modelkeep.domain.tables -----------------------------------------------------------------------


Exported = dict[str, list[dict[str, Any]]]  # table -> rows


Complain = Callable[[int | None, str], None]


_ELSEWHERE = "one that cannot be"  # equals nothing that a ledger holds


_OF_ACCOUNTS = ("password", "disabled", "revoked")  # facts that a database has as 0 and 1


_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("id",),
    "model_name": ("model", "from_ms", "name"),
    "model_tag": ("model", "key"),
    "version": ("model", "number"),
    "version_tag": ("model", "number", "key"),
    "imported_version": ("model", "number"),
    "version_hand": ("model", "number", "place"),
    "paper": ("model", "number", "name", "revision"),
    "resource": ("id",),
    "resource_revision": ("resource", "revision"),
    "resource_tag": ("resource", "key"),
    "group_policy": ("model",),
    "slot": ("model", "slot"),
    "stay": ("model", "slot", "version", "epoch"),
    "policy": ("revision",),
    "request": ("id",),
    "vote": ("request", "place"),
    "comment": ("request", "place"),
    "emergency": ("id",),
    "hold": ("id",),
    "webhook": ("webhook",),
    "rule": ("rule",),
    "topic": ("topic",),
    "stamp": ("stamp",),
    "account": ("id",),
    "token": ("token",),
    "grant": ("account", "role", "scope"),
    "origin": ("number",),
}


COMPARED = frozenset((*_KEYS, "file", "evidence"))  # the last two by their digests


_TEXTS = ("paper", "resource_revision", "group_policy")  # known by the digest of their bodies


_PLACED = ("vote", "comment")  # known by their order on a request


def compare(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    """Complains of every row that isn't as the ledger has it, with the entry that says so."""
    ids = _Ids.of(rows)
    for table, names in _KEYS.items():
        expected = ledger.tables.get(table, {})
        if table in _PLACED:
            expected = _by_place(expected)
        found: dict[Key, dict[str, Any]] = {}
        for row in rows.get(table, ()):
            row = ids.as_known(table, row)
            key = tuple(row[name] for name in names)
            if key in found:
                complain(_index(expected.get(key)), f"{_shown(table, key)} is there twice")
            found[key] = row
        for key in expected.keys() | found.keys():
            _compare_row(_shown(table, key), expected.get(key), found.get(key), complain)
    _check_files(ledger, rows, complain)
    _check_evidence(ledger, rows, complain)


def _shown(table: str, key: Key) -> str:
    return f"{table} {'/'.join(map(str, key))}"


def _index(row: Row | None) -> int | None:
    return row.index if row else None


def _compare_row(
    shown: str, expected: Row | None, found: dict[str, Any] | None, complain: Complain
) -> None:
    if expected is None:
        complain(None, f"{shown} is in the tables, and no entry of the journal made it")
    elif found is None:
        complain(expected.index, f"{shown} is not in the tables; entry {expected.index} has it")
    else:
        for name, value in expected.values.items():
            if value is not UNKNOWN and found.get(name) != value:
                complain(
                    expected.index,
                    f"{shown}: the tables say {name} is {found.get(name)!r}, "
                    f"entry {expected.index} says {value!r}",
                )


@dataclass(slots=True)
class _Ids:
    """What the database's ids stand for."""

    versions: dict[int, tuple[Any, Any]] = field(default_factory=dict)  # model, number
    stays: dict[int, dict[str, Any]] = field(default_factory=dict)
    # table, request or version -> how many were seen
    places: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Exported) -> "_Ids":
        versions = {row["id"]: (row["model"], row["number"]) for row in rows.get("version", ())}
        return cls(versions, {row["id"]: row for row in rows.get("stay", ())})

    def as_known(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """The row in the journal's words."""
        row = dict(row)
        for name in ("deleted", "approved", "archive_existing", "signed", "semver_fixed",
                     *_OF_ACCOUNTS):  # fmt: skip
            if name in row:
                row[name] = bool(row[name])
        for name in ("author", "requested_by", "importer", "opened_by", "ending_by"):
            if name in row and Actor(row[name]).is_anonymous:
                row[name] = ANONYMOUS
        if table == "imported_version":
            row["version"] = int(row["version"])
        if table in _TEXTS and digest_of(row["body"]) != row["sha256"]:
            row["sha256"] = f"that of another text than {row['sha256']}"
        if table == "rule":
            row["targets"] = _read(row["targets"])
        if table == "version_hand":
            row["place"] = self._place(table, row["version"])
        if table in ("version_tag", "imported_version", "version_hand", "paper"):
            row["model"], row["number"] = self.versions.get(row["version"], (None, None))
        elif table == "slot":
            row["holder"] = self._number(row["holder"], row["model"])
        elif table == "stay":
            row["version"] = self._number(row["version"], row["model"])
            row["prior"] = self._prior(row)
        elif table == "policy":
            row["source_digest"] = source_digest(row["source"])
            if _digest(row["document"]) != row["digest"]:
                row["digest"] = f"that of another document than {row['digest']}"
        elif table in ("request", "emergency", "hold"):
            row["version"] = self.versions.get(row["version"])
        elif table in _PLACED:
            row["place"] = self._place(table, row["request"])
        return row

    def _place(self, table: str, owner: int) -> int:
        """Where a row stands among those of its table that have the same owner."""
        place = self.places.get((table, owner), 0)
        self.places[table, owner] = place + 1
        return place

    def _number(self, version_id: int | None, model: int) -> int | str | None:
        if version_id is None:
            return None
        owner, number = self.versions.get(version_id, (None, None))
        return number if owner == model else _ELSEWHERE

    def _prior(self, row: dict[str, Any]) -> tuple[Any, Any] | str | None:
        if row["prior"] is None:
            return None
        prior = self.stays.get(row["prior"])
        if prior is None or (prior["model"], prior["slot"]) != (row["model"], row["slot"]):
            return _ELSEWHERE
        return self._number(prior["version"], row["model"]), prior["epoch"]


def _by_place(expected: dict[Key, Row]) -> dict[Key, Row]:
    """Votes, or comments, by their request and their place among those on it."""
    placed: dict[Key, Row] = {}
    for (request, _), row in sorted(expected.items()):
        place = sum(1 for known, _ in placed if known == request)
        placed[request, place] = row
    return placed


def _check_files(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    manifests: dict[str, list[File]] = {}
    for row in rows.get("file", ()):
        file = File(row["path"], row["sha256"], row["size_bytes"])
        manifests.setdefault(row["manifest"], []).append(file)
    right = {digest for digest, files in manifests.items() if _is_of(digest, files)}
    for key, row in ledger.tables.get("version", {}).items():
        digest = row.values.get("manifest")
        if digest and digest not in right:
            shown = _shown("version", key)
            complain(row.index, f"{shown}: its files are not those of {digest}")


def _is_of(digest: str, files: Iterable[File]) -> bool:
    try:
        return Manifest.of(files).digest == digest
    except ModelkeepError:
        return False


def _check_evidence(ledger: Ledger, rows: Exported, complain: Complain) -> None:
    """Of every decision, that its evidence is what was frozen, and of requests, whom they bar."""
    bundles = {row["digest"]: row["body"] for row in rows.get("evidence", ())}
    authors = {row["id"]: row["authors"] for row in rows.get("request", ())}
    for digest, index in ledger.evidence.items():
        if digest not in bundles or _digest(bundles[digest]) != digest:
            complain(index, f"entry {index}: its evidence is not that of {digest}")
    for key, row in ledger.tables.get("request", {}).items():
        body = bundles.get(row.values.get("evidence"), "null")
        known = _read(body)
        if known and _read(authors.get(key[0])) != known["authors"]:
            complain(row.index, f"request {key[0]}: its authors are not those of its evidence")


def _digest(text: str) -> str:
    """The canonical digest of a JSON text; an empty text if it has none."""
    try:
        return canonical_digest(json.loads(text))
    except (ValueError, RecursionError, ModelkeepError):
        return ""


def _read(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


# -- modelkeep.domain.audit ------------------------------------------------------------------------


BLIND_SPOTS = (
    "a tail cut off together with everything that it did, and a journal rewritten from end to "
    "end, unless you give a checkpoint that you kept (--since), or the witnesses' keys",
    "the bytes of artifacts: they are hashed whenever they are read, not here",
    "passwords, of which the journal holds nothing: it says when one was set, and by whom",
    "what the journal does not speak of: experiments, runs and their metrics (a decision rests on "
    "the evidence that was frozen), the list of past decisions, times of creation, run links",
)


KINDS = ("head", "checkpoint", "entry", "row", "end")  # of an export's lines


PROBLEM_LIMIT = 100  # more are counted, not listed


# What reading a line can raise that is not as an export writes it. Nobody vouches for the lines.
_UNREADABLE = (
    AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError, ModelkeepError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit. `index` is the first entry concerned, None if there is none."""

    index: int | None
    message: str


@dataclass(slots=True)
class Report:
    """What a verification found. `is_intact` is False when anything at all did not fit.

    Apart from that, `unsigned` says which signatures are missing or false, and `stale` why what
    was verified may not be the newest. `forks` are (entry, origin that began there); `strange` the
    tables that this verifier does not know, which a newer server may have.
    """

    size: int = 0
    root: str = ""
    erased: list[tuple[int, str]] = field(default_factory=list)  # (entry, which text)
    rows: int = 0
    strange: list[str] = field(default_factory=list)
    checkpoints: int = 0
    signed_size: int = 0  # how many entries the newest checkpoint covers
    witnesses: list[str] = field(default_factory=list)  # who has cosigned that
    unsigned: list[str] = field(default_factory=list)
    stale: str = ""
    forks: list[tuple[int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0

    @property
    def is_intact(self) -> bool:
        return not self.problems

    @property
    def first_bad(self) -> int | None:
        """The lowest index of an entry that does not fit."""
        return min((p.index for p in self.problems if p.index is not None), default=None)

    def add(self, index: int | None, message: str) -> None:
        if len(self.problems) < PROBLEM_LIMIT:
            self.problems.append(Problem(index, message))
        else:
            self.unlisted += 1


def verify(lines: Iterable[dict[str, Any]], trust: Trust | None = None) -> Report:
    """The report on an export (see `services.audit.export` for its lines).

    Raises InvalidInput for a checkpoint of `trust.since` that is none.
    """
    report, ledger, seals = Report(), Ledger(), Seals(trust or Trust())
    chain, export = _Chain(seals), _Export(seals)
    for line in lines:
        try:
            if line["kind"] == "entry":
                chain.take(line, report, ledger)
            else:
                export.take(line)
        except _UNREADABLE as error:
            report.add(None, f"a line of the export cannot be read: {_audit_said(error)}")
    report.size, report.root = chain.frontier.size, chain.frontier.root.hex()
    if not export.has_ended or export.head is None:
        report.add(None, "the export was cut off; nothing after its last line was checked")
        return report
    _check_edge(export.head, chain, report)
    _close_seals(seals, report)
    if report.is_intact:  # with a bad entry, what the tables should say is not known
        for index, message in ledger.contradictions:
            report.add(index, f"entry {index} {message}")
        _compare(ledger, export.rows, report)
    forks = ledger.tables.get("origin", {}).values()
    report.forks = [(row.index, str(row.values["name"])) for row in forks]
    return report


def _close_seals(seals: Seals, report: Report) -> None:
    for index, message in seals.beyond(report.size):
        report.add(index, message)
    seals.close()
    report.checkpoints, report.signed_size = seals.count, seals.size
    report.witnesses, report.unsigned = seals.cosigned_by, seals.complaints
    report.stale = seals.stale


def _compare(ledger: Ledger, rows: Exported, report: Report) -> None:
    report.strange = sorted(rows.keys() - COMPARED)
    report.rows = sum(len(found) for table, found in rows.items() if table in COMPARED)
    try:
        compare(ledger, rows, report.add)
    except _UNREADABLE as error:
        report.add(None, f"the rows of the tables cannot be read: {_audit_said(error)}")


def _audit_said(error: Exception) -> str:
    return error.message if isinstance(error, ModelkeepError) else f"{type(error).__name__} {error}"


@dataclass(slots=True)
class _Export:
    """What an export says besides its entries."""

    seals: Seals
    head: dict[str, Any] | None = None
    rows: Exported = field(default_factory=dict)
    has_ended: bool = False

    def take(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "head":
                self.head = {"size": int(line["size"]), "peaks": str(line["peaks"])}
            case "checkpoint":
                self.seals.take(line)
            case "row":
                self.rows.setdefault(line["table"], []).append(dict(line["row"]))
            case "end":
                self.has_ended = True
            case other:
                raise ValueError(f"of kind {other}, unknown to this verifier")


@dataclass(slots=True)
class _Chain:
    """The tree as it is built again, leaf by leaf."""

    seals: Seals
    frontier: Frontier = field(default_factory=Frontier)
    last_ms: int = 0
    is_broken: bool = False

    def take(self, entry: dict[str, Any], report: Report, ledger: Ledger) -> None:
        expected, index = self.frontier.size, entry["index"]
        if index != expected and not self.is_broken:
            what = "is missing" if index > expected else "appears twice"
            report.add(min(expected, index), f"entry {min(expected, index)} {what}")
            self.is_broken = True
        body = entry["body"].encode()
        digest = leaf_hash(body)
        self.frontier = self.frontier.append(digest)
        # Behind the first that does not fit every root differs too; only that one says where.
        if not self.is_broken and (found := self._wrong(entry, digest)):
            report.add(*found)
            self.is_broken = True
        try:
            self._read(entry, body, report, ledger)
        except _UNREADABLE as error:
            report.add(index, f"entry {index} cannot be read: {_audit_said(error)}")

    def _wrong(self, entry: dict[str, Any], digest: bytes) -> tuple[int, str] | None:
        index = entry["index"]
        if digest.hex() != entry["hash"]:
            why = "its body does not have the hash that was recorded"
        elif self.frontier.root.hex() != entry["root"]:
            why = "the tree up to it does not have the recorded root"
        else:
            return self.seals.reach(self.frontier, entry["at_ms"])
        return index, f"entry {index} was altered: {why}"

    def _read(self, entry: dict[str, Any], body: bytes, report: Report, ledger: Ledger) -> None:
        index, leaf = entry["index"], json.loads(body)
        if leaf["v"] != LEAF_VERSION:
            report.add(index, f"entry {index} is of format {leaf['v']}, unknown to this verifier")
            return
        if leaf["t"] != instant(entry["at_ms"]) or entry["at_ms"] < self.last_ms:
            report.add(index, f"entry {index} is dated {leaf['t']}, which does not fit its place")
        if leaf["obj"].get("model") != entry["model"]:
            report.add(index, f"entry {index} is told under another model than its own")
        self.last_ms = max(self.last_ms, entry["at_ms"])
        texts = _checked_texts(entry, leaf, report)
        if not self.is_broken:  # else nobody asks what the tables should say
            ledger.play(index, entry["at_ms"], leaf, texts)


def _checked_texts(entry: dict[str, Any], leaf: dict[str, Any], report: Report) -> dict[str, str]:
    """The texts that are still there and are what the leaf committed to."""
    found: dict[str, str] = {}
    for name, (salt, text) in entry["texts"].items():
        if leaf["texts"].get(name) == commitment(salt, text):
            found[name] = text
        else:
            report.add(entry["index"], f"entry {entry['index']}: its text '{name}' was altered")
    gone = sorted(set(leaf["texts"]) - set(entry["texts"]))
    report.erased.extend((entry["index"], name) for name in gone)
    return found


def _check_edge(head: dict[str, Any], chain: _Chain, report: Report) -> None:
    size = chain.frontier.size
    if head["size"] != size:
        low = min(head["size"], size)
        report.add(low, f"the tree's edge is at {head['size']} entries, and there are {size}")
    elif head["peaks"] != chain.frontier.encode().hex() and not chain.is_broken:
        report.add(max(size - 1, 0), "the tree's recorded edge is not that of these entries")


# -- modelkeep.domain.receipts ---------------------------------------------------------------------


_receipts_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the leaf is entry `index` of what the note (a checkpoint's) says."""

    leaf: bytes
    index: int
    proof: tuple[bytes, ...]
    note: str

    def encode(self) -> str:
        lines = [_receipts_HEADER, f"extra {encode64(self.leaf)}", f"index {self.index}"]
        return "\n".join([*lines, *map(encode64, self.proof), "", self.note])

    @classmethod
    def parse(cls, source: str) -> "Receipt":
        """What `encode` gave. Raises InvalidInput."""
        head, blank, note = source.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines[0] != _receipts_HEADER or len(lines) < 3:
            raise InvalidInput(f"A receipt begins with '{_receipts_HEADER}', and ends with a checkpoint.")
        leaf = decode64(_after("extra ", lines[1]), "the leaf")
        index = decimal(_after("index ", lines[2]), "the index")
        return cls(leaf, index, _hashes(lines[3:]), note)

    def check(self) -> Checkpoint:
        """The checkpoint that the leaf is in; who signed it is still to be seen.

        Raises InvalidInput for a checkpoint that is none, IntegrityFailure if the proof fails.
        """
        checkpoint = Checkpoint.parse(Note.parse(self.note).text)
        digest = leaf_hash(self.leaf)
        if not includes(digest, self.index, checkpoint.size, self.proof, checkpoint.root):
            raise IntegrityFailure(
                f"The leaf is not entry {self.index} of the {checkpoint.size} that the "
                "checkpoint speaks of."
            )
        return checkpoint


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise InvalidInput(f"'{line[:80]}' does not begin with '{word}'.")
    return line.removeprefix(word)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > PROOF_LIMIT:
        raise InvalidInput(f"A proof has at most {PROOF_LIMIT} hashes.")
    hashes = tuple(decode64(line, "a hash of the proof") for line in lines)
    if any(len(value) != 32 for value in hashes):
        raise InvalidInput("A hash of the proof has 32 bytes.")
    return hashes


# -- modelkeep.ed25519 -----------------------------------------------------------------------------


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature (64 bytes) is that of the public key (32 bytes) on the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# -- modelkeep.cli.verifier ------------------------------------------------------------------------


TAMPERED, UNSIGNED, STALE, USAGE = 2, 3, 4, 64


_USAGE = """modelkeep-verify [export] [OPTIONS] FILE
                               a journal that was exported (- is standard input)
       modelkeep-verify receipt [OPTIONS] FILE
                               a receipt: that an entry is in a signed journal
       modelkeep-verify extends [OPTIONS] OLD NEW PROOF
                               that one checkpoint continues another"""


LOOK_LIMIT = 100  # lines among which there must be one of an export


_CODES = "Exit codes: 0 well, 2 tampered with, 3 a signature, 4 too old, 64 wrong usage."


def main() -> None:
    """The command. Exits."""
    kinds = {"export": _export, "receipt": _receipt, "extends": _extends}
    given = sys.argv[1:]
    kind = given.pop(0) if given and given[0] in kinds else "export"
    options = _parser(kind).parse_args(given)
    try:
        raise SystemExit(kinds[kind](options))
    except (OSError, InvalidInput) as error:
        print(f"modelkeep-verify: {plain(str(error))}", file=sys.stderr)
        raise SystemExit(USAGE) from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"modelkeep-verify: {message}", file=sys.stderr)
        raise SystemExit(USAGE)


def _parser(kind: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="modelkeep-verify", usage=_USAGE, description=_CODES)
    parser.add_argument("files", nargs=3 if kind == "extends" else 1, metavar="FILE")
    add = parser.add_argument
    log, witness = "a key of the log; may be repeated", "a key of a witness; may be repeated"
    add("--vkey", action="append", default=[], metavar="KEY", help=log)
    add("--witness", action="append", default=[], metavar="KEY", help=witness)
    add("-k", type=int, metavar="N", help="how many witnesses must have cosigned [all given]")
    if kind == "export":
        kept = "a file with a checkpoint that you kept; may be repeated"
        add("--since", action="append", default=[], metavar="FILE", help=kept)
        add("--max-age", type=int, metavar="SECONDS", help="how old the newest checkpoint may be")
    add("--json", action="store_true", help="print JSON")
    return parser


def trust_in(
    vkeys: list[str],
    witnesses: list[str],
    quorum: int | None,
    since: list[str],
    max_age_s: int | None,
) -> Trust:
    """What the options say. `since` are files. Raises InvalidInput and OSError."""
    keys = _keys(vkeys, LOG_KIND, "checkpoints")
    known = _keys(witnesses, WITNESS_KIND, "cosignatures")
    wanted = len(known) if quorum is None else quorum
    if not 0 <= wanted <= len(known):
        raise InvalidInput(f"{len(known)} witnesses were given; {wanted} of them cannot cosign.")
    kept = tuple(_text(file) for file in since)
    return Trust(is_signed, keys, known, wanted, kept, max_age_s, int(time.time()))


def _keys(vkeys: list[str], kind: int, purpose: str) -> tuple[PublicKey, ...]:
    keys = tuple(dict.fromkeys(map(PublicKey.parse, vkeys)))
    for key in keys:
        if key.kind != kind:
            raise InvalidInput(f"The key of {key.name} is not one for {purpose}.")
    return keys


def _export(options: argparse.Namespace) -> int:
    (file,) = options.files
    trust = trust_in(options.vkey, options.witness, options.k, options.since, options.max_age)
    return settle(verify(lines_in(file), trust), options.json)


def lines_in(file: str) -> Iterator[dict[str, Any]]:
    """The lines of an export; one that is not JSON becomes one that no verifier can read.

    Raises InvalidInput for a file that has none among its first hundred: it is something else.
    """
    lines = _lines(file)
    first = list(islice(lines, LOOK_LIMIT))
    if not any(isinstance(line, dict) and line.get("kind") in KINDS for line in first):
        raise InvalidInput(
            f"{file}: not an export of a journal; `modelkeep audit export` makes one."
        )
    yield from first
    yield from lines


def _lines(file: str) -> Iterator[Any]:
    with sys.stdin if file == "-" else Path(file).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix("\ufeff")  # some editors put it there
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield {"kind": f"line {number}, which is not JSON"}


def settle(report: Report, as_json: bool) -> int:
    """Prints a report; the exit code."""
    if as_json:
        print(json.dumps(report_json(report), indent=2))
    else:
        show_report(report)
    if not report.is_intact:
        return TAMPERED
    return UNSIGNED if report.unsigned else STALE if report.stale else 0


def report_json(report: Report) -> dict[str, Any]:
    return {
        "intact": report.is_intact,
        "entries": report.size,
        "root": report.root,
        "rows_compared": report.rows,
        "checkpoints": report.checkpoints,
        "signed_entries": report.signed_size,
        "cosigned_by": report.witnesses,
        "erased_texts": [{"index": index, "text": name} for index, name in report.erased],
        "forks": [{"index": index, "origin": name} for index, name in report.forks],
        "tables_not_compared": report.strange,
        "first_bad_entry": report.first_bad,
        "problems": [{"index": p.index, "message": p.message} for p in report.problems],
        "problems_not_listed": report.unlisted,
        "signature_problems": report.unsigned,
        "stale": report.stale,
        "cannot_see": list(BLIND_SPOTS),
    }


def show_report(report: Report) -> None:
    if report.is_intact:
        print(f"Intact: {report.size} entries, root {report.root}.")
        print(f"{report.rows} rows of the tables say the same as the journal.")
    else:
        print(f"TAMPERED WITH. {report.size} entries were read.")
        if report.first_bad is not None:
            print(f"The first bad entry is {report.first_bad}.")
        for problem in sorted(report.problems, key=lambda p: (p.index is None, p.index)):
            print(f"  {plain(problem.message)}")
        if report.unlisted:
            print(f"  and {report.unlisted} more")
    if report.strange:
        print(
            plain(
                f"NOT COMPARED: {', '.join(report.strange)}, of which this verifier knows nothing."
            )
        )
    _show_signatures(report)
    if report.erased:
        listed = ", ".join(f"{name} of entry {index}" for index, name in report.erased[:20])
        more = f" and {len(report.erased) - 20} more" if len(report.erased) > 20 else ""
        print(f"Erased, and so not compared: {listed}{more}. Their entries verify without them.")
    print("This cannot see: " + "; ".join(BLIND_SPOTS) + ".")


def _show_signatures(report: Report) -> None:
    by = f", cosigned by {', '.join(report.witnesses)}" if report.witnesses else ""
    left = report.size - report.signed_size
    rest = f" {left} entries are newer than that." if report.checkpoints and left > 0 else ""
    print(
        plain(
            f"{report.checkpoints} checkpoints, the newest of {report.signed_size} entries"
            f"{by}.{rest}"
        )
    )
    for index, name in report.forks:
        print(plain(f"At entry {index} the origin {name} was begun: see the reason in the entry."))
    for complaint in report.unsigned:
        print(plain(f"SIGNATURE: {complaint}"))
    if report.stale:
        print(f"STALE: {report.stale}.")


def _receipt(options: argparse.Namespace) -> int:
    receipt = Receipt.parse(_text(options.files[0]))
    trust = trust_in(options.vkey, options.witness, options.k, [], None)
    try:
        checkpoint = receipt.check()
    except IntegrityFailure as error:
        return _verifier_said(TAMPERED, error.message, options.json)
    names, why = _signed(receipt.note, trust)
    if why:
        return _verifier_said(UNSIGNED, why, options.json)
    facts = {
        "index": receipt.index,
        "leaf": json.loads(receipt.leaf),
        "origin": checkpoint.origin,
        "entries": checkpoint.size,
        "signed_by": names,
    }
    if options.json:
        print(json.dumps({"verified": True, **facts}, indent=2))
        return 0
    print(plain(f"Entry {receipt.index} of {checkpoint.origin}, which has {checkpoint.size}."))
    print(f"Signed by {plain(', '.join(names))}." if names else _UNNAMED)
    print(plain(json.dumps(facts["leaf"], indent=2, ensure_ascii=False)))
    return 0


_UNNAMED = "NOT KNOWN who signed it: give the log's key (--vkey)."


def _extends(options: argparse.Namespace) -> int:
    old_note, new_note, proof = map(_text, options.files)
    trust = trust_in(options.vkey, options.witness, options.k, [], None)
    old, new = (Checkpoint.parse(Note.parse(note).text) for note in (old_note, new_note))
    try:
        hashes = [decode64(text, "a hash of the proof") for text in json.loads(proof)["hashes"]]
    except (KeyError, TypeError, ValueError):
        raise InvalidInput('A proof is {"hashes": [base64, …]}.') from None
    if old.origin != new.origin or not extends(old.size, old.root, new.size, new.root, hashes):
        message = f"The {new.size} entries of {new.origin} do not begin with the {old.size}."
        return _verifier_said(TAMPERED, message, options.json)
    for note in (old_note, new_note):
        if why := _signed(note, trust)[1]:
            return _verifier_said(UNSIGNED, why, options.json)
    message = f"The {new.size} entries of {new.origin} begin with the {old.size}."
    return _verifier_said(0, message if trust.keys else f"{message} {_UNNAMED}", options.json)


def _signed(note: str, trust: Trust) -> tuple[list[str], str]:
    """Who of those that are trusted has signed; and what is missing."""
    try:
        names = [opened(note, trust.keys, is_signed).origin] if trust.keys else []
        names += sorted(key.name for key in Note.parse(note).signers(trust.witnesses, is_signed))
    except IntegrityFailure as error:
        return [], error.message
    cosigners = len(names) - bool(trust.keys)
    lacks = cosigners < trust.quorum
    return names, f"{cosigners} witnesses have cosigned; {trust.quorum} must." if lacks else ""


def _verifier_said(code: int, message: str, as_json: bool) -> int:
    verified = {"verified": code == 0, "message": message}
    print(json.dumps(verified, indent=2) if as_json else plain(message))
    return code


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_bytes().decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{file}: not a text in UTF-8.") from None


if __name__ == "__main__":
    main()
