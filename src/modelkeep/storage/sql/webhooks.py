"""Webhooks, and how far into the journal the announcing has come."""

from typing import Any

from modelkeep.domain.subscriptions import Terms
from modelkeep.domain.webhooks import Status, Topic, Webhook
from modelkeep.storage.sql.connection import Db, Row

_WEBHOOK = (
    "SELECT id, webhook_id, name, url, topics, description, status, sealed, since,"
    " created_ms, updated_ms, failures, disabled_reason, sns_topic, confirms,"
    " terms, base"
    " FROM webhooks WHERE project_id = ? AND deleted_ms IS NULL"
)


class SqlWebhooks:
    """See `ports.webhooks.Webhooks`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, new: Webhook) -> None:
        self._db.later(
            "INSERT INTO webhooks (project_id, webhook_id, name, url, topics, description, status,"
            " sealed, since, failures, disabled_reason, sns_topic, confirms, terms,"
            " base, created_ms, updated_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._project_id,
            new.webhook_id,
            *_values(new),
            new.created_ms,
            new.updated_ms,
        )

    def get(self, webhook_id: str) -> Webhook | None:
        row = self._db.one(f"{_WEBHOOK} AND webhook_id = ?", self._project_id, webhook_id)
        return _webhook(row) if row else None

    def all(self) -> list[Webhook]:
        rows = self._db.all(
            f"{_WEBHOOK} AND sns_topic = '' ORDER BY created_ms DESC, id DESC", self._project_id
        )
        return [_webhook(row) for row in rows]

    def subscriptions(self, topic: str = "") -> list[Webhook]:
        where, params = ("sns_topic = ?", (topic,)) if topic else ("sns_topic <> ''", ())
        rows = self._db.all(f"{_WEBHOOK} AND {where} ORDER BY id", self._project_id, *params)
        return [_webhook(row) for row in rows]

    def active(self) -> list[Webhook]:
        rows = self._db.all(f"{_WEBHOOK} AND status <> 'DISABLED' ORDER BY id", self._project_id)
        return [_webhook(row) for row in rows]

    def put(self, webhook: Webhook) -> None:
        self._db.later(
            "UPDATE webhooks SET name = ?, url = ?, topics = ?, description = ?, status = ?,"
            " sealed = ?, since = ?, failures = ?, disabled_reason = ?, sns_topic = ?,"
            " confirms = ?, terms = ?, base = ?, updated_ms = ? WHERE id = ?",
            *_values(webhook),
            webhook.updated_ms,
            webhook.id,
        )

    def delete(self, webhook: Webhook, at_ms: int) -> None:
        """The secret goes with it."""
        self._db.later(
            "UPDATE webhooks SET deleted_ms = ?, sealed = NULL WHERE id = ?", at_ms, webhook.id
        )
        self._db.later(
            "UPDATE webhook_deliveries SET progress = 'CANCELLED', lease = '', leased_until_ms = 0"
            " WHERE webhook = ? AND progress IN ('QUEUED', 'RETRYING')",
            webhook.id,
        )

    def cursor(self) -> int:
        row = self._db.one(
            "SELECT leaf FROM webhook_cursors WHERE project_id = ?", self._project_id
        )
        assert row is not None
        return row[0]

    def move_cursor(self, index: int) -> None:
        self._db.later(
            "UPDATE webhook_cursors SET leaf = ? WHERE project_id = ?", index, self._project_id
        )


def _values(webhook: Webhook) -> tuple[Any, ...]:
    return (
        webhook.name,
        webhook.url,
        " ".join(map(str, webhook.topics)),
        webhook.description,
        webhook.status.value,
        webhook.sealed,
        webhook.since,
        webhook.failures,
        webhook.disabled_reason,
        webhook.sns_topic,
        webhook.confirms,
        webhook.terms.text,
        webhook.base,
    )


def _webhook(row: Row) -> Webhook:
    id, webhook_id, name, url, topics, description, status, *rest, told, base = row
    found = tuple(Topic(*topic.split("/")) for topic in topics.split())
    return Webhook(
        id,
        webhook_id,
        name,
        url,
        found,
        description,
        Status(status),
        *rest,
        terms=Terms.read(told),
        base=base,
    )
