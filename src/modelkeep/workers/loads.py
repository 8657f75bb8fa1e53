"""Writes down who loaded what, every few seconds, as it was counted in memory.

One thread with an event loop of its own. What cannot be written waits for the next turn; a crash
loses what was counted since the last one.
"""

import asyncio
import logging
import threading

from modelkeep.domain.errors import ModelkeepError
from modelkeep.services import loads
from modelkeep.services.app import App

EVERY_S = 5.0

_log = logging.getLogger(__name__)


class LoadsWorker:
    """`start` begins; `close` writes what is left, and ends."""

    def __init__(self, app: App, every_s: float = EVERY_S) -> None:
        self._app, self._every_s = app, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loads", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stopping.wait(self._every_s):
                runner.run(self.turn())
            runner.run(self.turn())

    async def turn(self) -> None:
        """Writes what was counted, a batch in each transaction."""
        counted = self._app.loads.take()
        try:
            while counted:
                await self._app.write(loads.keep, counted[: loads.BATCH])
                counted = counted[loads.BATCH :]
        except ModelkeepError as error:
            _log.warning("the counts of loads wait: %s", error.message)
        except Exception:  # noqa: BLE001 - the outermost loop outlives one bad turn
            _log.exception("a turn of counting loads failed")
        self._app.loads.give_back(counted)
