"""How long a server takes to be healthy on data that it has, and what it occupies when idle."""

import time

from benchmarks import memory
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    seconds = peer.start()
    try:
        time.sleep(plan.settle_s)
        idle = memory.of_tree(peer.pid)
    finally:
        peer.stop()
    detail = {"processes": float(idle.processes), "rss_mb": idle.rss_mb}
    return [
        Sample("startup: healthy", peer.name, seconds, "s", rate=False),
        Sample("startup: idle memory (PSS)", peer.name, idle.pss_mb, "MB", False, detail),
    ]
