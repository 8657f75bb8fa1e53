"""SNS: topics, and receivers that subscribe to them over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.webhooks import Status, Webhook
from modelkeep.protocols.aws.calls import Call, Handle, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.paging import page_of
from modelkeep.services import courier, permits, topics
from modelkeep.services.app import App
from modelkeep.services.permits import Need

PENDING = "PendingConfirmation"  # in the place of the ARN of what was not confirmed
_NO_MAIL = "modelkeep sends no e-mail: subscribe an http or https endpoint."


async def _create_topic(app: App, call: Call) -> Mapping[str, Any]:
    _none_of(call, "Attributes", "Tags", "DataProtectionPolicy")
    arn = call.arn(call.params["Name"], "sns")
    await app.write(topics.create, call.caller, arn)
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
    topic, subscribers = await app.read(topics.get, call.params["TopicArn"])
    counts = {status: sum(s.status is status for s in subscribers) for status in Status}
    attributes = {
        "TopicArn": topic.arn,
        "Owner": topic.arn.split(":")[4],
        "DisplayName": "",
        "SubscriptionsConfirmed": str(counts[Status.ACTIVE]),
        "SubscriptionsPending": str(counts[Status.PENDING]),
        "SubscriptionsDeleted": str(counts[Status.DISABLED]),
    }
    return {"Attributes": attributes}


async def _subscribe(app: App, call: Call) -> Mapping[str, Any]:
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    _none_of(call, "Attributes")
    if protocol not in ("http", "https"):
        said = _NO_MAIL if protocol.startswith("email") else "http and https are spoken here."
        raise InvalidInput(f"Invalid parameter: Protocol: {said}")
    if urlsplit(endpoint).scheme.lower() != protocol:
        raise InvalidInput("Invalid parameter: Endpoint: must match the specified protocol")
    if call.base is None:
        raise InvalidInput("A receiver could not reach this server to confirm: set --public-url.")
    target = await courier.vetted(app, endpoint)
    arn = call.params["TopicArn"]
    made = await app.write(topics.subscribe, call.caller, arn, target, call.base)
    told = made.status is Status.ACTIVE or call.params.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": made.subscription if told else "pending confirmation"}


async def _confirm(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    made = await app.write(topics.confirm, call.caller, params["TopicArn"], params["Token"])
    return {"SubscriptionArn": made.subscription}


async def _unsubscribe(app: App, call: Call) -> Mapping[str, Any]:
    await app.write(topics.unsubscribe, call.caller, call.params["SubscriptionArn"])
    return {}


async def _list_subscriptions(app: App, call: Call) -> Mapping[str, Any]:
    prefix = call.arn("", "sns")
    all_of_them = await app.read(topics.subscriptions)
    found = [one for one in all_of_them if one.sns_topic.startswith(prefix)]
    return _subscriptions(call, found, prefix)


async def _list_by_topic(app: App, call: Call) -> Mapping[str, Any]:
    topic, found = await app.read(topics.get, call.params["TopicArn"])
    return _subscriptions(call, found, topic.arn)


def _subscriptions(call: Call, found: Sequence[Webhook], search: str) -> Mapping[str, Any]:
    page, token = page_of(call, found, search)
    return {"Subscriptions": [_shown(one) for one in page], "NextToken": token}


def _shown(one: Webhook) -> dict[str, Any]:
    return {
        "SubscriptionArn": PENDING if one.status is Status.PENDING else one.subscription,
        "Owner": one.sns_topic.split(":")[4],
        "Protocol": urlsplit(one.url).scheme,
        "Endpoint": one.url,
        "TopicArn": one.sns_topic,
    }


async def _publish(app: App, call: Call) -> Mapping[str, Any]:
    _none_of(call, "PhoneNumber", "MessageStructure", "MessageAttributes")
    arn = call.params.get("TopicArn") or call.params.get("TargetArn", "")
    subject = call.params.get("Subject")
    told = await app.write(topics.publish, arn, call.params["Message"], subject)
    return {"MessageId": told}


# -- words ---------------------------------------------------------------------------------------


def _none_of(call: Call, *names: str) -> None:
    """Refuses what would be passed over otherwise. Raises InvalidInput."""
    given = [name for name in names if call.params.get(name)]
    if given:
        raise InvalidInput(f"Invalid parameter: {', '.join(given)}: modelkeep has no such thing")


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
    "Subscribe": _subscribe,
    "Unsubscribe": _unsubscribe,
    "ListSubscriptions": _list_subscriptions,
    "ListSubscriptionsByTopic": _list_by_topic,
    "Publish": _publish,
}
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **{("sns", name): Operation(_coded(handle), _admins) for name, handle in _HANDLERS.items()},
    ("sns", "ConfirmSubscription"): Operation(_coded(_confirm), _bearers),
}
