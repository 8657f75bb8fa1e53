"""What is measured in which order, and how long it still takes.

Round by round everyone in turn, so that what disturbs a round disturbs everyone in it. A server is
started once a round for the loads that it bears; what needs one of its own is measured in the
first round alone. What fails is told, and the rest goes on; who
stops a run gets the table of what it has measured.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks import (
    alias,
    artifacts,
    cli,
    create,
    describe,
    gates,
    journal,
    limits,
    metrics,
    search,
    startup,
)
from benchmarks.load import LoadFailed, warm_up
from benchmarks.peers.base import Peer, PeerFailed
from benchmarks.plan import Plan, Sample

LOADS = {  # on a server that is up
    "alias": alias.measure,
    "describe": describe.measure,
    "create": create.measure,
    "metrics": metrics.measure,
    "artifacts": artifacts.measure,
}
ONCE = {"cli": cli.measure, "gates": gates.measure, "journal": journal.measure}
MEASUREMENTS = ("startup", *LOADS, "search", *ONCE)
_MACHINE = ("alias", "create")  # who is held against what the machine allows
_GUESSES_S = {  # of a full plan; what has been measured corrects them
    "seed": 15,
    "limits": 20,
    "startup": 15,
    "alias": 20,
    "describe": 12,
    "create": 35,
    "metrics": 12,
    "artifacts": 25,
    "cli": 8,
    "gates": 15,
    "journal": 90,
}
_SEARCH_S, _SEARCH_S_A_VERSION = 40, 0.0003


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done. `guess_s` is right in relation to others."""

    what: str
    guess_s: float
    do: Callable[[], Iterable[Sample]]  # what it has yielded is kept if it fails then


def steps(folder: Path, peers: Sequence[Peer], names: Collection[str], plan: Plan) -> list[Step]:
    found = [
        Step(f"seeding {peer.name}", _GUESSES_S["seed"], partial(_seed, peer, plan))
        for peer in peers
        if {"startup", *LOADS} & set(names)
    ]
    for number in range(1, plan.rounds + 1):
        found += [
            replace(step, what=f"round {number} of {plan.rounds}: {step.what}")
            for step in _round(folder, peers, names, plan, is_first=number == 1)
        ]
    shorter = plan.load_s / Plan().load_s
    return [replace(step, guess_s=step.guess_s * shorter) for step in found]


def carry_out(planned: Sequence[Step]) -> tuple[list[Sample], list[str]]:
    """The samples, and a sentence for each step that failed."""
    samples: list[Sample] = []
    failures: list[str] = []
    began, guessed_s = time.perf_counter(), 0.0
    whole_s = sum(step.guess_s for step in planned)
    for number, step in enumerate(planned, 1):
        passed_s = time.perf_counter() - began
        # The guesses are corrected by what it has come to, the more the longer it has been.
        pace = (passed_s + 30) / (guessed_s + 30)
        left_min = (whole_s - guessed_s) * pace / 60
        say(f"[{number}/{len(planned)}] {step.what}; about {left_min:.0f} min left")
        try:
            samples.extend(step.do())
        except (LoadFailed, PeerFailed, OSError, subprocess.SubprocessError) as failure:
            failures.append(f"{step.what}: {failure}")
            say(f"FAILED: {failures[-1]}")
        except (KeyboardInterrupt, SystemExit):
            failures.append(f"{step.what}: stopped here, and nothing after it was measured")
            break
        guessed_s += step.guess_s
    return samples, failures


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _round(
    folder: Path, peers: Sequence[Peer], names: Collection[str], plan: Plan, *, is_first: bool
) -> list[Step]:
    found: list[Step] = []
    if set(_MACHINE) & set(names):
        found.append(Step("limits", _GUESSES_S["limits"], partial(_limits, folder, peers, plan)))
    for peer in peers:
        mine = [n for n in ("startup", *LOADS) if n in names and n in peer.measurements]
        if mine:
            guess_s = sum(_GUESSES_S[name] for name in mine)
            what = f"{', '.join(mine)}: {peer.name}"
            found.append(Step(what, guess_s, partial(_visit, peer, mine, plan)))
    if is_first:
        for name, measure in ONCE.items():
            if name in names:
                found += _each(name, peers, partial(measure, plan=plan))
        found += _crowds(peers, plan) if "search" in names else []
    return found


def _each(name: str, peers: Sequence[Peer], measure: Callable[[Peer], list[Sample]]) -> list[Step]:
    return [
        Step(f"{name}: {peer.name}", _GUESSES_S[name], partial(measure, peer))
        for peer in peers
        if name in peer.measurements
    ]


def _crowds(peers: Sequence[Peer], plan: Plan) -> list[Step]:
    return [
        Step(
            f"search at {crowd.versions:,} versions: {peer.name}",
            _SEARCH_S + crowd.versions * _SEARCH_S_A_VERSION,
            partial(search.measure, peer, plan, crowd),
        )
        for crowd in plan.crowds
        for peer in peers
        if "search" in peer.measurements and crowd.versions <= peer.most_versions
    ]


def _seed(peer: Peer, plan: Plan) -> list[Sample]:
    peer.seed(plan.catalogue)
    return []


def _limits(folder: Path, peers: Sequence[Peer], plan: Plan) -> list[Sample]:
    samples = limits.of_http(folder / "hello", plan)
    for database in {peer.database.kind: peer.database for peer in peers}.values():
        samples += limits.of_database(folder / "hello", database, plan)
    return samples


def _visit(peer: Peer, names: Sequence[str], plan: Plan) -> Iterator[Sample]:
    """It is started for all of them together."""
    if "startup" in names:
        yield from startup.in_new_directory(peer)
    seconds = peer.start()
    try:
        peer.settle()
        if "startup" in names:
            yield from startup.of_settled(peer, seconds)
        loads = [LOADS[name] for name in names if name in LOADS]
        if loads:
            warm_up(peer.url, plan.warm_up_s, peer.front)
        for measure in loads:
            yield from measure(peer, plan)
    finally:
        peer.stop()
