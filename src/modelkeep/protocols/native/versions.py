"""Registering, changing and deleting versions, and bringing the files of one.

A version is made of a `source` that the server knows (what a run or a logged model has, another
version, a path of the artifact store), of an `upload`, or of a label that is kept as text.
"""

from functools import partial
from typing import Any, cast

import msgspec
from litestar import Response, delete, get, patch, post, put

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.http import Receive, Scope
from modelkeep.protocols.native import views
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.native.promotions import answer_deletion
from modelkeep.protocols.native.views import VersionEntry
from modelkeep.protocols.rules import on, somewhere
from modelkeep.protocols.uploads import pieces, store
from modelkeep.services import amendments, catalog, creation, registry, uploads
from modelkeep.services.amendments import Amendment
from modelkeep.services.app import App
from modelkeep.services.catalog import NUMBER_DIGITS
from modelkeep.services.creation import Draft


class NewVersion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of `source` (a URI) and `upload` (an id) is needed. `run` and `logged_model` are ids."""

    source: str = ""
    upload: str = ""
    run: str | None = None
    logged_model: str | None = None
    run_link: str | None = None
    description: str = ""
    tags: dict[str, str] = {}


class VersionChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; a tag that is null is taken away."""

    description: str | None = None
    tags: dict[str, str | None] = {}


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @post("/models/{name:str}/versions", status_code=200)
    @on(Verb.WRITE)
    async def create_version(request: Http, name: str, data: NewVersion) -> Response[VersionEntry]:
        """Registers a version, and freezes the bytes that its source or upload names."""
        draft = Draft(
            model=name,
            source=data.source,
            run_id=data.run,
            logged_model_id=data.logged_model,
            run_link=data.run_link,
            description=data.description,
            tags=data.tags,
        )
        if bool(data.source) == bool(data.upload):
            raise InvalidInput("A version needs a 'source' or an 'upload', and not both.")
        if data.upload:
            args = caller(request), draft, data.upload
            return await change(app, request, views.view_entry, uploads.register, *args)
        args = caller(request), draft
        return await change(app, request, views.view_entry, creation.create_version, *args)

    @get("/models/{name:str}/versions/{which:str}")
    @on(Verb.READ)
    async def get_version(name: str, which: str) -> VersionEntry:
        """One version: by its number, `@` and an alias, a stage, or `latest`."""
        return views.view_entry(await app.read(catalog.resolve, name, which, point=True))

    @patch("/models/{name:str}/versions/{which:str}")
    @on(Verb.WRITE)
    async def change_version(
        request: Http, name: str, which: str, data: VersionChanges
    ) -> Response[VersionEntry]:
        """Describes a version, sets and removes its tags: all of it, or nothing."""
        wanted = Amendment(description=data.description, tags=data.tags)
        args = caller(request), name, number_in(which), wanted
        return await change(app, request, views.view_entry, amendments.amend_version, *args)

    @delete("/models/{name:str}/versions/{which:str}", status_code=204)
    @on(Verb.WRITE)
    async def delete_version(request: Http, name: str, which: str) -> Response[None]:
        """Deletes a version from view; its number is never used again."""
        view = partial(answer_deletion, request)
        args = caller(request), name, number_in(which)
        return await change(app, request, view, registry.delete_version, *args)

    @put(
        "/uploads/{upload:str}/files/{path:path}",
        status_code=204,
        request_max_body_size=None,
        keyless=True,
    )
    @somewhere(Verb.WRITE)
    async def put_file(request: Http, upload: str, path: str) -> None:
        """Brings a file of an upload, as the body. Once more is no harm: the last bytes count.

        The id of an upload is the client's to make up: 8 to 64 letters, digits and dashes.
        """
        where = uploads.path_in(upload, path.removeprefix("/"))
        body = pieces(cast("Scope", request.scope), cast("Receive", request.receive))
        await store(app, caller(request), where, body)

    return [create_version, get_version, change_version, delete_version, put_file]


def number_in(which: str) -> int:
    """A change is of the version that its number names, whatever moved meanwhile."""
    if which.isascii() and which.isdecimal() and len(which) <= NUMBER_DIGITS:
        return int(which)
    raise InvalidInput(f"'{which[:100]}' is no number of a version; a change needs its number.")
