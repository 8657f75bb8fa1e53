"""Tends the models: archives and retires what their lifecycles let go, clears away uploads that
nobody registered, and forgets old counts of loads, every hour; and minds the time of requests,
reviews and deprecated versions, every minute.

One thread with an event loop of its own. Each transaction changes a few versions, so that nobody
waits for it long; what is left over comes next time. Servers that share a database may all do it.
"""

import asyncio
import logging
import threading

from modelkeep.domain.errors import ModelkeepError, NotFound
from modelkeep.services import emergencies, endings, loads, requests, retention, sweeping
from modelkeep.services.app import App

EVERY_S = 60.0
TEND_EVERY = 60  # turns
BATCHES_A_TURN = 50  # of one model

_log = logging.getLogger(__name__)


class Housekeeping:
    """`start` begins, `close` ends after the transaction under way.

    The first turn is one interval, `every_s` seconds, after the start. Uploads are old after
    `upload_days`.
    """

    def __init__(self, app: App, upload_days: int, every_s: float = EVERY_S) -> None:
        self._app, self._upload_days, self._every_s = app, upload_days, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            turns = 0
            while not self._stopping.wait(self._every_s):
                turns += 1
                runner.run(self.turn(with_models=turns % TEND_EVERY == 0))

    async def turn(self, *, with_models: bool = True) -> None:
        """Does what is due; whatever fails is found again by the next turn."""
        try:
            await self._mind_time()
            for model in await self._app.read(retention.tended) if with_models else ():
                await self._tend(model)
            while with_models and await self._app.write(loads.sweep):
                pass
            if with_models:
                await self._sweep()
        except ModelkeepError as error:
            _log.warning("housekeeping waits: %s", error.message)
        except Exception:  # noqa: BLE001 - the outermost loop outlives one bad turn
            _log.exception("a turn of housekeeping failed")

    async def _mind_time(self) -> None:
        """Closes or reminds of the requests, marks the reviews and blocks the deprecated versions
        whose time it is."""
        for _ in range(BATCHES_A_TURN):
            if not await self._app.write(requests.lapse, retention.SYSTEM):
                break
        for _ in range(BATCHES_A_TURN):
            if not await self._app.write(emergencies.mark_overdue, retention.SYSTEM):
                break
        after_id = 0
        for _ in range(BATCHES_A_TURN):
            after_id = await self._app.write(endings.block_due, after_id)
            if not after_id:
                break

    async def _sweep(self) -> None:
        """Clears away the uploads that are old and led to nothing, one a transaction."""
        last, is_more = "", True
        while is_more and not self._stopping.is_set():
            uploads, last = await self._app.read(sweeping.old, self._upload_days, last)
            for upload in uploads:
                days = self._upload_days
                files = await self._app.write(sweeping.sweep, retention.SYSTEM, upload, days)
                _log.info("upload %s: its %d files were cleared away, unregistered", upload, files)
            is_more = bool(last)

    async def _tend(self, model: str) -> None:
        after = 0
        try:
            for _ in range(BATCHES_A_TURN):
                numbers = await self._app.read(retention.going, model, after)
                if not numbers or self._stopping.is_set():
                    return
                await self._app.write(retention.tend, retention.SYSTEM, model, numbers)
                after = numbers[-1]
        except NotFound:
            _log.info("model %r went away while it was tended", model)
