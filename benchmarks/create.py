"""POST model-versions/create: a source, one tag, answered when it is durable.

All callers on one model, and callers on 64 models. Every load has a freshly started server, so
that modelkeep's tally of commits is the load's own.
"""

import time

from benchmarks.load import drive
from benchmarks.peers.base import Peer
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Plan, Sample

_MODELS = (1, 64)


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    samples = []
    for models in _MODELS:
        for connections in plan.connections:
            case = f"create: {_named(models)}, {connections} connections"
            samples.append(_measure(peer, plan, case, models, connections))
    return samples


def _measure(peer: Peer, plan: Plan, case: str, models: int, connections: int) -> Sample:
    with peer.running():
        unique = f"{time.time_ns():x}"
        load = drive(peer.url, "create", connections, plan.load_s, models, unique)
    detail = {"p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
    tally = peer.tally() if isinstance(peer, Modelkeep) else None
    if tally:
        detail |= {"changes": float(tally[0]), "commits": float(tally[1])}
    return Sample(case, peer.name, load.per_s, "/s", rate=True, detail=detail)


def _named(models: int) -> str:
    return "one model" if models == 1 else f"{models} models"
