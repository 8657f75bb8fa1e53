"""From the journal to the targets of rules, over the outbox that webhooks have.

What a call changed of packages becomes an event of each for every rule that is listening, and an
event that a rule's pattern matches one delivery for every receiver behind the rule's targets.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from modelkeep.domain import notifications, patterns
from modelkeep.domain.package_events import event_of
from modelkeep.domain.rules import TARGETS_LIMIT, Rule, State, Target
from modelkeep.domain.webhooks import Status, Topic, Webhook, delivery_id
from modelkeep.ports.journal import Entry
from modelkeep.ports.webhooks import NewDelivery
from modelkeep.ports.work import Work
from modelkeep.services import changes

TOPIC = Topic("EVENT", "MATCHED")  # what a delivery of a rule is called in the history

_PART_BITS = 20  # of a delivery's part: which of a call's events; above these the target


def deliveries(
    work: Work, last: Entry, rules: Sequence[Rule], webhooks: Sequence[Webhook]
) -> list[NewDelivery]:
    """What a call, whose last entry this is, sends to the targets of rules. `webhooks` are those
    that see that entry."""
    listening = [rule for rule in rules if rule.state is State.ENABLED and rule.since <= last.index]
    if not listening:
        return []
    found: list[NewDelivery] = []
    for part, change in changes.of_call(work, last):
        make = partial(event_of, change, last.hash.hex(), part, last.at_ms)
        for rule in listening:
            event = make(rule.region, rule.account)
            if patterns.matches(patterns.parse(rule.pattern), event):
                lane = change.version.model_id
                found += _sent(last, part, lane, event, rule, webhooks)
    return found


def _sent(
    last: Entry,
    part: int,
    lane: int,
    event: dict[str, Any],
    rule: Rule,
    webhooks: Sequence[Webhook],
) -> Iterator[NewDelivery]:
    text = json.dumps(event)
    for target in rule.targets:
        place = (rule.id * (TARGETS_LIMIT + 1) + target.place) << _PART_BITS | part
        body = text if target.input is None else target.input
        receivers = _receivers(target, webhooks, body)
        if target.webhook_id is None:
            told = notifications.message_id(event["id"], rule.id, target.place)
            body = notifications.notification(target.arn, told, body, None, last.at_ms)
        for webhook in receivers:
            yield NewDelivery(
                delivery_id=delivery_id(webhook.webhook_id, last.index, place),
                webhook=webhook.id,
                leaf=last.index,
                part=place,
                lane=lane,
                topic=TOPIC,
                body=body,
            )


def _receivers(target: Target, webhooks: Sequence[Webhook], message: str) -> list[Webhook]:
    return [
        webhook
        for webhook in webhooks
        if webhook.status is Status.ACTIVE
        and (webhook.sns_topic == target.arn or webhook.webhook_id == target.webhook_id)
        and webhook.terms.lets(message, {})
    ]
