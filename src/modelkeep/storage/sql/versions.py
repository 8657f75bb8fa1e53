"""Versions of models: their rows, stages, tags and semantic versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelkeep.domain.endings import NO_ENDING, Ending, State
from modelkeep.domain.models import READY, Version
from modelkeep.domain.packages import SINGLE_TAG
from modelkeep.domain.retention import Standing
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.semver import Semver
from modelkeep.ports.registry import NewVersion, Numbered, PackageListing, Place
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.memory import Memory
from modelkeep.storage.sql.package_search import PackageSearch
from modelkeep.storage.sql.pages import CHUNK, in_order
from modelkeep.storage.sql.search import any_of
from modelkeep.storage.sql.sight import Sight
from modelkeep.storage.sql.version_search import VersionSearch

_VERSION = (
    "SELECT v.id, v.model_id, m.name, v.number, v.source, v.run_id, v.logged_model_id, v.run_link,"
    " v.description, v.stage, f.digest, v.author, v.created_ms, v.updated_ms,"
    " v.semver_major, v.semver_minor, v.semver_patch, v.semver_fixed, v.deleted_ms IS NOT NULL,"
    " v.state, v.ending_reason, v.ending_by, v.ending_ms, v.replacement, v.blocks_ms,"
    " v.status, v.status_message,"
    # In the same statement: one more to wait for costs PostgreSQL more than what it finds.
    " (SELECT {tags} FROM version_tags t WHERE t.project_id = v.project_id"
    " AND t.version_id = v.id),"
    " (SELECT {aliases} FROM slots a WHERE a.project_id = v.project_id AND a.version_id = v.id)"
    " FROM versions v JOIN models m ON m.id = v.model_id"
    " LEFT JOIN manifests f ON f.id = v.manifest_id"
)
_SEMVER = "v.semver_major, v.semver_minor, v.semver_patch"
# All that a new version waits for, in one statement. What a subquery finds is one text: a join with
# its row has PostgreSQL read every version where it last planned for a few of them.
_PLACE = (
    "SELECT m.id, m.next_number, (SELECT coalesce(max(id), 0) + 1 FROM versions),"
    " (SELECT v.id || ' ' || v.semver_major || ' ' || v.semver_minor || ' ' || v.semver_patch"
    " || ' ' || coalesce(f.digest, '')"
    " FROM versions v LEFT JOIN manifests f ON f.id = v.manifest_id"
    " WHERE v.project_id = m.project_id AND v.model_id = m.id"
    " ORDER BY v.semver_major DESC, v.semver_minor DESC, v.semver_patch DESC LIMIT 1),"
    " EXISTS (SELECT 1 FROM model_tags t WHERE t.project_id = m.project_id"
    " AND t.model_id = m.id AND t.key = ?)"
    " FROM models m WHERE m.project_id = ? AND m.name = ? AND m.deleted_ms IS NULL"
)
# One look-up for each stage that ever held something, which is then a slot: a model may have a
# hundred thousand versions, and clients ask for these before nearly every call. Once written down,
# PostgreSQL looks nothing up again.
_NEWEST_IN_EACH_STAGE = (
    "WITH newest AS MATERIALIZED"
    " (SELECT (SELECT id FROM versions WHERE project_id = ? AND model_id = s.model_id"
    " AND stage = s.name AND deleted_ms IS NULL AND state <> 'retired'"
    " ORDER BY number DESC LIMIT 1) AS id"
    " FROM (SELECT model_id, name FROM slots WHERE project_id = ? AND kind = 'stage' AND {slots}"
    " UNION ALL SELECT id, 'None' FROM models WHERE {models}) s)"
    " SELECT id FROM newest"
)
# A version stands where it is since the last of its stays in stages began, or ended if it has no
# stage now, or else since it was created.
_STANDING = (
    "SELECT id, number, stage, since_ms FROM (SELECT v.id, v.number, v.stage, coalesce((SELECT"
    " max(coalesce(o.until_ms, o.from_ms)) FROM occupancies o JOIN slots s ON s.id = o.slot_id"
    " WHERE o.version_id = v.id AND s.kind = 'stage'), v.created_ms) AS since_ms FROM versions v"
    " WHERE v.project_id = ? AND v.model_id = ? AND v.deleted_ms IS NULL AND v.number > ?"
    " AND {stages}) standing WHERE since_ms <= ? OR number < ? ORDER BY number LIMIT ?"
)


class SqlVersions:
    """See `ports.registry.Versions`."""

    def __init__(
        self,
        db: Db,
        project_id: int,
        dialect: Dialect,
        sight: Sight,
        memory: Memory | None = None,
    ) -> None:
        self._db, self._project_id, self._dialect = db, project_id, dialect
        self._sight, self._memory = sight, memory
        self._version = _VERSION.format(
            tags=db.gathered("t.key", "t.value"), aliases=db.gathered("a.name", "a.name")
        )

    def get(self, model_id: int, number: int) -> Version | None:
        return self._one(
            "v.project_id = ? AND v.model_id = ? AND v.number = ? AND v.deleted_ms IS NULL",
            self._project_id,
            model_id,
            number,
        )

    def find(self, model_name: str, number: int) -> Version | None:
        seen = self._sight.models
        return self._one(
            "m.project_id = ? AND m.name = ? AND m.deleted_ms IS NULL"
            f" AND v.project_id = ? AND v.number = ? AND v.deleted_ms IS NULL{seen.sql}",
            self._project_id,
            model_name,
            self._project_id,
            number,
            *seen.params,
        )

    def is_taken(self, model_id: int, number: int) -> bool:
        row = self._db.one(
            "SELECT 1 FROM versions WHERE project_id = ? AND model_id = ? AND number = ?",
            self._project_id,
            model_id,
            number,
        )
        return row is not None

    def by_id(self, version_id: int) -> Version | None:
        test = self._sight.models
        return self._one(f"v.id = ?{test.sql}", version_id, *test.params)

    def by_alias(self, model_name: str, alias: str) -> Version | None:
        row = self._db.one(
            f"{self._version} JOIN slots s ON s.version_id = v.id"
            " WHERE m.project_id = ? AND m.name = ? AND m.deleted_ms IS NULL"
            " AND s.project_id = m.project_id AND s.model_id = m.id"
            f" AND s.kind = 'alias' AND s.name = ?{self._sight.models.sql}",
            self._project_id,
            model_name,
            alias,
            *self._sight.models.params,
        )
        return _version(row) if row else None

    def place(self, model_name: str) -> Place | None:
        memory = None if self._sight.models.sql else self._memory
        if memory is None:
            return self._look_for_place(model_name)
        return memory.places.find(model_name, self._look_for_place)

    def _look_for_place(self, model_name: str) -> Place | None:
        seen = self._sight.models
        params = (SINGLE_TAG, self._project_id, model_name, *seen.params)
        row = self._db.one(_PLACE + seen.sql, *params)
        if row is None:
            return None
        model_id, number, version_id, before, is_single = row
        return Place(model_id, number, version_id, _before(before), bool(is_single))

    def _forget_places(self) -> None:
        if self._memory:
            self._memory.places.forget()

    def add(self, new: NewVersion, at_ms: int) -> None:
        if self._memory:
            self._memory.places.taken(new)
        self._db.later(
            "INSERT INTO versions (id, project_id, model_id, number, source, run_id,"
            " logged_model_id, run_link, description, stage, manifest_id, author, semver_major,"
            " semver_minor, semver_patch, semver_fixed, status, location, created_ms, updated_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'None', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            new.id,
            self._project_id,
            new.model_id,
            new.number,
            new.source,
            new.run_id,
            new.logged_model_id,
            new.run_link,
            new.description,
            new.manifest_id,
            new.author,
            *new.semver,
            int(new.semver_fixed),
            new.status,
            new.location,
            at_ms,
            at_ms,
        )

    def describe(self, version_id: int, description: str, at_ms: int) -> None:
        self._set(version_id, "description", description, at_ms)

    def hold(self, version_id: int, manifest_id: int, at_ms: int) -> None:
        self._forget_places()
        self._set(version_id, "manifest_id", manifest_id, at_ms)
        self.set_status(version_id, READY, "", at_ms)

    def set_status(self, version_id: int, status: str, message: str, at_ms: int) -> None:
        self._set(version_id, "status", status, at_ms)
        self._set(version_id, "status_message", message, at_ms)

    def set_stage(self, version_id: int, stage: str, at_ms: int) -> None:
        self._set(version_id, "stage", stage, at_ms)

    def set_ending(self, version_id: int, ending: Ending, at_ms: int) -> None:
        self._db.run(
            "UPDATE versions SET state = ?, ending_reason = ?, ending_by = ?, ending_ms = ?,"
            " replacement = ?, blocks_ms = ?, updated_ms = ? WHERE id = ?",
            ending.state.value,
            ending.reason,
            ending.by,
            ending.since_ms,
            ending.replacement,
            ending.blocks_ms,
            at_ms,
            version_id,
        )

    def due_to_block(self, now_ms: int, after_id: int, limit: int) -> list[int]:
        rows = self._db.all(
            "SELECT id FROM versions WHERE project_id = ? AND blocks_ms <= ? AND id > ?"
            " AND state = 'deprecated' AND deleted_ms IS NULL ORDER BY id LIMIT ?",
            self._project_id,
            now_ms,
            after_id,
            limit,
        )
        return [row[0] for row in rows]

    def touch(self, version_id: int, at_ms: int) -> None:
        self._db.later("UPDATE versions SET updated_ms = ? WHERE id = ?", at_ms, version_id)

    def delete(self, version_id: int, at_ms: int) -> None:
        self._set(version_id, "deleted_ms", at_ms, at_ms)

    def set_tags(self, version_id: int, tags: Mapping[str, str]) -> None:
        self._db.many(
            "INSERT INTO version_tags (project_id, version_id, key, value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project_id, version_id, key) DO UPDATE SET value = excluded.value",
            [(self._project_id, version_id, key, value) for key, value in tags.items()],
        )

    def delete_tag(self, version_id: int, key: str) -> bool:
        return 0 < self._db.run(
            "DELETE FROM version_tags WHERE project_id = ? AND version_id = ? AND key = ?",
            self._project_id,
            version_id,
            key,
        )

    def below(self, model_id: int, semver: Semver) -> Numbered | None:
        return self._numbered(model_id, "<", "DESC", semver)

    def above(self, model_id: int, semver: Semver) -> Numbered | None:
        return self._numbered(model_id, ">", "ASC", semver)

    def _numbered(self, model_id: int, sign: str, way: str, semver: Semver) -> Numbered | None:
        row = self._db.one(
            f"SELECT v.id, {_SEMVER}, f.digest FROM versions v"
            " LEFT JOIN manifests f ON f.id = v.manifest_id"
            f" WHERE v.project_id = ? AND v.model_id = ? AND ({_SEMVER}) {sign} (?, ?, ?)"
            f" ORDER BY v.semver_major {way}, v.semver_minor {way}, v.semver_patch {way} LIMIT 1",
            self._project_id,
            model_id,
            *semver,
        )
        return Numbered(row[0], Semver(*row[1:4]), row[4]) if row else None

    def newest_from(
        self, model_id: int, low: Semver, below: Semver, *, retired: bool
    ) -> Version | None:
        return self._one(
            "v.project_id = ? AND v.model_id = ? AND v.deleted_ms IS NULL"
            + ("" if retired else " AND v.state <> 'retired'")
            + f" AND ({_SEMVER}) >= (?, ?, ?) AND ({_SEMVER}) < (?, ?, ?)"
            " ORDER BY v.semver_major DESC, v.semver_minor DESC, v.semver_patch DESC LIMIT 1",
            self._project_id,
            model_id,
            *low,
            *below,
        )

    def renumber(self, version_id: int, semver: Semver) -> None:
        self._forget_places()
        self._db.later(
            "UPDATE versions SET semver_major = ?, semver_minor = ?, semver_patch = ?,"
            " semver_fixed = 1 WHERE id = ?",
            *semver,
            version_id,
        )

    def latest_per_stage(self, model_ids: Sequence[int]) -> dict[int, list[Version]]:
        found: dict[int, list[Version]] = {model_id: [] for model_id in model_ids}
        for start in range(0, len(model_ids), CHUNK):
            among, some = self._db.among(model_ids[start : start + CHUNK])
            newest = _NEWEST_IN_EACH_STAGE.format(slots=f"model_id {among}", models=f"id {among}")
            params = (self._project_id, self._project_id, *some, *some)
            for version in self._all(f"v.id IN ({newest}) ORDER BY v.number", *params):
                found[version.model_id].append(version)
        return found

    def in_stage(self, model_id: int, stage: str) -> list[int]:
        rows = self._db.all(
            "SELECT id FROM versions WHERE project_id = ? AND model_id = ? AND stage = ?"
            " AND deleted_ms IS NULL ORDER BY number",
            self._project_id,
            model_id,
            stage,
        )
        return [row[0] for row in rows]

    def any_from(self, folder: str) -> bool:
        start = "substr(source, 1, 200)"  # as the index has it
        row = self._db.one(
            f"SELECT 1 FROM versions WHERE project_id = ? AND deleted_ms IS NULL"
            f" AND ({start} = ? OR ({start} > ? AND {start} < ?)) LIMIT 1",
            self._project_id,
            folder,
            f"{folder}/",
            f"{folder}0",
        )
        return row is not None

    def census(self, model_id: int) -> dict[str, tuple[int, int]]:
        rows = self._db.all(
            "SELECT stage, count(*), max(number) FROM versions WHERE project_id = ?"
            " AND model_id = ? AND deleted_ms IS NULL GROUP BY stage",
            self._project_id,
            model_id,
        )
        return {stage: (count, newest) for stage, count, newest in rows}

    def newest_number(self, model_id: int, count: int) -> int:
        row = self._db.one(
            "SELECT number FROM versions WHERE project_id = ? AND model_id = ?"
            " AND deleted_ms IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?",
            self._project_id,
            model_id,
            max(count - 1, 0),
        )
        return row[0] if row and count else 0

    def standing(
        self,
        model_id: int,
        stages: Sequence[str],
        before_ms: int,
        below: int,
        after: int,
        limit: int,
    ) -> list[Standing]:
        some = any_of("v.stage", stages)
        rows = self._db.all(
            _STANDING.format(stages=some.sql),
            self._project_id,
            model_id,
            after,
            *some.params,
            before_ms,
            below,
            limit,
        )
        return [Standing(*row) for row in rows]

    def of_model(self, model_id: int) -> list[int]:
        rows = self._db.all(
            "SELECT id FROM versions WHERE project_id = ? AND model_id = ? AND deleted_ms IS NULL"
            " ORDER BY number",
            self._project_id,
            model_id,
        )
        return [row[0] for row in rows]

    def count(self, model_id: int) -> int:
        row = self._db.one(
            "SELECT COUNT(*) FROM versions WHERE project_id = ? AND model_id = ?"
            " AND deleted_ms IS NULL",
            self._project_id,
            model_id,
        )
        assert row is not None
        return row[0]

    def search(
        self,
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Version]:
        search = VersionSearch(self._db, self._project_id, self._dialect, self._sight)
        return self._whole(search.find(where, order, limit, after))

    def listed(self, wanted: PackageListing, limit: int, after: Position | None) -> Page[Version]:
        search = PackageSearch(self._db, self._project_id, self._dialect, self._sight)
        return self._whole(search.versions(wanted, limit, after))

    def _whole(self, found: Page[int]) -> Page[Version]:
        versions: dict[int, Version] = {}
        for start in range(0, len(found.items), CHUNK):
            among, ids = self._db.among(found.items[start : start + CHUNK])
            versions |= {version.id: version for version in self._all(f"v.id {among}", *ids)}
        return Page([versions[version_id] for version_id in found.items], found.end)

    def _set(self, version_id: int, column: str, value: str | int, at_ms: int) -> None:
        self._db.later(
            f"UPDATE versions SET {column} = ?, updated_ms = ? WHERE id = ?",
            value,
            at_ms,
            version_id,
        )

    def _one(self, where: str, *params: object) -> Version | None:
        found = self._all(where, *params)
        return found[0] if found else None

    def _all(self, where: str, *params: object) -> list[Version]:
        return [_version(row) for row in self._db.all(f"{self._version} WHERE {where}", *params)]


def _version(row: Sequence[Any]) -> Version:
    return Version(
        *row[:14],
        semver=Semver(*row[14:17]),
        semver_fixed=bool(row[17]),
        deleted=bool(row[18]),
        ending=_ending(row[19:25]),
        status=row[25],
        status_message=row[26],
        tags=in_order(row[27]) if row[27] else {},
        aliases=tuple(in_order(row[28])) if row[28] else (),
    )


def _before(text: str | None) -> Numbered | None:
    """What `_PLACE` says of a version."""
    if text is None:
        return None
    version_id, major, minor, patch, digest = text.split(" ")
    return Numbered(int(version_id), Semver(int(major), int(minor), int(patch)), digest or None)


def _ending(row: Sequence[Any]) -> Ending:
    return Ending(State(row[0]), *row[1:]) if row[3] is not None else NO_ENDING
