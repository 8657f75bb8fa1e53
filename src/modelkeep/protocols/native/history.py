"""The past of a model: what was where at a moment, and what happened."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
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

SKEW_MS = 60_000  # by which the clock of whoever asks may be fast


class ActorView(msgspec.Struct, kw_only=True):
    """Who did it, as far as the leaf says: a name is one of the texts. `kind`: user, service,
    system or anonymous; `verified` is false of one that was only claimed."""

    kind: str
    verified: bool


class EntryView(msgspec.Struct, kw_only=True):
    """An entry of the journal: `act` was done to `obj`, which was `pre` and became `post`, because
    of `why`, in the request `req`. What these hold depends on the act. `texts` are what a person
    wrote, and names of people (`actor`); one that was erased is missing. `hash` is the leaf's."""

    index: int
    hash: str
    v: int
    id: str
    t: str
    project: str
    actor: ActorView
    act: str
    obj: dict[str, Any]
    pre: dict[str, Any]
    post: dict[str, Any]
    why: dict[str, Any]
    texts: dict[str, str]
    req: str


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @get("/models/{name:str}/at")
    @on(Verb.READ)
    async def model_at(name: str, time: str) -> MomentView:
        """What every slot of a model held at a time (RFC 3339; without a zone it is UTC).

        A time in the future is refused: nobody knows yet.
        """
        moment = await app.read(history.at, name, _past(parse_time(time), app.clock.now_ms()))
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
    ) -> list[EntryView]:
        """The journal's entries about a model, newest first."""
        return view_entries(await app.read(history.of_model, name, before, limit))

    return [model_at, model_history]


def view_entries(found: list[dict[str, Any]]) -> list[EntryView]:
    return msgspec.convert(found, list[EntryView])


def _past(at_ms: int, now_ms: int) -> int:
    """A time that is over; now, for one that only a fast clock can have told."""
    if at_ms > now_ms + SKEW_MS:
        raise InvalidInput(f"That time is in the future: it is {instant(now_ms)} now.")
    return min(at_ms, now_ms)


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
