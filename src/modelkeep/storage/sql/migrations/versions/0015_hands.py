"""Who had a hand in what others made, who put which file, and whose secrets others have made
(docs/decisions/0019)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE hands (
  id {id}, project_id {int} NOT NULL, kind {text} NOT NULL, subject {text} NOT NULL,
  person {text} NOT NULL, deed {text} NOT NULL, name {text} NOT NULL, at_ms {int} NOT NULL,
  UNIQUE (project_id, kind, subject, person, deed)) {end};
ALTER TABLE artifacts ADD COLUMN author {text} NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN author {text} NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN password_by {text} NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN reset_ms {int};
ALTER TABLE tokens ADD COLUMN lent_by {text} NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN lent_by {text} NOT NULL DEFAULT ''
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
