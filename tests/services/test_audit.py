"""Whatever is altered in the journal or in the tables, `verify` says so, and where it began.

A story of every kind of event is told once; then each of its entries and rows is tampered with in
every way, by SQL, in a transaction that is rolled back after the verifier has looked.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from modelkeep.domain import audit as verifier
from modelkeep.domain.audit import Report, verify
from modelkeep.domain.events import commitment
from modelkeep.domain.merkle import Frontier, leaf_hash
from modelkeep.services import audit
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.work import SqlWork
from tests.support.clock import MovedClock
from tests.support.core import Core
from tests.support.postgres import Postgres
from tests.support.story import tell


@dataclass
class Crime:
    """A database that is tampered with, looked at, and left as it was."""

    db: Db
    work: SqlWork
    size: int
    is_sqlite: bool

    def verify(self, *steps: tuple[Any, ...]) -> Report:
        """What the verifier says after these statements; each is SQL and its parameters."""
        self.db.run("BEGIN")
        try:
            for statement, *params in steps:
                self.db.run(statement, *params)
            lines = [json.loads(json.dumps(line)) for line in audit.export(self.work)]
        finally:
            self.db.run("ROLLBACK")
        return verify(lines)

    def leaf(self, index: int) -> tuple[bytes, bytes, bytes, int, str]:
        row = self.db.one(
            "SELECT body, hash, root, at_ms, texts FROM journal_leaves WHERE idx = ?", index
        )
        assert row
        return bytes(row[0]), bytes(row[1]), bytes(row[2]), row[3], row[4]

    def set(self, index: int, **values: Any) -> tuple[Any, ...]:
        names = ", ".join(f"{name} = ?" for name in values)
        return (f"UPDATE journal_leaves SET {names} WHERE idx = ?", *values.values(), index)

    def put(self, index: int, of: int) -> tuple[Any, ...]:
        """A copy of one entry, inserted elsewhere."""
        return (
            "INSERT INTO journal_leaves (project_id, idx, at_ms, model_id, body, hash, root, texts)"
            " SELECT project_id, ?, at_ms, model_id, body, hash, root, texts"
            " FROM journal_leaves WHERE idx = ?",
            index,
            of,
        )

    def drop(self, index: int) -> tuple[Any, ...]:
        return ("DELETE FROM journal_leaves WHERE idx = ?", index)

    def shift(self, start: int, by: int) -> list[tuple[Any, ...]]:
        """Renumbers all entries from one on, by way of numbers that nobody has."""
        return [
            ("UPDATE journal_leaves SET idx = idx + 1000000 WHERE idx >= ?", start),
            ("UPDATE journal_leaves SET idx = idx - 1000000 + ? WHERE idx >= 1000000", by),
        ]

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.db.all(f"SELECT {columns} FROM {table}")


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def core(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Core]:
    """A core in which the story was told; nothing is changed after that."""
    server: Postgres | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
    url = server.create_database() if server else ""
    clock = MovedClock()
    core = Core(tmp_path_factory.mktemp("audit"), url, clock)
    tell(core, clock)
    yield core
    core.close()
    if server:
        server.drop_database(url)


@pytest.fixture
def crime(core: Core) -> Iterator[Crime]:
    report = core.verify()
    assert report.is_intact, report.problems
    dialect = dialect_for(core.settings.database_url, core.settings.data_dir)
    db = dialect.connect(read_only=False)
    yield Crime(db, SqlWork(db, dialect), report.size, dialect.name == "sqlite")
    db.close()


def test_the_story_has_an_entry_of_every_kind(core: Core, crime: Crime) -> None:
    acts = set(core.acts())
    assert 55 <= crime.size <= 90
    assert acts == {
        *("model:created", "model:renamed", "model:described", "model:deleted"),
        *("model:tag:set", "model:tag:deleted", "model:alias:set", "model:alias:deleted"),
        *("version:created", "version:described", "version:deleted"),
        *("version:tag:set", "version:tag:deleted"),
        *("version:stage:changed", "version:stage:refused", "version:stage:rolled-back"),
        *("policy:revision:applied", "approval:request:opened"),
        *("approval:vote:cast", "approval:vote:denied"),
        *("webhook:created", "webhook:changed", "webhook:disabled", "webhook:deleted"),
        "webhook:replayed",
    }


# -- the journal -------------------------------------------------------------------------------


def edited(body: bytes) -> bytes:
    """Another body, that reads as well as the first."""
    return body.replace(b'"project":"default"', b'"project":"dafault"')


def caught(report: Report, first: int) -> bool:
    return not report.is_intact and report.first_bad == first


def test_an_edited_body_is_named(crime: Crime) -> None:
    for index in range(crime.size):
        body = crime.leaf(index)[0]
        for other in (edited(body), body + b" ", body[:-1], b"", b"null", b"\xff\xfe", b"[1]"):
            assert caught(crime.verify(crime.set(index, body=other)), index), (index, other)


def test_an_edited_body_with_its_hash_is_named_by_the_root(crime: Crime) -> None:
    for index in range(crime.size):
        body = edited(crime.leaf(index)[0])
        report = crime.verify(crime.set(index, body=body, hash=leaf_hash(body)))
        assert caught(report, index), index


def test_an_edited_body_with_its_hash_and_root_is_named_by_the_next(crime: Crime) -> None:
    frontier = Frontier()
    for index in range(crime.size):
        body, digest, *_ = crime.leaf(index)
        false = leaf_hash(edited(body))
        root = frontier.append(false).root
        report = crime.verify(crime.set(index, body=edited(body), hash=false, root=root))
        assert caught(report, min(index + 1, crime.size - 1)), index
        frontier = frontier.append(digest)


def test_an_altered_hash_or_root_or_time_is_named(crime: Crime) -> None:
    for index in range(crime.size):
        _, digest, root, at_ms, _ = crime.leaf(index)
        for change in (
            *({"hash": digest[:-1]}, {"hash": b""}, {"hash": root}),
            *({"root": root[:-1]}, {"root": b""}, {"root": digest}),
            *({"at_ms": at_ms + 1}, {"at_ms": at_ms - 1}, {"at_ms": 2**62}),
        ):
            if index or change not in ({"root": digest}, {"hash": root}):  # which are one at first
                assert caught(crime.verify(crime.set(index, **change)), index), (index, change)


def test_an_entry_told_under_another_model_is_named(crime: Crime) -> None:
    for index in range(crime.size):
        for model_id in (None, 987):
            report = crime.verify(crime.set(index, model_id=model_id))
            about_a_model = "model" in json.loads(crime.leaf(index)[0])["obj"]
            assert caught(report, index) or (model_id is None and not about_a_model)


def test_a_dropped_entry_is_named(crime: Crime) -> None:
    for index in range(crime.size):
        assert caught(crime.verify(crime.drop(index)), index), index
        closed = crime.verify(crime.drop(index), *crime.shift(index + 1, -1))
        assert caught(closed, index), index


def test_an_inserted_entry_is_named(crime: Crime) -> None:
    for index in range(crime.size):
        doubled = crime.verify(*crime.shift(index + 1, 1), crime.put(index + 1, of=index))
        assert caught(doubled, index + 1), index
        other = (index + 7) % crime.size
        inserted = crime.verify(
            *crime.shift(index, 1), crime.put(index, of=other + (other >= index))
        )
        assert caught(inserted, index), index


def test_an_entry_before_the_first_or_after_the_last_is_named(crime: Crime) -> None:
    for index in (-1, -(2**40)):
        report = crime.verify(crime.put(index, of=3))
        assert not report.is_intact
        assert report.first_bad is not None
        assert report.first_bad <= 0
    for index in (crime.size, crime.size + 5, 2**40):
        assert caught(crime.verify(crime.put(index, of=3)), crime.size)


def test_swapped_entries_are_named_by_the_first(crime: Crime) -> None:
    for index in range(crime.size - 1):
        for other in {index + 1, crime.size - 1}:
            steps = [
                ("UPDATE journal_leaves SET idx = -9 WHERE idx = ?", index),
                ("UPDATE journal_leaves SET idx = ? WHERE idx = ?", index, other),
                ("UPDATE journal_leaves SET idx = ? WHERE idx = -9", other),
            ]
            assert caught(crime.verify(*steps), index), (index, other)


def test_an_altered_text_is_named(crime: Crime) -> None:
    seen = 0
    for index in range(crime.size):
        texts = json.loads(crime.leaf(index)[4])
        for name, (salt, text) in texts.items():
            seen += 1
            for changed in (
                {**texts, name: [salt, text + "x"]},
                {**texts, name: ["00" * 16, text]},
                {**texts, name: ["", text]},
                {**texts, name: ["no hex", text]},
                {**texts, "added": [salt, text]},
            ):
                report = crime.verify(crime.set(index, texts=json.dumps(changed)))
                assert caught(report, index), (index, changed)
    assert seen > crime.size


@pytest.mark.parametrize("garbage", ["", "x", "[]", "null", "1", '{"a": 1}', '{"a": ["b"]}'])
def test_texts_that_are_none_are_named_and_not_choked_on(crime: Crime, garbage: str) -> None:
    for index in (0, 7, crime.size - 1):
        assert caught(crime.verify(crime.set(index, texts=garbage)), index)


def test_an_erased_text_leaves_the_journal_intact(crime: Crime) -> None:
    erased = 0
    for index in range(crime.size):
        texts = json.loads(crime.leaf(index)[4])
        for gone in ({name} for name in texts):
            left = {name: value for name, value in texts.items() if name not in gone}
            report = crime.verify(crime.set(index, texts=json.dumps(left)))
            assert report.is_intact, (index, gone, report.problems)
            assert len(report.erased) == 1
        erased += len(texts)
    report = crime.verify(("UPDATE journal_leaves SET texts = '{}'",))
    assert report.is_intact, report.problems
    assert len(report.erased) == erased


def test_an_erased_text_hides_no_other_change(crime: Crime) -> None:
    clean = ("UPDATE journal_leaves SET texts = '{}'",)
    for statement in (
        "UPDATE versions SET stage = 'Production' WHERE number = 4",
        "UPDATE votes SET verdict = 'approve'",
        "DELETE FROM votes WHERE verdict = 'reject'",
        "INSERT INTO votes (project_id, request_id, person, name, verdict, comment, cast_ms)"
        " SELECT 1, max(id), 'eve', 'eve', 'approve', '', 1 FROM requests",
        "UPDATE models SET name = 'x' WHERE name = 'churn'",
    ):
        assert not crime.verify(clean, (statement,)).is_intact, statement


def test_an_altered_edge_is_seen(crime: Crime) -> None:
    for statement in (
        "UPDATE journal_state SET size = size + 1",
        "UPDATE journal_state SET size = size - 1",
        "UPDATE journal_state SET size = 0",
        "UPDATE journal_state SET size = -1",
    ):
        assert not crime.verify((statement,)).is_intact, statement
    _, peaks = crime.work.journal.state()
    for other in (b"", peaks[:-1], bytes(len(peaks)), peaks[::-1]):
        report = crime.verify(("UPDATE journal_state SET peaks = ?", other))
        assert caught(report, crime.size - 1)


def test_a_cut_tail_is_betrayed_by_what_it_did(crime: Crime) -> None:
    frontiers = [Frontier()]
    for index in range(crime.size):
        frontiers.append(frontiers[-1].append(crime.leaf(index)[1]))
    changed_nothing = ("version:stage:refused", "approval:vote:denied", "webhook:replayed")
    for size in range(crime.size):
        edge = frontiers[size]
        report = crime.verify(
            ("DELETE FROM journal_leaves WHERE idx >= ?", size),
            ("UPDATE journal_state SET size = ?, peaks = ?", size, edge.encode()),
        )
        last = json.loads(crime.leaf(size)[0])["act"]
        assert not report.is_intact or last in changed_nothing, size


def test_a_journal_that_is_gone_is_not_intact(crime: Crime) -> None:
    assert not crime.verify(("DELETE FROM journal_leaves",)).is_intact
    gone = (
        ("DELETE FROM journal_leaves",),
        ("UPDATE journal_state SET size = 0, peaks = ?", b""),
    )
    assert not crime.verify(*gone).is_intact


# -- the tables --------------------------------------------------------------------------------

# What may be done to each row; each must be seen, with the entry that says otherwise.
CHANGES: dict[str, list[str]] = {
    "models": [
        "name = name || 'x'",
        "description = description || 'x'",
        "deleted_ms = CASE WHEN deleted_ms IS NULL THEN 1 END",
        "id = id + 1000",
    ],
    "model_names": [
        "name = name || 'x'",
        "from_ms = from_ms + 1",
        "until_ms = CASE WHEN until_ms IS NULL THEN 9 END",
    ],
    "model_tags": ["value = value || 'x'", "key = key || 'x'"],
    "versions": [
        "stage = 'Deleted'",
        "stage = CASE stage WHEN 'Production' THEN 'Archived' ELSE 'Production' END",
        "number = number + 1000",
        "source = source || 'x'",
        "description = description || 'x'",
        "deleted_ms = CASE WHEN deleted_ms IS NULL THEN 1 END",
        "manifest_id = CASE WHEN manifest_id IS NULL THEN (SELECT min(id) FROM manifests) END",
        "manifest_id = (SELECT min(m.id) FROM manifests m"
        " WHERE m.id <> coalesce(versions.manifest_id, 0))",
        "author = author || 'x'",
        "run_id = coalesce(run_id, '') || 'x'",
        "logged_model_id = coalesce(logged_model_id, '') || 'x'",
        "id = id + 1000",
    ],
    "version_tags": ["value = value || 'x'", "key = key || 'x'"],
    "slots": [
        "epoch = epoch + 1",
        "epoch = epoch - 1",
        "name = name || 'x'",
        "kind = kind || 'x'",
        "version_id = CASE WHEN version_id IS NULL THEN (SELECT min(id) FROM versions) END",
        "version_id = (SELECT max(v.id) FROM versions v"
        " WHERE v.id <> coalesce(slots.version_id, 0))",
    ],
    "occupancies": [
        "from_ms = from_ms + 1",
        "until_ms = coalesce(until_ms, 0) + 1",
        "until_ms = CASE WHEN until_ms IS NULL THEN from_ms END",
        "epoch = epoch + 1000",
        "until_epoch = coalesce(until_epoch, 0) + 1",
        "version_id = (SELECT max(v.id) FROM versions v WHERE v.id <> occupancies.version_id)",
        "slot_id = (SELECT max(s.id) FROM slots s WHERE s.id <> occupancies.slot_id)",
        "approved = 1 - approved",
        "prior_id = CASE WHEN prior_id IS NULL THEN id END",
    ],
    "policies": ["digest = digest || 'x'", "revision = revision + 1000", "document = '{}'"],
    "requests": [
        "status = CASE status WHEN 'approved' THEN 'pending' ELSE 'approved' END",
        "target = target || 'x'",
        "source = source || 'x'",
        "subject = subject || 'x'",
        "evidence_digest = evidence_digest || 'x'",
        "policy_digest = policy_digest || 'x'",
        "version_id = (SELECT max(v.id) FROM versions v WHERE v.id <> requests.version_id)",
        "requested_by = 'eve'",
        "authors = '[]'",
        "reason = reason || 'x'",
        "expires_ms = expires_ms + 1",
        "archive_existing = 1 - archive_existing",
        "id = id + 1000",
    ],
    "votes": [
        "verdict = CASE verdict WHEN 'approve' THEN 'reject' ELSE 'approve' END",
        "name = name || 'x'",
        "comment = comment || 'x'",
        "request_id = (SELECT max(r.id) FROM requests r WHERE r.id <> votes.request_id)",
    ],
    "webhooks": [
        "name = name || 'x'",
        "url = url || 'x'",
        "topics = 'PROMPT/CREATED'",
        "description = description || 'x'",
        "status = CASE status WHEN 'ACTIVE' THEN 'DISABLED' ELSE 'ACTIVE' END",
        "sealed = CASE WHEN sealed IS NULL THEN 'x' END",
        "deleted_ms = CASE WHEN deleted_ms IS NULL THEN 1 END",
        "webhook_id = webhook_id || 'x'",
    ],
    "manifests": ["digest = digest || 'x'"],
    "manifest_files": ["path = path || 'x'", "sha256 = 'x'", "size_bytes = size_bytes + 1"],
}
KEYS = {
    "model_names": ("model_id", "from_ms", "name"),
    "model_tags": ("model_id", "key"),
    "version_tags": ("version_id", "key"),
    "manifest_files": ("manifest_id", "path"),
}


def unreferenced(crime: Crime) -> tuple[str, ...]:
    """A statement that lets rows be altered that others refer to."""
    if crime.is_sqlite:
        return ("PRAGMA defer_foreign_keys = ON",)
    return ("SET LOCAL session_replication_role = replica",)


@pytest.mark.parametrize("table", CHANGES)
def test_an_altered_row_is_seen_and_its_entry_named(crime: Crime, table: str) -> None:
    key = KEYS.get(table, ("id",))
    where = " AND ".join(f"{name} = ?" for name in key)
    rows = crime.rows(table, ", ".join(key))
    assert rows
    free = unreferenced(crime)
    for row in rows:
        for change in CHANGES[table]:
            statement = f"UPDATE {table} SET {change} WHERE {where}"
            report = crime.verify(free, (statement, *row))
            assert not report.is_intact, (change, row)
            assert report.first_bad is not None, (change, row)
            assert report.first_bad < crime.size


@pytest.mark.parametrize("table", CHANGES)
def test_a_deleted_row_is_seen_and_its_entry_named(crime: Crime, table: str) -> None:
    key = KEYS.get(table, ("id",))
    where = " AND ".join(f"{name} = ?" for name in key)
    for row in crime.rows(table, ", ".join(key)):
        report = crime.verify(unreferenced(crime), (f"DELETE FROM {table} WHERE {where}", *row))
        assert not report.is_intact, row
        assert report.first_bad is not None, row


INSERTIONS = {
    "models": "INSERT INTO models (project_id, name, description, next_number, created_ms,"
    " updated_ms) VALUES (1, 'x', '', 1, 1, 1)",
    "model_names": "INSERT INTO model_names SELECT project_id, min(id), 'x', 1, 2 FROM models"
    " GROUP BY project_id",
    "model_tags": "INSERT INTO model_tags SELECT project_id, min(id), 'x', 'y' FROM models"
    " GROUP BY project_id",
    "versions": "INSERT INTO versions (id, project_id, model_id, number, source, description,"
    " stage, author, created_ms, updated_ms) SELECT 1000, 1, min(id), 1000, 's', '', 'None', 'a',"
    " 1, 1 FROM models",
    "version_tags": "INSERT INTO version_tags SELECT project_id, min(id), 'x', 'y' FROM versions"
    " GROUP BY project_id",
    "slots": "INSERT INTO slots (project_id, model_id, kind, name, epoch) SELECT 1, min(id),"
    " 'alias', 'x', 1 FROM models",
    "occupancies": "INSERT INTO occupancies (project_id, slot_id, version_id, epoch, from_ms,"
    " approved) SELECT 1, slot_id, version_id, 1000, 1, 1 FROM occupancies ORDER BY id LIMIT 1",
    "doubled stays": "INSERT INTO occupancies (project_id, slot_id, version_id, epoch, from_ms,"
    " until_ms, until_epoch, approved, prior_id) SELECT project_id, slot_id, version_id, epoch,"
    " from_ms, until_ms, until_epoch, approved, prior_id FROM occupancies ORDER BY id LIMIT 1",
    "policies": "INSERT INTO policies (project_id, revision, digest, document, source, author,"
    " applied_ms) SELECT project_id, 1000, digest, document, source, author, applied_ms"
    " FROM policies ORDER BY id LIMIT 1",
    "requests": "INSERT INTO requests (project_id, version_id, source, target, subject,"
    " evidence_digest, policy_digest, requested_by, authors, reason, archive_existing, status,"
    " closing, created_ms, expires_ms) SELECT project_id, version_id, source, target, subject,"
    " evidence_digest, policy_digest, requested_by, authors, reason, archive_existing, status,"
    " closing, created_ms, expires_ms FROM requests ORDER BY id LIMIT 1",
    "webhooks": "INSERT INTO webhooks (project_id, webhook_id, name, url, topics, description,"
    " status, since, failures, disabled_reason, created_ms, updated_ms) VALUES"
    " (1, 'x', 'eve', 'https://evil.example/', 'PROMPT/CREATED', '', 'ACTIVE', 0, 0, '', 1, 1)",
    "votes": "INSERT INTO votes (project_id, request_id, person, name, verdict, comment, cast_ms)"
    " SELECT 1, max(id), 'eve', 'eve', 'approve', '', 1 FROM requests",
}


@pytest.mark.parametrize("table", INSERTIONS)
def test_an_inserted_row_is_seen(crime: Crime, table: str) -> None:
    report = crime.verify((INSERTIONS[table],))
    assert not report.is_intact


def test_altered_evidence_is_seen(crime: Crime) -> None:
    digest = crime.rows("requests", "evidence_digest")[0][0]
    for change in (
        "body = replace(body, '0.95', '0.99')",
        "body = '{}'",
        "body = 'x'",
        "body = ''",
    ):
        report = crime.verify((f"UPDATE evidence SET {change} WHERE digest = ?", digest))
        assert not report.is_intact, change
        assert report.first_bad is not None


def test_rows_of_other_kinds_are_not_the_journals_affair(crime: Crime) -> None:
    report = crime.verify(
        ("UPDATE run_tags SET value = 'x'",),
        ("DELETE FROM artifacts",),
        ("UPDATE versions SET updated_ms = 1",),
        ("UPDATE decisions SET repeats = 9",),
        ("UPDATE webhook_deliveries SET attempts = 9",),
    )
    assert report.is_intact, report.problems


# -- the export --------------------------------------------------------------------------------


def test_an_export_that_was_cut_off_is_not_intact(core: Core, crime: Crime) -> None:
    lines = core.export()
    assert verify(lines).is_intact
    for end in (0, 1, 2, crime.size, crime.size + 1, len(lines) - 1):
        assert not verify(lines[:end]).is_intact
    assert not verify(lines[1:]).is_intact


def test_an_export_that_is_none_is_not_intact_and_not_choked_on(core: Core, crime: Crime) -> None:
    lines = core.export()
    for odd in (
        {},
        {"kind": "entry"},
        {"kind": "entry", "index": "x"},
        {"kind": "entry", "index": 0, "body": None, "hash": 1, "root": [], "texts": None},
        {"kind": "row"},
        {"kind": "row", "table": "model", "row": None},
        {"kind": "row", "table": "version", "row": {}},
        {"kind": "head"},
        {"kind": "else"},
    ):
        assert not verify([lines[0], odd, *lines[1:]]).is_intact, odd
        assert not verify([*lines[:-1], odd, lines[-1]]).is_intact, odd


def test_a_report_says_what_it_saw(core: Core, crime: Crime) -> None:
    report = core.verify()
    assert report.root == crime.leaf(crime.size - 1)[2].hex()
    assert (report.size, len(report.erased), report.first_bad) == (crime.size, 0, None)
    assert report.rows > 50


def test_problems_without_end_are_counted(crime: Crime) -> None:
    report = crime.verify(("UPDATE journal_leaves SET body = ?", b"{}"))
    assert len(report.problems) + report.unlisted >= crime.size
    assert len(report.problems) <= verifier.PROBLEM_LIMIT


def test_a_commitment_under_a_false_salt_is_another() -> None:
    assert commitment("00" * 16, "a") != commitment("01" * 16, "a")
