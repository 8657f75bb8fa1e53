"""Promotions past the gates, and the reviews that they leave to be done."""

from functools import partial
from typing import Any

import msgspec
from litestar import Response, get, post

from modelkeep.domain.access import Verb
from modelkeep.domain.emergencies import Emergency
from modelkeep.domain.events import instant
from modelkeep.domain.models import Version
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer
from modelkeep.protocols.native.schemas import Number, ResultView, VerdictView
from modelkeep.protocols.rules import KNOWN, on, on_emergency
from modelkeep.services import emergencies
from modelkeep.services.app import App
from modelkeep.services.emergencies import Reviewed


class BreakGlass(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`hours` is the time for the review: as long as the policy gives, or 24, without it."""

    model: str
    version: Number | str
    stage: str
    reason: str
    hours: int | None = None


class Review(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`accepts` says that it was justified; the comment, what was looked at."""

    accepts: bool
    comment: str


class EmergencyView(msgspec.Struct, kw_only=True):
    """`status`: open, overdue, accepted or faulted. `verdicts` are what the gates said. `next`, in
    the answer to a review that faults it, is what becomes of the version."""

    id: int
    model: str
    version: int
    stage: str
    status: str
    opened_by: str
    reason: str
    opened: str
    due: str
    verdicts: list[VerdictView]
    reviewed_by: str | None
    reviewed: str | None
    review: str
    next: str = ""


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/emergencies", status_code=200)
    @on(Verb.ADMIN, "data.model")
    async def break_glass(request: Http, data: BreakGlass) -> Response[ResultView]:
        """Brings a version into a stage past its gates. A review is owed, by somebody else."""
        args = data.model, data.version, data.stage, data.reason, data.hours
        view = partial(answer, request)
        return await change(app, request, view, emergencies.break_glass, caller(request), *args)

    @get("/emergencies")
    @KNOWN
    async def list_emergencies(unreviewed: bool = False) -> list[EmergencyView]:
        """Promotions past the gates, newest first: all, or those that wait for a review."""
        found = await app.read(emergencies.listing, unreviewed=unreviewed)
        return [_view(*row) for row in found]

    @post("/emergencies/{emergency_id:int}/review", status_code=200)
    @on_emergency(Verb.APPROVE)
    async def review_emergency(
        request: Http, emergency_id: int, data: Review
    ) -> Response[EmergencyView]:
        """Says of an emergency whether it was justified. If not, the stage goes back, or not, as
        the policy says."""
        args = caller(request), emergency_id, data.comment
        review = emergencies.review
        return await change(app, request, _view_reviewed, review, *args, accepts=data.accepts)

    return [break_glass, list_emergencies, review_emergency]


def _view_reviewed(reviewed: Reviewed) -> EmergencyView:
    return _view(reviewed.version, reviewed.emergency, reviewed.next)


def _view(version: Version, emergency: Emergency, after: str = "") -> EmergencyView:
    reviewed = emergency.reviewed_ms
    return EmergencyView(
        id=emergency.id,
        model=version.model_name,
        version=version.number,
        stage=emergency.target,
        status=emergency.status.value,
        opened_by=emergency.opened_by,
        reason=emergency.reason,
        opened=instant(emergency.opened_ms),
        due=instant(emergency.due_ms),
        verdicts=msgspec.convert(emergency.decision["verdicts"], list[VerdictView]),
        reviewed_by=emergency.reviewed_by or None,
        reviewed=instant(reviewed) if reviewed is not None else None,
        review=emergency.review,
        next=after,
    )
