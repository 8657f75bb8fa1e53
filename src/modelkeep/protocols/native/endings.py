"""Ending the life of versions, and who loads them."""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, put
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.endings import State
from modelkeep.domain.events import instant
from modelkeep.domain.models import Version
from modelkeep.ports.loads import Usage
from modelkeep.protocols.native import views
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.history import parse_time
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer
from modelkeep.protocols.native.schemas import Number
from modelkeep.protocols.native.versions import number_in
from modelkeep.protocols.native.views import VersionEntry
from modelkeep.protocols.rules import on
from modelkeep.services import endings, loads
from modelkeep.services.app import App
from modelkeep.services.endings import Wish
from modelkeep.services.promotion import Result

_State = Literal["active", "deprecated", "blocked", "retired"]


class StateChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`replacement` is the number of the version to use instead; `blocks` a time (RFC 3339) from
    which a deprecated version is blocked. `was` is the state as last read: if it is another by
    now, nothing changes.
    """

    state: _State
    reason: str
    replacement: Number | None = None
    blocks: str | None = None
    was: _State | None = None


class LoadView(msgspec.Struct, kw_only=True):
    """How often somebody loaded a version, on how many days, and when last.

    `name` is null for whoever has none: `address` is where their calls came from. One that is not
    `verified` is a claim. `kind` is user, service or anonymous; `client` what it calls itself.
    """

    version: int
    name: str | None
    kind: str
    verified: bool
    client: str
    address: str
    loads: int
    days: int
    last: str


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @put("/models/{name:str}/versions/{which:str}/state", status_code=200)
    @on(Verb.DEPLOY)
    async def change_state(
        request: Http, name: str, which: str, data: StateChange
    ) -> Response[VersionEntry]:
        """Deprecates, blocks or retires a version, or, by `active`, reinstates it.

        What a stage or alias holds that counts cannot be blocked or retired; retired is for good.
        """
        wish = Wish(
            name,
            number_in(which),
            State(data.state),
            data.reason,
            data.replacement,
            None if data.blocks is None else parse_time(data.blocks),
            None if data.was is None else State(data.was),
        )
        view = partial(_answer, request)
        return await change(app, request, view, endings.change, caller(request), wish)

    @get("/models/{name:str}/loads")
    @on(Verb.DEPLOY)
    async def list_loads(
        name: str,
        version: Annotated[int | None, Parameter(ge=1, le=2**53)] = None,
        days: Annotated[int, Parameter(ge=1, le=loads.KEPT_DAYS)] = 30,
    ) -> list[LoadView]:
        """Who loaded a model's versions, or one of them, in the last days: at most 1000, who did
        last first. What was loaded in the last few seconds may still be missing.
        """
        found = await app.read(loads.usage, name, version, days)
        return [_view(usage) for usage in found]

    return [change_state, list_loads]


def _answer(request: Http, changed: Version | Result) -> Any:
    return answer(request, changed) if isinstance(changed, Result) else views.view_entry(changed)


def _view(usage: Usage) -> LoadView:
    loader = usage.loader
    return LoadView(
        version=usage.number,
        name=loader.name or None,
        kind=loader.kind,
        verified=loader.verified,
        client=loader.client,
        address=loader.address,
        loads=usage.count,
        days=usage.days,
        last=instant(usage.last_ms),
    )
