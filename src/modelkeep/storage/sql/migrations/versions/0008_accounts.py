"""Accounts, their tokens and their grants (docs/decisions/0012)."""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE accounts (
  id {id}, project_id {int} NOT NULL, person {text} NOT NULL, name {text} NOT NULL,
  kind {text} NOT NULL, owner_id {int}, password {text}, leaf {int} NOT NULL,
  created_ms {int} NOT NULL, disabled_ms {int}, deleted_ms {int},
  UNIQUE (project_id, person)) {end};
CREATE TABLE tokens (
  id {id}, project_id {int} NOT NULL, token_id {text} NOT NULL, account_id {int},
  kind {text} NOT NULL, label {text} NOT NULL, digest {text} NOT NULL,
  created_ms {int} NOT NULL, expires_ms {int} NOT NULL, revoked_ms {int}, used_ms {int},
  UNIQUE (project_id, token_id)) {end};
CREATE INDEX tokens_by_account ON tokens (project_id, account_id);
CREATE TABLE role_grants (
  id {id}, project_id {int} NOT NULL, account_id {int} NOT NULL, role {text} NOT NULL,
  scope {text} NOT NULL, created_ms {int} NOT NULL,
  UNIQUE (project_id, account_id, role, scope)) {end};
CREATE TABLE accounts_state (
  project_id {int} NOT NULL PRIMARY KEY, revision {int} NOT NULL) {end};
INSERT INTO accounts_state (project_id, revision) VALUES (1, 0)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
