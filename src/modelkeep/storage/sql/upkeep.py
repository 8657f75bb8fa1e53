"""What the rows name, and what they do not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from modelkeep.domain.errors import IntegrityFailure
from modelkeep.domain.locations import PROXIED
from modelkeep.ports.blobs import Stored
from modelkeep.ports.garbage import Floors, Folder, Mark
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.work import DEFAULT_PROJECT_ID

_BLOBS_IN_TABLES_SINCE, INTAKES_SINCE, GONE_SINCE = "0006", "0018", "0021"
_FILES = "SELECT sha256, size_bytes FROM artifacts UNION ALL SELECT sha256, size_bytes FROM"
_OF_LIVING = (
    "manifest_files WHERE manifest_id IN (SELECT manifest_id FROM versions"
    " WHERE deleted_ms IS NULL AND manifest_id IS NOT NULL)"
)
_NOT_GONE = (
    "manifest_files f WHERE NOT EXISTS (SELECT 1 FROM garbage g WHERE g.project_id = 1"
    " AND g.sha256 = f.sha256 AND g.gone_ms IS NOT NULL)"
)
LONGEST_S = 24 * 3600.0  # of a read of everything, which nobody waits for at a page
_IS_HASHED = "length(sha256) = 64"
_OWNERS = {
    "run": "SELECT id, run_id, artifact_uri FROM runs",
    "logged model": "SELECT id, model_id, artifact_uri FROM logged_models",
}


def named_blobs(schema: str) -> str:
    """The query for (SHA-256, size) of the blobs that the rows of a schema name, by SHA-256.

    Small files lie beside the rows, what garbage collection has deleted is named by deleted
    versions alone, and what landed in the store and is not hashed yet is no blob.
    """
    files = f"{_FILES} manifest_files"
    if schema >= GONE_SINCE:
        files = f"{_FILES} {_OF_LIVING} UNION ALL SELECT sha256, size_bytes FROM {_NOT_GONE}"
    if schema >= INTAKES_SINCE:
        files += " UNION ALL SELECT sha256, size_bytes FROM pending_files"
    query = f"SELECT sha256, max(size_bytes) FROM ({files}) named WHERE {_IS_HASHED}"
    if schema >= _BLOBS_IN_TABLES_SINCE:
        query += (
            " AND NOT EXISTS (SELECT 1 FROM small_blobs s WHERE s.project_id = 1"
            " AND s.sha256 = named.sha256)"
        )
    return query + " GROUP BY sha256 ORDER BY sha256"


class SqlInventory:
    """See `ports.garbage.Inventory`. Over a connection in a transaction that only reads."""

    def __init__(self, db: Db, dialect: Dialect, project_id: int) -> None:
        self._db, self._dialect, self._project_id = db, dialect, project_id

    def folders(self, before_ms: int) -> Iterator[Folder]:
        for kind, owners in _OWNERS.items():
            for row in self._db.all(f"{owners} WHERE deleted_ms <= ? ORDER BY id", before_ms):
                folder = self._folder(kind, *row)
                if folder and folder.files:
                    yield folder

    def _folder(self, kind: str, id: int, name: str, uri: str) -> Folder | None:
        path = uri.removeprefix(PROXIED)
        if path == uri or name not in path.split("/"):  # elsewhere, or not its own alone
            return None
        row = self._db.one(
            "SELECT count(*), coalesce(sum(size_bytes), 0) FROM artifacts"
            " WHERE project_id = ? AND path > ? AND path < ?",
            self._project_id,
            f"{path}/",
            f"{path}0",
        )
        assert row is not None
        return Folder(kind, id, path, row[0], int(row[1]))

    def versions(self, floors: Floors) -> tuple[int, int]:
        let_go, params = _let_go(floors)
        row = self._db.one(
            "SELECT count(*), coalesce(sum(m.size_bytes), 0) FROM versions v"
            f" JOIN manifests m ON m.id = v.manifest_id WHERE {let_go}",
            *params,
        )
        assert row is not None
        return row[0], int(row[1])

    def named(self, floors: Floors) -> Iterator[str]:
        kept, params = _kept_files(floors)
        query = (
            "SELECT sha256 FROM artifacts UNION SELECT sha256 FROM pending_files"
            f" UNION SELECT sha256 FROM {kept} ORDER BY sha256"
        )
        for page in self._dialect.pages(self._db, query, *params):
            for (sha256,) in page:
                yield sha256

    def marks(self) -> Iterator[Mark]:
        query = "SELECT sha256, since_ms, gone_ms FROM garbage ORDER BY sha256"
        for page in self._dialect.pages(self._db, query):
            for row in page:
                yield Mark(*row)

    def small(self, floors: Floors) -> Iterator[list[tuple[Stored, int | None]]]:
        kept, params = _kept_files(floors)
        query = (
            "SELECT sha256 FROM small_blobs EXCEPT SELECT sha256 FROM artifacts"
            f" EXCEPT SELECT sha256 FROM pending_files EXCEPT SELECT sha256 FROM {kept}"
        )
        for page in self._dialect.pages(self._db, query, *params):
            among, names = self._db.among([sha256 for (sha256,) in page])
            rows = self._db.all(
                "SELECT sha256, length(content), garbage_ms FROM small_blobs"
                f" WHERE project_id = ? AND sha256 {among}",
                self._project_id,
                *names,
            )
            yield [(Stored(sha256, size), since) for sha256, size, since in rows]


def _let_go(floors: Floors) -> tuple[str, Row]:
    """The test of a version `v` whose bytes need not be kept any more."""
    names = ", ".join("?" * len(floors.archived)) or "NULL"
    evidence, until = "", ()
    if floors.evidence_ms is not None:
        evidence, until = " OR v.deleted_ms <= ?", (floors.evidence_ms,)
    return (
        "v.deleted_ms <= ? AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.version_id = v.id"
        " AND h.released_ms IS NULL) AND (NOT EXISTS (SELECT 1 FROM occupancies o"
        " JOIN slots s ON s.id = o.slot_id WHERE o.version_id = v.id"
        f" AND NOT (s.kind = 'stage' AND s.name IN ({names}))){evidence})",
        (floors.deleted_ms, *floors.archived, *until),
    )


def _kept_files(floors: Floors) -> tuple[str, Row]:
    let_go, params = _let_go(floors)
    return (
        "manifest_files WHERE manifest_id IN (SELECT v.manifest_id FROM versions v"
        f" WHERE v.manifest_id IS NOT NULL AND NOT coalesce({let_go}, 1 = 0))",
        params,
    )


@contextmanager
def inventory(dialect: Dialect) -> Iterator[SqlInventory]:
    """What the rows of the default project name, as of now."""
    with reading(dialect) as db:
        schema.require_head(db, dialect)
        yield SqlInventory(db, dialect, DEFAULT_PROJECT_ID)


@contextmanager
def reading(dialect: Dialect) -> Iterator[Db]:
    """A connection that sees one moment for as long as it takes.

    Raises Unavailable, and IntegrityFailure for a file that cannot be read.
    """
    try:
        with closing(dialect.connect(read_only=True)) as db:
            dialect.begin_long_read(db, LONGEST_S)
            yield db
    except sqlite3.DatabaseError as error:
        raise IntegrityFailure(f"The database cannot be read: {error}.") from None
