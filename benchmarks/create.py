"""POST model-versions/create: a source, one tag, answered when it is durable.

All callers on one model, and callers on 64 models.
"""

import time

from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.timing import driven


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    alone = [_measure(peer, plan, 1, connections) for connections in plan.connections]
    return [*alone, *(_measure(peer, plan, *many) for many in plan.create_on_many)]


def _measure(peer: Peer, plan: Plan, models: int, connections: int) -> Sample:
    named = "one model" if models == 1 else f"{models} models"
    known = min(models, plan.catalogue.models)
    case = f"create: {named}, {connections} connections"
    word = f"{time.time_ns():x}"
    return driven(peer, case, "create", connections, plan.load_s, known, word)[1]
