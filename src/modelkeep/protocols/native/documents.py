"""The documents of a version: its card, a validation report, whatever a policy requires."""

from typing import Any

import msgspec
from litestar import Response, get, put

from modelkeep.domain.access import Verb
from modelkeep.domain.events import instant
from modelkeep.domain.papers import Document
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.rules import on
from modelkeep.services import papers
from modelkeep.services.app import App


class NewDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A text of at most 262,144 bytes. `media_type`: text/markdown, text/plain or
    application/json."""

    body: str
    media_type: str = "text/markdown"


class DocumentView(msgspec.Struct, kw_only=True):
    """`revision` counts those under one name; `body` is left out of listings."""

    name: str
    revision: int
    media_type: str
    sha256: str
    size_bytes: int
    author: str
    attached: str
    body: str | None = None


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @put("/models/{name:str}/versions/{which:str}/documents/{document:str}")
    @on(Verb.WRITE)
    async def attach_document(
        request: Http, name: str, which: str, document: str, data: NewDocument
    ) -> Response[DocumentView]:
        """Attaches a document to a version; one of that name gives its place to it."""
        args = caller(request), name, which, document, data.media_type, data.body
        return await change(app, request, view_head, papers.attach, *args)

    @get("/models/{name:str}/versions/{which:str}/documents")
    @on(Verb.READ)
    async def list_documents(name: str, which: str) -> list[DocumentView]:
        """The documents of a version, by name, without their texts."""
        return [view_head(paper) for paper in await app.read(papers.listing, name, which)]

    @get("/models/{name:str}/versions/{which:str}/documents/{document:str}")
    @on(Verb.READ)
    async def get_document(
        name: str, which: str, document: str, revision: int | None = None
    ) -> DocumentView:
        """A document with its text: the latest of that name, or one of its revisions."""
        paper = await app.read(papers.read, name, which, document, revision)
        return msgspec.structs.replace(view_head(paper), body=paper.body)

    return [attach_document, list_documents, get_document]


def view_head(paper: Document) -> DocumentView:
    return DocumentView(
        name=paper.name,
        revision=paper.revision,
        media_type=paper.media_type,
        sha256=paper.sha256,
        size_bytes=paper.size_bytes,
        author=paper.author,
        attached=instant(paper.at_ms),
    )
