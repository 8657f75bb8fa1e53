"""The one writer: many callers, one commit.

A thread takes the use cases that are waiting and runs them back to back on one connection; if one
of them fails that had changed something, all are undone and run again, each in a savepoint. It
appends the journal's leaves of those that survived; commits once; and only then answers. So a
flush to the disk is shared by everyone who waited for it, nobody is told of a change that could
still be lost, and a use case that fails leaves nothing and harms no neighbour. If the commit fails,
everyone in the batch is told what became of it, once that is certain to stay so. Where a file
leaves it open, what is shown may not be what a restart would find, and whoever listens for that
(`on_doubt`) had better stop.

On PostgreSQL `Dialect.begin_batch` first takes the journal's lock, which orders the batches of
all replicas: they cannot deadlock, and the journal stays one gapless chain.
"""

import asyncio
import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any
from weakref import WeakSet

from modelkeep.domain.errors import ModelkeepError, Unavailable
from modelkeep.domain.stores import Place
from modelkeep.ports.clock import Clock
from modelkeep.ports.work import Joint
from modelkeep.storage.sql.connection import Batch, OutOfTime
from modelkeep.storage.sql.crossing import Crossing, Job, answer
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.memory import Memory
from modelkeep.storage.sql.recent import Recent
from modelkeep.storage.sql.work import SqlWork
from modelkeep.telemetry.tallies import Commits

BATCH_LIMIT = 128  # use cases in one commit; bounds how long the first of them waits
QUEUE_LIMIT = 10_000  # use cases waiting; past it callers are turned away

LOOK_UP_S = 10.0  # how long a broken commit's outcome is asked for
LOOK_AGAIN_S = 0.1

_UNDONE = "The change could not be stored, and nothing of it remains; a retry is safe."
_TOO_LONG = "The change took the database too long, and nothing of it remains."
_FULL = f"{QUEUE_LIMIT} changes are waiting already; try again shortly."
_STOPPING = "The server is stopping; nothing was changed."
_UNKNOWN = "The database went away during the commit: look whether the change was stored."

_log = logging.getLogger(__name__)

UseCase = Callable[..., Any]


class _Unanswered(Exception):
    """The database went away under a commit, which leaves open what became of it."""

    def __init__(self, why: Unavailable) -> None:
        super().__init__(str(why))
        self.why = why


class Writer:
    """Runs use cases that write. `submit` is for the event loop, `run` for any other thread."""

    def __init__(
        self,
        dialect: Dialect,
        clock: Clock,
        recent: Recent | None = None,
        places: tuple[Place, ...] = (),
    ) -> None:
        """`places` are as in `ports.intake.Intakes`."""
        self._places = places
        self._dialect, self._clock, self._recent = dialect, clock, recent or Recent(0)
        self._waiting: deque[Job] = deque()
        self._changed, self._is_closing = threading.Condition(), False
        self._own = threading.local()  # each event loop's `crossing`
        self._crossings: WeakSet[Crossing] = WeakSet()
        self._work: SqlWork | None = None
        self._name, self._numbers = secrets.token_hex(16), itertools.count(1)
        self._batch: Batch | None = None  # that is under way
        self._memory = Memory()
        self._listeners: list[Callable[[], None]] = []
        self._doubters: list[Callable[[], None]] = []
        self.tally = Commits()
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._thread.start()

    # -- callers ---------------------------------------------------------------------------

    async def submit(self, use_case: UseCase, *args: Any, **kwargs: Any) -> Any:
        """The use case's value, once its batch is durable; else what it or the commit raised."""
        crossing = self._crossing()
        if crossing.waiting >= QUEUE_LIMIT:
            raise Unavailable(_FULL)
        done: asyncio.Future[Job] = crossing.loop.create_future()
        crossing.add(Job(use_case, args, kwargs, done, crossing))
        return (await done).outcome()

    def run(self, use_case: UseCase, *args: Any, **kwargs: Any) -> Any:
        """As `submit`, blocking."""
        done: Future[Job] = Future()
        self._take([Job(use_case, args, kwargs, done)])
        return done.result().outcome()

    def _crossing(self) -> Crossing:
        crossing = getattr(self._own, "crossing", None)
        if crossing is None or crossing.loop is not asyncio.get_running_loop():
            crossing = self._own.crossing = Crossing(self._take)
            self._crossings.add(crossing)
        return crossing

    def _take(self, jobs: list[Job]) -> None:
        with self._changed:  # or `close` could end the thread before it came to these jobs
            is_open = self._thread.is_alive() and not self._is_closing
            room = QUEUE_LIMIT - len(self._waiting) if is_open else 0
            self._waiting.extend(jobs[:room])
            self._changed.notify()
        why = _FULL if is_open else _STOPPING
        for job in jobs[room:]:
            job.error = Unavailable(why)
        answer(jobs[room:])

    @property
    def waiting(self) -> int:
        """How many use cases nobody has begun with."""
        return len(self._waiting) + sum(c.waiting for c in tuple(self._crossings))

    def on_leaves(self, listener: Callable[[], None]) -> None:
        """Calls the listener, in the writer's thread, after each commit that added leaves.

        It must return at once and raise nothing: callers wait for their answers behind it.
        """
        self._listeners.append(listener)

    def on_doubt(self, listener: Callable[[], None]) -> None:
        """Calls the listener, in the writer's thread, when a commit failed and could not be undone
        for certain. It must return at once and raise nothing."""
        self._doubters.append(listener)

    def close(self) -> None:
        """Finishes what is waiting, then stops. Whoever comes later is turned away."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
            _log.info("stopped after %d changes in %d commits", self.tally.jobs, self.tally.commits)
        self._drop_connection()

    # -- the thread ------------------------------------------------------------------------

    def _loop(self) -> None:
        if not self._dialect.embedded:  # while the first who write are on their way
            with suppress(Unavailable):
                self._connect()
        while batch := self._next_batch():
            self._run_batch(batch)
            if missed := answer(batch):
                _log.info("%d callers were gone before their answers", missed)

    def _next_batch(self) -> list[Job]:
        """What is waiting, at most `BATCH_LIMIT`; nothing once all is done that `close` found."""
        with self._changed:
            while not (self._waiting or self._is_closing):
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_LIMIT))]

    def _run_batch(self, batch: list[Job]) -> None:
        self._batch = None
        began_s = time.perf_counter()
        events: Sequence[tuple[str, dict[str, Any]]] = ()
        try:
            work = self._open_batch()
            appended = self._store_together(work, batch)
            if appended is None:
                self._begin_again(work)
                for job in batch:
                    _run_alone(work, job, self._memory)
                appended = self._store(work, batch)
            events = work.journal.events
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers hear of it
            _log.exception("a batch of %d changes did not end well", len(batch))
            fate = self._look_up(error.why) if isinstance(error, _Unanswered) else _UNDONE
            # A connection that failed is in no state to be trusted; its transaction dies with it.
            self._drop_connection()
            if fate:
                self.tally.failed += 1
                _abandon(batch, error, fate)
                if (self._batch is None or fate == _UNKNOWN) and not self._dialect.embedded:
                    # No batch can be begun: each behind this one would wait as long again.
                    behind = self._take_waiting()
                    _abandon(behind, error, _UNDONE)
                    batch += behind
                return
            appended = 1
        if appended:
            for listener in self._listeners:
                listener()
        self.tally.note(len(batch), time.perf_counter() - began_s, events)

    def _store_together(self, work: SqlWork, batch: list[Job]) -> int | None:
        """As `_store`, of use cases that are run together first; None if one of them may have
        failed after it changed something, or a statement that nobody waited for."""
        if not _run_together(work, batch):
            return None
        try:
            return self._store(work, batch)
        except _Unanswered:
            raise
        except Exception:  # noqa: BLE001 - whoever runs it again, alone, meets it again
            return None

    def _store(self, work: SqlWork, batch: list[Job]) -> int:
        """Appends the leaves, and commits; how many leaves there were."""
        models, size = work.journal.models(), work.journal.next_index()
        appended = work.journal.close()
        assert self._batch is not None
        self._dialect.sign_batch(work.db, self._batch, work.journal.now_ms)
        with self._recent.changing(models):
            for crossing in {job.crossing for job in batch}:
                if crossing is not None:
                    crossing.step_in()
            try:
                work.db.run("COMMIT")
            except Unavailable as error:
                if self._has_answered(work):
                    raise
                raise _Unanswered(error) from error
        self._memory.end(size)
        return appended

    def _has_answered(self, work: SqlWork) -> bool:
        """Whether it is certain of a commit that failed that nothing was stored: a server said so,
        of the commit or of what went along with it. Of a file whose flush failed it is not."""
        return not self._dialect.embedded and self._dialect.is_usable(work.db)

    def _take_waiting(self) -> list[Job]:
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
        return waiting

    def _look_up(self, failure: Unavailable) -> str:
        """What to tell of the batch, whose commit failed; empty if it was stored."""
        assert self._work is not None
        assert self._batch is not None
        deadline = time.monotonic() + LOOK_UP_S
        while True:
            try:
                was_stored = self._dialect.was_committed(self._work.db, self._batch, failure)
            except Exception:  # noqa: BLE001 - whoever waits for an answer must get one
                _log.exception("nobody knows yet whether a batch was stored")
                if self._dialect.embedded:  # nor what a restart would find
                    for listener in self._doubters:
                        listener()
                if self._dialect.embedded or time.monotonic() > deadline:
                    return _UNKNOWN
                time.sleep(LOOK_AGAIN_S)
            else:
                return "" if was_stored else _UNDONE

    def _open_batch(self) -> SqlWork:
        """The connection, in a batch."""
        if self._work is not None:
            try:
                self._begin(self._work)
            except Exception:
                if self._dialect.is_usable(self._work.db):
                    raise
                self._drop_connection()  # it died while it was idle; nothing has run on it yet
            else:
                return self._work
        work = self._connect()
        self._begin(work)
        return work

    def _connect(self) -> SqlWork:
        self._memory = Memory()
        db = self._dialect.connect(read_only=False)
        self._work = SqlWork(db, self._dialect, memory=self._memory, places=self._places)
        return self._work

    def _begin_again(self, work: SqlWork) -> None:
        """A new batch, when what was done in one is to be undone. One whose connection or disk
        failed cannot be, and fails."""
        self._memory.forget()
        work.db.run("ROLLBACK")
        self._begin(work)

    def _begin(self, work: SqlWork) -> None:
        self._dialect.begin_batch(work.db)
        work.journal.open(self._clock.now_ms())
        self._memory.begin(work.journal.next_index())
        self._batch = Batch(self._name, next(self._numbers))

    def _drop_connection(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            try:
                work.db.close()
            except Exception:  # noqa: BLE001 - it failed already, and is gone either way
                _log.warning("a failed connection did not close cleanly", exc_info=True)


def _abandon(batch: list[Job], error: Exception, fate: str) -> None:
    for job in batch:
        job.value = None
        job.error = Unavailable(fate)
        job.error.__cause__ = error


def _run_together(work: SqlWork, batch: list[Job]) -> bool:
    """Runs use cases without a savepoint, and without waiting for what they leave for later.

    Whether that went well: whoever failed had changed nothing, and nothing failed unheard of.
    """
    try:
        for use_case, jobs in groupby(batch, attrgetter("use_case")):
            if isinstance(use_case, Joint):
                use_case.of_all(work, [job.args for job in jobs])
            elif not all(_ran(work, job) for job in jobs):
                return False
    except Exception:  # noqa: BLE001 - whoever runs it again, alone, meets it again
        return False
    return not work.db.is_spoilt


def _ran(work: SqlWork, job: Job) -> bool:
    """Runs one use case; whether it changed nothing if it failed."""
    mark, changes = work.journal.mark(), work.db.changes
    try:
        job.value = job.use_case(work, *job.args, **job.kwargs)
    except ModelkeepError as error:
        if isinstance(error, Unavailable) or work.db.changes != changes:
            return False
        job.error = error
        work.journal.forget_since(mark)
    return True


def _run_alone(work: SqlWork, job: Job, memory: Memory) -> None:
    """Runs one use case in its savepoint. A database that cannot undo it fails the batch."""
    mark, job.value, job.error = work.journal.mark(), None, None
    work.db.later("SAVEPOINT use_case")
    try:
        job.value = job.use_case(work, *job.args, **job.kwargs)
        work.db.settle()
    except Exception as error:  # noqa: BLE001 - the outermost handler of a use case
        if isinstance(error, OutOfTime):
            error = Unavailable(_TOO_LONG)
        if not isinstance(error, ModelkeepError):
            _log.exception("use case %s failed", getattr(job.use_case, "__name__", "?"))
        job.error = error
        work.journal.forget_since(mark)
        memory.forget()
        with suppress(Exception):  # a failure that nobody heard of yet: this undoes it as well
            work.db.settle()
        work.db.later("ROLLBACK TO SAVEPOINT use_case")
    work.db.later("RELEASE SAVEPOINT use_case")
