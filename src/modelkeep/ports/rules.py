"""Rows of rules, topics, and what these sign with."""

from typing import Protocol

from modelkeep.domain.rules import Rule, Topic
from modelkeep.domain.stamps import Stamp


class Rules(Protocol):
    def all(self) -> list[Rule]:
        """By ARN. There are at most `rules.RULES_LIMIT`."""
        ...

    def get(self, arn: str) -> Rule | None: ...
    def put(self, rule: Rule) -> None:
        """Makes the rule of this ARN so; the `id` of a new one is ignored."""
        ...

    def delete(self, arn: str) -> None: ...


class Topics(Protocol):
    def all(self) -> list[Topic]:
        """By ARN. There are at most `rules.TOPICS_LIMIT`."""
        ...

    def get(self, arn: str) -> Topic | None: ...
    def add(self, topic: Topic) -> None: ...
    def put(self, topic: Topic) -> None:
        """Stores the topic as it is now, by its ARN."""
        ...

    def delete(self, arn: str) -> None: ...
    def stamps(self) -> list[Stamp]:
        """Newest first; hardly more than one."""
        ...

    def add_stamp(self, stamp: Stamp) -> None: ...
