"""How long the command line takes to say its version. The first time, which may cache, is free."""

import subprocess

from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.timing import spread, timed_ms


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    def start() -> None:
        subprocess.run(
            peer.version_command(), env=peer.environment(), check=True, capture_output=True
        )

    start()
    detail = spread(timed_ms(start) for _ in range(plan.commands))
    seconds = detail["p50_ms"] / 1000
    return [Sample("cli: --version", peer.name, seconds, "s", rate=False, detail=detail)]
