"""Where a server's time goes under each load: a sampling profiler looks on from outside.

py-spy reads the stacks of a running process; the kernel lets root do so, or anyone where
kernel.yama.ptrace_scope is 0. It tells of Python's functions; what a library in C does is the time
of the function that called it: that of the event loop itself is `Runner.run`. Threads that wait are
not counted.
"""

import contextlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import search
from benchmarks.load import Client, LoadFailed, warm_up
from benchmarks.peers.base import Peer
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Plan
from benchmarks.schedule import LOADS, say
from benchmarks.seeds import Crowd

PROFILED = ("alias", "create", "metrics", "search")
_INSTALLED = Path(__file__).parents[1] / ".envs" / "profile" / "bin" / "py-spy"
_SAMPLES_PER_S = 200
_CONNECTIONS = 16
_SEARCHED = Crowd(20_000)
_FUNCTIONS = 15  # told of each load
_GRACE_S = 30
_WAITING = (  # the kernel does not tell of every thread that it waits
    "Condition.wait (threading.py)",
    "_worker (concurrent/futures/thread.py)",
    "EpollSelector.select (selectors.py)",
)

Stacks = Counter[tuple[str, ...]]  # a thread's name, and its functions from the outermost inwards


def tell(peers: Sequence[Peer], names: Sequence[str], plan: Plan) -> None:
    """Prints a table for each load on each of modelkeep's servers."""
    few = replace(
        plan, rounds=1, connections=(_CONNECTIONS,), create_on_many=(), loggers=(4,), load_s=5
    )
    for peer in peers:
        if isinstance(peer, Modelkeep):
            peer.seed(few.catalogue)
            for name in names:
                say(f"{name}: {peer.name}")
                stacks = _searched(peer, few) if name == "search" else _loaded(peer, name, few)
                print(table(f"{name}, {peer.name}", stacks))


def table(title: str, stacks: Stacks) -> str:
    """The threads by how busy they were, and the functions by the time that is their own."""
    whole = stacks.total()
    threads, own = Counter[str](), Counter[str]()
    for (thread, *frames), count in stacks.items():
        threads[thread] += count
        own[frames[-1] if frames else "(outside Python)"] += count
    busy = ", ".join(f"{name} {_pct(count, whole)}" for name, count in threads.most_common(5))
    lines = [f"#### {title}", f"Threads: {busy}", "| own time | function |\n| --- | --- |"]
    lines[-1] += "".join(
        f"\n| {_pct(count, whole)} | `{name}` |" for name, count in own.most_common(_FUNCTIONS)
    )
    return "\n\n".join(lines) + "\n"


def stacks_in(folded: str) -> Stacks:
    """Of py-spy's raw format: "thread;outermost;…;innermost count" a line."""
    found = Stacks()
    for line in folded.splitlines():
        path, _, count = line.rpartition(" ")
        thread, *frames = path.split(";")
        stack = (_name(thread), *map(_without_line, frames))
        if stack[-1] not in _WAITING:
            found[stack] += int(count)
    return found


def _loaded(peer: Peer, name: str, plan: Plan) -> Stacks:
    with peer.running():
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        return _watched(peer, plan.load_s, lambda: LOADS[name](peer, plan))


def _searched(peer: Peer, plan: Plan) -> Stacks:
    crowded = peer.crowded(_SEARCHED)
    with crowded.running(), contextlib.closing(Client(crowded.url)) as client:
        crowded.settle()
        warm_up(crowded.url, plan.warm_up_s)

        def ask() -> None:
            end = time.perf_counter() + plan.load_s
            for path in _round_and_round():
                if time.perf_counter() > end:
                    break
                client.call("GET", path)

        return _watched(crowded, plan.load_s, ask)


def _round_and_round() -> Iterator[str]:
    while True:
        for paths in search.searches(1).values():
            yield from paths


def _watched(peer: Peer, seconds: int, load: Callable[[], object]) -> Stacks:
    """The server's stacks while it bears a load that lasts so long, or longer."""
    target = peer.folder / "stacks.txt"
    with subprocess.Popen(
        [
            *(_profiler(), "record", "--pid", str(peer.pid), "--duration", str(seconds)),
            *("--rate", str(_SAMPLES_PER_S), "--format", "raw", "--threads", "--output", target),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as profiler:
        load()
        said = profiler.communicate(timeout=seconds + _GRACE_S)[1]
    if profiler.returncode != 0:
        raise LoadFailed(f"py-spy failed: {said}")
    return stacks_in(target.read_text())


def _profiler() -> str:
    found = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("py-spy")
    return found or sys.exit("py-spy is not installed. Run `make profile`.")


def _pct(count: int, whole: int) -> str:
    return f"{100 * count / whole:.1f} %"


def _name(thread: str) -> str:
    """Of "thread (0x7F…): MainThread"."""
    return thread.rpartition(": ")[2]


def _without_line(frame: str) -> str:
    """Of "call (modelkeep/protocols/http.py:88)"; the samples of a function's lines are one."""
    function, _, place = frame.rpartition(" (")
    return f"{function} ({place.rpartition(':')[0]})" if function else frame
