"""A long journal: how fast it grows, how fast it is verified, and pages of a model's long history.

One alias is moved, each time durably, until its model has so many entries. They are exported, and
the export is verified by `modelkeep-verify`; then the database itself, of the stopped server, by
`modelkeep audit verify`. Both times are whole ones, from the start of the program to its verdict.
The limit is what SHA-256 alone takes for the lines of the same export.
"""

import contextlib
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import NATIVE, Client, LoadFailed, warm_up
from benchmarks.peers.base import Peer
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import MACHINE, Plan, Sample
from benchmarks.seeds import Catalogue
from benchmarks.timing import driven, in_ms, timed_ms

MOVED = Catalogue(models=1, versions=4, aliases=0)
_CONNECTIONS = (16, 64)
_PAGE = 100  # entries
_MOST_LOADS = 60  # then it is too slow for so many moves


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    assert isinstance(peer, Modelkeep)
    peer = peer.apart()
    peer.seed(MOVED)
    export = peer.folder / "journal.jsonl"
    with peer.running(), contextlib.closing(Client(peer.url, NATIVE)) as native:
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        samples = _append(peer, native, plan)
        samples += _pages(peer, native, plan)
        _run(peer, "modelkeep", "audit", "export", str(export), "--url", peer.url)
        entries = _entries(native)
    changes, commits = peer.tally()
    samples[len(_CONNECTIONS) - 1].detail["changes_per_commit"] = changes / commits
    samples += _verify(peer, export, entries)
    peer.forget()
    return samples


def _append(peer: Peer, native: Client, plan: Plan) -> list[Sample]:
    """Two loads that count, and then moves until there are enough."""
    samples = [_move(peer, connections, plan) for connections in _CONNECTIONS]
    for _ in range(_MOST_LOADS):
        if _entries(native) >= plan.moves:
            break
        _move(peer, _CONNECTIONS[-1], plan)
    return samples


def _move(peer: Peer, connections: int, plan: Plan) -> Sample:
    case = f"journal: moves of one alias, {connections} connections"
    return driven(peer, case, "move", connections, plan.load_s, MOVED.versions)[1]


def _entries(native: Client) -> int:
    return native.call("GET", "/journal/status")["entries"]


def _pages(peer: Peer, native: Client, plan: Plan) -> list[Sample]:
    """The newest entries of the model, and its oldest: those before the journal's 200th."""
    page = f"/models/{MOVED.model(0)}/history?limit={_PAGE}"
    entries = _entries(native)
    samples = []
    for which, path in (("first", page), ("last", f"{page}&before={_PAGE * 2}")):
        if not native.call("GET", path):
            raise LoadFailed(f"{path} is empty.")
        times_ms = [
            timed_ms(lambda path=path: native.call("GET", path)) for _ in range(plan.searches)
        ]
        case = f"journal: the {which} page of a long history"
        samples.append(in_ms(peer, case, times_ms, entries=entries))
    return samples


def _verify(peer: Modelkeep, export: Path, entries: int) -> list[Sample]:
    place = ("--data-dir", str(peer.data_dir))
    if peer.database_url:
        place = ("--database-url", peer.database_url)
    off_line = _seconds(lambda: _run(peer, "modelkeep_verify", str(export)))
    itself = _seconds(lambda: _run(peer, "modelkeep", "audit", "verify", *place))
    limit = _seconds(lambda: _hash_lines(export))
    more = {"entries": float(entries), "seconds": off_line}
    return [
        Sample("journal: limit, SHA-256 of its lines", MACHINE, entries / limit, "/s", rate=True),
        Sample("journal: modelkeep-verify", peer.name, entries / off_line, "/s", True, more),
        Sample(
            *("journal: audit verify of the database", peer.name, entries / itself, "/s", True),
            more | {"seconds": itself},
        ),
    ]


def _hash_lines(export: Path) -> None:
    with export.open("rb") as lines:
        for line in lines:
            hashlib.sha256(line).digest()


def _run(peer: Peer, module: str, *arguments: str) -> None:
    """A command of modelkeep's; it may take minutes. Raises LoadFailed unless it is content."""
    outcome = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=False,
        env=peer.environment(),
        capture_output=True,
        text=True,
    )
    if outcome.returncode != 0:
        raise LoadFailed(f"{module} {' '.join(arguments)}: {outcome.stdout}{outcome.stderr}")


def _seconds(do: Callable[[], None]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
