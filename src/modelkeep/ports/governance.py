"""Rows of governance: policies, frozen evidence, decisions, requests and votes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modelkeep.domain.approvals import Comment, Request, Status, Vote
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.policies import Decision


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as it was applied. `document` is the parsed source as JSON text."""

    revision: int
    digest: str
    document: str
    source: str
    author: str
    applied_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """How a request ended: `closing` is a sentence; `closed_ms` None while it is open."""

    closing: str
    closed_ms: int | None


class Governance(Protocol):
    def policy(self) -> StoredPolicy | None:
        """The one in force: the latest applied."""
        ...

    def past_policies(self, before: int, limit: int) -> list[StoredPolicy]:
        """Those of lower revisions than `before`, newest first."""
        ...

    def add_policy(self, digest: str, document: str, source: str, author: str, at_ms: int) -> int:
        """The new revision: 1, 2, 3 …"""
        ...

    def keep_evidence(self, evidence: Evidence) -> str:
        """Stores the bundle once; returns its digest."""
        ...

    def evidence(self, digest: str) -> Evidence:
        """The bundle as it was frozen. Raises IntegrityFailure if it no longer has its digest."""
        ...

    def note_decision(
        self, version_id: int, target: str, actor: str, decision: Decision, at_ms: int
    ) -> int:
        """Keeps a decision; how often this same one was made by this actor, this time included."""
        ...

    def decisions(self, version_id: int) -> list[dict[str, Any]]:
        """Newest first, as `Decision.to_json` with `target`, `actor`, `repeats`, `at_ms`."""
        ...

    def add_request(self, draft: Request) -> int:
        """The new request's id; the draft's own is ignored."""
        ...

    def request(self, request_id: int) -> tuple[Request, Closed] | None: ...
    def requests(self, status: Status | None, limit: int) -> list[tuple[Request, Closed]]:
        """Newest first."""
        ...

    def requests_for(self, version_id: int, limit: int) -> list[tuple[Request, Closed]]:
        """Newest first."""
        ...

    def was_granted(self, version_id: int) -> bool:
        """Whether any request of a version was ever approved."""
        ...

    def binds_label(self, sources: Sequence[str]) -> bool:
        """Whether an approval was given, or is asked for, of a version without bytes of ours that
        has one of these sources."""
        ...

    def pending(self, version_ids: Sequence[int] | None = None) -> list[Request]:
        """Every pending request (of these versions), oldest first."""
        ...

    def close_request(self, request_id: int, status: Status, closing: str, at_ms: int) -> None: ...
    def votes(self, request_id: int) -> list[Vote]:
        """Those that counted, in order."""
        ...

    def add_vote(self, request_id: int, vote: Vote) -> None:
        """Takes the place of the same person's, if there is one."""
        ...

    def comments(self, request_id: int) -> list[Comment]:
        """In order."""
        ...

    def add_comment(self, request_id: int, comment: Comment) -> None: ...
    def lapsing(self, before_ms: int, limit: int) -> list[tuple[Request, bool]]:
        """Pending requests that expire before a moment, oldest first; whether each was reminded."""
        ...

    def note_reminder(self, request_id: int, at_ms: int) -> None: ...
