"""Webhooks: making, changing and deleting them, and their history.

What of this must talk to the world (looking up a host, sealing a secret, a test call) is done
around these use cases by `courier`; what goes out because of an event by `outbox`.
"""

import uuid
from dataclasses import replace
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.addresses import Target
from modelkeep.domain.errors import Conflict, LimitExceeded, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.names import check_text
from modelkeep.domain.webhooks import (
    DESCRIPTION_LIMIT,
    WEBHOOKS_LIMIT,
    Changes,
    Outcome,
    Progress,
    Status,
    Webhook,
    check_name,
    check_topics,
)
from modelkeep.ports.webhooks import Delivery, NewDelivery
from modelkeep.ports.work import Work


def create(
    work: Work, caller: Caller, wanted: Changes, target: Target, sealed: str | None, webhook_id: str
) -> Webhook:
    """A new webhook, which sees what happens from now on.

    `target` is the URL as it was vetted, `sealed` the secret, sealed for `webhook_id`. Raises
    InvalidInput, and LimitExceeded when there are 500 already.
    """
    if len(work.webhooks.all()) >= WEBHOOKS_LIMIT:
        raise LimitExceeded(f"There are {WEBHOOKS_LIMIT} webhooks already, which is the limit.")
    topics = check_topics(wanted.topics or ())
    status = wanted.status or Status.ACTIVE
    new = Webhook(
        id=0,
        webhook_id=webhook_id,
        name=wanted.name or "",
        url=target.url,
        topics=topics,
        description=wanted.description or "",
        status=status,
        sealed=sealed,
        since=work.journal.next_index(),
        created_ms=work.now_ms,
        updated_ms=work.now_ms,
    )
    _check(new)
    work.webhooks.add(new)
    after = {"topics": [str(t) for t in topics], "status": status.value, "signed": bool(sealed)}
    texts = {"name": new.name, "url": new.url}
    texts |= {"description": new.description} if new.description else {}
    record(work, caller, "webhook:created", new, after, texts)
    return get(work, webhook_id)


def _check(webhook: Webhook) -> None:
    check_name(webhook.name)
    check_text(webhook.description, "description", DESCRIPTION_LIMIT)


def change(
    work: Work,
    caller: Caller,
    webhook_id: str,
    wanted: Changes,
    target: Target | None,
    sealed: str | None,
) -> Webhook:
    """Changes what is wanted to; `target` and `sealed` as in `create`, if they are to change.

    One that becomes active sees what happens from now on, and what waits for another attempt is
    attempted at once. Raises NotFound, InvalidInput.
    """
    before = get(work, webhook_id)
    status = wanted.status or before.status
    is_revived = status is Status.ACTIVE and before.status is Status.DISABLED
    after = replace(
        before,
        name=before.name if wanted.name is None else wanted.name,
        url=target.url if target else before.url,
        topics=before.topics if wanted.topics is None else check_topics(wanted.topics),
        description=before.description if wanted.description is None else wanted.description,
        status=status,
        sealed=before.sealed if wanted.secret is None else sealed,
        since=work.journal.next_index() if is_revived else before.since,
        failures=0 if is_revived else before.failures,
        disabled_reason="" if wanted.status else before.disabled_reason,
        # NOTE: must rise with every change: clients compare it with the one before.
        updated_ms=max(work.now_ms, before.updated_ms + 1),
    )
    _check(after)
    work.webhooks.put(after)
    if is_revived:
        work.deliveries.hasten(before.id, work.now_ms)
    texts = {
        name: getattr(after, name)
        for name in ("name", "url", "description")
        if getattr(after, name) != getattr(before, name)
    }
    facts = {
        "topics": [str(topic) for topic in after.topics],
        "status": status.value,
        "signed": after.sealed is not None,
        "secret_changed": wanted.secret is not None,
    }
    record(work, caller, "webhook:changed", after, facts, texts)
    return after


def delete(work: Work, caller: Caller, webhook_id: str) -> None:
    """Its secret goes, and whatever was not delivered yet is cancelled. Raises NotFound."""
    webhook = get(work, webhook_id)
    work.webhooks.delete(webhook, work.now_ms)
    record(work, caller, "webhook:deleted", webhook, {"deleted": True, "signed": False}, {})


def disable(work: Work, caller: Caller, webhook: Webhook, reason: str) -> None:
    """Stops a webhook whose receiver is not to be had; `reason` is shown with it."""
    updated_ms = max(work.now_ms, webhook.updated_ms + 1)
    stopped = replace(
        webhook, status=Status.DISABLED, disabled_reason=reason, updated_ms=updated_ms
    )
    work.webhooks.put(stopped)
    after = {"status": Status.DISABLED.value}
    record(work, caller, "webhook:disabled", webhook, after, {"reason": reason})


def get(work: Work, webhook_id: str) -> Webhook:
    """Raises NotFound in MLflow's words."""
    webhook = work.webhooks.get(webhook_id)
    if webhook is None or webhook.sns_topic:
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return webhook


def listing(work: Work) -> list[Webhook]:
    """All of them, newest first."""
    return work.webhooks.all()


# -- deliveries ----------------------------------------------------------------------------------


def history(
    work: Work, webhook_id: str, before: str | None = None, limit: int = 100
) -> list[Delivery]:
    """A webhook's deliveries, newest first; those older than the delivery `before`, if given."""
    webhook = get(work, webhook_id)
    edge = _delivery(work, before).id if before else None
    return work.deliveries.history(webhook.id, edge, limit)


def replay(work: Work, caller: Caller, delivery_id: str) -> Delivery:
    """Sends a delivery once more, with its id and body as they were.

    Raises NotFound, and Conflict for one that has not ended or whose webhook is not active.
    """
    delivery = _delivery(work, delivery_id)
    webhook = next((w for w in work.webhooks.all() if w.id == delivery.webhook), None)
    if webhook is None:
        raise Conflict(f"The webhook of delivery {delivery_id} was deleted.")
    if webhook.status is not Status.ACTIVE:
        raise Conflict(f"The webhook of delivery {delivery_id} is disabled; enable it first.")
    if delivery.progress.is_open:
        raise Conflict(f"Delivery {delivery_id} is under way: {delivery.progress.value}.")
    work.deliveries.requeue(delivery.id, work.now_ms)
    after = {"delivery": delivery_id}
    record(work, caller, "webhook:replayed", webhook, after, {})
    return _delivery(work, delivery_id)


def record_test(work: Work, test: NewDelivery, outcome: Outcome) -> Outcome:
    """Keeps a test call in the history; it is not tried again."""
    progress = Progress.DELIVERED if outcome.is_success else Progress.FAILED
    work.deliveries.record(test, progress, outcome.kept, work.now_ms)
    return outcome


def _delivery(work: Work, delivery_id: str) -> Delivery:
    delivery = work.deliveries.get(delivery_id)
    if delivery is None:
        raise NotFound(f"There is no delivery {delivery_id[:100]}.")
    return delivery


def new_id() -> str:
    return str(uuid.uuid4())


def record(
    work: Work,
    caller: Caller,
    action: str,
    webhook: Webhook,
    after: dict[str, Any],
    texts: dict[str, str],
) -> None:
    event = Event(action, object={"webhook": webhook.webhook_id}, after=after, texts=texts)
    work.record(caller, event)
