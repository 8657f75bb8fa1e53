"""Rules: which events go to which targets, and topics: what many receivers subscribe to.

A rule belongs to the region and account that its ARN says, and so do the events that it sees: the
journal knows neither. Targets are topics and webhooks of ours.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from modelkeep.domain.errors import InvalidInput

RULES_LIMIT = 300  # of one project: each costs a look at every event
TARGETS_LIMIT = 5  # of one rule
TOPICS_LIMIT = 500  # of one project

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
    """`signature_version`: 1 or 2, how its messages are signed."""

    arn: str
    created_ms: int
    signature_version: int = 1


def check_topic_name(name: str) -> None:
    """Raises InvalidInput."""
    if not _TOPIC_NAME.fullmatch(name):
        raise InvalidInput("Invalid parameter: Topic Name")
