"""Rules with their targets, topics, and webhooks that subscribe to those (docs/decisions/0036)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE event_rules (
  id {id}, project_id {int} NOT NULL, arn {text} NOT NULL, pattern {text} NOT NULL,
  state {text} NOT NULL, description {text} NOT NULL, targets {text} NOT NULL,
  since {int} NOT NULL, UNIQUE (project_id, arn)) {end};
CREATE TABLE sns_topics (
  id {id}, project_id {int} NOT NULL, arn {text} NOT NULL, created_ms {int} NOT NULL,
  UNIQUE (project_id, arn)) {end};
ALTER TABLE webhooks ADD COLUMN sns_topic {text} NOT NULL DEFAULT '';
ALTER TABLE webhooks ADD COLUMN confirms {text} NOT NULL DEFAULT ''
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
