"""The accounts that the policies of groups let anything do (docs/decisions/0037).

Of a policy that was put before, it is taken to be any account: more is read of it than must be.
"""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE group_policy_accounts (
  project_id {int} NOT NULL, account {text} NOT NULL,
  model_id {int} NOT NULL REFERENCES models (id),
  PRIMARY KEY (project_id, account, model_id)) {end};
CREATE INDEX group_policy_accounts_model ON group_policy_accounts (project_id, model_id);
INSERT INTO group_policy_accounts (project_id, account, model_id)
  SELECT project_id, '*', model_id FROM group_policies
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
