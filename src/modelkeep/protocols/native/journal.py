"""The journal: its entries, and the export that anyone can verify."""

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated, Any

from litestar import get
from litestar.params import Parameter
from litestar.response import Stream

from modelkeep.domain.access import Verb
from modelkeep.protocols.rules import everywhere
from modelkeep.services import audit, history
from modelkeep.services.app import App

CHUNK_BYTES = 1 << 20


def handlers(app: App) -> list[Any]:
    """The routes over an application."""

    @get("/journal/entries")
    @everywhere(Verb.READ)
    async def journal_entries(
        start: Annotated[int, Parameter(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        """The journal's entries from an index on, in order."""
        return await app.read(history.entries, start, limit)

    @get("/journal/export", media_type="application/x-ndjson")
    @everywhere(Verb.READ)
    async def export_journal() -> Stream:
        """Everything a verifier needs, of one moment, as lines of JSON."""
        # A journal may be larger than memory, and its snapshot ends with the read: so, a file.
        file = tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES)
        await app.read(audit.write_export, file)
        file.seek(0)
        return Stream(_chunks(file), media_type="application/x-ndjson")

    return [journal_entries, export_journal]


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
