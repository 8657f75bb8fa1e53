"""Rows of webhooks and their deliveries, and what sends them and keeps their secrets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.addresses import Target
from modelkeep.domain.subscriptions import Terms
from modelkeep.domain.webhooks import Outcome, Progress, Topic, Waiting, Webhook


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An event on its way to a webhook (by row id). `leaf` and `part` say which; None is a test.

    `lane` is the model, in whose order deliveries go out; 0 for an event of none.
    """

    delivery_id: str
    webhook: int
    leaf: int | None
    part: int
    lane: int
    topic: Topic
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the history tells it; status, body and error are of the last attempt."""

    id: int
    delivery_id: str
    webhook: int
    leaf: int | None
    topic: str
    body: str
    progress: Progress
    attempts: int
    replays: int
    created_ms: int
    attempted_ms: int | None
    next_ms: int
    response_status: int | None
    response_body: str
    error: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that one worker, for the time of its lease, may attempt."""

    id: int
    delivery_id: str
    body: str
    attempts: int
    webhook_id: str
    url: str
    sealed: str | None
    subscription: str  # the ARN, if the webhook subscribes to a topic; then these as well
    terms: Terms
    base: str
    signature_version: int  # and this, of the topic
    display_name: str
    lease: str


class Webhooks(Protocol):
    def add(self, new: Webhook) -> None:
        """Its `id` is ignored."""
        ...

    def get(self, webhook_id: str) -> Webhook | None:
        """Of those that were not deleted."""
        ...

    def all(self) -> list[Webhook]:
        """Newest first, but for `subscriptions`. At most `webhooks.WEBHOOKS_LIMIT`."""
        ...

    def subscriptions(self, topic: str = "") -> list[Webhook]:
        """Those that subscribe to a topic (by its ARN), or to any; oldest first."""
        ...

    def active(self) -> list[Webhook]:
        """All that something may be sent to: also the unconfirmed, which get their token."""
        ...

    def put(self, webhook: Webhook) -> None:
        """Stores the webhook as it is now, by its row."""
        ...

    def delete(self, webhook: Webhook, at_ms: int) -> None: ...
    def cursor(self) -> int:
        """The index of the first leaf of which nothing has been announced yet."""
        ...

    def move_cursor(self, index: int) -> None: ...


class Deliveries(Protocol):
    def queue(self, new: Iterable[NewDelivery], at_ms: int) -> None:
        """Adds those that are not there yet, by webhook, leaf and part; due at once."""
        ...

    def record(self, new: NewDelivery, progress: Progress, outcome: Outcome, at_ms: int) -> None:
        """Adds one that was attempted already."""
        ...

    def waiting(self, webhook: int, limit: int) -> list[Waiting]:
        """The beginning of the queue, in order, due or not."""
        ...

    def retrying(self, webhook: int, now_ms: int, limit: int) -> list[int]:
        """Those out of order that are due and not leased, the longest due first."""
        ...

    def is_due(self, now_ms: int) -> bool:
        """Whether an active webhook has one that is due and not leased."""
        ...

    def backlog(self) -> int:
        """How many have not ended, of active webhooks."""
        ...

    def in_flight(self, webhook: int, now_ms: int) -> int: ...
    def claim(self, ids: Sequence[int], lease: str, until_ms: int) -> list[Claim]: ...
    def leased(self, id: int, lease: str) -> Delivery | None:
        """The delivery, if it's open and this lease still holds it."""
        ...

    def release(self, lease: str | None) -> None:
        """Ends a lease, or every lease."""
        ...

    def settle(
        self, id: int, progress: Progress, outcome: Outcome, at_ms: int, next_ms: int
    ) -> None:
        """Counts an attempt, keeps what came of it, and ends the lease."""
        ...

    def hasten(self, webhook: int, now_ms: int) -> None:
        """Makes those that wait for another attempt due."""
        ...

    def requeue(self, id: int, now_ms: int) -> None:
        """Begins anew with one that had ended."""
        ...

    def get(self, delivery_id: str) -> Delivery | None: ...
    def history(self, webhook: int, before: int | None, limit: int) -> list[Delivery]:
        """Newest first; `before` is a row's id."""
        ...

    def prune(self, webhook: int, ended_before_ms: int, keep: int, limit: int) -> int:
        """Deletes ended ones that are too old, or beyond the newest `keep`; returns how many."""
        ...


class Sender(Protocol):
    """The way out. Nothing is sent to, or read from, an address that is refused."""

    def target(self, url: str) -> Target:
        """Reads a URL without asking anyone. Raises InvalidInput."""
        ...

    async def vet(self, target: Target) -> None:
        """Raises InvalidInput when the host has no address, or one that must not be contacted."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Outcome:
        """One attempt, of 15 seconds at most. Whatever goes wrong out there is an outcome."""
        ...


class Vault(Protocol):
    """Keeps secrets so that the database alone does not tell them."""

    def seal(self, secret: str, owner: str) -> str:
        """Sealed for `owner`, for whom alone it opens."""
        ...

    def open(self, sealed: str, owner: str) -> str:
        """Raises IntegrityFailure when it was sealed with another key, or for someone else."""
        ...
