"""SNS's messages: the envelope that subscribers get, and its headers.

A message keeps its id and its envelope for good, whoever gets it and however often.
Sources: SNS's developer guide, "Parsing Amazon SNS message formats" and "Verifying the signatures
of Amazon SNS messages".
"""

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import urlencode

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.domain.subscriptions import Attributes

MESSAGE_LIMIT_BYTES = 262_144
SUBJECT_LIMIT = 100  # characters
CONFIRM_MS = 3 * 24 * 3_600_000  # how long a token confirms
CONFIRM_PATH, LEAVE_PATH = "/sns/confirm", "/sns/unsubscribe"
CERTIFICATES_PATH = "/sns/certificates/"  # under it a stamp's id, and `.pem`

DEFAULT = "default"  # of texts by protocol

# What a signature is of, in this order.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip


def is_link(path: str) -> bool:
    """Whether a path is of an address that messages have."""
    return path in (CONFIRM_PATH, LEAVE_PATH) or path.startswith(CERTIFICATES_PATH)


def by_protocol(message: str) -> dict[str, str]:
    """The texts in a message of the structure `json`, by the protocol that each is for; whoever has
    none gets that of `default`. Raises InvalidInput in SNS's words."""
    try:
        told = json.loads(message)
        json.dumps(told, ensure_ascii=False).encode()  # half a surrogate is no text to send
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InvalidInput(
            "Invalid parameter: Message Structure - JSON message body failed to parse"
        )
    texts = {name: text for name, text in told.items() if isinstance(text, str) and text}
    if DEFAULT not in texts:
        raise InvalidInput(
            "Invalid parameter: Message Structure - No default entry in JSON message body"
        )
    return texts


def notification(
    topic: str,
    message_id: str,
    message: str,
    subject: str | None,
    at_ms: int,
    attributes: Attributes | None = None,
) -> str:
    """What the confirmed subscribers of a topic (by its ARN) get."""
    told: dict[str, Any] = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic}
    if subject is not None:
        told["Subject"] = subject
    told |= {"Message": message, "Timestamp": instant(at_ms)}
    return json.dumps({**told, "MessageAttributes": attributes} if attributes else told)


def confirmation(topic: str, message_id: str, token: str, base: str, at_ms: int) -> str:
    """What a new subscriber gets; `base` is the address of this server."""
    query = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token}
    url = f"{base}{CONFIRM_PATH}?{urlencode(query)}"
    return json.dumps(
        {
            "Type": "SubscriptionConfirmation",
            "MessageId": message_id,
            "Token": token,
            "TopicArn": topic,
            "Message": f"You have chosen to subscribe to the topic {topic}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message.",
            "SubscribeURL": url,
            "Timestamp": instant(at_ms),
        }
    )


def addressed(envelope: str, base: str, subscription: str, token: str) -> str:
    """A message with the address at which its receiver says that it wants no more. `token` shows
    that it was sent one; without a `base`, that of this server, there is no address."""
    told = json.loads(envelope)
    if not base or told["Type"] != "Notification":
        return envelope
    query = {"Action": "Unsubscribe", "SubscriptionArn": subscription, "Token": token}
    return json.dumps({**told, "UnsubscribeURL": f"{base}{LEAVE_PATH}?{urlencode(query)}"})


def to_sign(envelope: str) -> str:
    """What of an envelope its signature is of."""
    told = json.loads(envelope)
    return "".join(f"{name}\n{told[name]}\n" for name in _SIGNED[told["Type"]] if name in told)


def signed(envelope: str, version: int, signature: str, base: str, stamp_id: str) -> str:
    """An envelope with a signature of it; `base` is the address of this server."""
    return json.dumps(
        {
            **json.loads(envelope),
            "SignatureVersion": str(version),
            "Signature": signature,
            "SigningCertURL": f"{base}{CERTIFICATES_PATH}{stamp_id}.pem",
        }
    )


def posted(envelope: str, subscription: str, *, is_raw: bool) -> tuple[dict[str, str], str]:
    """The headers and the body by which a subscription (by its ARN) gets an envelope over HTTP;
    `is_raw`: of a message the text alone."""
    told = json.loads(envelope)
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": told["Type"],
        "x-amz-sns-message-id": told["MessageId"],
        "x-amz-sns-topic-arn": told["TopicArn"],
        "x-amz-sns-subscription-arn": subscription,
    }
    if is_raw and told["Type"] == "Notification":
        return {**headers, "x-amz-sns-rawdelivery": "true"}, told["Message"]
    return headers, envelope


def message_id(event_id: str, rule: int, place: int) -> str:
    """Of the message that a rule's target makes of an event: always the same."""
    return str(uuid.uuid5(uuid.UUID(event_id), f"{rule}.{place}"))


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
