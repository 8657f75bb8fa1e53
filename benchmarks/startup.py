"""How long a server takes to be healthy on data that it has, and what it occupies when idle."""

from benchmarks import processes
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample


def measure(peer: Peer, plan: Plan) -> list[Sample]:  # noqa: ARG001 - as every measurement
    seconds = peer.start()
    try:
        peer.settle()
        idle = processes.memory_of_tree(peer.pid)
    finally:
        peer.stop()
    detail = {"processes": float(idle.processes), "rss_mb": idle.rss_mb}
    return [
        Sample("startup: healthy", peer.name, seconds, "s", rate=False),
        Sample("startup: idle memory (PSS)", peer.name, idle.pss_mb, "MB", False, detail),
    ]
