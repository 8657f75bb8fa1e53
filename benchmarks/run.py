"""Measures modelkeep and its peer in turn, and prints the ratios. From the repository's root:

    python -m benchmarks.run [--quick] [--only alias,search,...] [--out results.json]

Everything listens on the loopback, every load ends after seconds, and all data lies in a temporary
folder. `make bench` installs the peer; MODELKEEP_MLFLOW3_PYTHON names another Python that has it.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import alias, artifacts, create, gates, limits, metrics, report, search, startup
from benchmarks.load import has_wrk
from benchmarks.peers.base import Peer
from benchmarks.peers.mlflow import Mlflow
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import Crowd
from tests.support.postgres import PostgresMissing, running_postgres

ROOT = Path(__file__).parents[1]
MEASUREMENTS: dict[str, Callable[[Peer, Plan], list[Sample]]] = {
    "startup": startup.measure,
    "alias": alias.measure,
    "create": create.measure,
    "search": search.measure,
    "metrics": metrics.measure,
    "artifacts": artifacts.measure,
    "gates": gates.measure,
}
SERVERS = ("mlflow", "modelkeep", "postgresql")
DRIVEN_BY_WRK = frozenset(("alias", "create", "metrics"))
QUICK = Plan(
    rounds=1, load_s=2, warm_up_s=1, crowd=Crowd(20_000), searches=10, large_bytes=256 << 20
)


def main() -> None:
    options = _options()
    if DRIVEN_BY_WRK & set(options.only) and not has_wrk():
        sys.exit("The load comes from wrk, which is not on this machine; `make bench` installs it.")
    circumstances = {
        "began": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],  # before our own
    }
    plan = QUICK if options.quick else Plan()
    # So that whoever ends the run does not leave its servers and its folder behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelkeep-bench-")))
        peers = _peers(stack, folder, options.servers)
        samples = run(folder, peers, options.only, plan)
    print(report.table(samples))
    print(", ".join(f"{name}: {value}" for name, value in circumstances.items()).replace("_", " "))
    if options.out:
        report.save(options.out, samples, circumstances)


def run(folder: Path, peers: Sequence[Peer], names: Sequence[str], plan: Plan) -> list[Sample]:
    """Everyone's samples, round by round: what disturbs a round disturbs everyone in it."""
    for peer in peers:
        _say(f"{peer.name}: seeding")
        peer.seed(plan.catalogue)
    samples: list[Sample] = []
    for number in range(1, plan.rounds + 1):
        if DRIVEN_BY_WRK & set(names):
            _say(f"round {number} of {plan.rounds}: limits")
            samples += limits.measure(folder, plan)
        for name in names:
            for peer in peers:
                _say(f"round {number} of {plan.rounds}: {name}, {peer.name}")
                samples += MEASUREMENTS[name](peer, plan)
    return samples


def _peers(stack: contextlib.ExitStack, folder: Path, names: Sequence[str]) -> list[Peer]:
    peers: list[Peer] = []
    if "mlflow" in names:
        peers.append(Mlflow(folder / "mlflow", _mlflow_python()))
    if "modelkeep" in names:
        peers.append(Modelkeep(folder / "modelkeep"))
    if "postgresql" in names:
        try:
            server = stack.enter_context(running_postgres())
        except PostgresMissing as missing:
            _say(f"Without PostgreSQL: {missing}")
        else:
            of_its_own = "modelkeep on PostgreSQL", server.create_database
            peers.append(Modelkeep(folder / "on-postgresql", *of_its_own))
    return peers


def _mlflow_python() -> Path:
    default = ROOT / ".envs" / "mlflow3" / "bin" / "python"
    python = Path(os.environ.get("MODELKEEP_MLFLOW3_PYTHON") or default)
    if not python.exists():
        sys.exit(f"The peer, MLflow, is not installed: there is no {python}. Run `make bench`.")
    return python


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.run", description="Ratios against a peer measured in the same run."
    )
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", type=_some_of(MEASUREMENTS), default=list(MEASUREMENTS))
    parser.add_argument("--servers", type=_some_of(SERVERS), default=list(SERVERS))
    parser.add_argument("--out", type=Path, help="every sample, as JSON")
    return parser.parse_args()


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
        return names

    return parse


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
