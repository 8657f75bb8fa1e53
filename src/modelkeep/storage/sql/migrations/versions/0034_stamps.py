"""What topics' messages are signed with, and how each topic's are; what a topic calls itself
(docs/decisions/0039)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE sns_topics ADD COLUMN signature_version {int} NOT NULL DEFAULT 1;
ALTER TABLE sns_topics ADD COLUMN display_name {text} NOT NULL DEFAULT '';
CREATE TABLE sns_stamps (
  id {id}, project_id {int} NOT NULL, stamp_id {text} NOT NULL, sealed {text} NOT NULL,
  certificate {text} NOT NULL, created_ms {int} NOT NULL, UNIQUE (project_id, stamp_id)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
