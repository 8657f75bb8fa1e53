"""Measures modelkeep and its peers in turn, on SQLite and on PostgreSQL: a table of ratios.

Everything listens on the loopback, every load ends after seconds, and all data lies in a temporary
folder, 6 GB of it in a full run. `benchmarks/peers` has a module for each server.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import circumstances, databases, peers, profiles, report, schedule
from benchmarks.load import has_wrk
from benchmarks.peers.base import Peer, PeerMissing
from benchmarks.plan import Plan
from benchmarks.schedule import MEASUREMENTS, say
from benchmarks.seeds import Crowd
from tests.support.postgres import PostgresMissing

_NEEDS_NO_WRK = {"startup", "cli"}
QUICK = Plan(
    rounds=1,
    load_s=2,
    warm_up_s=1,
    create_on_many=(),
    crowds=(Crowd(1_000), Crowd(20_000)),
    searches=10,
    large_bytes=256 << 20,
    commands=3,
    decisions=100,
    moves=10_000,
)
ROUNDS_LIMIT = 20
_EXAMPLES = """
examples:
  make bench                                             everything, three rounds
  make bench BENCH_ARGS='--quick'                        one short round of everything
  make bench BENCH_ARGS='--rounds 1'                     one whole round of everything
  make bench BENCH_ARGS='--quick --servers mlflow-sqlite,modelkeep-sqlite'
  make bench BENCH_ARGS='--only alias,create --servers modelkeep-sqlite'
  make bench BENCH_ARGS='--out results.json --markdown results.md'
  make bench BENCH_ARGS='--write docs/performance.md'    between two comments that are in it
  make bench BENCH_ARGS='--only alias --complete results.json'   the rest as it was measured before
  make profile                                           where the server's time goes

what is measured (--only):
  startup    to the first 200, in a new directory and in one that has data; idle memory
  alias      resolve one of 10,000 aliases, while versions are promoted all the time
  describe   describe a model package, as AWS's clients do     (modelkeep, moto)
  create     create a version, durably
  metrics    log batches of 1,000 points
  artifacts  one file of 1 GiB, and 2,000 of 10 KiB, up and down; the server's memory meanwhile
  search     searches, pages and the cost of each operation, by how much there is
  cli        --version
  gates      promotion past no condition, past 1 and past 20             (modelkeep alone)
  journal    append, verify, and pages of a long history                 (modelkeep alone)

A ratio compares medians of the same work on the same kind of database in the same run. Two cores
that are shared with the load generator are what the targets are for; leave the machine alone
meanwhile: the load average before the run is told with the table.
"""


def main() -> None:
    options = _options()
    if not _NEEDS_NO_WRK.issuperset(options.only) and not has_wrk():
        sys.exit("The load comes from wrk, which is not on this machine; `make bench` installs it.")
    plan = QUICK if options.quick else Plan()
    plan = replace(plan, rounds=options.rounds or plan.rounds)
    # So that whoever ends the run does not leave its servers and its folder behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelkeep-bench-")))
        servers = _opened(stack, folder, options.servers)
        if options.profile:
            profiles.tell(servers, [n for n in profiles.PROFILED if n in options.only], plan)
            return
        how = "--quick" if options.quick else "full"
        found = circumstances.taken(servers, f"{how}, {plan.rounds} rounds of {plan.load_s} s")
        planned = schedule.steps(folder, servers, options.only, plan)
        samples, failures = schedule.carry_out(planned)
    if options.complete:
        samples, found = report.completed(samples, found, options.complete)
    text = report.markdown(samples, found, failures)
    print(text)
    if options.out:
        report.save(options.out, samples, found, failures)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.write:
        report.write_block(options.write, text)
    sys.exit(1 if failures else 0)


def _opened(stack: contextlib.ExitStack, folder: Path, names: Sequence[str]) -> list[Peer]:
    """Each with a database of its own. Whoever cannot be had is left out, and that is told."""
    found: list[Peer] = []
    for name, (peer, kind) in _servers().items():
        if name in names:
            try:
                database = stack.enter_context(databases.opened(kind))
                found.append(peer(folder / name, database))
            except (PeerMissing, PostgresMissing) as missing:
                say(f"Without {name}: {missing}")
    if not found:
        sys.exit("There is nothing to measure.")
    return found


def _servers() -> dict[str, tuple[type[Peer], str]]:
    """By name: like beside like."""
    return {
        f"{product}-{kind}": (peer, kind)
        for kind in databases.KINDS
        for product, peer in peers.found().items()
        if kind in peer.databases
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(_servers())
    parser.add_argument("--quick", action="store_true", help="one short round, smaller registries")
    parser.add_argument(
        "--rounds", type=_rounds, metavar="N", help="instead of three, or of --quick's one"
    )
    parser.add_argument(
        "--only",
        type=_some_of(MEASUREMENTS),
        default=list(MEASUREMENTS),
        metavar="NAMES",
        help=f"some of {','.join(MEASUREMENTS)}",
    )
    parser.add_argument(
        "--servers",
        type=_some_of(names),
        default=names,
        metavar="NAMES",
        help=f"some of {','.join(names)}",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="every sample and line, as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the tables")
    parser.add_argument(
        "--write",
        type=_document,
        metavar="FILE",
        help=f"put the tables between {report.BEGIN} and {report.END} in this file",
    )
    parser.add_argument(
        "--complete",
        type=_results,
        metavar="FILE",
        help="add what an earlier run, whose --out this was, measured and this one does not",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="instead: where modelkeep's own time goes under each of the loads",
    )
    return parser.parse_args()


def _document(text: str) -> Path:
    """Told before half an hour has been spent."""
    path = Path(text)
    try:
        report.require_block(path)
    except (report.NoBlock, OSError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return path


def _results(text: str) -> Path:
    """Told before half an hour has been spent."""
    path = Path(text)
    try:
        report.completed([], {}, path)
    except (report.NotResults, OSError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return path


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= ROUNDS_LIMIT:
        raise argparse.ArgumentTypeError(f"takes 1 to {ROUNDS_LIMIT}")
    return int(text)


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
