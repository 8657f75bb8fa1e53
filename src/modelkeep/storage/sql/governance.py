"""Policies, evidence, decisions, requests and votes."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from modelkeep.domain.access import person
from modelkeep.domain.approvals import Comment, Request, Status, Vote
from modelkeep.domain.errors import IntegrityFailure
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.policies import Decision
from modelkeep.ports.governance import Closed, StoredPolicy
from modelkeep.storage.sql.connection import Db, Row
from modelkeep.storage.sql.memory import Memory
from modelkeep.storage.sql.search import any_of
from modelkeep.storage.sql.sight import Sight
from modelkeep.storage.sql.version_search import SOURCE_CHARS

_REQUEST = (
    "SELECT r.id, v.model_id, r.version_id, v.number, r.subject, r.source, r.target,"
    " r.evidence_digest, r.policy_digest, r.requested_by, r.authors, r.reason, r.status,"
    " r.created_ms, r.expires_ms, r.archive_existing, r.returns_to, r.epoch, r.closing,"
    " r.closed_ms, r.reminded_ms, r.lent_by"
    " FROM requests r JOIN versions v ON v.id = r.version_id"
)


class SqlGovernance:
    """See `ports.governance.Governance`."""

    def __init__(self, db: Db, project_id: int, sight: Sight, memory: Memory | None = None) -> None:
        self._db, self._project_id, self._sight = db, project_id, sight
        self._memory = memory

    # -- policies and evidence -------------------------------------------------------------

    def policy(self) -> StoredPolicy | None:
        if self._memory is None:
            return self._newest_policy()
        return self._memory.recall("policy", self._newest_policy)

    def _newest_policy(self) -> StoredPolicy | None:
        row = self._db.one(
            "SELECT revision, digest, document, source, author, applied_ms FROM policies"
            " WHERE project_id = ? ORDER BY revision DESC LIMIT 1",
            self._project_id,
        )
        return StoredPolicy(*row) if row else None

    def past_policies(self, before: int, limit: int) -> list[StoredPolicy]:
        rows = self._db.all(
            "SELECT revision, digest, document, source, author, applied_ms FROM policies"
            " WHERE project_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?",
            self._project_id,
            before,
            limit,
        )
        return [StoredPolicy(*row) for row in rows]

    def add_policy(self, digest: str, document: str, source: str, author: str, at_ms: int) -> int:
        row = self._db.one(
            "INSERT INTO policies"
            " (project_id, revision, digest, document, source, author, applied_ms)"
            " SELECT ?, coalesce(max(revision), 0) + 1, ?, ?, ?, ?, ? FROM policies"
            " WHERE project_id = ? RETURNING revision",
            self._project_id,
            digest,
            document,
            source,
            author,
            at_ms,
            self._project_id,
        )
        assert row is not None
        if self._memory is not None:
            self._memory.forget()
        return row[0]

    def keep_evidence(self, evidence: Evidence) -> str:
        digest = evidence.digest()
        self._db.later(
            "INSERT INTO evidence (project_id, digest, body) VALUES (?, ?, ?)"
            " ON CONFLICT (project_id, digest) DO NOTHING",
            self._project_id,
            digest,
            msgspec.json.encode(evidence.to_json()).decode(),
        )
        return digest

    def evidence(self, digest: str) -> Evidence:
        row = self._db.one(
            "SELECT body FROM evidence WHERE project_id = ? AND digest = ?",
            self._project_id,
            digest,
        )
        evidence = Evidence.from_json(msgspec.json.decode(row[0])) if row else None
        if evidence is None or evidence.digest() != digest:
            raise IntegrityFailure(f"The evidence {digest} is missing or was changed.")
        return evidence

    # -- decisions -------------------------------------------------------------------------

    def note_decision(
        self, version_id: int, target: str, actor: str, decision: Decision, at_ms: int
    ) -> int:
        body = json.dumps(decision.to_json(), sort_keys=True)
        digest = "sha256:" + hashlib.sha256(body.encode()).hexdigest()
        row = self._db.one(
            "UPDATE decisions SET repeats = repeats + 1, repeated_ms = ? WHERE project_id = ?"
            " AND version_id = ? AND target = ? AND actor = ? AND digest = ? RETURNING repeats",
            at_ms,
            self._project_id,
            version_id,
            target,
            actor,
            digest,
        )
        if row:
            return row[0]
        self._db.later(
            "INSERT INTO decisions (project_id, version_id, target, outcome, actor, body, digest,"
            " repeats, created_ms, repeated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            self._project_id,
            version_id,
            target,
            decision.outcome.value,
            actor,
            body,
            digest,
            at_ms,
            at_ms,
        )
        return 1

    def decisions(self, version_id: int) -> list[dict[str, Any]]:
        rows = self._db.all(
            "SELECT body, target, actor, repeats, created_ms FROM decisions"
            " WHERE project_id = ? AND version_id = ? ORDER BY id DESC",
            self._project_id,
            version_id,
        )
        names = ("target", "actor", "repeats", "at_ms")
        return [json.loads(row[0]) | dict(zip(names, row[1:], strict=True)) for row in rows]

    # -- requests and votes ----------------------------------------------------------------

    def add_request(self, draft: Request) -> int:
        row = self._db.one(
            "INSERT INTO requests (project_id, version_id, source, target, subject,"
            " evidence_digest, policy_digest, requested_by, authors, reason, archive_existing,"
            " returns_to, epoch, status, closing, created_ms, expires_ms, lent_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?)"
            " RETURNING id",
            self._project_id,
            draft.version_id,
            draft.source,
            draft.target,
            draft.subject,
            draft.evidence_digest,
            draft.policy_digest,
            draft.requested_by,
            json.dumps(draft.authors),
            draft.reason,
            int(draft.archive_existing),
            draft.returns_to,
            draft.epoch,
            draft.status.value,
            draft.created_ms,
            draft.expires_ms,
            draft.lent_by,
        )
        assert row is not None
        return row[0]

    def request(self, request_id: int) -> tuple[Request, Closed] | None:
        seen = self._sight.of("v.model_id")
        row = self._db.one(
            f"{_REQUEST} WHERE r.project_id = ? AND r.id = ?{seen.sql}",
            self._project_id,
            request_id,
            *seen.params,
        )
        return _request(row) if row else None

    def requests(self, status: Status | None, limit: int) -> list[tuple[Request, Closed]]:
        only, params = (" AND r.status = ?", (status.value,)) if status else ("", ())
        seen = self._sight.of("v.model_id")
        rows = self._db.all(
            f"{_REQUEST} WHERE r.project_id = ?{only}{seen.sql} ORDER BY r.id DESC LIMIT ?",
            self._project_id,
            *params,
            *seen.params,
            limit,
        )
        return [_request(row) for row in rows]

    def requests_for(self, version_id: int, limit: int) -> list[tuple[Request, Closed]]:
        rows = self._db.all(
            f"{_REQUEST} WHERE r.project_id = ? AND r.version_id = ? ORDER BY r.id DESC LIMIT ?",
            self._project_id,
            version_id,
            limit,
        )
        return [_request(row) for row in rows]

    def was_granted(self, version_id: int) -> bool:
        row = self._db.one(
            "SELECT 1 FROM requests WHERE project_id = ? AND version_id = ?"
            " AND status = 'approved' LIMIT 1",
            self._project_id,
            version_id,
        )
        return row is not None

    def binds_label(self, sources: Sequence[str]) -> bool:
        some = any_of(
            f"substr(v.source, 1, {SOURCE_CHARS})", [source[:SOURCE_CHARS] for source in sources]
        )
        whole = any_of("v.source", sources)
        row = self._db.one(
            "SELECT 1 FROM versions v WHERE v.project_id = ? AND v.manifest_id IS NULL"
            f" AND v.deleted_ms IS NULL AND {some.sql} AND {whole.sql}"
            " AND EXISTS (SELECT 1 FROM requests r WHERE r.project_id = v.project_id"
            " AND r.version_id = v.id AND r.status IN ('approved', 'pending')) LIMIT 1",
            self._project_id,
            *some.params,
            *whole.params,
        )
        return row is not None

    def pending(self, version_ids: Sequence[int] | None = None) -> list[Request]:
        only, params = "", ()
        if version_ids is not None:
            only = f" AND r.version_id IN ({', '.join('?' * len(version_ids)) or 'NULL'})"
            params = tuple(version_ids)
        rows = self._db.all(
            f"{_REQUEST} WHERE r.project_id = ? AND r.status = 'pending'{only} ORDER BY r.id",
            self._project_id,
            *params,
        )
        return [_request(row)[0] for row in rows]

    def close_request(self, request_id: int, status: Status, closing: str, at_ms: int) -> None:
        self._db.later(
            "UPDATE requests SET status = ?, closing = ?, closed_ms = ? WHERE id = ?",
            status.value,
            closing,
            at_ms,
            request_id,
        )

    def votes(self, request_id: int) -> list[Vote]:
        rows = self._db.all(
            "SELECT name, verdict, comment, cast_ms, roles FROM votes"
            " WHERE project_id = ? AND request_id = ? ORDER BY id",
            self._project_id,
            request_id,
        )
        return [
            Vote(
                name,
                verdict == "approve",
                comment,
                at,
                tuple(roles.split()),
                wants_changes=verdict == "request changes",
            )
            for name, verdict, comment, at, roles in rows
        ]

    def add_vote(self, request_id: int, vote: Vote) -> None:
        self._db.later(
            "INSERT INTO votes"
            " (project_id, request_id, person, name, verdict, comment, cast_ms, roles)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._project_id,
            request_id,
            person(vote.voter),
            vote.voter,
            vote.verdict,
            vote.comment,
            vote.at_ms,
            " ".join(vote.roles),
        )

    # -- what is said of requests, and their time ------------------------------------------

    def comments(self, request_id: int) -> list[Comment]:
        rows = self._db.all(
            "SELECT name, text, at_ms FROM comments WHERE project_id = ? AND request_id = ?"
            " ORDER BY id",
            self._project_id,
            request_id,
        )
        return [Comment(*row) for row in rows]

    def add_comment(self, request_id: int, comment: Comment) -> None:
        self._db.later(
            "INSERT INTO comments (project_id, request_id, name, text, at_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            self._project_id,
            request_id,
            comment.name,
            comment.text,
            comment.at_ms,
        )

    def lapsing(self, before_ms: int, limit: int) -> list[tuple[Request, bool]]:
        rows = self._db.all(
            f"{_REQUEST} WHERE r.project_id = ? AND r.status = 'pending' AND r.expires_ms <= ?"
            " ORDER BY r.id LIMIT ?",
            self._project_id,
            before_ms,
            limit,
        )
        return [(_request(row)[0], row[20] is not None) for row in rows]

    def note_reminder(self, request_id: int, at_ms: int) -> None:
        self._db.later("UPDATE requests SET reminded_ms = ? WHERE id = ?", at_ms, request_id)


def _request(row: Row) -> tuple[Request, Closed]:
    request = Request(
        *row[:10],
        authors=tuple(json.loads(row[10])),
        reason=row[11],
        status=Status(row[12]),
        created_ms=row[13],
        expires_ms=row[14],
        archive_existing=bool(row[15]),
        returns_to=row[16],
        epoch=row[17],
        lent_by=row[21],
    )
    return request, Closed(row[18], row[19])
