"""modelkeep's own API. Errors are `{"error": code, "message": sentence}`.

A promotion, vote or rollback that did not move the version answers 200 with its result when it
waits (202 would do as well, but scripts read `result`), and 403 or 409 when it was turned down.
"""

import logging
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException
from litestar.params import Parameter

from modelkeep.domain.access import Caller
from modelkeep.domain.approvals import Status
from modelkeep.domain.errors import InvalidInput, ModelkeepError
from modelkeep.domain.events import instant
from modelkeep.protocols.http import Scope, caller_of
from modelkeep.protocols.native import (
    errors,
    imports,
    journal,
    policy_file,
    reading,
    schemas,
    webhooks,
)
from modelkeep.protocols.native.schemas import (
    Ballot,
    MomentView,
    PolicyFile,
    Promote,
    RequestView,
    ResultView,
    Rollback,
)
from modelkeep.services import history, policies, promotion, requests
from modelkeep.services.app import App
from modelkeep.services.promotion import End, Order, Result

PREFIX = "/api/modelkeep/v1"
_STATUS = {End.REFUSED: 403, End.VOID: 409}

_log = logging.getLogger(__name__)
_Http = Request[Any, Any, Any]


def router(app: App, now_ms: Any, parse_filter: reading.Filter) -> Router:
    """The routes over an application. `now_ms` is the clock's; see `reading` for the filter."""

    @post("/promotions", status_code=200)
    async def promote(request: _Http, data: Promote) -> Response[ResultView]:
        """Asks for a version to move into a stage."""
        order = Order(data.model, data.version, data.stage, data.reason, epoch=data.epoch)
        return _answer(await app.write(promotion.request, _caller(request), order))

    @post("/rollbacks", status_code=200)
    async def roll_back(request: _Http, data: Rollback) -> Response[ResultView]:
        """Returns a stage to the version it held before."""
        result = await app.write(
            promotion.roll_back,
            _caller(request),
            data.model,
            data.reason,
            stage=data.stage,
            epoch=data.epoch,
        )
        return _answer(result)

    @get("/requests")
    async def list_requests(status: str | None = None) -> list[RequestView]:
        """Approval requests, newest first: all, or those of one `status`."""
        found = await app.read(requests.listing, _status(status))
        return [schemas.view_request(*row, now_ms()) for row in found]

    @get("/requests/{request_id:int}")
    async def get_request(request_id: int) -> dict[str, Any]:
        """One request with the evidence that it froze and the votes that counted."""
        found = await app.read(requests.get, request_id)
        view = schemas.view_request(found.model, found.request, found.closed, now_ms())
        return {
            **msgspec.to_builtins(view),
            "evidence_bundle": found.evidence.to_json(),
            "evidence_is_current": found.is_current,
            "votes": [schemas.view_vote(vote) for vote in found.votes],
        }

    @post("/requests/{request_id:int}/approve", status_code=200)
    async def approve(request: _Http, request_id: int, data: Ballot) -> Response[ResultView]:
        """Approves; if that suffices, the version moves in the same transaction."""
        return await _vote(request, request_id, data, approves=True)

    @post("/requests/{request_id:int}/reject", status_code=200)
    async def reject(request: _Http, request_id: int, data: Ballot) -> Response[ResultView]:
        """Rejects, with the comment as the reason."""
        return await _vote(request, request_id, data, approves=False)

    async def _vote(
        request: _Http, request_id: int, ballot: Ballot, *, approves: bool
    ) -> Response[ResultView]:
        result = await app.write(
            promotion.vote,
            _caller(request),
            request_id,
            approves=approves,
            comment=ballot.comment,
        )
        return _answer(result)

    @get("/models/{name:str}/at")
    async def at(name: str, time: str) -> MomentView:
        """What every slot of a model held at a time (RFC 3339; without a zone it is UTC)."""
        moment = await app.read(history.at, name, parse_time(time))
        return MomentView(
            model=moment.model,
            name_then=moment.name_then,
            at=instant(moment.at_ms),
            slots=[schemas.view_stay(stay) for stay in moment.stays],
        )

    @get("/models/{name:str}/history")
    async def model_history(
        name: str,
        before: int | None = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        """The journal's entries about a model, newest first."""
        return await app.read(history.of_model, name, before, limit)

    @post("/policy", status_code=200)
    async def apply_policy(request: _Http, data: PolicyFile) -> schemas.AppliedView:
        """Puts a policy in force."""
        document = policy_file.parse(data.source)
        applied = await app.write(policies.apply, _caller(request), document, data.source)
        return schemas.view_applied(applied)

    @get("/policy")
    async def show_policy() -> dict[str, Any]:
        """The policy in force; revision 0 when there is none."""
        shown = await app.read(policies.show)
        if shown is None:
            return {"revision": 0, "digest": None, "source": "", "sections": []}
        stored, policy = shown
        return {
            "revision": stored.revision,
            "digest": stored.digest,
            "applied": instant(stored.applied_ms),
            "author": stored.author,
            "source": stored.source,
            "sections": [
                {"path": s.path, "enforced": s.enforced, "note": s.note} for s in policy.sections
            ],
        }

    return Router(
        path=PREFIX,
        route_handlers=[
            promote, roll_back, list_requests, get_request, approve, reject, at, model_history,
            apply_policy, show_policy, *imports.handlers(app), *journal.handlers(app),
            *reading.handlers(app, now_ms, parse_filter), *webhooks.handlers(app),
        ],
        exception_handlers={
            ModelkeepError: _refuse, HTTPException: _reject_call, Exception: _fail,
            UnicodeDecodeError: _reject_body, RecursionError: _reject_body,
        },
    )  # fmt: skip


def _caller(request: _Http) -> Caller:
    return caller_of(cast("Scope", request.scope))


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"'{text[:100]}' is not a time; write it as 2026-11-20T10:00 or 2026-11-20T10:00:00Z."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return round(moment.astimezone(UTC).timestamp() * 1000)
    except OverflowError:
        raise InvalidInput(f"'{text[:100]}' is out of range: years go from 1 to 9999.") from None


def _status(text: str | None) -> Status | None:
    try:
        return Status(text) if text else None
    except ValueError:
        known = ", ".join(status.value for status in Status)
        raise InvalidInput(f"'{text}' is no status of a request; known: {known}.") from None


def _answer(result: Result) -> Response[ResultView]:
    return Response(schemas.view_result(result), status_code=_STATUS.get(result.end, 200))


def _refuse(request: _Http, error: ModelkeepError) -> Response[dict[str, str]]:
    status, code = errors.status_and_code(type(error))
    return Response({"error": code, "message": error.message}, status_code=status)


def _reject_call(request: _Http, error: HTTPException) -> Response[dict[str, str]]:
    """What the framework found wrong with the call itself: a missing field, an unknown path."""
    details = "; ".join(
        f"{d.get('key', '?')}: {d.get('message', '')}" if isinstance(d, dict) else str(d)
        for d in (error.extra or [])
    )
    message = details or error.detail
    status = error.status_code if error.status_code < 500 else 400
    return Response({"error": "invalid_call", "message": message}, status_code=status)


def _reject_body(request: _Http, error: Exception) -> Response[dict[str, str]]:
    """A body that the framework cannot decode, for which it raises no error of its own."""
    why = "is nested too deeply" if isinstance(error, RecursionError) else "is not valid UTF-8"
    message = f"The request's body {why}."
    return Response({"error": "invalid_call", "message": message}, status_code=400)


def _fail(request: _Http, error: Exception) -> Response[dict[str, str]]:
    request_id = cast("Scope", request.scope)["modelkeep.request_id"]
    _log.error("request %s failed", request_id, exc_info=error)
    message = f"Internal error; request id {request_id}."
    return Response({"error": "internal", "message": message}, status_code=500)
