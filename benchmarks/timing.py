"""How a load, and requests that are timed one after another, become a sample."""

import time
from collections.abc import Callable, Iterable

from benchmarks import processes
from benchmarks.load import Load, drive
from benchmarks.peers.base import Peer
from benchmarks.plan import Sample


def timed_ms(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000


def percentile(times: Iterable[float], share: float) -> float:
    """The smallest of the times that so large a share of them does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(times_ms: Iterable[float]) -> dict[str, float]:
    times_ms = list(times_ms)
    return {"p50_ms": percentile(times_ms, 0.5), "p99_ms": percentile(times_ms, 0.99)}


def in_ms(
    peer: Peer, measurement: str, times_ms: Iterable[float], size: int = 0, **more: float
) -> Sample:
    """A sample whose value is the median."""
    detail = spread(times_ms) | more
    return Sample(measurement, peer.name, detail["p50_ms"], "ms", False, detail, size)


def driven(
    peer: Peer, measurement: str, script: str, connections: int, seconds: int, *args: object
) -> tuple[Load, Sample]:
    """Requests a second, and what one of them costs the server's processes in their own time:
    a busy machine changes that the least. A database that is a server of its own is not in it."""
    before_s = processes.cpu_s_of_tree(peer.pid)
    load = drive(peer.url, script, connections, seconds, *args)
    used_s = processes.cpu_s_of_tree(peer.pid) - before_s
    detail = {
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "cpu_us": used_s / max(load.requests, 1) * 1e6,
    }
    return load, Sample(measurement, peer.name, load.per_s, "/s", rate=True, detail=detail)
