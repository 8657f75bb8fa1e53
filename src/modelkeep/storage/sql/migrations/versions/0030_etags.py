"""The entity tags of files that came through the S3 API, as it told them."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE artifacts ADD COLUMN etag {text} NOT NULL DEFAULT ''
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
