"""Delivers webhooks: one thread with an event loop of its own, beside the server's.

It is woken after each commit that added leaves, and looks every second besides: for attempts that
have come due, and for what other replicas have written. It leases what it attempts, so that
replicas share the work; a lease that a dead worker left runs out.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from modelkeep.domain.errors import ModelkeepError
from modelkeep.ports.webhooks import Claim
from modelkeep.services import courier, outbox
from modelkeep.services.app import App
from modelkeep.telemetry.tallies import Attempts

POLL_S = 1.0
GATHER_S = 0.02  # from the first commit of some to the turn for all of them
AT_ONCE = 16  # attempts, of all webhooks together
PRUNE_EVERY_S = 600.0
STOP_S = 5.0  # how long attempts under way may still take when the server stops

_log = logging.getLogger(__name__)


class WebhookWorker:
    """`start` begins, `close` ends within a few seconds; `wake` is for any thread.

    `is_alone`: no other worker shares the database, so that every lease found at the start is of
    one that died.
    """

    def __init__(self, app: App, *, is_alone: bool) -> None:
        self._app, self._is_alone = app, is_alone
        self._lease = secrets.token_hex(8)
        self._attempts: set[asyncio.Task[None]] = set()
        self.tally = Attempts()
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._freed = asyncio.Event()  # an attempt has ended
        self._is_stopping = self._is_waiting = False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Returns at once; harmless when the worker has ended."""
        if self._woken.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._woken.set)
        except RuntimeError:  # the loop is closed
            _log.debug("woken after its end")

    def close(self) -> None:
        """Attempts under way get a few seconds; what is left goes out at the next start."""
        self._is_stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(2 * STOP_S)

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        pruned_at = self._loop.time()
        if self._is_alone:
            await self._guarded(self._release(None))
        while not self._is_stopping:
            await self._guarded(self._turn())
            if self._loop.time() - pruned_at > PRUNE_EVERY_S:
                pruned_at = self._loop.time()
                await self._guarded(self._prune())
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:
                continue
            with suppress(TimeoutError):  # nobody wakes threads for each of many commits
                async with asyncio.timeout(GATHER_S):
                    await self._freed.wait()
        if self._attempts:
            _, late = await asyncio.wait(self._attempts, timeout=STOP_S)
            for attempt in late:
                attempt.cancel()
            await self._guarded(self._release(self._lease))

    async def _turn(self) -> None:
        """Announces all there is, and begins as many attempts as there is room for."""
        self._woken.clear()
        self._freed.clear()
        is_behind = await self._app.read(outbox.is_waiting, point=True)
        while is_behind and not self._is_stopping:
            room = AT_ONCE - len(self._attempts)
            claims, is_behind = await self._app.write(outbox.dispatch, self._lease, room)
            for claim in claims:
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        attempt = self._loop.create_task(self._guarded(self._deliver(claim)))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._ended)

    async def _deliver(self, claim: Claim) -> None:
        if await courier.deliver(self._app, claim):
            self.tally.delivered += 1
        else:
            self.tally.failed += 1

    def _ended(self, attempt: "asyncio.Task[None]") -> None:
        self._attempts.discard(attempt)
        self._woken.set()  # the next of its model may have its turn, at once
        self._freed.set()

    async def _prune(self) -> None:
        while await self._app.write(outbox.prune):
            pass

    async def _release(self, lease: str | None) -> None:
        await self._app.write(outbox.release, lease)

    async def _guarded(self, step: Coroutine[Any, Any, None]) -> None:
        """A step that may fail: whatever it left undone, a later turn finds again."""
        try:
            await step
            self._is_waiting = False
        except ModelkeepError as error:
            if not self._is_waiting:  # said once, not every second
                _log.warning("webhooks wait: %s", error.message)
            self._is_waiting = True
        except Exception:  # noqa: BLE001 - the outermost loop outlives one bad turn
            _log.exception("a step of the webhooks failed")
