"""The documents that are attached to versions; an older one stays, under its revision."""

from modelkeep.domain.papers import Document
from modelkeep.storage.sql.connection import Db

_HEAD = "name, revision, media_type, sha256, size_bytes, author, attached_ms"


class SqlPapers:
    """See `ports.papers.Papers`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def attach(self, version_id: int, document: Document) -> int:
        row = self._db.one(
            f"INSERT INTO papers (project_id, version_id, {_HEAD}, body)"
            " SELECT ?, ?, ?, coalesce(max(revision), 0) + 1, ?, ?, ?, ?, ?, ? FROM papers"
            " WHERE project_id = ? AND version_id = ? AND name = ? RETURNING revision",
            self._project_id,
            version_id,
            document.name,
            document.media_type,
            document.sha256,
            document.size_bytes,
            document.author,
            document.at_ms,
            document.body,
            self._project_id,
            version_id,
            document.name,
        )
        assert row is not None
        return row[0]

    def of(self, version_id: int) -> list[Document]:
        rows = self._db.all(
            f"SELECT {_HEAD} FROM papers WHERE project_id = ? AND version_id = ?"
            " ORDER BY name, revision",
            self._project_id,
            version_id,
        )
        return list({row[0]: Document(*row) for row in rows}.values())

    def get(self, version_id: int, name: str, revision: int | None = None) -> Document | None:
        row = self._db.one(
            f"SELECT {_HEAD}, body FROM papers WHERE project_id = ? AND version_id = ?"
            " AND name = ? AND revision <= ? ORDER BY revision DESC LIMIT 1",
            self._project_id,
            version_id,
            name,
            2**31 if revision is None else revision,
        )
        found = Document(*row) if row else None
        return found if found and revision in (None, found.revision) else None

    def authors(self, version_id: int, name: str) -> list[str]:
        rows = self._db.all(
            "SELECT author FROM papers WHERE project_id = ? AND version_id = ? AND name = ?"
            " ORDER BY revision",
            self._project_id,
            version_id,
            name,
        )
        return list(dict.fromkeys(row[0] for row in rows))
