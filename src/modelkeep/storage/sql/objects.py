"""Uploads of objects in parts, and buckets that are another store's."""

from collections.abc import Iterable

import msgspec

from modelkeep.domain.objects import NOTHING, Said
from modelkeep.ports.objects import ObjectUpload
from modelkeep.storage.sql.connection import Db, Row

_COLUMNS = "upload_id, path, author, lent_by, began_ms, until_ms, said, etag"


def said_text(said: Said) -> str:
    """As a column keeps it; "" for nothing."""
    return "" if said == NOTHING else msgspec.json.encode(said).decode()


def said_in(text: str) -> Said:
    return msgspec.json.decode(text, type=Said) if text else NOTHING


class SqlObjectUploads:
    """See `ports.objects.ObjectUploads`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def add(self, upload: ObjectUpload) -> None:
        self._db.later(
            f"INSERT INTO object_uploads (project_id, {_COLUMNS})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._project_id,
            upload.id,
            upload.path,
            upload.author,
            upload.lent_by,
            upload.began_ms,
            upload.until_ms,
            said_text(upload.said),
            upload.etag,
        )

    def get(self, upload_id: str) -> ObjectUpload | None:
        row = self._db.one(
            f"SELECT {_COLUMNS} FROM object_uploads WHERE project_id = ? AND upload_id = ?",
            self._project_id,
            upload_id,
        )
        return _upload(row) if row else None

    def page(
        self, author: str, lent_by: str, start: str, after: tuple[str, str], limit: int
    ) -> list[ObjectUpload]:
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM object_uploads WHERE project_id = ? AND author = ?"
            " AND lent_by = ? AND etag = '' AND path >= ? AND path < ?"
            " AND (path, upload_id) > (?, ?) ORDER BY path, upload_id LIMIT ?",
            self._project_id,
            author,
            lent_by,
            start,
            f"{start}\U0010ffff",
            *after,
            limit,
        )
        return [_upload(row) for row in rows]

    def complete(self, upload_id: str, etag: str) -> None:
        self._db.later(
            "UPDATE object_uploads SET etag = ? WHERE project_id = ? AND upload_id = ?",
            etag,
            self._project_id,
            upload_id,
        )

    def delete(self, upload_id: str) -> None:
        self._db.later(
            "DELETE FROM object_uploads WHERE project_id = ? AND upload_id = ?",
            self._project_id,
            upload_id,
        )

    def sweep(self, before_ms: int, limit: int) -> int:
        return self._db.run(
            "DELETE FROM object_uploads WHERE project_id = ? AND upload_id IN (SELECT upload_id"
            " FROM object_uploads WHERE project_id = ? AND until_ms < ? ORDER BY until_ms LIMIT ?)",
            self._project_id,
            self._project_id,
            before_ms,
            limit,
        )


def _upload(row: Row) -> ObjectUpload:
    upload_id, path, author, lent_by, began_ms, until_ms, said, etag = row
    return ObjectUpload(upload_id, path, author, lent_by, began_ms, until_ms, said_in(said), etag)


class SqlBucketsElsewhere:
    """See `ports.objects.BucketsElsewhere`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def has(self, bucket: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM buckets_elsewhere WHERE project_id = ? AND bucket = ?",
            self._project_id,
            bucket,
        )
        return row is not None

    def add(self, buckets: Iterable[str]) -> None:
        self._db.many(
            "INSERT INTO buckets_elsewhere (project_id, bucket) VALUES (?, ?)"
            " ON CONFLICT (project_id, bucket) DO NOTHING",
            [(self._project_id, bucket) for bucket in buckets],
        )
