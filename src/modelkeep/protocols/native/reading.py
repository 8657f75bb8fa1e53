"""The half of modelkeep's own API that only reads: models, versions, lineage and files.

A version is named by its number, a stage, `latest`, or `@` and an alias. A list that goes on says
so in `next`; the same call with that as its `cursor` goes on there, whatever changed meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Annotated

from litestar import get, head
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.response import Stream

from modelkeep.domain.access import Verb
from modelkeep.domain.manifests import FILE_LIMIT
from modelkeep.domain.search import Comparison
from modelkeep.protocols.native import views
from modelkeep.protocols.native.calls import Http, loader
from modelkeep.protocols.native.views import ComparisonView, FilePage, LineageView
from modelkeep.protocols.notices import headers_of
from modelkeep.protocols.rules import KNOWN, on
from modelkeep.services import artifacts, comparison, lineage, listings
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found

Limit = Annotated[int, Parameter(ge=1, le=1000)]
Before = Annotated[int | None, Parameter(ge=1, le=2**53)]
Metrics = Annotated[list[str] | None, Parameter(max_items=1000)]
Filter = Callable[[str], Sequence[Comparison]]


def handlers(
    app: App, now_ms: Callable[[], int], parse_filter: Filter
) -> Sequence[HTTPRouteHandler]:
    """The handlers over an application. `parse_filter` reads a filter of models."""

    @get("/models", tags=["models"])
    @KNOWN
    async def list_models(filter: str = "", cursor: str = "", limit: Limit = 50) -> views.ModelPage:
        """Registered models by name, prompts aside. `filter` is in MLflow's search language."""
        where = parse_filter(filter)
        found = await app.read(listings.models, where, cursor, limit + 1)
        models, more = views.page(found, limit, lambda listed: listed.model.name)
        return views.ModelPage(models=[views.view_model(listed) for listed in models], next=more)

    @get("/models/{name:str}/versions", tags=["versions"])
    @on(Verb.READ)
    async def list_versions(
        name: str, cursor: Before = None, limit: Limit = 50
    ) -> views.VersionPage:
        """Versions of a model, newest first."""
        found = await app.read(listings.versions, name, cursor, limit + 1)
        versions, more = views.page(found, limit, lambda version: version.number)
        entries = [views.view_entry(version) for version in versions]
        return views.VersionPage(model=name, versions=entries, next=more)

    @get("/models/{name:str}/comparison", tags=["versions"])
    @on(Verb.READ)
    async def compare(
        name: str,
        version: list[str] | None = None,
        lower: Metrics = None,
        higher: Metrics = None,
    ) -> ComparisonView:
        """Versions side by side: those named, else the newest five and the one in Production.

        `lower` and `higher` name metrics of which less, or more, is better.
        """
        compared = await app.read(
            comparison.compare, name, version or (), lower or (), higher or ()
        )
        return views.view_comparison(name, compared)

    @get("/models/{name:str}/versions/{which:str}/lineage", tags=["versions"])
    @on(Verb.READ)
    async def trace(name: str, which: str) -> LineageView:
        """Where a version came from, where it went, and who approved it."""
        return views.view_lineage(await app.read(lineage.trace, name, which), now_ms())

    @get("/models/{name:str}/versions/{which:str}/artifacts", tags=["versions"])
    @on(Verb.READ)
    async def list_files(
        name: str,
        which: str,
        path: str = "",
        cursor: str = "",
        limit: Annotated[int, Parameter(ge=1, le=FILE_LIMIT)] = 1000,
    ) -> FilePage:
        """The files that a version froze, by path; with `path`, those in that folder."""
        version, found = await app.read(artifacts.files_of, name, which, path, cursor, limit + 1)
        files, more = views.page(found, limit, lambda file: file.path)
        return FilePage(
            model=name,
            version=version.number,
            manifest=version.manifest or "",
            files=[views.view_file(file) for file in files],
            next=more,
        )

    content = "/models/{name:str}/versions/{which:str}/content"

    @get(content, media_type="application/octet-stream", tags=["versions"])
    @on(Verb.DOWNLOAD)
    async def read_file(request: Http, name: str, which: str, path: str) -> Stream:
        """A file's bytes as they were frozen. Damaged ones are refused or, if large, cut off."""
        found = await _fetch(name, which, path)
        file, chunks = found.file, _chunks(found)
        first = await asyncio.to_thread(next, chunks, b"")
        if found.version is not None:
            app.loads.note(loader(request), found.version, by_file=True)
        headers = {
            **headers_of(found.version),
            "content-length": str(file.size_bytes),
            "content-disposition": "attachment",
            "etag": f'"{file.sha256}"',
        }
        return Stream(
            chain([first], chunks), headers=headers, media_type="application/octet-stream"
        )

    @head(content, tags=["versions"])
    @on(Verb.DOWNLOAD)
    async def check_file(name: str, which: str, path: str) -> None:
        """Reads a file through without sending it: 409 if its bytes are damaged."""
        found = await _fetch(name, which, path)
        await asyncio.to_thread(_exhaust, _chunks(found))

    async def _fetch(name: str, which: str, path: str) -> Found:
        return await app.read(artifacts.fetch_named, name, which, path)

    def _chunks(found: Found) -> Iterator[bytes]:
        if found.small is not None:
            return iter((found.small,))
        return app.blobs.read(found.file.sha256, found.file.size_bytes)

    return (list_models, list_versions, compare, trace, list_files, read_file, check_file)


def _exhaust(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass
