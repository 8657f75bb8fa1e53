"""What can go wrong, as exceptions: one for each kind of problem document, and a few of our own."""

from collections.abc import Mapping
from typing import Any

from modelkeep_client.values import Result, Verdict, built


class ClientError(Exception):
    """The root. `message` is a sentence for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NoAnswer(ClientError):
    """The server could not be reached, or what answered is no modelkeep."""


class Tampered(ClientError):
    """What arrived is not what was registered, or the server says so of what it holds."""


class Waiting(ClientError):
    """A move needs approvals first. `request` is the request's id, `result` all of it."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result, self.request = result, result.request


class Problem(ClientError):
    """The server said no. `body` is its problem document (RFC 9457)."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("detail") or f"The server answered {status}."))
        self.status, self.body = status, body
        self.code = str(body.get("code") or f"http_{status}")
        self.request_id = str(body.get("request_id") or "")


class InvalidCall(Problem):
    """Something in the call cannot be right; the message names it."""


class Unauthenticated(Problem):
    """The server must know first who is asking: give a token."""


class Forbidden(Problem):
    """You may not do this."""


class Blocked(Forbidden):
    """The version is blocked or retired: it is not to be loaded any more."""


class NotFound(Problem):
    """There is no such thing, or none that you may know of."""


class Conflict(Problem):
    """The call was right once, but the thing has moved on."""


class AlreadyExists(Conflict):
    """The name is taken."""


class StaleEpoch(Conflict):
    """The slot is no longer at the epoch that was named: read it again, and decide again."""


class Unavailable(Problem):
    """The server cannot do this just now."""


class Refused(Problem):
    """The policy's gates turned a move down. `verdicts` are all of them, not the first alone."""

    @property
    def result(self) -> Result:
        return _result(self.body)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.result.verdicts


class Void(Conflict):
    """What was voted on no longer holds; ask for the move again."""

    @property
    def result(self) -> Result:
        return _result(self.body)


class Damaged(Problem, Tampered):
    """The server finds its bytes damaged, and does not hand them out."""


_KINDS: Mapping[str, type[Problem]] = {
    "invalid_input": InvalidCall,
    "invalid_call": InvalidCall,
    "key_reused": InvalidCall,
    "limit_exceeded": InvalidCall,
    "unauthenticated": Unauthenticated,
    "blocked": Blocked,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "unknown_path": NotFound,
    "already_exists": AlreadyExists,
    "stale_revision": StaleEpoch,
    "conflict": Conflict,
    "refused": Refused,
    "void": Void,
    "integrity_failure": Damaged,
    "unavailable": Unavailable,
}


def problem(status: int, body: Mapping[str, Any]) -> Problem:
    """The exception of a problem document."""
    return _KINDS.get(str(body.get("code")), Problem)(status, body)


def _result(body: Mapping[str, Any]) -> Result:
    return built(Result, {**body, "message": body.get("detail", "")})
