"""From the journal to the receivers: what a worker does between two attempts.

The journal is the outbox. `announce` reads the leaves that were not announced yet, by a cursor,
and queues a delivery for each event and each active webhook that subscribes to it; cursor and
deliveries change in one transaction, so that a crash neither loses nor doubles any. `claim` leases
deliveries whose turn it is to one worker; `settle` keeps what came of an attempt. A worker that
dies leaves a lease, which runs out; the delivery is then attempted again, under the same id.
"""

import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import msgspec

from modelkeep.domain.access import NOBODY
from modelkeep.domain.announcements import (
    ENDINGS,
    PROMPT_TAG,
    Announcement,
    announced,
    body_of,
    is_prompt,
    requests_in,
)
from modelkeep.domain.approvals import Request
from modelkeep.domain.events import instant
from modelkeep.domain.loads import DAY_MS
from modelkeep.domain.rules import Rule
from modelkeep.domain.webhooks import (
    FAILURES_LIMIT,
    Outcome,
    Progress,
    Status,
    Webhook,
    choose,
    delivery_id,
    judge,
)
from modelkeep.ports.journal import Entry
from modelkeep.ports.webhooks import Claim, NewDelivery
from modelkeep.ports.work import Work
from modelkeep.services import bus
from modelkeep.services.history import told
from modelkeep.services.webhooks import disable

LEAVES_LIMIT = 200  # announced in one transaction
LEASE_MS = 30_000  # twice what an attempt may take
PER_WEBHOOK = 4  # attempts at once, so that one slow receiver leaves room for the others
LOOKAHEAD = 64  # queued deliveries of a webhook among which the next are looked for
KEEP_MS = 30 * 24 * 3_600_000  # how long an ended delivery stays in the history
KEEP_COUNT = 10_000  # of each webhook
PRUNE_LIMIT = 1_000  # deleted in one transaction
LOADED_DAYS, LOADERS_LIMIT = 30, 100  # who is told to have loaded a version

# What a leaf can raise that is not as a use case wrote it.
_UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError, msgspec.DecodeError)

_log = logging.getLogger(__name__)


def is_waiting(work: Work) -> bool:
    """Whether there is anything to announce or to attempt. Only reads."""
    since = [webhook.since for webhook in work.webhooks.active()]
    if not since:
        return False
    start = max(work.webhooks.cursor(), min(since))
    return start < work.journal.size() or work.deliveries.is_due(work.now_ms)


def dispatch(work: Work, lease: str, room: int) -> tuple[list[Claim], bool]:
    """Announces a batch of leaves, and leases up to `room` deliveries to `lease`.

    The other value says whether there may be more leaves to announce.
    """
    webhooks = work.webhooks.active()
    count = announce(work, webhooks) if webhooks else 0
    return claim(work, webhooks, lease, room), count == LEAVES_LIMIT


# -- announcing ----------------------------------------------------------------------------------


def announce(work: Work, webhooks: list[Webhook]) -> int:
    """Queues what the next leaves announce; returns how many leaves those were."""
    start = max(work.webhooks.cursor(), min(webhook.since for webhook in webhooks))
    found = work.journal.entries(start, LEAVES_LIMIT + 1)  # the one more shows where a call ends
    entries, rules = found[:LEAVES_LIMIT], work.rules.all()
    for entry, after in zip_longest(entries, found[1:]):
        listening = [webhook for webhook in webhooks if entry.index >= webhook.since]
        work.deliveries.queue(_deliveries(work, entry, listening), work.now_ms)
        if after is None or not entry.is_of_call(after):
            work.deliveries.queue(_matched(work, entry, rules, listening), work.now_ms)
    if entries:
        work.webhooks.move_cursor(entries[-1].index + 1)
    return len(entries)


def _deliveries(work: Work, entry: Entry, webhooks: list[Webhook]) -> list[NewDelivery]:
    model_id = entry.model_id or 0
    found: list[NewDelivery] = []
    for part, news in enumerate(_announced(work, entry)):
        listening = [webhook for webhook in webhooks if news.topic in webhook.topics]
        body = body_of(news.topic, entry.at_ms, news.data) if listening else ""
        found += [
            NewDelivery(
                delivery_id=delivery_id(webhook.webhook_id, entry.index, part),
                webhook=webhook.id,
                leaf=entry.index,
                part=part,
                lane=model_id,
                topic=news.topic,
                body=body,
            )
            for webhook in listening
        ]
    return found


def _announced(work: Work, entry: Entry) -> list[Announcement]:
    try:
        leaf = told(work, entry)
        of_prompt = is_prompt(work.models.tag(entry.model_id or 0, PROMPT_TAG))
        return announced(leaf, of_prompt, _requests(work, leaf), _loaded_by(work, leaf))
    except _UNREADABLE:
        # Whoever altered it must not have silenced every event after it as well.
        _log.exception("entry %d announces nothing; run `modelkeep audit verify`", entry.index)
        return []


def _matched(
    work: Work, last: Entry, rules: list[Rule], webhooks: list[Webhook]
) -> list[NewDelivery]:
    try:
        return bus.deliveries(work, last, rules, webhooks)
    except _UNREADABLE:
        _log.exception(
            "the call that entry %d ends makes no event; run `modelkeep audit verify`", last.index
        )
        return []


def _requests(work: Work, leaf: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """The payloads of the requests that a leaf names, as they are by now."""
    found = {id: work.governance.request(id) for id in requests_in(leaf)}
    return {
        id: _payload(work, request[0], request[1].closing)
        for id, request in found.items()
        if request is not None
    }


def _loaded_by(work: Work, leaf: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who loaded the version whose life a leaf ends in the last 30 days, as is known by now."""
    if leaf["act"] not in ENDINGS:
        return []
    model_id, number = leaf["obj"]["model"], leaf["obj"]["version"]
    since_day = work.now_ms // DAY_MS - LOADED_DAYS
    return [
        {
            "name": usage.loader.name or None,
            "verified": usage.loader.verified,
            "client": usage.loader.client,
            "address": usage.loader.address,
            "loads": usage.count,
            "last": instant(usage.last_ms),
        }
        for usage in work.loads.of_model(model_id, number, since_day, LOADERS_LIMIT)
    ]


def _payload(work: Work, request: Request, closing: str) -> dict[str, Any]:
    version = work.versions.by_id(request.version_id)
    assert version is not None
    return {
        "request": request.id,
        "name": version.model_name,
        "version": str(request.number),
        "from_stage": request.source,
        "to_stage": request.target,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "closing": closing,
        "expires": instant(request.expires_ms),
    }


# -- attempting ----------------------------------------------------------------------------------


def claim(work: Work, webhooks: list[Webhook], lease: str, room: int) -> list[Claim]:
    """Deliveries for one worker: in order within each model, a few at once of each webhook."""
    chosen: list[int] = []
    for webhook in random.sample(webhooks, len(webhooks)):  # nobody is always served last
        free = min(
            PER_WEBHOOK - work.deliveries.in_flight(webhook.id, work.now_ms), room - len(chosen)
        )
        if free > 0:
            queue = work.deliveries.waiting(webhook.id, LOOKAHEAD)
            found = choose(queue, work.now_ms, free)
            left = free - len(found)
            chosen += found + work.deliveries.retrying(webhook.id, work.now_ms, left)
    return work.deliveries.claim(chosen, lease, work.now_ms + LEASE_MS) if chosen else []


def settle(work: Work, claim: Claim, outcome: Outcome) -> None:
    """Keeps what came of an attempt. Harmless if the lease has run out, or the webhook is gone."""
    delivery = work.deliveries.leased(claim.id, claim.lease)
    webhook = work.webhooks.get(claim.webhook_id)
    if delivery is None or webhook is None:
        return
    progress, wait_s = judge(delivery.attempts + 1, outcome)
    next_ms = work.now_ms + round(wait_s * 1000)
    work.deliveries.settle(delivery.id, progress, outcome.kept, work.now_ms, next_ms)
    if progress is Progress.DELIVERED and webhook.failures:
        work.webhooks.put(replace(webhook, failures=0))
    if progress is Progress.FAILED:
        _count_failure(work, webhook, outcome)


def _count_failure(work: Work, webhook: Webhook, outcome: Outcome) -> None:
    failed = replace(webhook, failures=webhook.failures + 1)
    work.webhooks.put(failed)
    if failed.status is Status.DISABLED:
        return
    if outcome.is_gone:
        disable(work, NOBODY, failed, "The receiver answered 410: it is gone for good.")
    elif failed.failures >= FAILURES_LIMIT:
        last = outcome.error or f"the receiver answered {outcome.status}"
        reason = f"{failed.failures} deliveries in a row failed for good, the last one: {last}"
        disable(work, NOBODY, failed, reason)


def release(work: Work, lease: str | None) -> None:
    """Gives back what a worker has leased and not attempted; with None, what anyone has."""
    work.deliveries.release(lease)


def prune(work: Work) -> int:
    """Deletes ended deliveries that the history no longer keeps; returns how many."""
    before_ms = work.now_ms - KEEP_MS
    webhooks = [*work.webhooks.all(), *work.webhooks.subscriptions()]
    return sum(work.deliveries.prune(w.id, before_ms, KEEP_COUNT, PRUNE_LIMIT) for w in webhooks)
