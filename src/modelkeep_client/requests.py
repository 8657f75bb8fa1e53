"""Requests: what waits for approvals, and what can be done with it."""

from dataclasses import dataclass
from typing import Any

from modelkeep_client.transport import Transport
from modelkeep_client.values import Request, Result, built


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote that counted. `verdict`: approve, reject or changes."""

    voter: str
    verdict: str
    comment: str
    at: str


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said of a request without deciding it."""

    name: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class RequestDetail(Request):
    """A request with what it froze: `evidence_bundle` has the digest `evidence` in canonical JSON.

    `evidence_is_current` is False once the version's tags or its run say something else.
    """

    evidence_bundle: dict[str, Any]
    evidence_is_current: bool
    votes: tuple[Vote, ...]
    comments: tuple[Comment, ...]


class Requests:
    """The requests of a server; `client.requests` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, status: str | None = "pending") -> list[Request]:
        """Requests, newest first; None for those of every status."""
        found = self._transport.get("/requests", status=status)
        return [built(Request, request) for request in found]

    def get(self, request_id: int) -> RequestDetail:
        """One request with its evidence, votes and comments. Raises NotFound."""
        return built(RequestDetail, self._transport.get(f"/requests/{request_id}"))

    def approve(self, request_id: int, comment: str = "") -> Result:
        """Approves. `result.is_waiting` if more must. Raises Refused, Void."""
        return built(Result, self._say(request_id, "approve", comment))

    def reject(self, request_id: int, reason: str) -> Result:
        """Turns the request down. Raises Refused, Void."""
        return built(Result, self._say(request_id, "reject", reason))

    def request_changes(self, request_id: int, reason: str) -> Result:
        """Sends the request back; `reason` is what to mend before it is made again.

        Raises Refused, Void.
        """
        return built(Result, self._say(request_id, "request-changes", reason))

    def comment(self, request_id: int, text: str) -> Comment:
        """Says something of a request without deciding it."""
        return built(Comment, self._say(request_id, "comments", text))

    def withdraw(self, request_id: int, reason: str = "") -> Request:
        """Takes a request back, as only whoever made it may."""
        return built(Request, self._say(request_id, "withdraw", reason))

    def _say(self, request_id: int, what: str, comment: str) -> dict[str, Any]:
        path = f"/requests/{request_id}/{what}"
        return self._transport.change("POST", path, {"comment": comment})
