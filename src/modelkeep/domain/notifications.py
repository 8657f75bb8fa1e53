"""SNS's messages: the envelope that subscribers get, and its headers.

A message keeps its id and its envelope for good, whoever gets it and however often. It is not
signed: what verifies a signature fetches AWS's certificate, which nobody else can have.
Source: SNS's developer guide, "Parsing Amazon SNS message formats".
"""

import hashlib
import json
import uuid
from urllib.parse import urlencode

from modelkeep.domain.events import instant

MESSAGE_LIMIT_BYTES = 262_144
SUBJECT_LIMIT = 100  # characters
CONFIRM_MS = 3 * 24 * 3_600_000  # how long a token confirms
CONFIRM_PATH = "/sns/confirm"


def notification(topic: str, message_id: str, message: str, subject: str | None, at_ms: int) -> str:
    """What the confirmed subscribers of a topic (by its ARN) get."""
    told = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic}
    if subject is not None:
        told["Subject"] = subject
    return json.dumps({**told, "Message": message, "Timestamp": instant(at_ms)})


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


def headers(body: str, subscription: str) -> dict[str, str]:
    """Of an envelope on its way to a subscription (by its ARN)."""
    told = json.loads(body)
    return {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": told["Type"],
        "x-amz-sns-message-id": told["MessageId"],
        "x-amz-sns-topic-arn": told["TopicArn"],
        "x-amz-sns-subscription-arn": subscription,
    }


def message_id(event_id: str, rule: int, place: int) -> str:
    """Of the message that a rule's target makes of an event: always the same."""
    return str(uuid.uuid5(uuid.UUID(event_id), f"{rule}.{place}"))


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
