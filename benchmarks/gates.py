"""What a decision costs: transitions past one condition and past twenty, and plain ones between.

One client on one connection moves the only version of a model to and fro, and those of two others
in turn: the same lifecycle, one with `{}` for each way, one with one condition and one with twenty.
A transition has one gate of a kind at most, so the twenty are the conditions of seven gates: 5
tags, 6 metrics, 5 expressions in CEL, a document, verified bytes, no freeze, and a reason. Each
decision is durable before it is told.

    make bench BENCH_ARGS='--only gates --servers modelkeep-sqlite'
"""

import contextlib
import json
import time

from benchmarks.load import API, NATIVE, Client, LoadFailed, warm_up
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.timing import in_ms, timed_ms

FILES = "/api/2.0/mlflow-artifacts/artifacts"
METRICS = {f"m{i}": 0.9 for i in range(6)}
TAGS = {f"t{i}": "yes" for i in range(5)}
CONDITIONS = {
    "required_tags": list(TAGS),
    "required_metrics": [f"{name} >= 0.8" for name in METRICS],
    "expressions": [
        "metrics.m0 >= 0.8 && metrics.m1 < 1.0",
        "metrics.m2 >= metrics.m3 - 0.005",
        "card.risk in ['low', 'medium']",
        "tags.t0 == 'yes' || tags.t1 == 'yes'",
        "occupant == null || metrics.m4 >= occupant.metrics.m4",
    ],
    "required_documents": ["card"],
    "artifact_verified": True,
    "freeze_windows": [{"from": "2020-12-20", "until": "2021-01-05"}],
    "reason_required": True,
}
KINDS = {"plain": {}, "single": {"required_tags": ["t0"]}, "gated": CONDITIONS}
WAYS = ("None -> Staging", "Staging -> Archived", "Archived -> Staging")


def policy() -> str:
    """Without a production, which would displace, and with no alias that follows."""
    lifecycles = [
        {
            "name": name,
            "models": [f"{name}_*"],
            "aliases": {},
            "stage_transitions": dict.fromkeys(WAYS, asks),
        }
        for name, asks in KINDS.items()
    ]
    return json.dumps({"model_registry": {"lifecycles": lifecycles}})


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    peer = peer.apart()
    with contextlib.ExitStack() as stack:
        stack.enter_context(peer.running())
        prefixes = (API, NATIVE, FILES)
        client, native, files = (
            stack.enter_context(contextlib.closing(Client(peer.url, prefix))) for prefix in prefixes
        )
        models = [f"{kind}_{time.time_ns():x}" for kind in KINDS]  # new in each round
        for model in models:
            _register(client, native, files, model)
        native.call("POST", "/policy", {"source": policy()})
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        for number in range(6):  # CEL is loaded when it is first needed
            _moves(native, models, number)
        turns = [_moves(native, models, number) for number in range(plan.decisions)]
    peer.forget()
    plain, single, gated = zip(*turns, strict=True)
    # Of each turn, what the last took longer: what disturbs the machine disturbs both.
    added = [g - p for p, _, g in turns]
    return [
        in_ms(peer, "gates: a plain transition", plain),
        in_ms(peer, "gates: one past 1 condition", single),
        in_ms(peer, "gates: one past 20 conditions", gated),
        in_ms(peer, "gates: what 20 conditions add", added),
    ]


def _register(client: Client, native: Client, files: Client, model: str) -> None:
    run = client.call("POST", "/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    points = [{"key": key, "value": value, "timestamp": 1} for key, value in METRICS.items()]
    client.call("POST", "/runs/log-batch", {"run_id": run, "metrics": points})
    files.call("PUT", f"/0/{run}/artifacts/model/weights", {"weights": [1, 2, 3]})
    client.call("POST", "/registered-models/create", {"name": model})
    tags = [{"key": key, "value": value} for key, value in TAGS.items()]
    body = {"name": model, "source": f"runs:/{run}/model", "run_id": run, "tags": tags}
    client.call("POST", "/model-versions/create", body)
    card = {"media_type": "application/json", "body": '{"risk": "low"}'}
    native.call("PUT", f"/models/{model}/versions/1/documents/card", card)


def _moves(native: Client, models: list[str], number: int) -> list[float]:
    return [_move(native, model, number) for model in models]


def _move(native: Client, model: str, number: int) -> float:
    """Milliseconds until the decision is told."""
    stage = ("Staging", "Archived")[number % 2]
    body = {"model": model, "version": 1, "stage": stage, "reason": "round and round"}

    def promote() -> None:
        told = native.call("POST", "/promotions", body)
        if told["result"] != "moved":
            raise LoadFailed(f"A promotion was not carried out: {told}")

    return timed_ms(promote)
