"""Webhooks: what may be subscribed to, how a delivery is signed, and when it is tried again.

A delivery keeps its id and its body for good; only the time it is signed with is of the attempt.
A receiver answers 2xx, or the delivery is tried again: at first so soon that later events of the
same model wait for it, then by the schedule of Standard Webhooks, past which it has failed.
"""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import check_text
from modelkeep.domain.subscriptions import Terms

DESCRIPTION_LIMIT = 5_000  # characters
SECRET_LIMIT = 512  # characters
WEBHOOKS_LIMIT = 500  # of one project: each costs a look at every event

# What is waited after the first failure, the second … in seconds; three quick ones come before
# the schedule of Standard Webhooks. After the last the delivery has failed.
DELAYS_S = (1, 2, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ORDERED_S = 10  # while no longer than this is waited, later events of the model wait too
RETRY_AFTER_LIMIT_S = 86_400
KEPT_CHARS = 1_000  # of an answer, in the history
FAILURES_LIMIT = 5  # deliveries in a row that failed for good, and the webhook is disabled

MLFLOW_TOPICS: dict[str, tuple[str, ...]] = {
    "REGISTERED_MODEL": ("CREATED",),
    "MODEL_VERSION": ("CREATED",),
    "MODEL_VERSION_TAG": ("DELETED", "SET"),
    "MODEL_VERSION_ALIAS": ("CREATED", "DELETED"),
    "PROMPT": ("CREATED",),
    "PROMPT_VERSION": ("CREATED",),
    "PROMPT_TAG": ("DELETED", "SET"),
    "PROMPT_VERSION_TAG": ("DELETED", "SET"),
    "PROMPT_ALIAS": ("CREATED", "DELETED"),
    "BUDGET_POLICY": ("EXCEEDED",),
}
OWN_TOPICS: dict[str, tuple[str, ...]] = {
    "ACCOUNT": ("CREATED", "DELETED", "DISABLED", "ENABLED", "PASSWORD_SET"),
    "TOKEN": ("CREATED", "REVOKED"),
    "GRANT": ("ADDED", "REMOVED"),
    "POLICY": ("APPLIED",),
    "REGISTERED_MODEL": ("DELETED", "RENAMED", "UPDATED"),
    "REGISTERED_MODEL_TAG": ("DELETED", "SET"),
    "MODEL_VERSION": (
        "BLOCKED",
        "DELETED",
        "DEPRECATED",
        "LOADED",
        "REINSTATED",
        "RETIRED",
        "UPDATED",
    ),
    "MODEL_VERSION_STAGE": ("CHANGED", "REFUSED", "ROLLED_BACK"),
    "PROMPT": ("DELETED", "RENAMED", "UPDATED"),
    "PROMPT_VERSION": ("DELETED", "UPDATED"),
    "APPROVAL_COMMENT": ("ADDED",),
    "APPROVAL_REQUEST": (
        "APPROVED",
        "EXPIRED",
        "OPENED",
        "REJECTED",
        "REMINDED",
        "SENT_BACK",
        "VOIDED",
        "WITHDRAWN",
    ),
    "APPROVAL_VOTE": ("CAST", "DENIED"),
    "EMERGENCY": ("OPENED", "OVERDUE", "REVIEWED"),
    "JOURNAL": ("FORKED",),
}

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.IGNORECASE)
_STANDARD_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a webhook can subscribe to: `MODEL_VERSION` and `CREATED`, say."""

    entity: str
    action: str

    @property
    def is_mlflows(self) -> bool:
        return self.action in MLFLOW_TOPICS.get(self.entity, ())

    def __str__(self) -> str:
        return f"{self.entity}/{self.action}"


def topic_of(entity: str, action: str) -> Topic:
    """A topic from the wire. Raises InvalidInput in MLflow's words."""
    entity, action = entity.upper(), action.upper()
    actions = (*MLFLOW_TOPICS.get(entity, ()), *OWN_TOPICS.get(entity, ()))
    if not actions:
        shown = entity.lower() or "entity_unspecified"
        raise InvalidInput(f"'{shown[:100]}' is not a valid WebhookEntity")
    if action not in actions:
        shown = action.lower() or "action_unspecified"
        raise InvalidInput(
            f"Invalid action '{shown[:100]}' for entity '{entity.lower()}'. "
            f"Valid actions are: {sorted(known.lower() for known in actions)}"
        )
    return Topic(entity, action)


class Status(StrEnum):
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    PENDING = "PENDING"  # a topic's subscription that its receiver has not confirmed


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. `sealed` is its secret, sealed; None without one.

    `since` is the index of the first leaf that it may see, `failures` how many deliveries in a
    row have failed for good, `disabled_reason` why it was disabled, if not by a person. One that
    subscribes to a topic has its ARN in `sns_topic`; `confirms` is the digest of its token,
    `terms` what it wants, and `base` the address of this server that it was told.
    """

    id: int
    webhook_id: str
    name: str
    url: str
    topics: tuple[Topic, ...]
    description: str
    status: Status
    sealed: str | None
    since: int
    created_ms: int
    updated_ms: int
    failures: int = 0
    disabled_reason: str = ""
    sns_topic: str = ""
    confirms: str = field(default="", repr=False)
    terms: Terms = field(default_factory=Terms)
    base: str = ""

    @property
    def subscription(self) -> str:
        """Its ARN, of one that subscribes to a topic."""
        return f"{self.sns_topic}:{self.webhook_id}"

    @property
    def protocol(self) -> str:
        """By which it is reached, in SNS's words."""
        return self.url.partition(":")[0].lower()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a person wants a webhook to be; None leaves a field as it is, or at its default.

    A `secret` of "" takes the secret away.
    """

    name: str | None = None
    url: str | None = None
    topics: tuple[Topic, ...] | None = None
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    status: Status | None = None


# -- what may be ---------------------------------------------------------------------------------


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"Webhook name {name[:200]!r} is invalid. It must start and end with a letter or "
            "digit, be less than 63 characters long, and contain only letters, digits, dots (.), "
            "underscores (_), and hyphens (-)."
        )


def check_topics(topics: Iterable[Topic]) -> tuple[Topic, ...]:
    """The topics, each once, as they were given. Raises InvalidInput when there are none."""
    once = tuple(dict.fromkeys(topics))
    if not once:
        raise InvalidInput("Webhook events must be a non-empty list of WebhookEvent objects: [].")
    return once


def check_secret(secret: str) -> None:
    """A secret is any text; one that begins with `whsec_` must be base64 after that."""
    check_text(secret, "secret", SECRET_LIMIT)
    try:
        _standard_key(secret)
    except (binascii.Error, ValueError):
        raise InvalidInput(
            "A 'secret' that begins with whsec_ must go on in base64 (Standard Webhooks)."
        ) from None


# -- signing -------------------------------------------------------------------------------------


def headers(delivery_id: str, at_s: int, body: str, secret: str | None) -> dict[str, str]:
    """The headers of an attempt: MLflow's and those of Standard Webhooks.

    Both sign `<id>.<time>.<body>` by HMAC-SHA256. MLflow's key is the secret's UTF-8, whatever it
    is (3.17.2, `webhooks/delivery.py`); that of Standard Webhooks is what stands in base64 after
    `whsec_`, or the secret's UTF-8 where it has no such prefix.
    """
    found = {
        "content-type": "application/json",
        "x-mlflow-delivery-id": delivery_id,
        "x-mlflow-timestamp": str(at_s),
        "webhook-id": delivery_id,
        "webhook-timestamp": str(at_s),
    }
    if secret:
        signed = f"{delivery_id}.{at_s}.{body}".encode()
        found["x-mlflow-signature"] = _signature(secret.encode(), signed)
        found["webhook-signature"] = _signature(_standard_key(secret), signed)
    return found


def _standard_key(secret: str) -> bytes:
    if not secret.startswith(_STANDARD_PREFIX):
        return secret.encode()
    key = base64.b64decode(secret.removeprefix(_STANDARD_PREFIX), validate=True)
    if not key:
        raise ValueError(secret)
    return key


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def delivery_id(webhook_id: str, leaf: int, part: int) -> str:
    """The id of the delivery of a leaf's event, the same however often it is worked out."""
    return str(uuid.uuid5(uuid.UUID(webhook_id), f"{leaf}.{part}"))


# -- attempts ------------------------------------------------------------------------------------


class Progress(StrEnum):
    """Where a delivery stands. `QUEUED` keeps its place before later events of its model."""

    QUEUED = "QUEUED"
    RETRYING = "RETRYING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"  # the webhook was deleted

    @property
    def is_open(self) -> bool:
        return self in (Progress.QUEUED, Progress.RETRYING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: the answer's status and the beginning of its body, or an error."""

    status: int | None = None
    body: str = ""
    error: str = ""
    retry_after_s: float | None = None
    is_final: bool = False  # no other attempt would fare better

    @property
    def kept(self) -> "Outcome":
        """As much of it as the history keeps."""
        return replace(self, body=self.body[:KEPT_CHARS])

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410


def judge(attempts: int, outcome: Outcome) -> tuple[Progress, float]:
    """(where a delivery stands after so many attempts, the seconds until the next)."""
    if outcome.is_success:
        return Progress.DELIVERED, 0
    if outcome.is_gone or outcome.is_final or attempts > len(DELAYS_S):
        return Progress.FAILED, 0
    asked = min(max(outcome.retry_after_s or 0, 0), RETRY_AFTER_LIMIT_S)
    wait = max(DELAYS_S[attempts - 1], asked)
    return (Progress.QUEUED if wait <= ORDERED_S else Progress.RETRYING), wait


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued delivery, as far as its turn is concerned. `lane` is its model."""

    id: int
    lane: int
    next_ms: int
    leased_until_ms: int


def choose(queue: Sequence[Waiting], now_ms: int, room: int) -> list[int]:
    """Whose turn it is, of a webhook's queue in order: the first of each model, if it is due."""
    seen: set[int] = set()
    chosen: list[int] = []
    for waiting in queue:
        is_due = waiting.next_ms <= now_ms and waiting.leased_until_ms <= now_ms
        if waiting.lane not in seen and is_due and len(chosen) < room:
            chosen.append(waiting.id)
        seen.add(waiting.lane)
    return chosen
