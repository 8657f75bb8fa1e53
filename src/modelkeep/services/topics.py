"""Topics and who subscribes to them.

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
from modelkeep.domain.events import Event
from modelkeep.domain.notifications import (
    CONFIRM_MS,
    DEFAULT,
    MESSAGE_LIMIT_BYTES,
    SUBJECT_LIMIT,
)
from modelkeep.domain.rules import TOPICS_LIMIT, Topic, check_topic_name, described
from modelkeep.domain.subscriptions import Attributes, Terms, agreed
from modelkeep.domain.webhooks import WEBHOOKS_LIMIT, Status, Webhook
from modelkeep.domain.webhooks import Topic as Name
from modelkeep.ports.webhooks import NewDelivery
from modelkeep.ports.work import Work
from modelkeep.services import webhooks

CONFIRMATION, NOTIFICATION = Name("SNS", "CONFIRMATION"), Name("SNS", "NOTIFICATION")


def create(work: Work, caller: Caller, arn: str, wanted: Mapping[str, str] | None = None) -> Topic:
    """A topic; the one of this ARN, if there is one. `wanted` as in `rules.described`. Raises
    InvalidInput, also where that one is another, and LimitExceeded."""
    check_topic_name(arn.rpartition(":")[2])
    known = work.topics.get(arn)
    if known is not None:
        if described(known, wanted or {}) != known:
            raise InvalidInput(
                "Invalid parameter: Attributes Reason: Topic already exists with different "
                "attributes"
            )
        return known
    if len(work.topics.all()) >= TOPICS_LIMIT:
        raise LimitExceeded(f"There are {TOPICS_LIMIT} topics already, which is the limit.")
    topic = described(Topic(arn, work.now_ms), wanted or {})
    work.topics.add(topic)
    _record(work, caller, "topic:created", arn, _facts(topic))
    return topic


def change(work: Work, caller: Caller, arn: str, wanted: Mapping[str, str]) -> None:
    """Changes some attributes of a topic; `wanted` as in `rules.described`. Raises NotFound,
    InvalidInput."""
    known, _ = get(work, arn)
    topic = described(known, wanted)
    if topic != known:
        work.topics.put(topic)
        _record(work, caller, "topic:changed", arn, _facts(topic))


def _facts(topic: Topic) -> dict[str, Any]:
    return {"signature_version": topic.signature_version, "display_name": topic.display_name}


def delete(work: Work, caller: Caller, arn: str) -> None:
    """With its subscriptions. Harmless when there is no such topic."""
    if work.topics.get(arn) is None:
        return
    for subscription in work.webhooks.subscriptions(arn):
        unsubscribe(work, caller, subscription.subscription)
    work.topics.delete(arn)
    _record(work, caller, "topic:deleted", arn, {})


def get(work: Work, arn: str) -> tuple[Topic, list[Webhook]]:
    """A topic and its subscriptions. Raises NotFound."""
    topic = work.topics.get(arn)
    if topic is None:
        raise NotFound("Topic does not exist")
    return topic, work.webhooks.subscriptions(arn)


def listing(work: Work) -> list[Topic]:
    """All of them, by ARN."""
    return work.topics.all()


def subscriptions(work: Work) -> list[Webhook]:
    """Those to any topic, oldest first."""
    return work.webhooks.subscriptions()


# -- subscribing ---------------------------------------------------------------------------------


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
    _, others = get(work, arn)
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
    _queue(work, subscription, told, CONFIRMATION, body)
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


def get_subscription(work: Work, subscription: str) -> Webhook:
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
    known = get_subscription(work, subscription)
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


# -- saying something ----------------------------------------------------------------------------


def publish(
    work: Work,
    arn: str,
    message: str,
    subject: str | None = None,
    attributes: Attributes | None = None,
    *,
    is_structured: bool = False,
) -> str:
    """Sends a message to whoever subscribes to a topic and wants it; returns its id. One that is
    structured has a text for each protocol. Raises NotFound, InvalidInput."""
    _, subscribers = get(work, arn)
    attributes = attributes or {}
    said = [message, *(t for name, given in attributes.items() for t in (name, *given.values()))]
    if not message or len("".join(said).encode()) > MESSAGE_LIMIT_BYTES:
        raise InvalidInput(f"Invalid parameter: Message: 1 to {MESSAGE_LIMIT_BYTES} bytes")
    if subject is not None and not (0 < len(subject) <= SUBJECT_LIMIT and subject.isprintable()):
        raise InvalidInput(f"Invalid parameter: Subject: 1 to {SUBJECT_LIMIT} characters, one line")
    told = str(uuid.uuid4())
    texts = notifications.by_protocol(message) if is_structured else {DEFAULT: message}
    for one in subscribers:
        text = texts.get(one.protocol, texts[DEFAULT])
        if one.status is Status.ACTIVE and one.terms.lets(text, attributes):
            body = notifications.notification(arn, told, text, subject, work.now_ms, attributes)
            _queue(work, one, told, NOTIFICATION, body)
    return told


def _queue(work: Work, to: Webhook, message_id: str, what: Name, body: str) -> None:
    delivery_id = str(uuid.uuid5(uuid.UUID(to.webhook_id), message_id))
    work.deliveries.queue([NewDelivery(delivery_id, to.id, None, 0, 0, what, body)], work.now_ms)


def _record(work: Work, caller: Caller, action: str, arn: str, after: dict[str, Any]) -> None:
    work.record(caller, Event(action, object={"topic": arn, "name": arn}, after=after))
