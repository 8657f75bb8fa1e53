"""What a tree of processes occupies and uses, from Linux's /proc."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

_CPU_CLOCK = 2  # of a process, beside its number: what clock_getcpuclockid(3) makes on Linux


@dataclass(frozen=True, slots=True)
class Memory:
    """`rss_mb` counts a page once for every process that has it, `pss_mb` once altogether."""

    processes: int
    rss_mb: float
    pss_mb: float


def memory_of_tree(root: int) -> Memory:
    """The memory of a process and all its descendants, now."""
    rss_kb = pss_kb = processes = 0
    for pid in _tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended meanwhile
        fields = dict(line.split(":", 1) for line in lines[1:])
        rss_kb += int(fields["Rss"].split()[0])
        pss_kb += int(fields["Pss"].split()[0])
        processes += 1
    return Memory(processes, rss_kb / 1024, pss_kb / 1024)


def cpu_s_of_tree(root: int) -> float:
    """The processor time that the living processes of a tree have used so far, to the microsecond
    or so."""
    used_s = 0.0
    for pid in _tree(root):
        with contextlib.suppress(OSError):  # it ended meanwhile
            used_s += time.clock_gettime(~pid << 3 | _CPU_CLOCK)
    return used_s


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found
