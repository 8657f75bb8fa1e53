"""The way from an event loop to the writer's thread and back, taken by many jobs at a time.

To wake a thread costs more than a small change does, and two that run at once take the interpreter
from each other. So a loop hands over what it has read when nothing more has come in one of its
turns, and not while the writer is at work on what it handed over before; and what became of those
comes back together. Who was just answered is likely to ask again, and a commit costs nearly the
same for one as for sixteen: so a loop to which fewer have come than last time dozes for a moment.
Of many jobs the loop stands aside until they are being committed, but not for long: the writer
would have to win the interpreter back after each of its statements.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

MANY = 4  # jobs for which a loop stands aside: then it is answering nobody much else
ASIDE_S = 0.005  # at most; whoever else asks the loop waits as long
NAP_S, NAPS = 0.0001, 2  # for a loop that expects more jobs than have come


@dataclass(slots=True, eq=False)
class Job:
    """A use case on its way, and who waits for it: in a loop, or in a thread."""

    use_case: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    done: "asyncio.Future[Job] | Future[Job]"
    crossing: "Crossing | None" = None
    value: Any = None
    error: BaseException | None = None

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class Crossing:
    """Of one event loop."""

    def __init__(self, hand_over: Callable[[list[Job]], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._hand_over, self._jobs = hand_over, list[Job]()
        self._away = self._expected = self._naps = 0
        self._is_looking = False
        self._aside: threading.Lock | None = None

    @property
    def waiting(self) -> int:
        """How many jobs have not been handed over."""
        return len(self._jobs)

    def add(self, job: Job) -> None:
        self._jobs.append(job)
        self._look_later()

    def step_in(self) -> None:
        """Lets the loop go on, if it stands aside; in the writer's thread."""
        aside, self._aside = self._aside, None
        if aside is not None:
            aside.release()

    def settle(self, jobs: Sequence[Job]) -> None:
        """Tells those who wait; in the loop."""
        self._away -= len(jobs)
        self._expected = len(jobs) + len(self._jobs)  # who is answered, and who came meanwhile
        for job in jobs:
            if not job.done.cancelled():
                job.done.set_result(job)
        self._look_later()

    def _look_later(self) -> None:
        if self._jobs and not (self._away or self._is_looking):
            self._is_looking = True
            self.loop.call_soon(self._look, 0)

    def _look(self, seen: int) -> None:
        if len(self._jobs) > seen:
            self.loop.call_soon(self._look, len(self._jobs))
            return
        if self._naps < NAPS and len(self._jobs) < self._expected >= MANY:
            self._naps += 1
            time.sleep(NAP_S)  # a timer of the loop's would take a thousandth of a second
            self.loop.call_soon(self._look, seen)
            return
        self._is_looking, self._naps = False, 0
        jobs, self._jobs = self._jobs, []
        self._away = len(jobs)
        if len(jobs) < MANY:
            self._hand_over(jobs)
        else:
            aside = self._aside = threading.Lock()
            aside.acquire()
            self._hand_over(jobs)
            aside.acquire(timeout=ASIDE_S)


def answer(jobs: Sequence[Job]) -> int:
    """Tells everyone what became of their jobs; how many were not there any more to hear it."""
    missed, returning = 0, dict[Crossing, list[Job]]()
    for job in jobs:
        if job.crossing is not None:
            returning.setdefault(job.crossing, []).append(job)
        else:
            job.done.set_result(job)
    for crossing, those in returning.items():
        try:
            crossing.loop.call_soon_threadsafe(crossing.settle, those)
        except RuntimeError:  # the loop is closed
            missed += len(those)
    return missed
