"""What a topic's subscriber wants, and where it can say that it wants no more (decision 39)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE webhooks ADD COLUMN terms {text} NOT NULL DEFAULT '';
ALTER TABLE webhooks ADD COLUMN base {text} NOT NULL DEFAULT ''
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
