"""Rules: which events go to which targets, and topics: what many receivers subscribe to.

A rule belongs to the region and account that its ARN says, and so do the events that it sees: the
journal knows neither. Targets are topics and webhooks of ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from modelkeep.domain.errors import InvalidInput

RULES_LIMIT = 300  # of one project: each costs a look at every event
TARGETS_LIMIT = 5  # of one rule
TOPICS_LIMIT = 500  # of one project

DISPLAY_LIMIT = 100  # characters

_ATTRIBUTES = {
    "SignatureVersion": "SignatureVersion: must be 1 or 2",
    "DisplayName": f"DisplayName: at most {DISPLAY_LIMIT} characters, one line",
}
_TOPIC_NAME = re.compile("[A-Za-z0-9_-]{1,256}")
_WEBHOOK = re.compile("arn:aws:modelkeep:[a-z0-9-]*:[0-9]{12}:webhook/(?P<id>[0-9a-f-]{36})")


class State(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class Target:
    """Where matching events go. `place` is the target's own within its rule, for as long as it is
    there; `input` is what is sent in the event's stead."""

    place: int
    id: str
    arn: str
    input: str | None = None

    @property
    def webhook_id(self) -> str | None:
        """Of one that is a webhook."""
        found = _WEBHOOK.fullmatch(self.arn)
        return found["id"] if found else None


@dataclass(frozen=True, slots=True)
class Rule:
    """`since` is the index of the first entry of the journal that it sees."""

    id: int
    arn: str
    pattern: str
    state: State
    description: str
    targets: tuple[Target, ...]
    since: int

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True, slots=True)
class Topic:
    """`signature_version`: 1 or 2, how its messages are signed; `display_name` is whom its letters
    say that they are from, or empty."""

    arn: str
    created_ms: int
    signature_version: int = 1
    display_name: str = ""


def described(topic: Topic, wanted: Mapping[str, str]) -> Topic:
    """A topic with some of its attributes changed, by SNS's names for them. Raises InvalidInput for
    others, and for values that cannot be."""
    for name, value in wanted.items():
        if name == "SignatureVersion" and value in ("1", "2"):
            topic = replace(topic, signature_version=int(value))
        elif name == "DisplayName" and len(value) <= DISPLAY_LIMIT and value.isprintable():
            topic = replace(topic, display_name=value)
        else:
            raise InvalidInput(f"Invalid parameter: {_ATTRIBUTES.get(name, 'AttributeName')}")
    return topic


def check_topic_name(name: str) -> None:
    """Raises InvalidInput."""
    if not _TOPIC_NAME.fullmatch(name):
        raise InvalidInput("Invalid parameter: Topic Name")
