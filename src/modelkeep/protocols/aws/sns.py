"""SNS: topics, and what is said to whoever subscribes to them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.notifications import MESSAGE_LIMIT_BYTES
from modelkeep.domain.webhooks import Status
from modelkeep.protocols.aws import subscriptions as calls
from modelkeep.protocols.aws.calls import Call, Handle, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.message_attributes import attributes_of
from modelkeep.protocols.aws.paging import page_of
from modelkeep.services import permits, subscriptions, topics
from modelkeep.services.app import App
from modelkeep.services.permits import Need

ARN_PARTS = 6  # at least
BATCH_LIMIT = 10  # messages
_ARNS = ("TopicArn", "TargetArn", "SubscriptionArn")
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


async def _create_topic(app: App, call: Call) -> Mapping[str, Any]:
    _none_of(call.params, "Tags", "DataProtectionPolicy")
    arn = call.arn(call.params["Name"], "sns")
    await app.write(topics.create, call.caller, arn, call.params.get("Attributes"))
    return {"TopicArn": arn}


async def _delete_topic(app: App, call: Call) -> Mapping[str, Any]:
    await app.write(topics.delete, call.caller, call.params["TopicArn"])
    return {}


async def _list_topics(app: App, call: Call) -> Mapping[str, Any]:
    prefix = call.arn("", "sns")
    found = [topic for topic in await app.read(topics.listing) if topic.arn.startswith(prefix)]
    page, token = page_of(call, found, prefix)
    return {"Topics": [{"TopicArn": topic.arn} for topic in page], "NextToken": token}


async def _topic_attributes(app: App, call: Call) -> Mapping[str, Any]:
    topic, subscribers = await app.read(subscriptions.of_topic, call.params["TopicArn"])
    counts = {status: sum(s.status is status for s in subscribers) for status in Status}
    attributes = {
        "TopicArn": topic.arn,
        "Owner": topic.arn.split(":")[4],
        "DisplayName": topic.display_name,
        "SignatureVersion": str(topic.signature_version),
        "SubscriptionsConfirmed": str(counts[Status.ACTIVE]),
        "SubscriptionsPending": str(counts[Status.PENDING]),
        "SubscriptionsDeleted": str(counts[Status.DISABLED]),
    }
    return {"Attributes": attributes}


async def _set_topic_attribute(app: App, call: Call) -> Mapping[str, Any]:
    wanted = {call.params["AttributeName"]: call.params.get("AttributeValue", "")}
    await app.write(topics.change, call.caller, call.params["TopicArn"], wanted)
    return {}


async def _publish(app: App, call: Call) -> Mapping[str, Any]:
    _none_of(call.params, "PhoneNumber")
    arn = call.params.get("TopicArn") or call.params.get("TargetArn")
    if arn is None:
        raise InvalidInput(
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
        )
    return {"MessageId": await _said(app, arn, call.params)}


async def _publish_batch(app: App, call: Call) -> Mapping[str, Any]:
    """What of it cannot be said does not keep the rest from being said."""
    arn, entries = call.params["TopicArn"], call.params["PublishBatchRequestEntries"]
    _check_batch(entries)
    await app.read(subscriptions.of_topic, arn)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        id = entry["Id"]
        try:
            done.append({"Id": id, "MessageId": await _said(app, arn, entry)})
        except (InvalidInput, Coded) as error:
            code = error.code if isinstance(error, Coded) else "InvalidParameter"
            told = {"Id": id, "Code": code, "Message": error.message, "SenderFault": True}
            failed.append(told)
    return {"Successful": done, "Failed": failed}


def _check_batch(entries: Sequence[Mapping[str, Any]]) -> None:
    """Raises Coded for one that is refused as a whole."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise Coded("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(ids) > BATCH_LIMIT:
        raise Coded("TooManyEntriesInBatchRequest", f"A batch has at most {BATCH_LIMIT} entries.")
    if len(set(ids)) < len(ids):
        raise Coded("BatchEntryIdsNotDistinct", "Two entries of the batch have the same Id.")
    if not all(_BATCH_ID.fullmatch(id) for id in ids):
        raise Coded(
            "InvalidBatchEntryId", "An Id is 1 to 80 letters, digits, hyphens and underscores."
        )
    if sum(len(entry["Message"].encode()) for entry in entries) > MESSAGE_LIMIT_BYTES:
        raise Coded("BatchRequestTooLong", f"The batch is longer than {MESSAGE_LIMIT_BYTES} bytes.")


async def _said(app: App, arn: str, params: Mapping[str, Any]) -> str:
    """Publishes one message; its id."""
    _none_of(params, "MessageDeduplicationId", "MessageGroupId")
    structure = params.get("MessageStructure")
    if structure not in (None, "json"):
        raise InvalidInput("Invalid parameter: MessageStructure: must be json, where it is given")
    return await app.write(
        topics.publish,
        arn,
        params["Message"],
        params.get("Subject"),
        attributes_of(params.get("MessageAttributes") or {}),
        is_structured=structure is not None,
    )


# -- words ---------------------------------------------------------------------------------------


def _none_of(params: Mapping[str, Any], *names: str) -> None:
    """Refuses what would be passed over otherwise. Raises InvalidInput."""
    given = [name for name in names if params.get(name)]
    if given:
        raise InvalidInput(f"Invalid parameter: {', '.join(given)}: modelkeep has no such thing")


def _check_arns(params: Mapping[str, Any]) -> None:
    """Raises InvalidInput for the words that stand in the place of an ARN ("pending confirmation"):
    whoever unsubscribes by them would think it done."""
    for name in _ARNS:
        parts = params[name].count(":") + 1 if name in params else ARN_PARTS
        if parts < ARN_PARTS:
            raise InvalidInput(
                f"Invalid parameter: {name} Reason: An ARN must have at least {ARN_PARTS} "
                f"elements, not {parts}"
            )


# -- who may, and what is refused ----------------------------------------------------------------


def _admins(_call: Call) -> None:
    """As for webhooks: whoever says where events go sees them all."""
    permits.admit(Need(Verb.ADMIN))


def _bearers(_call: Call) -> None:
    """The token is the permission."""
    permits.admit_bearer()


def _coded(handle: Handle) -> Handle:
    """The handler, with its refusals under this service's codes."""

    async def answer(app: App, call: Call) -> Mapping[str, Any]:
        try:
            _check_arns(call.params)
            return await handle(app, call)
        except NotFound as error:
            raise Coded("NotFound", error.message, 404) from None
        except LimitExceeded as error:
            raise Coded("LimitExceeded", error.message, 403) from None
        except InvalidInput as error:
            raise Coded("InvalidParameter", error.message) from None

    return answer


_HANDLERS: Mapping[str, Handle] = {
    "CreateTopic": _create_topic,
    "DeleteTopic": _delete_topic,
    "ListTopics": _list_topics,
    "GetTopicAttributes": _topic_attributes,
    "SetTopicAttributes": _set_topic_attribute,
    "Publish": _publish,
    "PublishBatch": _publish_batch,
    **calls.HANDLERS,
}
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **{("sns", name): Operation(_coded(handle), _admins) for name, handle in _HANDLERS.items()},
    **{
        ("sns", name): Operation(_coded(handle), _bearers) for name, handle in calls.BEARERS.items()
    },
}
