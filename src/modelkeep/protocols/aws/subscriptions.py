"""SNS's subscriptions: who hears of a topic, by HTTP or by e-mail, and what of it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.mail import PROTOCOLS as MAIL
from modelkeep.domain.mail import check_address
from modelkeep.domain.webhooks import Status, Webhook
from modelkeep.protocols.aws.calls import Call, Handle
from modelkeep.protocols.aws.paging import page_of
from modelkeep.services import courier, stamping, subscriptions
from modelkeep.services.app import App

PENDING = "PendingConfirmation"  # in the place of the ARN of what was not confirmed
_TERMS = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
_NO_MAIL = (
    "Invalid parameter: Protocol: this server sends no e-mail until its settings mail and "
    "mail_from (--mail, --mail-from) name a mail server and a sender."
)


async def _subscribe(app: App, call: Call) -> Mapping[str, Any]:
    wanted = call.params.get("Attributes") or {}
    if unknown := [name for name in wanted if name not in _TERMS]:
        raise InvalidInput(f"Invalid parameter: Attributes Reason: Unknown attribute {unknown[0]}")
    url = await _vetted(app, call.params["Protocol"], call.params.get("Endpoint", ""))
    if call.base is None:
        raise InvalidInput("A receiver could not reach this server to confirm: set --public-url.")
    await stamping.prepare(app, call.caller)
    arn = call.params["TopicArn"]
    made = await app.write(subscriptions.subscribe, call.caller, arn, url, call.base, wanted)
    told = made.status is Status.ACTIVE or call.params.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": made.subscription if told else "pending confirmation"}


async def _vetted(app: App, protocol: str, endpoint: str) -> str:
    """Where messages go, as `subscriptions.subscribe` takes it. Raises InvalidInput."""
    if protocol in MAIL:
        if app.mailer is None:
            raise InvalidInput(_NO_MAIL)
        check_address(endpoint, "Invalid parameter: Email address")
        return f"{protocol}:{endpoint}"
    if protocol not in ("http", "https"):
        raise InvalidInput(
            "Invalid parameter: Protocol: http, https, email and email-json are spoken here."
        )
    if urlsplit(endpoint).scheme.lower() != protocol:
        raise InvalidInput("Invalid parameter: Endpoint: must match the specified protocol")
    return (await courier.vetted(app, endpoint)).url


async def _confirm(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    if params.get("AuthenticateOnUnsubscribe", "false").lower() != "false":
        raise InvalidInput(
            "Invalid parameter: AuthenticateOnUnsubscribe: each message has an address that "
            "unsubscribes by itself"
        )
    made = await app.write(subscriptions.confirm, call.caller, params["TopicArn"], params["Token"])
    return {"SubscriptionArn": made.subscription}


async def _unsubscribe(app: App, call: Call) -> Mapping[str, Any]:
    await app.write(subscriptions.unsubscribe, call.caller, call.params["SubscriptionArn"])
    return {}


async def _attributes(app: App, call: Call) -> Mapping[str, Any]:
    one = await app.read(subscriptions.get, call.params["SubscriptionArn"])
    told = {
        **_shown(one),
        "SubscriptionArn": one.subscription,
        "PendingConfirmation": str(one.status is Status.PENDING).lower(),
        "RawMessageDelivery": str(one.terms.is_raw).lower(),
    }
    if one.terms.policy:
        told |= {"FilterPolicy": one.terms.policy, "FilterPolicyScope": one.terms.scope.value}
    return {"Attributes": told}


async def _set_attribute(app: App, call: Call) -> Mapping[str, Any]:
    name, arn = call.params["AttributeName"], call.params["SubscriptionArn"]
    if name not in _TERMS:
        raise InvalidInput("Invalid parameter: AttributeName")
    wanted = {name: call.params.get("AttributeValue", "")}
    await app.write(subscriptions.amend, call.caller, arn, wanted)
    return {}


async def _list_all(app: App, call: Call) -> Mapping[str, Any]:
    prefix = call.arn("", "sns")
    all_of_them = await app.read(subscriptions.listing)
    found = [one for one in all_of_them if one.sns_topic.startswith(prefix)]
    return _listed(call, found, prefix)


async def _list_by_topic(app: App, call: Call) -> Mapping[str, Any]:
    topic, found = await app.read(subscriptions.of_topic, call.params["TopicArn"])
    return _listed(call, found, topic.arn)


def _listed(call: Call, found: Sequence[Webhook], search: str) -> Mapping[str, Any]:
    page, token = page_of(call, found, search)
    return {"Subscriptions": [_shown(one) for one in page], "NextToken": token}


def _shown(one: Webhook) -> dict[str, Any]:
    return {
        "SubscriptionArn": PENDING if one.status is Status.PENDING else one.subscription,
        "Owner": one.sns_topic.split(":")[4],
        "Protocol": one.protocol,
        "Endpoint": one.url.partition(":")[2] if one.protocol in MAIL else one.url,
        "TopicArn": one.sns_topic,
    }


HANDLERS: Mapping[str, Handle] = {
    "Subscribe": _subscribe,
    "Unsubscribe": _unsubscribe,
    "GetSubscriptionAttributes": _attributes,
    "SetSubscriptionAttributes": _set_attribute,
    "ListSubscriptions": _list_all,
    "ListSubscriptionsByTopic": _list_by_topic,
}
BEARERS: Mapping[str, Handle] = {"ConfirmSubscription": _confirm}
