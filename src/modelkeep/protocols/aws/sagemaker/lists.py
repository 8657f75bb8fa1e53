"""The lists of files that a package names, read before it is registered: a use case reads none."""

import asyncio
from collections.abc import Mapping

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.lists import SIZE_LIMIT_BYTES
from modelkeep.domain.packages import lists_in
from modelkeep.services import loadables
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found
from modelkeep.services.loadables import Listing
from modelkeep.services.packages import Members

LISTS_LIMIT = 20  # of one package


async def read(app: App, said: Members) -> Mapping[str, Listing]:
    """Those that lie here, by their addresses. Raises InvalidInput for too many of them."""
    named = sorted(lists_in(said))
    if len(named) > LISTS_LIMIT:
        raise InvalidInput(f"A package names at most {LISTS_LIMIT} manifests: this has more.")
    found = {address: await app.read(loadables.list_at, address) for address in named}
    return {
        address: Listing(there.file.sha256, await _content(app, there))
        for address, there in found.items()
        if there is not None
    }


async def _content(app: App, there: Found) -> bytes | None:
    file = there.file
    if there.small is not None or file.size_bytes > SIZE_LIMIT_BYTES:
        return there.small
    return await asyncio.to_thread(b"".join, app.blobs.read(file.sha256, file.size_bytes))
