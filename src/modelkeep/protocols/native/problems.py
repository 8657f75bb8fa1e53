"""What went wrong, as problem documents (RFC 9457): one shape for everything under the prefix.

`type` is the address of a page that says what the kind means, `title` and `status` belong to the
kind, `detail` is the sentence about this occurrence. `code` is the kind for scripts, `request_id`
what to look for in the log. A refused move carries its whole result beside them.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from litestar import Response, get
from litestar.exceptions import HTTPException

from modelkeep.domain.errors import ModelkeepError, NotFound
from modelkeep.protocols.http import Scope
from modelkeep.protocols.native import errors
from modelkeep.protocols.native.calls import Http
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.protocols.rules import KNOWN
from modelkeep.telemetry import logs

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)

_MEANINGS: dict[str, tuple[int, str, str]] = {
    **{code: (status, title, meaning) for status, code, title, meaning in errors.kinds()},
    "invalid_call": (400, "Invalid call", "The call is not one of this API's: a field is missing, "
                     "unknown or of another type, or the body is no JSON."),
    "unknown_path": (404, "Unknown path", "The API has no such path."),
    "method_not_allowed": (405, "Method not allowed", "The path does not take this method; the "
                           "header Allow names those that it takes."),
    "refused": (403, "Refused", "The policy's gates turned the move down. The refusal is recorded; "
                "`decision` has every gate's verdict."),
    "void": (409, "Void", "What was voted on no longer holds, so nothing moved: ask again."),
    "internal": (500, "Internal error", "A fault of the server's own. Its log has more under the "
                 "request's id."),
}  # fmt: skip
# What the framework says of these without a word about the call is the title once more.
_FRAMEWORKS = {
    "unknown_path": "There is no such path; /api/v1/openapi.json lists them all.",
    "method_not_allowed": "The path does not take this method.",
    "limit_exceeded": "The request's body is longer than this server takes.",
}
_BY_STATUS = {404: "unknown_path", 405: "method_not_allowed", 413: "limit_exceeded"}


class Problem(msgspec.Struct, kw_only=True):
    """A problem document. A refused move has its result's members beside these."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


class Kind(msgspec.Struct, kw_only=True):
    """A kind of problem, as the page under its `type` tells it."""

    type: str
    title: str
    status: int
    code: str
    meaning: str


def respond(
    request: Http,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[dict[str, Any]]:
    """The answer for a problem of a kind, with what else is to be said of it."""
    request_id = cast("Scope", request.scope)["modelkeep.request_id"]
    document = {**(extra or {}), **msgspec.to_builtins(_problem(request_id, code, detail))}
    return Response(
        document, status_code=document["status"], media_type=MEDIA_TYPE, headers=headers
    )


def render(error: ModelkeepError, request_id: str) -> tuple[bytes, bytes]:
    """The type and body of a problem document, for what is refused before any route."""
    code = errors.status_and_code(type(error))[1]
    return MEDIA_TYPE.encode(), msgspec.json.encode(_problem(request_id, code, error.message))


def _problem(request_id: str, code: str, detail: str) -> Problem:
    status, title, _ = _MEANINGS[code]
    return Problem(
        type=_address(code),
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
    )


def _address(code: str) -> str:
    return f"{PREFIX}/problems/{code}"


# -- what is raised ------------------------------------------------------------------------------


def refuse(request: Http, error: ModelkeepError) -> Response[dict[str, Any]]:
    """What a use case refuses."""
    logs.tell_of_damage(error)
    return respond(request, errors.status_and_code(type(error))[1], error.message)


def reject_call(request: Http, error: HTTPException) -> Response[dict[str, Any]]:
    """What the framework found wrong with the call itself: a missing field, an unknown path."""
    details = "; ".join(map(_detail, error.extra or ()))
    code = _BY_STATUS.get(error.status_code, "invalid_call")
    return respond(
        request, code, details or _FRAMEWORKS.get(code, error.detail), None, error.headers
    )


def _detail(found: Any) -> str:
    if not isinstance(found, dict):
        return str(found)
    key, message = found.get("key", "?"), found.get("message", "")
    # The framework knows only that its own argument has no value.
    return "The request has no body." if message == "'data'" else f"{key}: {message}"


def reject_body(request: Http, error: Exception) -> Response[dict[str, Any]]:
    """A body that the framework cannot decode, for which it raises no error of its own."""
    why = "is nested too deeply" if isinstance(error, RecursionError) else "is not valid UTF-8"
    return respond(request, "invalid_call", f"The request's body {why}.")


def fail(request: Http, error: Exception) -> Response[dict[str, Any]]:
    """Whatever else: a fault of ours, told in the log alone."""
    request_id = cast("Scope", request.scope)["modelkeep.request_id"]
    _log.error("request %s failed", request_id, exc_info=error)
    return respond(request, "internal", f"Internal error; request id {request_id}.")


HANDLERS: dict[int | type[Exception], Callable[..., Response[Any]]] = {
    ModelkeepError: refuse,
    HTTPException: reject_call,
    UnicodeDecodeError: reject_body,
    RecursionError: reject_body,
    Exception: fail,
}


# -- what the kinds mean -------------------------------------------------------------------------


def handlers() -> list[Any]:
    """The pages that problems' types lead to."""

    @get("/problems")
    @KNOWN
    async def list_problems() -> list[Kind]:
        """Every kind of problem that this API tells of."""
        return [_kind(code) for code in sorted(_MEANINGS)]

    @get("/problems/{code:str}")
    @KNOWN
    async def show_problem(code: str) -> Kind:
        """What a kind of problem means."""
        if code not in _MEANINGS:
            raise NotFound(f"There is no kind of problem '{code[:100]}'.")
        return _kind(code)

    return [list_problems, show_problem]


def meanings() -> Mapping[str, tuple[int, str, str]]:
    """Code -> (status, title, meaning) of every kind."""
    return _MEANINGS


def _kind(code: str) -> Kind:
    status, title, meaning = _MEANINGS[code]
    return Kind(type=_address(code), title=title, status=status, code=code, meaning=meaning)
