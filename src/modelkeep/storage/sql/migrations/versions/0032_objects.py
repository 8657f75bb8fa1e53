"""What is said of objects, uploads of objects in parts, and buckets that are another store's."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
ALTER TABLE artifacts ADD COLUMN said {text} NOT NULL DEFAULT '';
CREATE TABLE object_uploads (
  project_id {int} NOT NULL, upload_id {text} NOT NULL, path {text} NOT NULL,
  author {text} NOT NULL, lent_by {text} NOT NULL, began_ms {int} NOT NULL, until_ms {int} NOT NULL,
  said {text} NOT NULL, etag {text} NOT NULL DEFAULT '', PRIMARY KEY (project_id, upload_id)) {end};
CREATE INDEX object_uploads_path ON object_uploads (project_id, path, upload_id);
CREATE INDEX object_uploads_until ON object_uploads (project_id, until_ms);
CREATE TABLE buckets_elsewhere (
  project_id {int} NOT NULL, bucket {text} NOT NULL, PRIMARY KEY (project_id, bucket)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
