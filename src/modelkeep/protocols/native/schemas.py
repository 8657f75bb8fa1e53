"""What the native API takes and gives. Times are RFC 3339 in UTC; digests `sha256:<hex>`."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from modelkeep.domain.approvals import Request, Vote
from modelkeep.domain.emergencies import TAG as EMERGENCY_TAG
from modelkeep.domain.emergencies import Emergency
from modelkeep.domain.events import instant
from modelkeep.domain.models import Version
from modelkeep.domain.policies import Decision
from modelkeep.ports.governance import Closed
from modelkeep.ports.registry import Occupancy
from modelkeep.services.policies import Applied
from modelkeep.services.promotion import Result

Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Promote(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`version` is a number, or a text that names one: 1.4.0, ~1.4, @champion. `epoch` is the
    slot's as last read; a stale one is refused with 409.
    """

    model: str
    version: Number | str
    stage: str
    reason: str = ""
    epoch: Epoch | None = None


class Rollback(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Of a stage or, without one, of what means production for the model; to the version that it
    held before or, with `to`, to one that it held earlier."""

    model: str
    reason: str
    stage: str | None = None
    to: Number | str | None = None
    epoch: Epoch | None = None


class Ballot(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A vote. A rejection needs a comment: its reason."""

    comment: str = ""


class PolicyFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`source` is the YAML text of the policy, at most 256 KiB."""

    source: str


class VersionView(msgspec.Struct, kw_only=True):
    """`emergency` says which reviews are owed because it was brought somewhere past its gates."""

    model: str
    version: int
    semver: str
    stage: str
    emergency: str | None
    manifest: str | None
    source: str
    author: str
    aliases: tuple[str, ...]


class VerdictView(msgspec.Struct, kw_only=True):
    """What a gate said: `outcome` is passed, pending or failed."""

    gate: str
    outcome: str
    message: str


class DecisionView(msgspec.Struct, kw_only=True):
    outcome: str
    verdicts: list[VerdictView]
    policy_digest: str
    evidence_digest: str


class ResultView(msgspec.Struct, kw_only=True):
    """`result`: moved, unchanged, waiting, refused, rejected or void."""

    result: str
    target: str
    epoch: int
    message: str
    request: int | None
    decision: DecisionView | None
    version: VersionView


class RequestView(msgspec.Struct, kw_only=True):
    id: int
    model: str
    version: int
    source: str
    target: str
    status: str
    requested_by: str
    authors: tuple[str, ...]
    reason: str
    subject: str
    evidence: str
    policy: str
    created: str
    expires: str
    closed: str | None
    closing: str


class MarkView(msgspec.Struct, kw_only=True):
    """An emergency, and where its review stands: open, overdue, accepted or faulted."""

    id: int
    review: str


class VoteView(msgspec.Struct, kw_only=True):
    voter: str
    verdict: str
    comment: str
    at: str


class BarredView(msgspec.Struct, kw_only=True):
    """Who may not vote on a request, and why: a sentence goes on so after their name."""

    name: str
    why: str


class StayView(msgspec.Struct, kw_only=True):
    """`emergency` is there where it began past the gates."""

    slot: str
    version: int
    epoch: int
    since: str
    until: str | None
    emergency: MarkView | None


class MomentView(msgspec.Struct, kw_only=True):
    model: str
    name_then: str
    at: str
    slots: list[StayView]


class SectionView(msgspec.Struct, kw_only=True):
    path: str
    enforced: bool
    note: str


class AppliedView(msgspec.Struct, kw_only=True):
    revision: int
    digest: str
    changed: bool
    sections: list[SectionView]
    findings: tuple[str, ...]
    warnings: tuple[str, ...]
    voided_requests: tuple[int, ...]


def view_version(version: Version) -> VersionView:
    return VersionView(
        model=version.model_name,
        version=version.number,
        semver=str(version.semver),
        stage=version.stage,
        emergency=version.tags.get(EMERGENCY_TAG),
        manifest=version.manifest,
        source=version.source,
        author=version.author,
        aliases=version.aliases,
    )


def view_result(result: Result) -> ResultView:
    return ResultView(
        result=result.end.value,
        target=result.target,
        epoch=result.epoch,
        message=result.message,
        request=result.request_id,
        decision=_view_decision(result.decision) if result.decision else None,
        version=view_version(result.version),
    )


def _view_decision(decision: Decision) -> DecisionView:
    return msgspec.convert(decision.to_json(), DecisionView)


def view_request(model: str, request: Request, closed: Closed, now_ms: int) -> RequestView:
    lapsed = request.status.value == "pending" and now_ms >= request.expires_ms
    return RequestView(
        id=request.id,
        model=model,
        version=request.number,
        source=request.source,
        target=request.target,
        status="expired" if lapsed else request.status.value,
        requested_by=request.requested_by,
        authors=request.authors,
        reason=request.reason,
        subject=request.subject,
        evidence=request.evidence_digest,
        policy=request.policy_digest,
        created=instant(request.created_ms),
        expires=instant(request.expires_ms),
        closed=instant(closed.closed_ms) if closed.closed_ms is not None else None,
        closing=closed.closing,
    )


def view_vote(vote: Vote) -> VoteView:
    return VoteView(
        voter=vote.voter, verdict=vote.verdict, comment=vote.comment, at=instant(vote.at_ms)
    )


def view_stay(stay: Occupancy, past_gates: Mapping[int, Emergency]) -> StayView:
    emergency = past_gates.get(stay.id)
    return StayView(
        slot=str(stay.slot),
        version=stay.number,
        epoch=stay.epoch,
        since=instant(stay.from_ms),
        until=instant(stay.until_ms) if stay.until_ms is not None else None,
        emergency=view_mark(emergency) if emergency else None,
    )


def view_mark(emergency: Emergency) -> MarkView:
    return MarkView(id=emergency.id, review=emergency.status.value)


def view_applied(applied: Applied) -> AppliedView:
    return AppliedView(
        revision=applied.revision,
        digest=applied.digest,
        changed=applied.changed,
        sections=[
            SectionView(path=s.path, enforced=s.enforced, note=s.note) for s in applied.sections
        ],
        findings=applied.findings,
        warnings=applied.warnings,
        voided_requests=applied.voided,
    )
