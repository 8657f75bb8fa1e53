"""Who loads versions: counted in memory while they read, written every few seconds by a worker.

So a read stays a read, for the price of a look-up in a dictionary; a crash loses the counts of
those seconds, and nothing else. To be told where a version's bytes are is a load. A file of it that
is read is one too, unless the same caller had a load in the minute before, which it belongs to.

The first load of a deprecated version by each person on each day is recorded, so that it reaches
webhooks; nothing else of this is journalled.
"""

import threading
from dataclasses import dataclass

from modelkeep.domain.access import Actor, Caller, Kind
from modelkeep.domain.endings import State
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import Event
from modelkeep.domain.loads import DAY_MS, OTHERS, Load, Loader, loader_of
from modelkeep.domain.models import Version
from modelkeep.ports.clock import Clock
from modelkeep.ports.loads import Usage
from modelkeep.ports.work import Work
from modelkeep.services.catalog import locate, model_id_of, subject

KEPT_DAYS = 400
LOADERS_LIMIT = 10_000  # told apart on one day, over all versions
LIST_LIMIT = 1000
BATCH = 500  # counts written in one transaction
ONE_LOAD_MS = 60_000  # files read within this belong together


@dataclass(slots=True)
class _Tally:
    """Loads since the last writing, and when the last byte was given."""

    count: int = 0
    last_ms: int = 0
    warned: bool = False


class Counter:
    """Counts loads. For any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._today = 0
        self._tallies: dict[tuple[int, int, Loader], _Tally] = {}

    def note(self, caller: Caller, version: Version, *, by_file: bool = False) -> None:
        """One load of a version, or one file that may be part of one."""
        now_ms = self._clock.now_ms()
        key = (version.id, now_ms // DAY_MS, loader_of(caller))
        with self._lock:
            tally = self._tallies.get(key) or self._new(key)
            if not by_file or now_ms - tally.last_ms >= ONE_LOAD_MS:
                tally.count += 1
            tally.last_ms = now_ms
            tally.warned = version.ending.state is State.DEPRECATED

    def _new(self, key: tuple[int, int, Loader]) -> _Tally:
        if len(self._tallies) >= LOADERS_LIMIT:
            key = (*key[:2], OTHERS)
        return self._tallies.setdefault(key, _Tally())

    def take(self) -> list[Load]:
        """What was counted since the last time; only today's loaders are remembered."""
        today = self._clock.now_ms() // DAY_MS
        with self._lock:
            found = [
                Load(*key, tally.count, tally.last_ms, tally.warned)
                for key, tally in self._tallies.items()
                if tally.count
            ]
            self._tallies = {key: t for key, t in self._tallies.items() if key[1] >= today}
            for tally in self._tallies.values():
                tally.count = 0
        return found

    def give_back(self, loads: list[Load]) -> None:
        """What could not be written, to be taken again."""
        with self._lock:
            for load in loads:
                key = (load.version_id, load.day, load.loader)
                tally = self._tallies.get(key) or self._new(key)
                tally.count += load.count
                tally.last_ms = max(tally.last_ms, load.last_ms)
                tally.warned |= load.warned


def keep(work: Work, loads: list[Load]) -> None:
    """Writes counts down, and records the first load of a day of what is deprecated."""
    for load in loads:
        is_news = load.warned and not work.loads.was_told(load)
        if is_news:
            _record(work, load)
        work.loads.add(load, told=is_news)


def usage(work: Work, model: str, number: int | None, days: int) -> list[Usage]:
    """Who loaded a model's versions, or one of them, today and in the `days` before: at most 1000,
    who did last first. Raises NotFound; InvalidInput for days beyond 1 to 400."""
    if not 1 <= days <= KEPT_DAYS:
        raise InvalidInput(f"'days' must be 1 to {KEPT_DAYS}, got {days}.")
    model_id = model_id_of(work, model)
    if number is not None:
        locate(work, model, number)
    return work.loads.of_model(model_id, number, work.now_ms // DAY_MS - days, LIST_LIMIT)


def sweep(work: Work) -> bool:
    """Forgets one day of those that are over `KEPT_DAYS` old; whether there was one."""
    return work.loads.sweep(work.now_ms // DAY_MS - KEPT_DAYS) > 0


def _record(work: Work, load: Load) -> None:
    version = work.versions.by_id(load.version_id)
    assert version is not None  # the server itself sees every model
    loader = load.loader
    caller = Caller(Actor(loader.name, loader.verified, Kind(loader.kind)))
    texts = {"client": loader.client, "address": loader.address}
    event = Event(
        "version:loaded",
        object=subject(version),
        after={"state": version.ending.state.value, "replacement": version.ending.replacement},
        texts={name: text for name, text in texts.items() if text},
    )
    work.record(caller, event, model_id=version.model_id)
