"""POST model-versions/create: a source, one tag, answered when it is durable.

All callers on one model, and callers on 64 models.
"""

import time
from dataclasses import replace

from benchmarks.load import drive, warm_up
from benchmarks.peers.base import Peer
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Plan, Sample

Case = tuple[int, int]  # models, connections


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    cases = [(models, connections) for models in plan.create_on for connections in plan.connections]
    if isinstance(peer, Modelkeep):
        return [_measure_with_tally(peer, plan, case) for case in cases]
    with peer.running():
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        return [_measure(peer, plan, case) for case in cases]


def _measure(peer: Peer, plan: Plan, case: Case) -> Sample:
    models, connections = case
    named = "one model" if models == 1 else f"{models} models"
    known = min(models, plan.catalogue.models)
    load = drive(peer.url, "create", connections, plan.load_s, known, f"{time.time_ns():x}")
    return Sample(
        f"create: {named}, {connections} connections",
        peer.name,
        load.per_s,
        "/s",
        rate=True,
        detail={"p50_ms": load.p50_ms, "p99_ms": load.p99_ms},
    )


def _measure_with_tally(peer: Modelkeep, plan: Plan, case: Case) -> Sample:
    """As `_measure`; it tells its changes and commits when it stops, so it runs for this alone."""
    with peer.running():
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        sample = _measure(peer, plan, case)
    changes, commits = peer.tally()
    return replace(sample, detail=sample.detail | {"changes": changes, "commits": commits})
