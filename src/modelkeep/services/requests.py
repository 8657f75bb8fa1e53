"""Reading approval requests."""

from dataclasses import dataclass

from modelkeep.domain.approvals import Request, Status, Vote
from modelkeep.domain.errors import NotFound
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.models import Version
from modelkeep.ports.governance import Closed
from modelkeep.ports.work import Work
from modelkeep.services.evidence import gather_for
from modelkeep.services.policies import lifecycle_of

LIST_LIMIT = 500


def listing(work: Work, status: Status | None) -> list[tuple[str, Request, Closed]]:
    """Requests, newest first, each with the present name of its model; at most 500."""
    found = work.governance.requests(status, LIST_LIMIT)
    return [(_version(work, request).model_name, request, closed) for request, closed in found]


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that an approver should see. `is_current`: asking now would freeze the same evidence."""

    model: str
    request: Request
    closed: Closed
    evidence: Evidence
    is_current: bool
    votes: list[Vote]


def get(work: Work, request_id: int) -> Dossier:
    """One request with the evidence it froze and the votes that counted. Raises NotFound."""
    found = work.governance.request(request_id)
    if found is None:
        raise NotFound(f"There is no request {request_id}.")
    request, closed = found
    evidence = work.governance.evidence(request.evidence_digest)
    version = _version(work, request)
    is_current = _gathered_now(work, request, version) == request.evidence_digest
    votes = work.governance.votes(request_id)
    return Dossier(version.model_name, request, closed, evidence, is_current, votes)


def _gathered_now(work: Work, request: Request, version: Version) -> str:
    """The digest of the evidence that asking now would freeze; of none if no rule is there."""
    rule = lifecycle_of(work, version.model_name).way_into(request.source, request.target)
    return gather_for(work, version, rule).digest() if rule else ""


def _version(work: Work, request: Request) -> Version:
    version = work.versions.by_id(request.version_id)
    assert version is not None
    return version
