"""POST runs/log-batch: 1,000 points a request, 10 metrics, 100 steps of each.

Each client has a run of its own. Afterwards the runs' latest steps are read: a server that answers
before it knows its points would be told apart here.
"""

from dataclasses import replace

from benchmarks.load import Client, LoadFailed
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.timing import driven

POINTS = 1000  # of one request; `wrk/log_batch.lua` says so too
STEPS = 100


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    return [_measure(peer, plan, loggers) for loggers in plan.loggers]


def _measure(peer: Peer, plan: Plan, loggers: int) -> Sample:
    client = Client(peer.url)
    runs = [new_run(client) for _ in range(loggers)]
    case = f"metrics: {loggers} clients" if loggers > 1 else "metrics: one client"
    load, sample = driven(peer, case, "log_batch", loggers, plan.load_s, *runs)
    logged = max(_latest_step(client, run_id) for run_id in runs) // STEPS
    client.close()
    if logged < load.requests:
        raise LoadFailed(f"{load.requests} requests were answered, {logged} are to be seen.")
    return replace(sample, value=sample.value * POINTS, unit="points/s")


def new_run(client: Client) -> str:
    body = {"experiment_id": "0", "start_time": 1}
    return client.call("POST", "/runs/create", body)["run"]["info"]["run_id"]


def _latest_step(client: Client, run_id: str) -> int:
    found = client.call("GET", f"/runs/get?run_id={run_id}")["run"]["data"].get("metrics", [])
    return max((metric["step"] for metric in found), default=0)
