"""Comments on requests, reminders, and promotions past the gates."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE requests ADD COLUMN reminded_ms {int};
CREATE TABLE comments (
  id {id}, project_id {int} NOT NULL, request_id {int} NOT NULL REFERENCES requests (id),
  name {text} NOT NULL, text {text} NOT NULL, at_ms {int} NOT NULL) {end};
CREATE INDEX comments_request ON comments (project_id, request_id, id);
CREATE TABLE emergencies (
  id {id}, project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  target {text} NOT NULL, opened_by {text} NOT NULL, reason {text} NOT NULL,
  decision {text} NOT NULL, opened_ms {int} NOT NULL, due_ms {int} NOT NULL,
  status {text} NOT NULL, reviewed_by {text} NOT NULL DEFAULT '', review {text} NOT NULL DEFAULT '',
  reviewed_ms {int}) {end};
CREATE INDEX emergencies_status ON emergencies (project_id, status, id);
CREATE INDEX emergencies_version ON emergencies (version_id, id)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
