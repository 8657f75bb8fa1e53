"""What must not cost more the more there is: measured in registries of several sizes.

An alias and a new version by the number of versions there are; a page of the history of `big`,
which has a fifth of the journal's entries; a batch of points by the number of points that the run
has already.
"""

import contextlib
import itertools
import time
from urllib.parse import urlencode

from benchmarks import processes
from benchmarks.load import NATIVE, Client
from benchmarks.metrics import POINTS, new_run
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import BIG, Crowd
from benchmarks.timing import in_ms, timed_ms

KEYS = 10
PAGE = 100  # entries
OFTEN = 5  # times as many as there are searches: these are quick


def measure(peer: Peer, client: Client, plan: Plan, crowd: Crowd) -> list[Sample]:
    return [
        _aliases(peer, client, plan, crowd),
        *_creations(peer, client, plan, crowd),
        _batches(peer, client, plan, crowd),
        *(_pages(peer, plan, crowd) if "journal" in peer.measurements else ()),
    ]


def _aliases(peer: Peer, client: Client, plan: Plan, crowd: Crowd) -> Sample:
    """Of models at random, most of which are asked for the first time."""
    models = crowd.models
    paths = [
        f"/registered-models/alias?{urlencode({'name': models[n * 7919 % len(models)]})}"
        "&alias=champion"
        for n in range(plan.searches * OFTEN)
    ]
    times_ms = [timed_ms(lambda path=path: client.call("GET", path)) for path in paths]
    return in_ms(peer, "by size: resolve an alias", times_ms, crowd.versions)


def _creations(peer: Peer, client: Client, plan: Plan, crowd: Crowd) -> list[Sample]:
    """What it takes the server's processors as well: disks are as quick as others leave them."""

    def create(n: int) -> None:
        name = crowd.models[n % len(crowd.models)]
        tags = [{"key": "git", "value": f"new-{n}"}]
        body = {"name": name, "source": f"s3://b/new/{time.time_ns()}", "tags": tags}
        client.call("POST", "/model-versions/create", body)

    count, before_s = plan.searches * OFTEN, processes.cpu_s_of_tree(peer.pid)
    times_ms = [timed_ms(lambda n=n: create(n)) for n in range(count)]
    used_ms = (processes.cpu_s_of_tree(peer.pid) - before_s) * 1000 / count
    case, size = "by size: create a version", crowd.versions
    return [
        in_ms(peer, case, times_ms, size),
        in_ms(peer, f"{case}, its processors' time", [used_ms], size),
    ]


def _batches(peer: Peer, client: Client, plan: Plan, crowd: Crowd) -> Sample:
    """Until the run has as many points as the registry has versions, and then those that count."""
    run_id, steps = new_run(client), itertools.count(1)

    def log() -> None:
        step = next(steps) * POINTS
        points = [
            {"key": f"k{i % KEYS}", "value": i / 7, "timestamp": step, "step": step + i // KEYS}
            for i in range(POINTS)
        ]
        client.call("POST", "/runs/log-batch", {"run_id": run_id, "metrics": points})

    for _ in range(crowd.versions // POINTS):
        log()
    times_ms = [timed_ms(log) for _ in range(plan.searches)]
    return in_ms(peer, "by size: log 1,000 points to a run", times_ms, crowd.versions)


def _pages(peer: Peer, plan: Plan, crowd: Crowd) -> list[Sample]:
    page = f"/models/{BIG}/history?limit={PAGE}"
    with contextlib.closing(Client(peer.url, NATIVE)) as native:
        return [
            in_ms(
                peer,
                f"by size: the {which} page of a history",
                [
                    timed_ms(lambda path=path: native.call("GET", path))
                    for _ in range(plan.searches)
                ],
                crowd.versions,
            )
            for which, path in (("first", page), ("last", f"{page}&before={PAGE * 2}"))
        ]
