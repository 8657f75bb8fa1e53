"""Signs checkpoints: one thread with an event loop of its own, beside the server's.

It is woken after each commit that added leaves, and signs at once, but never twice within a
second. It takes no part in a commit: what is signed was durable before. A server that dies between
a commit and its checkpoint signs it at the next start.
"""

import asyncio
import logging
import secrets
import threading
from contextlib import suppress

from modelkeep.domain.errors import ModelkeepError
from modelkeep.services.app import App
from modelkeep.services.signing import Signing
from modelkeep.workers.turns import Turns

INTERVAL_S = 1.0  # between two checkpoints, at least
IDLE_S = 30.0  # after which it looks even if nobody woke it
SHARED_IDLE_S = 1.0  # the same, where other processes write leaves
STOP_S = 6.0  # a little more than a witness may take to answer

_log = logging.getLogger(__name__)


class CheckpointWorker:
    """`start` begins, `close` ends after what is under way; `wake` is for any thread.

    `origin` is the name of the first origin, if the journal has none yet; empty for a new one.
    `is_alone`: no other worker shares the database. Of several, one signs at a time.
    """

    def __init__(self, app: App, origin: str, *, is_alone: bool = True) -> None:
        self._turns = Turns(app, "checkpoints", is_alone=is_alone)
        self._idle_s = IDLE_S if is_alone else SHARED_IDLE_S
        self._signing = Signing(app, origin or f"modelkeep.local/{secrets.token_hex(8)}")
        self._loop = asyncio.new_event_loop()
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Returns at once; harmless when the worker has ended."""
        if not self._woken.is_set():
            self._soon(self._woken)

    def close(self) -> None:
        self._soon(self._stopping)
        self.wake()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _soon(self, event: asyncio.Event) -> None:
        try:
            self._loop.call_soon_threadsafe(event.set)
        except RuntimeError:  # the loop is closed
            _log.debug("woken after its end")

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            await self._guarded()
            await _within(INTERVAL_S, self._stopping)
            await _within(self._idle_s, self._woken)
        with suppress(ModelkeepError):  # else the lease runs out by itself
            await self._turns.give_up()

    async def _guarded(self) -> None:
        """A turn that may fail: whatever it left undone, a later one finds again."""
        try:
            if await self._turns.is_ours():
                self._say(await self._signing.turn())
        except ModelkeepError as error:
            self._say(error.message)
        except Exception:  # noqa: BLE001 - the outermost loop outlives one bad turn
            _log.exception("a turn of the checkpoints failed")

    def _say(self, why: str) -> None:
        """Why nothing is signed; once, not every second."""
        if why and why != self._said:
            _log.error("no checkpoint is signed: %s. See docs/audit.md.", why.rstrip("."))
        self._said = why


async def _within(limit_s: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()
