"""The past of a model: what was where at a moment, and what happened."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import get
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.protocols.native import schemas
from modelkeep.protocols.native.schemas import MomentView
from modelkeep.protocols.rules import on
from modelkeep.services import history
from modelkeep.services.app import App


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @get("/models/{name:str}/at")
    @on(Verb.READ)
    async def model_at(name: str, time: str) -> MomentView:
        """What every slot of a model held at a time (RFC 3339; without a zone it is UTC)."""
        moment = await app.read(history.at, name, parse_time(time))
        return MomentView(
            model=moment.model,
            name_then=moment.name_then,
            at=instant(moment.at_ms),
            slots=[schemas.view_stay(stay, moment.past_gates) for stay in moment.stays],
        )

    @get("/models/{name:str}/history")
    @on(Verb.READ)
    async def model_history(
        name: str,
        before: int | None = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        """The journal's entries about a model, newest first."""
        return await app.read(history.of_model, name, before, limit)

    return [model_at, model_history]


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
