"""Moving versions: promotions and rollbacks, and how their results are told.

A move that waits answers 200 with its result (202 would do as well, but scripts read `result`);
one that was turned down is a problem with the result's own members beside, 403 or 409.
"""

from functools import partial
from typing import Any

import msgspec
from litestar import Response, post

from modelkeep.domain.access import Verb
from modelkeep.protocols.native import problems, schemas
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.schemas import Promote, ResultView, Rollback
from modelkeep.protocols.rules import on
from modelkeep.services import promotion
from modelkeep.services.app import App
from modelkeep.services.promotion import End, Order, Result

_PROBLEMS = {End.REFUSED: "refused", End.VOID: "void"}


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/promotions", status_code=200)
    @on(Verb.PROMOTE, "data.model")
    async def promote(request: Http, data: Promote) -> Response[ResultView]:
        """Asks for a version to move into a stage."""
        order = Order(data.model, data.version, data.stage, data.reason, epoch=data.epoch)
        view = partial(answer, request)
        return await change(app, request, view, promotion.request, caller(request), order)

    @post("/rollbacks", status_code=200)
    @on(Verb.PROMOTE, "data.model")
    async def roll_back(request: Http, data: Rollback) -> Response[ResultView]:
        """Returns a stage to the version it held before."""
        return await change(
            app,
            request,
            partial(answer, request),
            promotion.roll_back,
            caller(request),
            data.model,
            data.reason,
            stage=data.stage,
            to=data.to,
            epoch=data.epoch,
        )

    return [promote, roll_back]


def answer(request: Http, result: Result) -> Response[Any]:
    """A result, or the problem that it is."""
    view = schemas.view_result(result)
    code = _PROBLEMS.get(result.end)
    if code is None:
        return Response(view)
    members = msgspec.to_builtins(view)
    return problems.respond(request, code, members.pop("message"), members)


def answer_deletion(request: Http, refusal: Result | None) -> Response[Any] | None:
    """Nothing, or the refusal to delete what a policy guards."""
    return None if refusal is None else answer(request, refusal)
