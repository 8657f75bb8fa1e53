"""What watches the server asks: is it ready (`/ready`), and how is it doing (`/metrics`).

`/ready` asks nobody for a token, and tells no more than a 503 of any call would. `/metrics` needs,
where there are accounts, one that may read everything.
"""

import asyncio
from collections.abc import Callable

import msgspec

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import Forbidden, ModelkeepError
from modelkeep.protocols.http import TEXT, Scope, Send, answer, header
from modelkeep.protocols.rules import everywhere
from modelkeep.services import census
from modelkeep.services.app import App
from modelkeep.services.readiness import Readiness
from modelkeep.telemetry.tallies import Tallies

READY, METRICS = "/ready", "/metrics"
PUBLIC = frozenset((READY,))
_STOPPING = "The server is stopping."

_encode = msgspec.json.Encoder().encode
_rule = everywhere(Verb.READ)


class Probes:
    """`is_stopping`: from SIGTERM on. `app` is gated where there are accounts."""

    def __init__(
        self, app: App, readiness: Readiness, tallies: Tallies, is_stopping: Callable[[], bool]
    ) -> None:
        self._app, self._readiness, self._tallies = app, readiness, tallies
        self._is_stopping = is_stopping

    async def handle(self, scope: Scope, send: Send) -> None:
        """Answers GET and HEAD of the two paths."""
        if scope["method"] not in ("GET", "HEAD"):
            await answer(send, 405, TEXT, b"This path answers GET and HEAD only.")
        elif scope["path"] == READY:
            await self._ready(send)
        else:
            await self._metrics(scope, send)

    async def _ready(self, send: Send) -> None:
        stopping = _STOPPING if self._is_stopping() else ""
        found = {"process": stopping} | await self._readiness.findings()
        is_ready = not any(found.values())
        checks = {name: {"ok": not why} | ({"why": why} if why else {}) for name, why in
                  found.items()}  # fmt: skip
        body = _encode({"ready": is_ready, "checks": checks})
        await answer(send, 200 if is_ready else 503, b"application/json", body)

    async def _metrics(self, scope: Scope, send: Send) -> None:
        try:
            _rule.admit(scope)
        except Forbidden as error:
            await answer(send, 403, TEXT, error.message.encode())
            return
        found = {"process": _STOPPING if self._is_stopping() else ""}
        found |= await self._readiness.findings()
        try:
            counted = await self._app.read(census.count)
        except ModelkeepError:  # the checks tell of it
            counted = None
        accepted = header(scope, b"accept")
        kind, body = await asyncio.to_thread(self._rendered, found, counted, accepted)
        await answer(send, 200, kind, body)

    def _rendered(
        self, found: dict[str, str], counted: census.Census | None, accepted: str
    ) -> tuple[bytes, bytes]:
        from modelkeep.protocols import exposition  # with the library, once somebody asks

        return exposition.render(self._tallies, found, counted, accepted)
