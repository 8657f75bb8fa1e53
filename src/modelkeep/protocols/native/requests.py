"""Approval requests: what waits, and the votes on it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from litestar import Response, get, post

from modelkeep.domain.access import Verb
from modelkeep.domain.approvals import Comment, Status
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.protocols.native import schemas
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer
from modelkeep.protocols.native.schemas import Ballot, BarredView, RequestView, ResultView, VoteView
from modelkeep.protocols.rules import KNOWN, on_request
from modelkeep.services import requests, voting
from modelkeep.services.app import App
from modelkeep.services.requests import Row


class CommentView(msgspec.Struct, kw_only=True):
    """What somebody said of a request, and when."""

    name: str
    text: str
    at: str


class RequestDetail(RequestView, kw_only=True):
    """`evidence_bundle` is what was frozen, of the digest `evidence` in canonical JSON (RFC 8785).

    `evidence_is_current` is false once the run or the tags say something else by now.
    """

    evidence_bundle: dict[str, Any]
    evidence_is_current: bool
    barred: list[BarredView]
    votes: list[VoteView]
    comments: list[CommentView]


def handlers(app: App, now_ms: Callable[[], int]) -> list[Any]:
    """The routes over an application. `now_ms` is the clock's."""

    @get("/requests")
    @KNOWN
    async def list_requests(status: str | None = None) -> list[RequestView]:
        """Approval requests, newest first: all, or those of one `status`."""
        found = await app.read(requests.listing, _status(status))
        return [schemas.view_request(*row, now_ms()) for row in found]

    @get("/requests/{request_id:int}")
    @on_request(Verb.READ)
    async def get_request(request_id: int) -> RequestDetail:
        """One request with the evidence that it froze and the votes that counted."""
        found = await app.read(requests.get, request_id)
        view = schemas.view_request(found.model, found.request, found.closed, now_ms())
        return RequestDetail(
            **msgspec.structs.asdict(view),
            evidence_bundle=found.evidence.to_json(),
            evidence_is_current=found.is_current,
            barred=[BarredView(name=name, why=why) for name, why in found.barred],
            votes=[schemas.view_vote(vote) for vote in found.votes],
            comments=[view_comment(said) for said in found.comments],
        )

    @post("/requests/{request_id:int}/approve", status_code=200)
    @on_request(Verb.APPROVE)
    async def approve(request: Http, request_id: int, data: Ballot) -> Response[ResultView]:
        """Approves; if that suffices, the version moves in the same transaction."""
        return await _vote(request, request_id, data, approves=True)

    @post("/requests/{request_id:int}/reject", status_code=200)
    @on_request(Verb.APPROVE)
    async def reject(request: Http, request_id: int, data: Ballot) -> Response[ResultView]:
        """Rejects, with the comment as the reason."""
        return await _vote(request, request_id, data, approves=False)

    @post("/requests/{request_id:int}/request-changes", status_code=200)
    @on_request(Verb.APPROVE)
    async def request_changes(request: Http, request_id: int, data: Ballot) -> Response[ResultView]:
        """Sends a request back, with the comment as what to mend before it is made again."""
        return await _vote(request, request_id, data, approves=False, wants_changes=True)

    @post("/requests/{request_id:int}/comments", status_code=200)
    @on_request(Verb.READ)
    async def comment(request: Http, request_id: int, data: Ballot) -> Response[CommentView]:
        """Says something of a request, without deciding it."""
        args = caller(request), request_id, data.comment
        return await change(app, request, view_comment, requests.comment, *args)

    @post("/requests/{request_id:int}/withdraw", status_code=200)
    @on_request(Verb.PROMOTE)
    async def withdraw(request: Http, request_id: int, data: Ballot) -> Response[RequestView]:
        """Takes a request back, as only whoever asked may. The comment says why."""

        def view(row: Row) -> RequestView:
            return schemas.view_request(*row, now_ms())

        args = caller(request), request_id, data.comment
        return await change(app, request, view, requests.withdraw, *args)

    async def _vote(
        request: Http,
        request_id: int,
        ballot: Ballot,
        *,
        approves: bool,
        wants_changes: bool = False,
    ) -> Response[ResultView]:
        return await change(
            app,
            request,
            partial(answer, request),
            voting.vote,
            caller(request),
            request_id,
            approves=approves,
            comment=ballot.comment,
            wants_changes=wants_changes,
        )

    return [list_requests, get_request, approve, reject, request_changes, comment, withdraw]


def view_comment(said: Comment) -> CommentView:
    return CommentView(name=said.name, text=said.text, at=instant(said.at_ms))


def _status(text: str | None) -> Status | None:
    try:
        return Status(text) if text else None
    except ValueError:
        known = ", ".join(status.value for status in Status)
        raise InvalidInput(f"'{text}' is no status of a request; known: {known}.") from None
