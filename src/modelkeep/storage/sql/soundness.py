"""Questions to the rows about themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from modelkeep.storage.sql import schema
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.upkeep import named_blobs, reading
from modelkeep.storage.sql.work import SqlWork

NAMERS = 3
# table, column, table that it refers to by id
_REFERENCES = (
    ("model_names", "model_id", "models"),
    ("model_tags", "model_id", "models"),
    ("versions", "model_id", "models"),
    ("versions", "manifest_id", "manifests"),
    ("version_tags", "version_id", "versions"),
    ("manifest_files", "manifest_id", "manifests"),
    ("slots", "model_id", "models"),
    ("slots", "version_id", "versions"),
    ("occupancies", "slot_id", "slots"),
    ("occupancies", "version_id", "versions"),
    ("occupancies", "prior_id", "occupancies"),
    ("decisions", "version_id", "versions"),
    ("requests", "version_id", "versions"),
    ("votes", "request_id", "requests"),
    ("comments", "request_id", "requests"),
    ("papers", "version_id", "versions"),
    ("resource_revisions", "resource_id", "resources"),
    ("resource_tags", "resource_id", "resources"),
    ("group_policies", "model_id", "models"),
    ("group_policy_accounts", "model_id", "models"),
    ("emergencies", "version_id", "versions"),
    ("holds", "version_id", "versions"),
    ("loads", "version_id", "versions"),
    ("intakes", "version_id", "versions"),
    ("pending_files", "version_id", "versions"),
    ("tokens", "account_id", "accounts"),
    ("role_grants", "account_id", "accounts"),
    ("runs", "experiment_id", "experiments"),
    ("run_params", "run", "runs"),
    ("run_tags", "run", "runs"),
    ("metrics", "run", "runs"),
    ("latest_metrics", "run", "runs"),
    ("logged_models", "experiment_id", "experiments"),
    ("webhook_deliveries", "webhook", "webhooks"),
)
_BROKEN = {
    "slots point to versions that are deleted, or another model's": (
        "SELECT s.kind || ':' || s.name || ' of model ' || s.model_id FROM slots s"
        " JOIN versions v ON v.id = s.version_id"
        " WHERE v.deleted_ms IS NOT NULL OR v.model_id <> s.model_id"
    ),
    "slots say that they are held and have no stay that lasts": (
        "SELECT s.kind || ':' || s.name || ' of model ' || s.model_id FROM slots s"
        " WHERE s.version_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM occupancies o"
        " WHERE o.slot_id = s.id AND o.version_id = s.version_id AND o.until_ms IS NULL)"
    ),
    "manifests do not have the files that they count": (
        "SELECT m.digest FROM manifests m LEFT JOIN (SELECT manifest_id, count(*) AS files,"
        " sum(size_bytes) AS size FROM manifest_files GROUP BY manifest_id) f"
        " ON f.manifest_id = m.id"
        " WHERE coalesce(f.files, 0) <> m.file_count OR coalesce(f.size, 0) <> m.size_bytes"
    ),
    "versions are held and deleted": (
        "SELECT v.number || ' of model ' || v.model_id FROM holds h"
        " JOIN versions v ON v.id = h.version_id"
        " WHERE h.released_ms IS NULL AND v.deleted_ms IS NOT NULL"
    ),
}


class SqlRows:
    """See `ports.soundness.Rows`. Over a connection in a transaction that only reads."""

    def __init__(self, db: Db, dialect: Dialect) -> None:
        self._db, self._dialect = db, dialect
        self.work = SqlWork(db, dialect)

    def damage(self) -> list[str]:
        return self._dialect.damage(self._db)

    def broken(self) -> Iterator[tuple[str, int, str]]:
        queries = dict(_BROKEN)
        for table, column, target in _REFERENCES:
            queries[f"rows of {table} refer to {target} that are not there"] = (
                f"SELECT CAST({column} AS TEXT) FROM {table} t WHERE {column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT 1 FROM {target} x WHERE x.id = t.{column})"
            )
        for what, query in queries.items():
            row = self._db.one(
                f"WITH broken (one) AS ({query}) SELECT count(*), min(one) FROM broken"
            )
            if row and row[0]:
                yield what, row[0], row[1]

    def blobs(self) -> Iterator[tuple[str, int]]:
        for page in self._dialect.pages(self._db, named_blobs(schema.HEAD)):
            yield from page

    def small(self) -> Iterator[tuple[str, bytes]]:
        for page in self._dialect.pages(self._db, "SELECT sha256, content FROM small_blobs"):
            yield from page

    def namers(self, sha256: str) -> list[str]:
        rows = self._db.all(
            "SELECT path FROM artifacts WHERE sha256 = ? UNION ALL"
            " SELECT m.name || '/' || v.number || ': ' || f.path FROM manifest_files f"
            " JOIN versions v ON v.manifest_id = f.manifest_id JOIN models m ON m.id = v.model_id"
            " WHERE f.sha256 = ? AND (v.deleted_ms IS NULL OR NOT EXISTS (SELECT 1 FROM garbage g"
            " WHERE g.sha256 = f.sha256 AND g.gone_ms IS NOT NULL)) LIMIT ?",
            sha256,
            sha256,
            NAMERS,
        )
        return [row[0] for row in rows]


@contextmanager
def rows_of(dialect: Dialect) -> Iterator[SqlRows]:
    """The rows as of now.

    Raises Unavailable for another schema than this release's, IntegrityFailure for a file that
    cannot be read.
    """
    with reading(dialect) as db:
        schema.require_head(db, dialect)
        yield SqlRows(db, dialect)
