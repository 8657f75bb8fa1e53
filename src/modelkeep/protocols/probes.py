"""What watches a process asks: does it live (`/health`), is it ready (`/ready`), how is it doing
(`/metrics`). A server answers the first as MLflow's does.

The first two ask nobody for a token; where other calls need one, `/ready` leaves the reasons to
the log. `/metrics` needs, where there are accounts, a token of one that may read everything.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import Forbidden, ModelkeepError
from modelkeep.protocols.http import TEXT, Scope, Send, answer, header
from modelkeep.protocols.rules import everywhere
from modelkeep.services import census
from modelkeep.services.app import App
from modelkeep.services.readiness import Readiness
from modelkeep.telemetry.tallies import Tallies

HEALTH, READY, METRICS = "/health", "/ready", "/metrics"
ALL = frozenset((HEALTH, READY, METRICS))
PUBLIC = frozenset((HEALTH, READY))
_PROCESS, _STOPPING = "process", "The server is stopping."
# Without these a process does its work, and somebody has to know.
_TOLD_ONLY = frozenset(("journal",))
_IN_THE_LOG = "The server's log says why."

_encode = msgspec.json.Encoder().encode
_rule = everywhere(Verb.READ)


class Probes:
    """`is_stopping`: from SIGTERM on. `app` is gated where there are accounts."""

    def __init__(
        self,
        app: App,
        readiness: Readiness,
        tallies: Tallies,
        is_stopping: Callable[[], bool],
        *,
        tells_why: bool,
    ) -> None:
        self._app, self._readiness, self._tallies = app, readiness, tallies
        self._is_stopping, self._tells_why = is_stopping, tells_why

    async def handle(self, scope: Scope, send: Send) -> None:
        """Answers GET and HEAD of the three paths."""
        if scope["method"] not in ("GET", "HEAD"):
            await answer(send, 405, TEXT, b"This path answers GET and HEAD only.")
        elif scope["path"] == HEALTH:
            await answer(send, 200, TEXT, b"OK")
        elif scope["path"] == READY:
            await self._ready(send)
        else:
            await self._metrics(scope, send)

    async def _ready(self, send: Send) -> None:
        found = await self._findings()
        is_ready = not any(why for name, why in found.items() if name not in _TOLD_ONLY)
        checks = {name: self._told(name, why) for name, why in found.items()}
        body = _encode({"ready": is_ready, "checks": checks})
        await answer(send, 200 if is_ready else 503, b"application/json", body)

    def _told(self, name: str, why: str) -> dict[str, Any]:
        if not why:
            return {"ok": True}
        is_for_all = self._tells_why or name == _PROCESS
        return {"ok": False, "why": why if is_for_all else _IN_THE_LOG}

    async def _findings(self) -> dict[str, str]:
        stopping = _STOPPING if self._is_stopping() else ""
        return {_PROCESS: stopping} | await self._readiness.findings()

    async def _metrics(self, scope: Scope, send: Send) -> None:
        try:
            _rule.admit(scope)
        except Forbidden as error:
            await answer(send, 403, TEXT, error.message.encode())
            return
        found, counted = await self._findings(), None
        if not found["database"]:  # else it might take long to say nothing
            with suppress(ModelkeepError):
                counted = await self._app.read(census.count)
        accepted = header(scope, b"accept")
        kind, body = await asyncio.to_thread(self._rendered, found, counted, accepted)
        await answer(send, 200, kind, body)

    def _rendered(
        self, found: dict[str, str], counted: census.Census | None, accepted: str
    ) -> tuple[bytes, bytes]:
        from modelkeep.protocols import exposition  # with the library, once somebody asks

        return exposition.render(self._tallies, found, counted, accepted)
