"""Slots: what each stage and alias of a model holds, and pointing aliases.

A move that names an `epoch` happens only if the slot is still at it.
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, put
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import NotFound
from modelkeep.protocols.native import schemas
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer
from modelkeep.protocols.native.schemas import Epoch, Number, ResultView, StayView
from modelkeep.protocols.rules import on
from modelkeep.services import promotion, slots
from modelkeep.services.app import App
from modelkeep.services.promotion import Result
from modelkeep.services.slots import Held


class Pointing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The version that an alias is to name. `epoch` is the alias's as last read."""

    version: Number
    epoch: Epoch | None = None


class SlotView(msgspec.Struct, kw_only=True):
    """A slot, `stage:Production` or `alias:champion`, and the versions that it holds now."""

    slot: str
    epoch: int
    versions: list[int]
    stays: list[StayView]


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @get("/models/{name:str}/slots")
    @on(Verb.READ)
    async def list_slots(name: str) -> list[SlotView]:
        """The stages of a model and the aliases that are set, with their epochs."""
        return [_view(held) for held in await app.read(slots.of_model, name)]

    @put("/models/{name:str}/aliases/{alias:str}")
    @on(Verb.PROMOTE)
    async def set_alias(
        request: Http, name: str, alias: str, data: Pointing
    ) -> Response[ResultView]:
        """Points an alias at a version; one that follows a stage is a promotion into it."""
        view = partial(answer, request)
        args = caller(request), name, alias, data.version, data.epoch
        return await change(app, request, view, promotion.set_alias, *args)

    @delete("/models/{name:str}/aliases/{alias:str}", status_code=200)
    @on(Verb.PROMOTE)
    async def delete_alias(
        request: Http,
        name: str,
        alias: str,
        epoch: Annotated[int | None, Parameter(ge=0, le=2**53)] = None,
    ) -> Response[ResultView]:
        """Takes an alias away, unless it follows a stage."""
        view = partial(_answer_removal, request, alias)
        args = caller(request), name, alias, epoch
        return await change(app, request, view, promotion.delete_alias, *args)

    return [list_slots, set_alias, delete_alias]


def _answer_removal(request: Http, alias: str, result: Result | None) -> Response[Any]:
    if result is None:
        raise NotFound(f"There is no alias '{alias}'.")
    return answer(request, result)


def _view(held: Held) -> SlotView:
    return SlotView(
        slot=str(held.slot),
        epoch=held.epoch,
        versions=[stay.number for stay in held.stays],
        stays=[schemas.view_stay(stay, held.past_gates) for stay in held.stays],
    )
