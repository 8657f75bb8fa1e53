"""The first tables: registry, slots, artifacts, tracking, governance, journal.

Every unique key carries the project; rows refer to one another by id. Times are milliseconds
since the epoch. `{id}`, `{int}`, `{real}`, `{text}`, `{bytes}` and `{end}` are the types as
`dialects` spells them for each database.
"""

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations.steps import Words, run_all

TABLES = """
CREATE TABLE projects (id {id}, name {text} NOT NULL UNIQUE) {end};

CREATE TABLE models (
  id {id}, project_id {int} NOT NULL REFERENCES projects (id),
  name {text} NOT NULL, description {text} NOT NULL, next_number {int} NOT NULL,
  created_ms {int} NOT NULL, updated_ms {int} NOT NULL, deleted_ms {int}) {end};
CREATE UNIQUE INDEX models_name ON models (project_id, name) WHERE deleted_ms IS NULL;
CREATE INDEX models_updated ON models (project_id, updated_ms);
CREATE TABLE model_names (
  project_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES models (id),
  name {text} NOT NULL, from_ms {int} NOT NULL, until_ms {int},
  PRIMARY KEY (project_id, model_id, from_ms, name)) {end};
CREATE INDEX model_names_name ON model_names (project_id, name, from_ms);
CREATE TABLE model_tags (
  project_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES models (id),
  key {text} NOT NULL, value {text} NOT NULL,
  PRIMARY KEY (project_id, model_id, key)) {end};
CREATE INDEX model_tags_value ON model_tags (project_id, key, substr(value, 1, 100), model_id);

CREATE TABLE manifests (
  id {id}, project_id {int} NOT NULL, digest {text} NOT NULL,
  file_count {int} NOT NULL, size_bytes {int} NOT NULL, UNIQUE (project_id, digest)) {end};
CREATE TABLE manifest_files (
  project_id {int} NOT NULL, manifest_id {int} NOT NULL REFERENCES manifests (id),
  path {text} NOT NULL, sha256 {text} NOT NULL, size_bytes {int} NOT NULL,
  PRIMARY KEY (project_id, manifest_id, path)) {end};
CREATE TABLE artifacts (
  project_id {int} NOT NULL, path {text} NOT NULL,
  sha256 {text} NOT NULL, size_bytes {int} NOT NULL, updated_ms {int} NOT NULL,
  PRIMARY KEY (project_id, path)) {end};

CREATE TABLE versions (
  id {id}, project_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES models (id),
  number {int} NOT NULL, source {text} NOT NULL, run_id {text}, logged_model_id {text},
  run_link {text}, description {text} NOT NULL, stage {text} NOT NULL,
  manifest_id {int} REFERENCES manifests (id), author {text} NOT NULL,
  created_ms {int} NOT NULL, updated_ms {int} NOT NULL, deleted_ms {int},
  UNIQUE (project_id, model_id, number)) {end};
CREATE INDEX versions_stage ON versions (project_id, model_id, stage, number)
  WHERE deleted_ms IS NULL;
CREATE INDEX versions_updated ON versions (project_id, updated_ms);
CREATE INDEX versions_run ON versions (project_id, run_id);
CREATE TABLE version_tags (
  project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  key {text} NOT NULL, value {text} NOT NULL,
  PRIMARY KEY (project_id, version_id, key)) {end};
CREATE INDEX version_tags_value
  ON version_tags (project_id, key, substr(value, 1, 100), version_id);

CREATE TABLE slots (
  id {id}, project_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES models (id),
  kind {text} NOT NULL, name {text} NOT NULL, epoch {int} NOT NULL,
  version_id {int} REFERENCES versions (id),
  UNIQUE (project_id, model_id, kind, name)) {end};
CREATE INDEX slots_version ON slots (project_id, version_id);
CREATE TABLE occupancies (
  id {id}, project_id {int} NOT NULL, slot_id {int} NOT NULL REFERENCES slots (id),
  version_id {int} NOT NULL REFERENCES versions (id),
  epoch {int} NOT NULL, from_ms {int} NOT NULL, until_ms {int}, until_epoch {int},
  approved {int} NOT NULL, prior_id {int} REFERENCES occupancies (id)) {end};
CREATE INDEX occupancies_open ON occupancies (slot_id, id) WHERE until_ms IS NULL;
CREATE INDEX occupancies_ended ON occupancies (slot_id, until_epoch);
CREATE INDEX occupancies_version ON occupancies (version_id, slot_id);

CREATE TABLE policies (
  id {id}, project_id {int} NOT NULL, revision {int} NOT NULL, digest {text} NOT NULL,
  document {text} NOT NULL, source {text} NOT NULL, author {text} NOT NULL,
  applied_ms {int} NOT NULL, UNIQUE (project_id, revision)) {end};
CREATE TABLE evidence (
  id {id}, project_id {int} NOT NULL, digest {text} NOT NULL, body {text} NOT NULL,
  UNIQUE (project_id, digest)) {end};
CREATE TABLE decisions (
  id {id}, project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  target {text} NOT NULL, outcome {text} NOT NULL, actor {text} NOT NULL, body {text} NOT NULL,
  digest {text} NOT NULL, repeats {int} NOT NULL,
  created_ms {int} NOT NULL, repeated_ms {int} NOT NULL) {end};
CREATE INDEX decisions_version ON decisions (version_id, target, digest);
CREATE TABLE requests (
  id {id}, project_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES versions (id),
  source {text} NOT NULL, target {text} NOT NULL, subject {text} NOT NULL,
  evidence_digest {text} NOT NULL, policy_digest {text} NOT NULL,
  requested_by {text} NOT NULL, authors {text} NOT NULL, reason {text} NOT NULL,
  archive_existing {int} NOT NULL, returns_to {int} REFERENCES occupancies (id),
  epoch {int},  status {text} NOT NULL, closing {text} NOT NULL,
  created_ms {int} NOT NULL, expires_ms {int} NOT NULL, closed_ms {int}) {end};
CREATE INDEX requests_version ON requests (version_id, status);
CREATE INDEX requests_status ON requests (project_id, status, id);
CREATE TABLE votes (
  id {id}, project_id {int} NOT NULL, request_id {int} NOT NULL REFERENCES requests (id),
  person {text} NOT NULL, name {text} NOT NULL, verdict {text} NOT NULL, comment {text} NOT NULL,
  cast_ms {int} NOT NULL, UNIQUE (project_id, request_id, person)) {end};

CREATE TABLE journal_leaves (
  project_id {int} NOT NULL, idx {int} NOT NULL, at_ms {int} NOT NULL, model_id {int},
  body {bytes} NOT NULL, hash {bytes} NOT NULL, root {bytes} NOT NULL, texts {text} NOT NULL,
  PRIMARY KEY (project_id, idx)) {end};
CREATE INDEX journal_model ON journal_leaves (model_id, idx);
CREATE TABLE journal_state (
  project_id {int} PRIMARY KEY, size {int} NOT NULL, peaks {bytes} NOT NULL,
  last_ms {int} NOT NULL) {end};

CREATE TABLE experiments (
  id {id}, project_id {int} NOT NULL, name {text} NOT NULL, artifact_location {text} NOT NULL,
  lifecycle_stage {text} NOT NULL, created_ms {int} NOT NULL, updated_ms {int} NOT NULL,
  UNIQUE (project_id, name)) {end};
CREATE TABLE experiment_tags (
  project_id {int} NOT NULL, experiment_id {int} NOT NULL REFERENCES experiments (id),
  key {text} NOT NULL, value {text} NOT NULL,
  PRIMARY KEY (project_id, experiment_id, key)) {end};
CREATE TABLE runs (
  id {id}, project_id {int} NOT NULL, run_id {text} NOT NULL,
  experiment_id {int} NOT NULL REFERENCES experiments (id), name {text} NOT NULL,
  user_id {text} NOT NULL, author {text} NOT NULL, status {text} NOT NULL,
  start_ms {int} NOT NULL, end_ms {int}, artifact_uri {text} NOT NULL,
  lifecycle_stage {text} NOT NULL, deleted_ms {int}, UNIQUE (project_id, run_id)) {end};
CREATE INDEX runs_experiment ON runs (project_id, experiment_id, start_ms);
CREATE TABLE run_params (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id),
  key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (project_id, run, key)) {end};
CREATE TABLE run_tags (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id),
  key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (project_id, run, key)) {end};
CREATE INDEX run_tags_value ON run_tags (project_id, key, substr(value, 1, 100), run);
CREATE TABLE metrics (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id), key {text} NOT NULL,
  step {int} NOT NULL, at_ms {int} NOT NULL, value {real} NOT NULL, is_nan {int} NOT NULL,
  PRIMARY KEY (project_id, run, key, step, at_ms, value, is_nan)) {end};
CREATE TABLE latest_metrics (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id), key {text} NOT NULL,
  step {int} NOT NULL, at_ms {int} NOT NULL, value {real} NOT NULL, is_nan {int} NOT NULL,
  PRIMARY KEY (project_id, run, key)) {end};
CREATE TABLE run_datasets (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id),
  name {text} NOT NULL, digest {text} NOT NULL, source_type {text} NOT NULL,
  source {text} NOT NULL, schema {text}, profile {text}, tags {text} NOT NULL,
  context {text} NOT NULL,
  PRIMARY KEY (project_id, run, name, digest)) {end};
CREATE TABLE run_models (
  project_id {int} NOT NULL, run {int} NOT NULL REFERENCES runs (id),
  model_id {text} NOT NULL, direction {text} NOT NULL, step {int} NOT NULL,
  PRIMARY KEY (project_id, run, model_id, direction)) {end};
CREATE TABLE logged_models (
  id {id}, project_id {int} NOT NULL, model_id {text} NOT NULL,
  experiment_id {int} NOT NULL REFERENCES experiments (id), name {text} NOT NULL,
  model_type {text}, source_run_id {text}, status {text} NOT NULL, author {text} NOT NULL,
  artifact_uri {text} NOT NULL, created_ms {int} NOT NULL, updated_ms {int} NOT NULL,
  deleted_ms {int}, UNIQUE (project_id, model_id)) {end};
CREATE INDEX logged_models_experiment ON logged_models (project_id, experiment_id, created_ms);
CREATE TABLE logged_model_tags (
  project_id {int} NOT NULL, model {int} NOT NULL REFERENCES logged_models (id),
  key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (project_id, model, key)) {end};
CREATE TABLE logged_model_params (
  project_id {int} NOT NULL, model {int} NOT NULL REFERENCES logged_models (id),
  key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (project_id, model, key)) {end};
CREATE TABLE logged_model_metrics (
  project_id {int} NOT NULL, model {int} NOT NULL REFERENCES logged_models (id),
  run_id {text} NOT NULL, key {text} NOT NULL, step {int} NOT NULL, at_ms {int} NOT NULL,
  value {real} NOT NULL, is_nan {int} NOT NULL,
  dataset_name {text} NOT NULL, dataset_digest {text} NOT NULL,
  PRIMARY KEY (project_id, model, run_id, key, step, at_ms, dataset_name, dataset_digest)) {end};

INSERT INTO projects (id, name) VALUES (1, 'default');
INSERT INTO journal_state (project_id, size, peaks, last_ms) VALUES (1, 0, {empty}, 0);
INSERT INTO experiments (id, project_id, name, artifact_location, lifecycle_stage,
  created_ms, updated_ms) VALUES (0, 1, 'Default', 'mlflow-artifacts:/0', 'active', 0, 0)
"""


def upgrade(db: Db, words: Words) -> None:
    run_all(db, TABLES, words)
