"""Who subscribes to a topic.

A subscription is a webhook that listens to a topic in the place of events: it has the same queue,
attempts and history. It hears nothing until its receiver has shown, by a token that only the
receiver was sent, that it wants to.
"""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelkeep.domain import notifications
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.notifications import CONFIRM_MS
from modelkeep.domain.rules import Topic
from modelkeep.domain.subscriptions import Terms, agreed
from modelkeep.domain.webhooks import WEBHOOKS_LIMIT, Status, Webhook
from modelkeep.domain.webhooks import Topic as Name
from modelkeep.ports.webhooks import NewDelivery
from modelkeep.ports.work import Work
from modelkeep.services import webhooks

CONFIRMATION = Name("SNS", "CONFIRMATION")


def of_topic(work: Work, arn: str) -> tuple[Topic, list[Webhook]]:
    """A topic and its subscriptions. Raises NotFound."""
    topic = work.topics.get(arn)
    if topic is None:
        raise NotFound("Topic does not exist")
    return topic, work.webhooks.subscriptions(arn)


def listing(work: Work) -> list[Webhook]:
    """Those to any topic, oldest first."""
    return work.webhooks.subscriptions()


def subscribe(
    work: Work,
    caller: Caller,
    arn: str,
    url: str,
    base: str,
    wanted: Mapping[str, str] | None = None,
) -> Webhook:
    """A subscription that waits to be confirmed, to which a token is sent; the one that there is
    for the same URL, which gets a new token unless it was confirmed.

    `url` is where it gets messages, as it was vetted (by e-mail `email:` or `email-json:` and the
    address), `base` the address of this server, and `wanted` as in `subscriptions.agreed`. Raises
    NotFound, LimitExceeded, InvalidInput.
    """
    _, others = of_topic(work, arn)
    known = next((other for other in others if other.url == url), None)
    terms = agreed(known.terms if known else Terms(), wanted or {}, url)
    if known is not None and terms != known.terms:
        raise InvalidInput(
            "Invalid parameter: Attributes Reason: Subscription already exists with different "
            "attributes"
        )
    if known is not None and known.status is Status.ACTIVE:
        return known
    token = secrets.token_hex(64)
    waits = {"status": Status.PENDING, "confirms": notifications.digest_of(token), "base": base}
    if known is None:
        subscription = _new(work, caller, arn, url, terms, waits)
    else:
        subscription = replace(
            known, **waits, failures=0, updated_ms=max(work.now_ms, known.updated_ms + 1)
        )
        work.webhooks.put(subscription)
        after = {"status": Status.PENDING.value}
        webhooks.record(work, caller, "webhook:changed", subscription, after, {})
    told = str(uuid.uuid4())
    body = notifications.confirmation(arn, told, token, base, work.now_ms)
    queue(work, subscription, told, CONFIRMATION, body)
    return subscription


def _new(
    work: Work, caller: Caller, arn: str, url: str, terms: Terms, waits: dict[str, Any]
) -> Webhook:
    if len(work.webhooks.subscriptions()) >= WEBHOOKS_LIMIT:
        raise LimitExceeded(f"There are {WEBHOOKS_LIMIT} subscriptions already: the limit.")
    new = Webhook(
        id=0,
        webhook_id=webhooks.new_id(),
        name=arn.rpartition(":")[2],
        url=url,
        topics=(),
        description="",
        sealed=None,
        since=work.journal.next_index(),
        created_ms=work.now_ms,
        updated_ms=work.now_ms,
        sns_topic=arn,
        terms=terms,
        **waits,
    )
    work.webhooks.add(new)
    after = {"topics": [], "status": new.status.value, "signed": False, "sns_topic": arn}
    after |= {"terms": terms.text} if terms.text else {}
    webhooks.record(work, caller, "webhook:created", new, after, {"name": new.name, "url": new.url})
    stored = work.webhooks.get(new.webhook_id)
    assert stored is not None
    return stored


def confirm(work: Work, caller: Caller, arn: str, token: str) -> Webhook:
    """From now on the subscription that the token was sent to hears what is said; again, it stays.

    Raises InvalidInput for a token that is none, or was sent more than three days ago. Whoever has
    no token does not learn which topics there are.
    """
    waiting = work.webhooks.subscriptions(arn) if arn else []
    digest = notifications.digest_of(token)
    known = next((one for one in waiting if secrets.compare_digest(one.confirms, digest)), None)
    if known is None or known.status is Status.DISABLED:
        raise InvalidInput("Invalid parameter: Token")
    if known.status is Status.ACTIVE:
        return known
    if work.now_ms - known.updated_ms > CONFIRM_MS:
        raise InvalidInput("Invalid parameter: Token: it was sent more than three days ago")
    confirmed = replace(
        known,
        status=Status.ACTIVE,
        since=work.journal.next_index(),
        updated_ms=max(work.now_ms, known.updated_ms + 1),
        disabled_reason="",
    )
    work.webhooks.put(confirmed)
    after = {"status": Status.ACTIVE.value}
    webhooks.record(work, caller, "webhook:changed", confirmed, after, {})
    return confirmed


def get(work: Work, subscription: str) -> Webhook:
    """By its ARN. Raises NotFound."""
    known = _known(work, subscription)
    if known is None:
        raise NotFound("Subscription does not exist")
    return known


def _known(work: Work, subscription: str) -> Webhook | None:
    arn, _, webhook_id = subscription.rpartition(":")
    known = work.webhooks.get(webhook_id)
    return known if known is not None and known.sns_topic == arn != "" else None


def amend(work: Work, caller: Caller, subscription: str, wanted: Mapping[str, str]) -> Webhook:
    """Changes what a subscriber wants from now on; `wanted` as in `subscriptions.agreed`. Raises
    NotFound, InvalidInput."""
    known = get(work, subscription)
    terms = agreed(known.terms, wanted, known.url)
    if terms == known.terms:
        return known
    amended = replace(known, terms=terms)  # a token that was sent is as old as it was
    work.webhooks.put(amended)
    webhooks.record(work, caller, "webhook:changed", amended, {"terms": terms.text}, {})
    return amended


def unsubscribe(work: Work, caller: Caller, subscription: str) -> None:
    """Ends a subscription, by its ARN, and what waits for it. Harmless when there is none."""
    known = _known(work, subscription)
    if known is None:
        return
    work.webhooks.delete(known, work.now_ms)
    after = {"deleted": True, "signed": False}
    webhooks.record(work, caller, "webhook:deleted", known, after, {})


def queue(work: Work, to: Webhook, message_id: str, what: Name, body: str) -> None:
    delivery_id = str(uuid.uuid5(uuid.UUID(to.webhook_id), message_id))
    work.deliveries.queue([NewDelivery(delivery_id, to.id, None, 0, 0, what, body)], work.now_ms)
