"""Rows of rules, topics, and what these sign with."""

import json
from dataclasses import asdict

from modelkeep.domain.rules import Rule, State, Target, Topic
from modelkeep.domain.stamps import Stamp
from modelkeep.storage.sql.connection import Db, Row

_RULE = (
    "SELECT id, arn, pattern, state, description, targets, since FROM event_rules"
    " WHERE project_id = ?"
)
_TOPIC = (
    "SELECT arn, created_ms, signature_version, display_name FROM sns_topics WHERE project_id = ?"
)
_STAMP = "SELECT stamp_id, sealed, certificate, created_ms FROM sns_stamps WHERE project_id = ?"


class SqlRules:
    """See `ports.rules.Rules`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def all(self) -> list[Rule]:
        return [_rule(row) for row in self._db.all(f"{_RULE} ORDER BY arn", self._project_id)]

    def get(self, arn: str) -> Rule | None:
        row = self._db.one(f"{_RULE} AND arn = ?", self._project_id, arn)
        return _rule(row) if row else None

    def put(self, rule: Rule) -> None:
        self._db.later(
            "INSERT INTO event_rules (project_id, arn, pattern, state, description, targets, since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, arn) DO UPDATE SET"
            " pattern = excluded.pattern, state = excluded.state,"
            " description = excluded.description, targets = excluded.targets,"
            " since = excluded.since",
            self._project_id,
            rule.arn,
            rule.pattern,
            rule.state.value,
            rule.description,
            json.dumps([asdict(target) for target in rule.targets]),
            rule.since,
        )

    def delete(self, arn: str) -> None:
        self._db.later(
            "DELETE FROM event_rules WHERE project_id = ? AND arn = ?", self._project_id, arn
        )


class SqlTopics:
    """See `ports.rules.Topics`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def all(self) -> list[Topic]:
        rows = self._db.all(f"{_TOPIC} ORDER BY arn", self._project_id)
        return [Topic(*row) for row in rows]

    def get(self, arn: str) -> Topic | None:
        row = self._db.one(f"{_TOPIC} AND arn = ?", self._project_id, arn)
        return Topic(*row) if row else None

    def add(self, topic: Topic) -> None:
        self._db.later(
            "INSERT INTO sns_topics (project_id, arn, created_ms, signature_version,"
            " display_name) VALUES (?, ?, ?, ?, ?)",
            self._project_id,
            topic.arn,
            topic.created_ms,
            topic.signature_version,
            topic.display_name,
        )

    def put(self, topic: Topic) -> None:
        self._db.later(
            "UPDATE sns_topics SET signature_version = ?, display_name = ?"
            " WHERE project_id = ? AND arn = ?",
            topic.signature_version,
            topic.display_name,
            self._project_id,
            topic.arn,
        )

    def delete(self, arn: str) -> None:
        self._db.later(
            "DELETE FROM sns_topics WHERE project_id = ? AND arn = ?", self._project_id, arn
        )

    def stamps(self) -> list[Stamp]:
        rows = self._db.all(f"{_STAMP} ORDER BY id DESC", self._project_id)
        return [Stamp(*row) for row in rows]

    def add_stamp(self, stamp: Stamp) -> None:
        self._db.later(
            "INSERT INTO sns_stamps (project_id, stamp_id, sealed, certificate, created_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            self._project_id,
            stamp.id,
            stamp.sealed,
            stamp.certificate,
            stamp.created_ms,
        )


def _rule(row: Row) -> Rule:
    id, arn, pattern, state, description, targets, since = row
    found = tuple(Target(**target) for target in json.loads(targets))
    return Rule(id, arn, pattern, State(state), description, found, since)
