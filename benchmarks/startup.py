"""How long a server takes to be healthy, in a new directory and in one that has data, and what it
occupies when it idles. It has run before on this machine: its byte code is cached.
"""

from benchmarks import processes
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample


def measure(peer: Peer, plan: Plan) -> list[Sample]:  # noqa: ARG001 - as every measurement
    new = peer.apart()
    first_s = new.start()
    new.stop()
    new.forget()
    again_s = peer.start()
    try:
        peer.settle()
        idle = processes.memory_of_tree(peer.pid)
    finally:
        peer.stop()
    detail = {"processes": float(idle.processes), "rss_mb": idle.rss_mb}
    return [
        Sample("startup: healthy in a new directory", peer.name, first_s, "s", rate=False),
        Sample("startup: healthy on data that it has", peer.name, again_s, "s", rate=False),
        Sample("startup: idle memory (PSS)", peer.name, idle.pss_mb, "MB", False, detail),
    ]
