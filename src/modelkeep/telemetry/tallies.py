"""What the server counts of itself, in plain numbers: a request pays for them, a scrape reads them.

Each tally has one writer, its own thread or event loop. Whoever reads may see a request counted
and its bytes not yet.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROUTE = "modelkeep.route"  # where a request's scope has the template of its path
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

REQUEST_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
COMMIT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128)


class Histogram:
    """How many values were at most each bound, and more than the last; and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Route:
    """The requests of one route and method."""

    __slots__ = ("received_bytes", "sent_bytes", "statuses", "took_s")

    def __init__(self) -> None:
        self.statuses = [0] * 6  # by the first digit
        self.took_s = Histogram(REQUEST_BOUNDS_S)
        self.received_bytes = self.sent_bytes = 0


class Requests:
    """What came in by HTTP. The key is the template of a path, and the method."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.routes: dict[tuple[str, str], Route] = {}
        self._known: dict[tuple[str, str], Route] = {}  # by what the client said, one for several

    def note(
        self,
        scope: MutableMapping[str, Any],
        status: int,
        took_s: float,
        received_bytes: int,
        sent_bytes: int,
    ) -> None:
        """Counts a request that was answered. `status` 0 is one that failed before its answer."""
        key = route_of(scope), scope["method"]
        route = self._known.get(key) or self._new(*key)
        route.statuses[status // 100 or 5] += 1
        route.took_s.add(took_s)
        route.received_bytes += received_bytes
        route.sent_bytes += sent_bytes

    def _new(self, path: str, method: str) -> Route:
        key = path, method if method in METHODS else "other"
        route = self._known[path, method] = self.routes.setdefault(key, Route())
        return route


def route_of(scope: Mapping[str, Any]) -> str:
    """The template of a request's path, once it was routed; empty for a path that is none.

    The native API's framework leaves it under a name of its own.
    """
    return scope.get(ROUTE) or scope.get("path_template", "")


@dataclass(slots=True)
class Commits:
    """What the writer has done since it started."""

    jobs: int = 0
    commits: int = 0
    failed: int = 0  # batches that were not stored, or nobody knows
    largest_batch: int = 0
    took_s: Histogram = field(default_factory=lambda: Histogram(COMMIT_BOUNDS_S))
    changes: Histogram = field(default_factory=lambda: Histogram(BATCH_BOUNDS))
    events: Counter[str] = field(default_factory=Counter)  # by action, in the journal
    decisions: Counter[str] = field(default_factory=Counter)  # by outcome
    verdicts: Counter[str] = field(default_factory=Counter)  # of single gates, by outcome

    def note(self, jobs: int, took_s: float, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Counts a batch that was stored. An event is its action and its grounds."""
        self.jobs += jobs
        self.commits += 1
        self.largest_batch = max(self.largest_batch, jobs)
        self.took_s.add(took_s)
        self.changes.add(jobs)
        for action, why in events:
            self.events[action] += 1
            if "gates" in why and "outcome" in why:
                self.decisions[why["outcome"]] += 1
                self.verdicts.update(gate["outcome"] for gate in why["gates"])


@dataclass(slots=True)
class Reads:
    """What the reader has done since it started. A search is waiting, then running; one that has
    to look at many rows waits once more."""

    points: int = 0
    remembered: int = 0  # answered without asking the database
    others: int = 0
    searches: int = 0
    long_searches: int = 0
    out_of_time: int = 0
    searching: int = 0  # asked for, and not answered yet
    running: int = 0  # of those, in the database


@dataclass(slots=True)
class Attempts:
    """Deliveries of webhooks that were tried."""

    delivered: int = 0
    failed: int = 0


@dataclass(slots=True)
class Tallies:
    """Everything that one process counts, and what it is. `waiting` counts the changes that no
    batch has taken yet, `free_bytes` is what is left on the data directory's disk; `process` tells
    it from others behind one address, and is empty of one that is alone there."""

    requests: Requests
    commits: Commits
    reads: Reads
    attempts: Attempts
    waiting: Callable[[], int]
    free_bytes: Callable[[], int]
    database: str
    schema: str
    process: str = ""
