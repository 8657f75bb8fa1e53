"""Model cards, models of SageMaker's clients, and policies of groups (docs/decisions/0035)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE resources (
  id {id}, project_id {int} NOT NULL, kind {text} NOT NULL, name {text} NOT NULL,
  created_ms {int} NOT NULL, created_by {text} NOT NULL, revision {int} NOT NULL,
  deleted_ms {int}) {end};
CREATE UNIQUE INDEX resources_name ON resources (project_id, kind, name) WHERE deleted_ms IS NULL;
CREATE INDEX resources_created ON resources (project_id, kind, created_ms, id)
  WHERE deleted_ms IS NULL;
CREATE TABLE resource_revisions (
  project_id {int} NOT NULL, resource_id {int} NOT NULL REFERENCES resources (id),
  revision {int} NOT NULL, status {text} NOT NULL, body {text} NOT NULL, sha256 {text} NOT NULL,
  author {text} NOT NULL, revised_ms {int} NOT NULL,
  PRIMARY KEY (project_id, resource_id, revision)) {end};
CREATE TABLE resource_tags (
  project_id {int} NOT NULL, resource_id {int} NOT NULL REFERENCES resources (id),
  key {text} NOT NULL, value {text} NOT NULL,
  PRIMARY KEY (project_id, resource_id, key)) {end};
CREATE TABLE group_policies (
  project_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES models (id), body {text} NOT NULL,
  sha256 {text} NOT NULL, set_by {text} NOT NULL, set_ms {int} NOT NULL,
  PRIMARY KEY (project_id, model_id)) {end}
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
