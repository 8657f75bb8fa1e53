"""Deliveries of webhooks: the queue, the leases and the history are the same rows."""

from collections.abc import Iterable, Sequence

from modelkeep.domain.subscriptions import Terms
from modelkeep.domain.webhooks import Outcome, Progress, Waiting
from modelkeep.ports.webhooks import Claim, Delivery, NewDelivery
from modelkeep.storage.sql.connection import Db, Row

_COLUMNS = (
    "id, delivery_id, webhook, leaf, topic, body, progress, attempts, replays, created_ms,"
    " attempted_ms, next_ms, response_status, response_body, error"
)
_INSERT = (
    "INSERT INTO webhook_deliveries (project_id, webhook, delivery_id, leaf, part, lane, topic,"
    " body, progress, attempts, replays, created_ms, attempted_ms, next_ms, lease,"
    " leased_until_ms, response_status, response_body, error)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '', 0, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"  # it was queued before; its id says that it is the same
)


class SqlDeliveries:
    """See `ports.webhooks.Deliveries`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    # -- coming in -------------------------------------------------------------------------

    def queue(self, new: Iterable[NewDelivery], at_ms: int) -> None:
        queued = Progress.QUEUED
        self._db.many(_INSERT, [self._row(n, queued, Outcome(), at_ms, None) for n in new])

    def record(self, new: NewDelivery, progress: Progress, outcome: Outcome, at_ms: int) -> None:
        self._db.later(_INSERT, *self._row(new, progress, outcome, at_ms, at_ms))

    def _row(
        self,
        new: NewDelivery,
        progress: Progress,
        outcome: Outcome,
        at_ms: int,
        attempted_ms: int | None,
    ) -> Row:
        return (
            self._project_id,
            new.webhook,
            new.delivery_id,
            new.leaf,
            new.part,
            new.lane,
            str(new.topic),
            new.body,
            progress.value,
            0 if attempted_ms is None else 1,
            at_ms,
            attempted_ms,
            at_ms,
            outcome.status,
            outcome.body,
            outcome.error,
        )

    # -- whose turn it is ------------------------------------------------------------------

    def waiting(self, webhook: int, limit: int) -> list[Waiting]:
        rows = self._db.all(
            "SELECT id, lane, next_ms, leased_until_ms FROM webhook_deliveries"
            " WHERE webhook = ? AND progress = 'QUEUED' ORDER BY id LIMIT ?",
            webhook,
            limit,
        )
        return [Waiting(*row) for row in rows]

    def retrying(self, webhook: int, now_ms: int, limit: int) -> list[int]:
        rows = self._db.all(
            "SELECT id FROM webhook_deliveries WHERE webhook = ? AND progress = 'RETRYING'"
            " AND next_ms <= ? AND leased_until_ms <= ? ORDER BY next_ms, id LIMIT ?",
            webhook,
            now_ms,
            now_ms,
            limit,
        )
        return [id for (id,) in rows]

    def is_due(self, now_ms: int) -> bool:
        for progress in ("QUEUED", "RETRYING"):  # each has an index of its own
            row = self._db.one(
                "SELECT 1 FROM webhooks w JOIN webhook_deliveries d ON d.webhook = w.id"
                f" WHERE w.project_id = ? AND w.status <> 'DISABLED' AND d.progress = '{progress}'"
                " AND d.next_ms <= ? AND d.leased_until_ms <= ? LIMIT 1",
                self._project_id,
                now_ms,
                now_ms,
            )
            if row:
                return True
        return False

    def backlog(self) -> int:
        total = 0
        for progress in ("QUEUED", "RETRYING"):  # each has an index of its own
            row = self._db.one(
                "SELECT count(*) FROM webhooks w JOIN webhook_deliveries d ON d.webhook = w.id"
                f" WHERE w.project_id = ? AND w.status <> 'DISABLED' AND d.progress = '{progress}'",
                self._project_id,
            )
            assert row is not None
            total += row[0]
        return total

    def in_flight(self, webhook: int, now_ms: int) -> int:
        row = self._db.one(
            "SELECT count(*) FROM webhook_deliveries"
            " WHERE webhook = ? AND leased_until_ms > 0 AND leased_until_ms > ?",
            webhook,
            now_ms,
        )
        assert row is not None
        return row[0]

    # -- leases ----------------------------------------------------------------------------

    def claim(self, ids: Sequence[int], lease: str, until_ms: int) -> list[Claim]:
        marks = ", ".join("?" * len(ids))
        self._db.later(
            f"UPDATE webhook_deliveries SET lease = ?, leased_until_ms = ? WHERE id IN ({marks})",
            lease,
            until_ms,
            *ids,
        )
        rows = self._db.all(
            "SELECT d.id, d.delivery_id, d.body, d.attempts, w.webhook_id, w.url, w.sealed,"
            " CASE w.sns_topic WHEN '' THEN '' ELSE w.sns_topic || ':' || w.webhook_id END,"
            " w.terms, w.base, coalesce(t.signature_version, 1),"
            " coalesce(t.display_name, '')"
            " FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook"
            " LEFT JOIN sns_topics t ON t.project_id = w.project_id AND t.arn = w.sns_topic"
            f" WHERE d.id IN ({marks}) ORDER BY d.id",
            *ids,
        )
        return [_claim(row, lease) for row in rows]

    def leased(self, id: int, lease: str) -> Delivery | None:
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE id = ? AND lease = ?"
            " AND progress IN ('QUEUED', 'RETRYING')",
            id,
            lease,
        )
        return _delivery(row) if row else None

    def release(self, lease: str | None) -> None:
        only, params = (" AND lease = ?", (lease,)) if lease else ("", ())
        self._db.later(
            "UPDATE webhook_deliveries SET lease = '', leased_until_ms = 0"
            f" WHERE project_id = ? AND leased_until_ms > 0{only}",
            self._project_id,
            *params,
        )

    def settle(
        self, id: int, progress: Progress, outcome: Outcome, at_ms: int, next_ms: int
    ) -> None:
        self._db.later(
            "UPDATE webhook_deliveries SET progress = ?, attempts = attempts + 1,"
            " attempted_ms = ?, next_ms = ?, response_status = ?, response_body = ?, error = ?,"
            " lease = '', leased_until_ms = 0 WHERE id = ?",
            progress.value,
            at_ms,
            next_ms,
            outcome.status,
            outcome.body,
            outcome.error,
            id,
        )

    # -- by hand ---------------------------------------------------------------------------

    def hasten(self, webhook: int, now_ms: int) -> None:
        self._db.later(
            "UPDATE webhook_deliveries SET next_ms = ? WHERE webhook = ?"
            " AND progress IN ('QUEUED', 'RETRYING') AND next_ms > ?",
            now_ms,
            webhook,
            now_ms,
        )

    def requeue(self, id: int, now_ms: int) -> None:
        self._db.later(
            "UPDATE webhook_deliveries SET progress = 'QUEUED', attempts = 0,"
            " replays = replays + 1, next_ms = ? WHERE id = ?",
            now_ms,
            id,
        )

    def get(self, delivery_id: str) -> Delivery | None:
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE project_id = ? AND delivery_id = ?",
            self._project_id,
            delivery_id,
        )
        return _delivery(row) if row else None

    def history(self, webhook: int, before: int | None, limit: int) -> list[Delivery]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE webhook = ? AND id < ?"
            " ORDER BY id DESC LIMIT ?",
            webhook,
            before if before is not None else 2**62,
            limit,
        )
        return [_delivery(row) for row in rows]

    def prune(self, webhook: int, ended_before_ms: int, keep: int, limit: int) -> int:
        newest_dropped = self._db.one(
            "SELECT id FROM webhook_deliveries WHERE webhook = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
            webhook,
            keep,
        )
        return self._db.run(
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries"
            " WHERE webhook = ? AND progress NOT IN ('QUEUED', 'RETRYING')"
            " AND (id <= ? OR coalesce(attempted_ms, created_ms) < ?) ORDER BY id LIMIT ?)",
            webhook,
            newest_dropped[0] if newest_dropped else -1,
            ended_before_ms,
            limit,
        )


def _delivery(row: Row) -> Delivery:
    id, delivery_id, webhook, leaf, topic, body, progress, *rest = row
    return Delivery(id, delivery_id, webhook, leaf, topic, body, Progress(progress), *rest)


def _claim(row: Row, lease: str) -> Claim:
    *first, terms, base, signature_version, display_name = row
    return Claim(
        *first,
        terms=Terms.read(terms),
        base=base,
        signature_version=signature_version,
        display_name=display_name,
        lease=lease,
    )
