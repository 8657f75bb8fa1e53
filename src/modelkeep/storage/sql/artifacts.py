"""Artifact rows and frozen manifests."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from modelkeep.domain.manifests import File, Manifest
from modelkeep.domain.objects import Said
from modelkeep.ports.artifacts import Dated, Entry
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.objects import said_in, said_text


@cache
def _put_below(folders: int) -> str:
    # A look-up for each of them: of a list, PostgreSQL may make a scan while the table is small,
    # and keeps to that when it grows.
    free = " AND NOT EXISTS (SELECT 1 FROM artifacts WHERE project_id = ? AND path = ?)" * folders
    return (
        "INSERT INTO artifacts (project_id, path, sha256, size_bytes, updated_ms, author)"
        " SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
        f" (SELECT 1 FROM artifacts WHERE project_id = ? AND path > ? AND path < ?){free}"
        " ON CONFLICT (project_id, path) DO UPDATE SET"
        " sha256 = excluded.sha256, size_bytes = excluded.size_bytes,"
        " updated_ms = excluded.updated_ms, author = excluded.author, etag = '',"
        " said = ''"
    )


class SqlArtifacts:
    """See `ports.artifacts.Artifacts`."""

    def __init__(self, db: Db, project_id: int) -> None:
        self._db, self._project_id = db, project_id

    def put(self, files: Sequence[tuple[File, str]], at_ms: int) -> bool:
        deep: dict[int, list[Row]] = defaultdict(list)
        for file, author in files:
            above = _above(file.path)
            row = (file.path, file.sha256, file.size_bytes, at_ms, author)
            within = (value for folder in above for value in (self._project_id, folder))
            deep[len(above)].append(
                (self._project_id, *row, self._project_id, *_range(file.path), *within)
            )
        touched = sum(self._db.touched(_put_below(depth), rows) for depth, rows in deep.items())
        return touched == len(files)

    def tag(self, path: str, etag: str, said: Said) -> None:
        self._db.later(
            "UPDATE artifacts SET etag = ?, said = ? WHERE project_id = ? AND path = ?",
            etag,
            said_text(said),
            self._project_id,
            path,
        )

    def dated(self, path: str) -> Dated | None:
        row = self._db.one(
            "SELECT path, sha256, size_bytes, updated_ms, etag, said FROM artifacts"
            " WHERE project_id = ? AND path = ?",
            self._project_id,
            path,
        )
        return _dated(row) if row else None

    def dated_page(self, start: str, after: str, limit: int) -> list[Dated]:
        rows = self._db.all(
            "SELECT path, sha256, size_bytes, updated_ms, etag FROM artifacts"
            " WHERE project_id = ? AND path >= ? AND path > ? AND path < ? ORDER BY path LIMIT ?",
            self._project_id,
            start,
            after,
            f"{start}\U0010ffff",
            limit,
        )
        return [_dated(row) for row in rows]

    def authors(self, path: str) -> list[str]:
        rows = self._db.all(
            "SELECT DISTINCT author FROM artifacts"
            " WHERE project_id = ? AND (path = ? OR (path > ? AND path < ?)) ORDER BY author",
            self._project_id,
            path,
            *_range(path),
        )
        return [row[0] for row in rows]

    def first_author(self, folder: str) -> str | None:
        row = self._db.one(
            "SELECT author FROM artifacts WHERE project_id = ? AND path > ? AND path < ?"
            " ORDER BY path LIMIT 1",
            self._project_id,
            *_range(folder),
        )
        return row[0] if row else None

    def total(self, folder: str) -> tuple[int, int, int]:
        row = self._db.one(
            "SELECT count(*), coalesce(sum(size_bytes), 0), coalesce(max(updated_ms), 0)"
            " FROM artifacts WHERE project_id = ? AND path > ? AND path < ?",
            self._project_id,
            *_range(folder),
        )
        assert row is not None
        count, size_bytes, newest_ms = row
        return count, int(size_bytes), newest_ms

    def get(self, path: str) -> File | None:
        row = self._db.one(
            "SELECT path, sha256, size_bytes FROM artifacts WHERE project_id = ? AND path = ?",
            self._project_id,
            path,
        )
        return File(*row) if row else None

    def keep(self, contents: Sequence[tuple[str, bytes]]) -> None:
        # Where the same bytes are kept already this writes nothing, unless they were damaged,
        # or found to be garbage, which they are no longer.
        self._db.many(
            "INSERT INTO small_blobs (project_id, sha256, content) VALUES (?, ?, ?)"
            " ON CONFLICT (project_id, sha256) DO UPDATE"
            " SET content = excluded.content, garbage_ms = NULL"
            " WHERE small_blobs.content <> excluded.content"
            " OR small_blobs.garbage_ms IS NOT NULL",
            [(self._project_id, sha256, content) for sha256, content in contents],
        )

    def kept(self, sha256: str) -> bytes | None:
        row = self._db.one(
            "SELECT content FROM small_blobs WHERE project_id = ? AND sha256 = ?",
            self._project_id,
            sha256,
        )
        return row[0] if row else None

    def clash(self, path: str) -> str | None:
        above = ["", *_above(path)]  # "" names nothing
        row = self._db.one(
            "SELECT path FROM artifacts WHERE project_id = ?"
            f" AND path IN ({', '.join('?' * len(above))})"
            " UNION ALL SELECT path FROM artifacts"
            " WHERE project_id = ? AND path > ? AND path < ? LIMIT 1",
            self._project_id,
            *above,
            self._project_id,
            *_range(path),
        )
        return (row[0] if row[0] in above else path) if row else None

    def tree(self, folder: str, limit: int) -> list[File]:
        files = [
            File(path[len(folder) + 1 :], sha256, size)
            for path, sha256, size in self._under(folder, limit)
        ]
        single = None if files else self.get(folder)
        return files if single is None else [_renamed(single, folder.rsplit("/", 1)[-1])]

    def page(self, folder: str, after: str, limit: int) -> list[File]:
        rows = self._db.all(
            "SELECT path, sha256, size_bytes FROM artifacts"
            " WHERE project_id = ? AND path > ? AND path < ? ORDER BY path LIMIT ?",
            self._project_id,
            f"{folder}/{after}",
            _range(folder)[1],
            limit,
        )
        return [File(path[len(folder) + 1 :], sha256, size) for path, sha256, size in rows]

    def children(self, folder: str) -> list[Entry]:
        return _children(folder, ((p, size) for p, _, size in self._under(folder, 2**31)))

    def delete(self, path: str) -> int:
        return self._db.run(
            "DELETE FROM artifacts WHERE project_id = ? AND (path = ? OR (path > ? AND path < ?))",
            self._project_id,
            path,
            *_range(path),
        )

    def _under(self, folder: str, limit: int) -> list[Row]:
        return self._db.all(
            "SELECT path, sha256, size_bytes FROM artifacts"
            " WHERE project_id = ? AND path > ? AND path < ? ORDER BY path LIMIT ?",
            self._project_id,
            *_range(folder),
            limit,
        )

    # -- frozen trees ----------------------------------------------------------------------

    def freeze(self, manifest: Manifest) -> int:
        digest = manifest.digest
        known = self._db.one(
            "SELECT id FROM manifests WHERE project_id = ? AND digest = ?",
            self._project_id,
            digest,
        )
        if known:
            return known[0]
        row = self._db.one(
            "INSERT INTO manifests (project_id, digest, file_count, size_bytes)"
            " VALUES (?, ?, ?, ?) RETURNING id",
            self._project_id,
            digest,
            len(manifest.files),
            manifest.size_bytes,
        )
        assert row is not None
        self._db.many(
            "INSERT INTO manifest_files (project_id, manifest_id, path, sha256, size_bytes)"
            " VALUES (?, ?, ?, ?, ?)",
            [(self._project_id, row[0], f.path, f.sha256, f.size_bytes) for f in manifest.files],
        )
        return row[0]

    def frozen_file(self, version_id: int, path: str) -> File | None:
        row = self._db.one(
            "SELECT f.path, f.sha256, f.size_bytes FROM versions v"
            " JOIN manifest_files f"
            " ON f.project_id = v.project_id AND f.manifest_id = v.manifest_id"
            " WHERE v.project_id = ? AND v.id = ? AND f.path = ?",
            self._project_id,
            version_id,
            path,
        )
        return File(*row) if row else None

    def frozen_children(self, version_id: int, folder: str) -> list[Entry]:
        rows = self._frozen(version_id, *_range(folder))
        return _children(folder, ((path, size) for path, _, size in rows))

    def frozen_page(self, version_id: int, folder: str, after: str, limit: int) -> list[File]:
        low, high = _range(folder)
        return [File(*row) for row in self._frozen(version_id, max(low, after), high, limit)]

    def frozen_from(self, version_id: int, start: str, after: str, limit: int) -> list[File]:
        if after >= start:
            rows = self._frozen(version_id, after, f"{start}\U0010ffff", limit)
        else:
            rows = self._frozen(version_id, start, f"{start}\U0010ffff", limit, "f.path >= ?")
        return [File(*row) for row in rows]

    def frozen(self, version_id: int) -> Manifest | None:
        files = [File(*row) for row in self._frozen(version_id, *_range(""))]
        return Manifest.of(files) if files else None

    def _frozen(
        self,
        version_id: int,
        low: str,
        high: str,
        limit: int = 2**31,
        above: str = "f.path > ?",
    ) -> list[Row]:
        return self._db.all(
            "SELECT f.path, f.sha256, f.size_bytes FROM versions v"
            " JOIN manifest_files f"
            " ON f.project_id = v.project_id AND f.manifest_id = v.manifest_id"
            f" WHERE v.project_id = ? AND v.id = ? AND {above} AND f.path < ? ORDER BY f.path"
            " LIMIT ?",
            self._project_id,
            version_id,
            low,
            high,
            limit,
        )


def _above(path: str) -> list[str]:
    """The folders that a path lies in."""
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments))]


def _range(folder: str) -> tuple[str, str]:
    """The open interval of paths under a folder: "0" is the character after "/"."""
    return (f"{folder}/", f"{folder}0") if folder else ("", "\U0010ffff")


def _dated(row: Row) -> Dated:
    path, sha256, size_bytes, at_ms, etag, *said = row
    return Dated(File(path, sha256, size_bytes), at_ms, etag, *map(said_in, said))


def _renamed(file: File, path: str) -> File:
    return File(path, file.sha256, file.size_bytes)


def _children(folder: str, paths: Iterable[tuple[str, int]]) -> list[Entry]:
    start = len(folder) + 1 if folder else 0
    entries: dict[str, Entry] = {}
    for path, size in paths:
        name, deeper, _ = path[start:].partition("/")
        entries.setdefault(name, Entry(name, None if deeper else size))
    return [entries[name] for name in sorted(entries)]
