"""Approval requests but for the votes on them: reading, comments, withdrawal, and their time."""

from dataclasses import dataclass
from typing import Any

from modelkeep.domain import approvals, names
from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.accounts import REGISTRATION
from modelkeep.domain.approvals import Comment, Request, Status, Vote
from modelkeep.domain.errors import Conflict, Forbidden, InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.models import Version
from modelkeep.ports.governance import Closed
from modelkeep.ports.work import Work
from modelkeep.services import makers
from modelkeep.services.catalog import subject
from modelkeep.services.evidence import gather_for
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.steps import close_requests

LIST_LIMIT = 500
COMMENT_LIMIT = 4000  # characters
COMMENTS_LIMIT = 500  # of one request


Row = tuple[str, Request, Closed]  # the present name of its model, the request, how it ended


def listing(work: Work, status: Status | None) -> list[Row]:
    """Requests, newest first, each with the present name of its model; at most 500."""
    found = work.governance.requests(status, LIST_LIMIT)
    return [(_version(work, request).model_name, request, closed) for request, closed in found]


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that an approver should see. `is_current`: asking now would freeze the same evidence.
    `barred` are those who may not vote, and why, as a sentence goes on after their name."""

    model: str
    request: Request
    closed: Closed
    evidence: Evidence
    is_current: bool
    votes: list[Vote]
    comments: list[Comment]
    barred: list[tuple[str, str]]


def get(work: Work, request_id: int) -> Dossier:
    """One request with the evidence it froze and the votes that counted. Raises NotFound."""
    found = work.governance.request(request_id)
    if found is None:
        raise NotFound(f"There is no request {request_id}.")
    request, closed = found
    evidence = work.governance.evidence(request.evidence_digest)
    version = _version(work, request)
    is_current = _gathered_now(work, request, version) == request.evidence_digest
    votes, said = work.governance.votes(request_id), work.governance.comments(request_id)
    answerable = work.accounts.owners_of([request.requested_by])
    reasons = makers.reasons(makers.known(work, version))
    known = approvals.barred(request, answerable, reasons)
    barred = [(who, why) for who, why in known if who != REGISTRATION]  # which is nobody
    return Dossier(version.model_name, request, closed, evidence, is_current, votes, said, barred)


# -- saying, withdrawing -------------------------------------------------------------------------


def comment(work: Work, caller: Caller, request_id: int, text: str) -> Comment:
    """Says something of a request, whatever its status, without deciding it.

    Raises NotFound, InvalidInput for a text that is blank or too long, LimitExceeded.
    """
    request = _asked(work, request_id)
    names.check_text(text, "comment", COMMENT_LIMIT)
    if is_blank(text):
        raise InvalidInput("A comment needs a text.")
    if len(work.governance.comments(request_id)) >= COMMENTS_LIMIT:
        raise LimitExceeded(f"A request has at most {COMMENTS_LIMIT} comments.")
    said = Comment(caller.actor.name, text, work.now_ms)
    work.governance.add_comment(request_id, said)
    _record(work, caller, request, "approval:comment:added", {}, {"comment": text})
    return said


def withdraw(work: Work, caller: Caller, request_id: int, reason: str = "") -> Row:
    """Takes a request back. Raises NotFound; Forbidden for whoever did not ask, Conflict once it
    is closed."""
    request = _asked(work, request_id)
    names.check_text(reason, "reason", COMMENT_LIMIT)
    refusal = approvals.refuse_withdrawal(request, caller.actor.name)
    if refusal:
        raise Conflict(refusal) if request.status is not Status.PENDING else Forbidden(refusal)
    closing = f"Withdrawn: {reason}" if reason else "Withdrawn."
    closed = close_requests(work, [request], Status.WITHDRAWN, closing)
    texts = {"reason": reason} if reason else {}
    _record(work, caller, request, "approval:request:withdrawn", {"requests": closed}, texts)
    found = work.governance.request(request_id)
    assert found is not None
    return _version(work, request).model_name, *found


# -- time ------------------------------------------------------------------------------------------


def lapse(work: Work, caller: Caller, limit: int = 20) -> int:
    """Closes requests that have expired, and reminds of those that will within a day; how many.

    At most `limit` at a time: nobody should wait for it long.
    """
    soon = work.now_ms + approvals.REMINDED_MS
    done = 0
    for request, is_reminded in work.governance.lapsing(soon, LIST_LIMIT):
        if done == limit:
            break
        if work.now_ms >= request.expires_ms:
            closed = close_requests(work, [request], Status.EXPIRED, "Nobody decided in time.")
            _record(work, caller, request, "approval:request:expired", {"requests": closed}, {})
        elif is_reminded:
            continue
        else:
            work.governance.note_reminder(request.id, work.now_ms)
            after = {"reminded": [request.id]}
            _record(work, caller, request, "approval:request:reminded", after, {})
        done += 1
    return done


def _asked(work: Work, request_id: int) -> Request:
    found = work.governance.request(request_id)
    if found is None:
        raise NotFound(f"There is no request {request_id}.")
    return found[0]


def _record(
    work: Work,
    caller: Caller,
    request: Request,
    action: str,
    after: dict[str, Any],
    texts: dict[str, str],
) -> None:
    what = {**subject(_version(work, request)), "request": request.id}
    work.record(caller, Event(action, what, after=after, texts=texts), model_id=request.model_id)


def _gathered_now(work: Work, request: Request, version: Version) -> str:
    """The digest of the evidence that asking now would freeze; of none if no rule is there."""
    rule = lifecycle_of(work, version.model_name).way_into(request.source, request.target)
    return gather_for(work, version, rule).digest() if rule else ""


def _version(work: Work, request: Request) -> Version:
    version = work.versions.by_id(request.version_id)
    assert version is not None
    return version
