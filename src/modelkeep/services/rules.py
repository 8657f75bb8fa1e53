"""Rules and their targets: making, changing and ending them. What they send is `bus`'s affair."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from modelkeep.domain import patterns
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.rules import RULES_LIMIT, TARGETS_LIMIT, Rule, State, Target
from modelkeep.ports.work import Work


def get(work: Work, arn: str) -> Rule:
    """Raises NotFound."""
    rule = work.rules.get(arn)
    if rule is None:
        raise NotFound(f"Rule {arn.rpartition('/')[2]} does not exist on EventBus default.")
    return rule


def listing(work: Work) -> list[Rule]:
    """All of them, by ARN."""
    return work.rules.all()


def put(work: Work, caller: Caller, arn: str, pattern: str, state: State, description: str) -> Rule:
    """Makes a rule, or changes all of one but its targets. Raises InvalidInput, LimitExceeded."""
    patterns.parse(pattern)
    known = work.rules.get(arn)
    if known is None and len(work.rules.all()) >= RULES_LIMIT:
        raise LimitExceeded(f"There are {RULES_LIMIT} rules already, which is the limit.")
    new = Rule(0, arn, pattern, state, description, (), work.journal.next_index())
    if known is not None:
        since = known.since if known.state is State.ENABLED else new.since
        new = replace(new, targets=known.targets, since=since)
    return _put(work, caller, known, new)


def switch(work: Work, caller: Caller, arn: str, state: State) -> Rule:
    """Enables a rule, which sees what happens from now on, or disables it. Raises NotFound."""
    known = get(work, arn)
    since = known.since if known.state is state else work.journal.next_index()
    return _put(work, caller, known, replace(known, state=state, since=since))


def aim(work: Work, caller: Caller, arn: str, targets: Sequence[Target]) -> list[tuple[str, str]]:
    """Adds targets, or changes those of the same ids; the ids of those that cannot be, and why.

    Their `place` is ignored. Raises NotFound, LimitExceeded for more than 5.
    """
    known = get(work, arn)
    refused = [(t.id, reason) for t in targets if (reason := _objection(work, t))]
    there = {target.id: target for target in known.targets}
    for target in targets:
        if target.id in {id for id, _ in refused}:
            continue
        taken = {other.place for other in there.values()}
        free = next(place for place in range(len(taken) + 1) if place not in taken)
        place = there[target.id].place if target.id in there else free
        there[target.id] = replace(target, place=place)
    if len(there) > TARGETS_LIMIT:
        raise LimitExceeded(f"A rule has at most {TARGETS_LIMIT} targets.")
    _put(work, caller, known, replace(known, targets=tuple(there.values())))
    return refused


def _objection(work: Work, target: Target) -> str:
    """Why nothing can be sent there; an empty text where it can."""
    if target.webhook_id is not None:
        webhook = work.webhooks.get(target.webhook_id)
        is_there = webhook is not None and not webhook.sns_topic
        return "" if is_there else f"There is no webhook {target.webhook_id}."
    if work.topics.get(target.arn) is None:
        return f"{target.arn[:200]} is neither a topic nor a webhook of this server."
    return ""


def miss(work: Work, caller: Caller, arn: str, ids: Sequence[str]) -> list[str]:
    """Takes targets away; the ids of those that were not there. Raises NotFound."""
    known = get(work, arn)
    left = tuple(target for target in known.targets if target.id not in ids)
    _put(work, caller, known, replace(known, targets=left))
    there = {target.id for target in known.targets}
    return [id for id in ids if id not in there]


def delete(work: Work, caller: Caller, arn: str) -> None:
    """Harmless when there is no such rule. Raises Conflict for one that has targets."""
    known = work.rules.get(arn)
    if known is None:
        return
    if known.targets:
        raise Conflict("Rule can't be deleted since it has targets.")
    work.rules.delete(arn)
    _record(work, caller, "rule:deleted", known, {"deleted": True}, {})


def test(pattern: str, event: Any) -> bool:
    """Whether an event matches a pattern. Raises InvalidInput."""
    found = patterns.parse(pattern)
    if not isinstance(event, dict):
        raise InvalidInput("Parameter Event is not valid: it must be a JSON object.")
    return patterns.matches(found, event)


def _put(work: Work, caller: Caller, known: Rule | None, rule: Rule) -> Rule:
    """Nothing is recorded where nothing changes."""
    if rule == known:
        return rule
    work.rules.put(rule)
    after = {
        "pattern": rule.pattern,
        "state": rule.state.value,
        "targets": [asdict(target) for target in rule.targets],
    }
    texts = {"description": rule.description} if rule.description else {}
    _record(work, caller, "rule:set", rule, after, texts)
    return rule


def _record(
    work: Work,
    caller: Caller,
    action: str,
    rule: Rule,
    after: dict[str, Any],
    texts: dict[str, str],
) -> None:
    thing = {"rule": rule.arn, "name": rule.arn}
    work.record(caller, Event(action, object=thing, after=after, texts=texts))
