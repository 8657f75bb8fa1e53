"""Registering, changing and deleting models; `reading` lists them."""

from functools import partial
from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post

from modelkeep.domain.access import Verb
from modelkeep.protocols.native import views
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer, answer_deletion
from modelkeep.protocols.native.views import ModelEntry
from modelkeep.protocols.rules import Rule, on
from modelkeep.services import amendments, listings, permits, registry
from modelkeep.services.amendments import Amendment
from modelkeep.services.app import App
from modelkeep.services.listings import Listed
from modelkeep.services.permits import Need
from modelkeep.services.steps import Result


class NewModel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    description: str = ""
    tags: dict[str, str] = {}


class ModelChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. `name` renames; a tag that is null is taken away."""

    name: str | None = None
    description: str | None = None
    tags: dict[str, str | None] = {}


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/models", status_code=200)
    @Rule(_create, Verb.WRITE)
    async def create_model(request: Http, data: NewModel) -> Response[ModelEntry]:
        """Registers a model, with no versions yet."""
        args = caller(request), data.name, data.description, data.tags
        return await change(app, request, _view_new, registry.create_model, *args)

    @get("/models/{name:str}")
    @on(Verb.READ)
    async def get_model(name: str) -> ModelEntry:
        """One model."""
        return views.view_model(await app.read(listings.model, name))

    @patch("/models/{name:str}")
    @Rule(_change, Verb.WRITE)
    async def change_model(request: Http, name: str, data: ModelChanges) -> Response[ModelEntry]:
        """Renames a model, describes it, sets and removes its tags: all of it, or nothing."""
        wanted = Amendment(data.name, data.description, data.tags)
        view = partial(_answer_change, request)
        args = caller(request), name, wanted
        return await change(app, request, view, amendments.amend_model, *args)

    @delete("/models/{name:str}", status_code=204)
    @on(Verb.WRITE)
    async def delete_model(request: Http, name: str) -> Response[None]:
        """Deletes a model and its versions from view; their past can still be read."""
        view = partial(answer_deletion, request)
        return await change(app, request, view, registry.delete_model, caller(request), name)

    return [create_model, get_model, change_model, delete_model]


def _view_new(model: Any) -> ModelEntry:
    return views.view_model(Listed(model, [], None, 0))


def _create(call: Any) -> None:
    permits.admit_new(call.data.name, call.data.tags)


def _change(call: Any) -> None:
    """A tag on which grants hang is an admin's to change; a new name needs the role there, too."""
    needs = [Need(Verb.WRITE, model=call.name)]
    if call.data.name:
        needs.append(Need(Verb.WRITE, model=call.name, as_name=call.data.name))
    permits.admit(*needs, *permits.of_tags(needs[0], call.data.tags))


def _answer_change(request: Http, changed: Listed | Result) -> Any:
    return answer(request, changed) if isinstance(changed, Result) else views.view_model(changed)
