"""Webhooks, their deliveries, and how far into the journal the announcing has come."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE webhooks (
  id {id}, project_id {int} NOT NULL, webhook_id {text} NOT NULL,
  name {text} NOT NULL, url {text} NOT NULL, topics {text} NOT NULL,
  description {text} NOT NULL, status {text} NOT NULL, sealed {text},
  since {int} NOT NULL, failures {int} NOT NULL, disabled_reason {text} NOT NULL,
  created_ms {int} NOT NULL, updated_ms {int} NOT NULL, deleted_ms {int},
  UNIQUE (project_id, webhook_id)) {end};
CREATE TABLE webhook_cursors (
  project_id {int} NOT NULL, leaf {int} NOT NULL, PRIMARY KEY (project_id)) {end};
CREATE TABLE webhook_deliveries (
  id {id}, project_id {int} NOT NULL, webhook {int} NOT NULL REFERENCES webhooks (id),
  delivery_id {text} NOT NULL, leaf {int}, part {int} NOT NULL, lane {int} NOT NULL,
  topic {text} NOT NULL, body {text} NOT NULL, progress {text} NOT NULL,
  attempts {int} NOT NULL, replays {int} NOT NULL,
  created_ms {int} NOT NULL, attempted_ms {int}, next_ms {int} NOT NULL,
  lease {text} NOT NULL, leased_until_ms {int} NOT NULL,
  response_status {int}, response_body {text} NOT NULL, error {text} NOT NULL,
  UNIQUE (project_id, delivery_id), UNIQUE (project_id, webhook, leaf, part)) {end};
CREATE INDEX webhook_deliveries_history ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_queued ON webhook_deliveries (webhook, id)
  WHERE progress = 'QUEUED';
CREATE INDEX webhook_deliveries_retrying ON webhook_deliveries (webhook, next_ms)
  WHERE progress = 'RETRYING';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (webhook, leased_until_ms)
  WHERE leased_until_ms > 0;

INSERT INTO webhook_cursors (project_id, leaf) VALUES (1, 0)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
