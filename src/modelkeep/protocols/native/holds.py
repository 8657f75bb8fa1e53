"""Holds: what must not be deleted until somebody releases it."""

from typing import Any

import msgspec
from litestar import Response, get, post

from modelkeep.domain.access import Verb
from modelkeep.domain.events import instant
from modelkeep.domain.models import Version
from modelkeep.ports.holds import Hold
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.rules import on, somewhere
from modelkeep.services import holds
from modelkeep.services.app import App


class Why(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why a version must be kept, or need be no longer."""

    reason: str


class HoldView(msgspec.Struct, kw_only=True):
    """A hold on a version."""

    id: int
    model: str
    version: int
    reason: str
    placed_by: str
    placed: str


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/models/{name:str}/versions/{which:str}/hold", status_code=200)
    @on(Verb.ADMIN)
    async def hold_version(request: Http, name: str, which: str, data: Why) -> Response[HoldView]:
        """Keeps a version from being deleted, by anybody and by time, until it is released."""
        args = caller(request), name, which, data.reason
        return await change(app, request, _view_row, holds.place, *args)

    @post("/models/{name:str}/versions/{which:str}/release", status_code=200)
    @on(Verb.ADMIN)
    async def release_version(
        request: Http, name: str, which: str, data: Why
    ) -> Response[HoldView]:
        """Releases a version that is held; answers the hold that there was."""
        args = caller(request), name, which, data.reason
        return await change(app, request, _view_row, holds.release, *args)

    @get("/holds")
    @somewhere(Verb.READ)
    async def list_holds() -> list[HoldView]:
        """The holds in force, newest first."""
        return [_view_row(row) for row in await app.read(holds.listing)]

    return [hold_version, release_version, list_holds]


def _view_row(row: tuple[Version, Hold]) -> HoldView:
    version, hold = row
    return HoldView(
        id=hold.id,
        model=version.model_name,
        version=version.number,
        reason=hold.reason,
        placed_by=hold.placed_by,
        placed=instant(hold.placed_ms),
    )
