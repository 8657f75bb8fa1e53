"""EventBridge, as far as the registry's own events go: rules on the default bus, and targets."""

from collections.abc import Mapping
from typing import Any

import msgspec

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import Conflict, InvalidInput, InvalidPattern, LimitExceeded, NotFound
from modelkeep.domain.rules import Rule, State, Target
from modelkeep.protocols.aws.calls import Call, Handle, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.paging import page_of
from modelkeep.protocols.aws.parsing import check_count
from modelkeep.services import permits, rules
from modelkeep.services.app import App
from modelkeep.services.permits import Need

BUS = "default"
EVENT_LIMIT = 256 * 1024  # characters of one that is tested, as long as any may be
EVENT_VALUES_LIMIT = 2000  # each of which every part of a pattern may be held against
_TARGET_MEMBERS = {"Id", "Arn", "Input"}


async def _put_rule(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    if "EventPattern" not in params or "ScheduleExpression" in params:
        raise Coded(
            "ValidationException",
            "A rule needs an EventPattern; modelkeep has no rules with a ScheduleExpression.",
        )
    state = _state(params.get("State", State.ENABLED.value))
    arn, description = _arn(call, params["Name"]), params.get("Description", "")
    await app.write(rules.put, call.caller, arn, params["EventPattern"], state, description)
    return {"RuleArn": arn}


def _state(word: str) -> State:
    """The third state of AWS's adds events of CloudTrail, of which there are none."""
    return State.DISABLED if word == State.DISABLED.value else State.ENABLED


async def _describe_rule(app: App, call: Call) -> Mapping[str, Any]:
    rule = await app.read(rules.get, _arn(call, call.params["Name"]), point=True)
    return {**_shown(rule), "CreatedBy": rule.account}


async def _list_rules(app: App, call: Call) -> Mapping[str, Any]:
    prefix = _arn(call, call.params.get("NamePrefix", ""))
    found = [rule for rule in await app.read(rules.listing) if rule.arn.startswith(prefix)]
    page, token = page_of(call, found, prefix)
    return {"Rules": [_shown(rule) for rule in page], "NextToken": token}


async def _delete_rule(app: App, call: Call) -> Mapping[str, Any]:
    await app.write(rules.delete, call.caller, _arn(call, call.params["Name"]))
    return {}


def _switching(state: State) -> Handle:
    async def switch(app: App, call: Call) -> Mapping[str, Any]:
        await app.write(rules.switch, call.caller, _arn(call, call.params["Name"]), state)
        return {}

    return switch


async def _put_targets(app: App, call: Call) -> Mapping[str, Any]:
    targets = [_target(given) for given in call.params["Targets"]]
    arn = _arn(call, call.params["Rule"])
    refused = await app.write(rules.aim, call.caller, arn, targets)
    failed = [
        {"TargetId": id, "ErrorCode": "ValidationException", "ErrorMessage": reason}
        for id, reason in refused
    ]
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}


def _target(given: Mapping[str, Any]) -> Target:
    unknown = sorted(given.keys() - _TARGET_MEMBERS - {"RoleArn"})
    if unknown:
        raise Coded(
            "ValidationException", f"modelkeep has no targets with {', '.join(unknown)}: leave out."
        )
    text = given.get("Input")
    if text is not None:
        _json(text, "Input")
    return Target(0, given["Id"], given["Arn"], text)


async def _remove_targets(app: App, call: Call) -> Mapping[str, Any]:
    arn = _arn(call, call.params["Rule"])
    missing = await app.write(rules.miss, call.caller, arn, call.params["Ids"])
    failed = [
        {
            "TargetId": id,
            "ErrorCode": "ResourceNotFoundException",
            "ErrorMessage": f"Rule {call.params['Rule']} has no target {id}.",
        }
        for id in missing
    ]
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}


async def _list_targets(app: App, call: Call) -> Mapping[str, Any]:
    rule = await app.read(rules.get, _arn(call, call.params["Rule"]), point=True)
    page, token = page_of(call, rule.targets, rule.arn)
    return {
        "Targets": [{"Id": t.id, "Arn": t.arn, "Input": t.input} for t in page],
        "NextToken": token,
    }


async def _list_names(app: App, call: Call) -> Mapping[str, Any]:
    ours, target = _arn(call, ""), call.params["TargetArn"]
    found = [
        rule.name
        for rule in await app.read(rules.listing)
        if rule.arn.startswith(ours) and any(one.arn == target for one in rule.targets)
    ]
    page, token = page_of(call, found, target)
    return {"RuleNames": page, "NextToken": token}


async def _test_pattern(_app: App, call: Call) -> Mapping[str, Any]:
    text: str = call.params["Event"]
    if len(text) > EVENT_LIMIT:
        raise InvalidInput(f"Parameter Event is longer than {EVENT_LIMIT} characters.")
    event = _json(text, "Event")
    check_count(event, EVENT_VALUES_LIMIT, "Parameter Event")
    return {"Result": rules.test(call.params["EventPattern"], event)}


# -- words ---------------------------------------------------------------------------------------


def _arn(call: Call, name: str) -> str:
    """A rule's ARN. Raises Coded for a bus that is not there."""
    bus = call.params.get("EventBusName", BUS)
    if bus not in (BUS, call.arn(f"event-bus/{BUS}", "events")):
        raise Coded("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    return call.arn(f"rule/{name}", "events")


def _shown(rule: Rule) -> dict[str, Any]:
    return {
        "Name": rule.name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern,
        "State": rule.state.value,
        "Description": rule.description or None,
        "EventBusName": BUS,
    }


def _json(text: str, name: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise Coded("ValidationException", f"Parameter {name} is not valid JSON.") from None


# -- who may, and what is refused ----------------------------------------------------------------


def _admins(_call: Call) -> None:
    """As for webhooks: whoever says where events go sees them all."""
    permits.admit(Need(Verb.ADMIN))


_CODES: Mapping[type[Exception], str] = {
    InvalidPattern: "InvalidEventPatternException",
    NotFound: "ResourceNotFoundException",
    LimitExceeded: "LimitExceededException",
    Conflict: "ValidationException",
    InvalidInput: "ValidationException",
}


def _coded(handle: Handle) -> Handle:
    """The handler, with its refusals under this service's codes."""

    async def answer(app: App, call: Call) -> Mapping[str, Any]:
        try:
            return await handle(app, call)
        except tuple(_CODES) as error:
            code = next(_CODES[base] for base in type(error).__mro__ if base in _CODES)
            raise Coded(code, str(error)) from None

    return answer


_HANDLERS: Mapping[str, Handle] = {
    "PutRule": _put_rule,
    "DescribeRule": _describe_rule,
    "ListRules": _list_rules,
    "DeleteRule": _delete_rule,
    "EnableRule": _switching(State.ENABLED),
    "DisableRule": _switching(State.DISABLED),
    "PutTargets": _put_targets,
    "RemoveTargets": _remove_targets,
    "ListTargetsByRule": _list_targets,
    "ListRuleNamesByTarget": _list_names,
    "TestEventPattern": _test_pattern,
}
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("events", name): Operation(_coded(handle), _admins) for name, handle in _HANDLERS.items()
}
# What is not here, and what there is instead.
ABSENT: Mapping[tuple[str, str], str] = {
    ("events", "PutEvents"): "Its bus carries what happens to packages and nothing of anybody "
    "else's: publish messages of your own to a topic of SNS."
}
