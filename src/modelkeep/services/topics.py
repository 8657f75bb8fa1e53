"""Topics, and what is said to whoever subscribes to them."""

import uuid
from collections.abc import Mapping
from typing import Any

from modelkeep.domain import notifications
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.domain.events import Event
from modelkeep.domain.notifications import DEFAULT, MESSAGE_LIMIT_BYTES, SUBJECT_LIMIT
from modelkeep.domain.rules import TOPICS_LIMIT, Topic, check_topic_name, described
from modelkeep.domain.subscriptions import Attributes
from modelkeep.domain.webhooks import Status
from modelkeep.domain.webhooks import Topic as Name
from modelkeep.ports.work import Work
from modelkeep.services import subscriptions

NOTIFICATION = Name("SNS", "NOTIFICATION")


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
    known, _ = subscriptions.of_topic(work, arn)
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
        subscriptions.unsubscribe(work, caller, subscription.subscription)
    work.topics.delete(arn)
    _record(work, caller, "topic:deleted", arn, {})


def listing(work: Work) -> list[Topic]:
    """All of them, by ARN."""
    return work.topics.all()


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
    _, subscribers = subscriptions.of_topic(work, arn)
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
            subscriptions.queue(work, one, told, NOTIFICATION, body)
    return told


def _record(work: Work, caller: Caller, action: str, arn: str, after: dict[str, Any]) -> None:
    work.record(caller, Event(action, object={"topic": arn, "name": arn}, after=after))
