"""Whether this process can do its work right now, looked at only as often as it can matter.

What was found is kept for a while, and while a check runs nobody begins it again: however many ask,
and however slowly a database answers, there is one look at a time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from modelkeep.domain.errors import ModelkeepError

LIMIT_S = 2.0  # what does not answer by then is not ready
KEEP_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """`look` raises ModelkeepError with what is wrong, for anybody to read."""

    name: str
    look: Callable[[], Awaitable[None]]
    keep_s: float = KEEP_S  # how long its answer holds


class Readiness:
    """Asks the checks, all at once, in the event loop of whoever asks first."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._watches = [_Watch(check) for check in checks]

    async def findings(self) -> dict[str, str]:
        """By check what is wrong; empty where nothing is."""
        found = await asyncio.gather(*(watch.why() for watch in self._watches))
        return {watch.name: why for watch, why in zip(self._watches, found, strict=True)}


class _Watch:
    def __init__(self, check: Check) -> None:
        self.name = check.name
        self._check = check
        self._found, self._until_s = "", 0.0
        self._looking: asyncio.Task[None] | None = None
        self._told = ""

    async def why(self) -> str:
        if time.monotonic() < self._until_s:
            return self._found
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        done, _ = await asyncio.wait({self._looking}, timeout=LIMIT_S)
        if done:
            return self._found
        why = f"There was no answer within {LIMIT_S:g} s."
        self._tell(why)
        return why

    async def _look(self) -> None:
        why = ""
        try:
            await self._check.look()
        except ModelkeepError as error:
            why = error.message
        except Exception:  # noqa: BLE001 - not to be ready is the answer
            _log.exception("the check of the %s failed", self.name)
            why = "The check failed; the log says how."
        self._tell(why)
        self._found, self._until_s = why, time.monotonic() + self._check.keep_s
        self._looking = None

    def _tell(self, why: str) -> None:
        """Says it in the log, once."""
        if why != self._told:
            _log.warning("%s: %s", self.name, f"not ready: {why}" if why else "ready again")
        self._told = why
