"""How long a server takes to be healthy, in a new directory and in one that has data, and what it
occupies when it idles. It has run before on this machine: its byte code is cached.
"""

from benchmarks import processes
from benchmarks.peers.base import Peer
from benchmarks.plan import Sample


def in_new_directory(peer: Peer) -> list[Sample]:
    new = peer.apart()
    try:
        seconds = new.start()
    finally:
        new.stop()
        new.forget()
    return [Sample("startup: healthy in a new directory", peer.name, seconds, "s", rate=False)]


def of_settled(peer: Peer, seconds: float) -> list[Sample]:
    """Of one that has started on its data within so many seconds, and idles."""
    idle = processes.memory_of_tree(peer.pid)
    detail = {"processes": float(idle.processes), "rss_mb": idle.rss_mb}
    return [
        Sample("startup: healthy on data that it has", peer.name, seconds, "s", rate=False),
        Sample("startup: idle memory (PSS)", peer.name, idle.pss_mb, "MB", False, detail),
    ]
