"""From the journal to the targets of rules, over the outbox that webhooks have.

An entry of the journal is read as what it changed of packages; each change becomes an event for
every rule that is listening, and an event that a rule's pattern matches one delivery for every
receiver behind the rule's targets. What was so before an entry is read from the entries before it:
so the same entry always makes the same event.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from modelkeep.domain import notifications, patterns
from modelkeep.domain.approvals import Status as RequestStatus
from modelkeep.domain.models import Version
from modelkeep.domain.package_events import (
    DESCRIPTION,
    TAGS,
    Change,
    Standing,
    changed,
    event_of,
    made,
)
from modelkeep.domain.packages import FROZEN, MEMBERS, SINGLE_TAG, VERDICTS, Approval, verdict_of
from modelkeep.domain.rules import TARGETS_LIMIT, Rule, State, Target
from modelkeep.domain.webhooks import Status, Topic, Webhook, delivery_id
from modelkeep.ports.journal import Entry
from modelkeep.ports.webhooks import NewDelivery
from modelkeep.ports.work import Work
from modelkeep.services.policies import lifecycle_of

LOOK_BACK = 2_000  # entries of a model that are read for what was so before one
PAGE = 100
TOPIC = Topic("EVENT", "MATCHED")  # what a delivery of a rule is called in the history

_PART_BITS = 20  # of a delivery's part: which of an entry's events; above these the target
_TOUCHED = {
    "version:described": DESCRIPTION,
    "version:tag:set": TAGS,
    "version:tag:deleted": TAGS,
    "version:semver:raised": TAGS,
}

_AGAINST = (RequestStatus.REJECTED.value, RequestStatus.CHANGES.value)

Leaf = Mapping[str, Any]


def deliveries(
    work: Work, entry: Entry, rules: Sequence[Rule], webhooks: Sequence[Webhook]
) -> list[NewDelivery]:
    """What an entry sends to the targets of rules. `webhooks` are those that see the entry."""
    listening = [
        rule for rule in rules if rule.state is State.ENABLED and rule.since <= entry.index
    ]
    if not listening or entry.model_id is None:
        return []
    found: list[NewDelivery] = []
    for part, change in enumerate(_changes(work, entry)):
        make = partial(event_of, change, entry.hash.hex(), part, entry.at_ms)
        for rule in listening:
            event = make(rule.region, rule.account)
            if patterns.matches(patterns.parse(rule.pattern), event):
                found += _sent(entry, part, event, rule, webhooks)
    return found


def _sent(
    entry: Entry, part: int, event: dict[str, Any], rule: Rule, webhooks: Sequence[Webhook]
) -> Iterator[NewDelivery]:
    text = json.dumps(event)
    for target in rule.targets:
        place = (rule.id * (TARGETS_LIMIT + 1) + target.place) << _PART_BITS | part
        body = text if target.input is None else target.input
        receivers = _receivers(target, webhooks, body)
        if target.webhook_id is None:
            told = notifications.message_id(event["id"], rule.id, target.place)
            body = notifications.notification(target.arn, told, body, None, entry.at_ms)
        for webhook in receivers:
            yield NewDelivery(
                delivery_id=delivery_id(webhook.webhook_id, entry.index, place),
                webhook=webhook.id,
                leaf=entry.index,
                part=place,
                lane=entry.model_id or 0,
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


# -- what an entry changed -----------------------------------------------------------------------


def _changes(work: Work, entry: Entry) -> Iterator[Change]:
    leaf = msgspec.json.decode(entry.body)
    if "imported" in leaf["why"] or entry.model_id is None:
        return
    is_single = work.models.tag(entry.model_id, SINGLE_TAG) is not None
    for number in _numbers(work, leaf):
        version = work.versions.get(entry.model_id, number)
        if version is None:  # deleted since: there is nothing left to tell of it
            continue
        production = lifecycle_of(work, version.model_name).production
        if leaf["act"] == "version:created":
            said = _said_in(work, _leaf(work, entry.index + 1), version, production)
            yield made(version, Standing(**said), production, is_single=is_single)
            continue
        if _paper(leaf) and _leaf(work, entry.index - 1)["act"] == "version:created":
            continue  # said with its making
        before = _before(work, entry, version, production)
        after = replace(before, **_said_in(work, leaf, version, production))
        touched = {_TOUCHED[leaf["act"]]} if _tells(leaf) else set[str]()
        change = changed(version, before, after, production, touched, is_single=is_single)
        if change:
            yield change


def _leaf(work: Work, index: int) -> Leaf:
    """The leaf of an entry; of one that is not there a leaf that says nothing."""
    found = work.journal.entries(index, 1) if index >= 0 else []
    return (
        msgspec.json.decode(found[0].body)
        if found
        else {"act": "", "obj": {}, "post": {}, "why": {}}
    )


def _tells(leaf: Leaf) -> bool:
    """Whether an entry changes a field whatever was before. A version may get a new semantic
    version without a tag of it."""
    is_renumbered = leaf["act"] == "version:semver:raised" and "tags" not in leaf["post"]
    return leaf["act"] in _TOUCHED and not is_renumbered


def _numbers(work: Work, leaf: Leaf) -> list[int]:
    """The versions of an entry's model that it may have changed."""
    moved = [stay["version"] for stay in leaf["post"].get("stages", ())]
    asked = (work.governance.request(r["id"]) for r in leaf["post"].get("requests", ()))
    found = [*moved, *(request[0].number for request in asked if request)]
    if leaf["act"] in (*_TOUCHED, "version:created") or _paper(leaf):
        found.append(leaf["obj"]["version"])
    return sorted(set(found))


def _before(work: Work, entry: Entry, version: Version, production: str) -> Standing:
    """How a package stood just before an entry: the newest of what earlier entries say of it."""
    found: dict[str, Any] = {}
    at = entry.index
    for _ in range(LOOK_BACK // PAGE):
        page = work.journal.of_model(version.model_id, at, PAGE)
        for earlier in page:
            leaf = msgspec.json.decode(earlier.body)
            found = {**_said_in(work, leaf, version, production), **found}
            if leaf["act"] == "version:created" and _is_of(leaf, version):
                return Standing(**found)
        if len(page) < PAGE:
            break
        at = page[-1].index
    return Standing(**found)


def _said_in(work: Work, leaf: Leaf, version: Version, production: str) -> dict[str, Any]:
    """What one entry says of a package, by the fields of its standing."""
    found: dict[str, Any] = {}
    for closed in leaf["post"].get("requests", ()):
        request = work.governance.request(closed["id"])
        about = (request[0].version_id, request[0].target) if request else None
        if about == (version.id, production) and closed["status"] in _AGAINST:
            found["last"] = Approval.REJECTED
    for stay in leaf["post"].get("stages", ()):
        if stay["version"] == version.number:
            found["stage"] = stay["stage"]
            if stay["stage"] == production:
                found["last"] = Approval.APPROVED
            elif leaf["why"].get("rolled_back") == version.number:
                found["last"] = Approval.REJECTED
    paper = _paper(leaf)
    if paper and _is_of(leaf, version):
        found |= _said_on(work, version, paper)
    return found


def _said_on(work: Work, version: Version, paper: Mapping[str, Any]) -> dict[str, Any]:
    """What a revision of one of SageMaker's documents says."""
    kept = work.papers.get(version.id, paper["name"], paper["revision"])
    if kept is None:
        return {}
    if paper["name"] == MEMBERS:
        members = msgspec.json.decode(kept.body)
        return {"members": {name: members[name] for name in members if name != FROZEN}}
    verdict = verdict_of(kept.body)
    given = {"last": verdict.approval} if verdict.approval else {}
    return {"comment": verdict.comment, **given}


def _paper(leaf: Leaf) -> Mapping[str, Any] | None:
    """The document of an entry that attaches what SageMaker's clients said."""
    document = leaf["post"].get("document")
    return document if document and document.get("name") in (MEMBERS, VERDICTS) else None


def _is_of(leaf: Leaf, version: Version) -> bool:
    return leaf["obj"].get("version") == version.number
