"""Faults put into a running server's calls of the system, by strace."""

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Everything that changes a file or its name, or waits for the disk.
CALLS = (
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "fallocate", "ftruncate"),
    *("fsync", "fdatasync", "sync_file_range", "rename", "renameat", "renameat2"),
    *("link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
)
ATTACH_LIMIT_S = 60.0
_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<arguments>.*)")


class StraceMissing(Exception):
    """strace is not there, or may not trace; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th call of one kind in one thread."""

    thread: str
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.thread}.{self.call}.{self.number}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a point: the process dies, or the call fails, once or from there on."""

    name: str
    injection: str
    lasts: bool = False


KILL = Fault("kill", "signal=KILL")
EIO = Fault("EIO", "error=EIO")
ENOSPC = Fault("ENOSPC", "error=ENOSPC")
BROKEN = Fault("EIO for good", "error=EIO", lasts=True)
FULL = Fault("ENOSPC for good", "error=ENOSPC", lasts=True)
FAULTS = (KILL, EIO, ENOSPC, BROKEN, FULL)


@contextmanager
def recorded(
    pid: int, threads: dict[str, int], folder: Path, out: Path
) -> Iterator[Counter[tuple[str, str]]]:
    """Counts, by (thread, call), what the body makes a process do to the files of a folder."""
    seen: Counter[tuple[str, str]] = Counter()
    with _attached("-f", "-yy", "-s", "0", "-o", str(out), *_traced(CALLS), "-p", str(pid)):
        yield seen
    names = {number: name for name, number in threads.items()}
    for line in out.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if found and str(folder) in found["arguments"]:
            thread = names.get(int(found["thread"]))
            if thread:  # else one that was started meanwhile: nobody could wait for it
                seen[thread, found["call"]] += 1


@contextmanager
def injected(threads: dict[str, int], point: Point, fault: Fault, out: Path) -> Iterator[None]:
    """Lets the fault happen at the point."""
    inject = f"inject={point.call}:{fault.injection}:when={point.number}{'+' * fault.lasts}"
    thread = str(threads[point.thread])
    with _attached("-o", str(out), *_traced([point.call]), "-e", inject, "-p", thread):
        yield


def has_struck(out: Path) -> bool:
    """Whether the fault of `injected` has happened."""
    text = out.read_text(errors="replace")
    return "(INJECTED)" in text or text.rstrip().endswith("= ?")  # of which it died


def _traced(calls: tuple[str, ...] | list[str]) -> tuple[str, str]:
    return "-e", f"trace={','.join(calls)}"


@contextmanager
def _attached(*arguments: str) -> Iterator[None]:
    if shutil.which("strace") is None:
        raise StraceMissing("strace is not installed: `make test` installs it where it may.")
    tracer = subprocess.Popen(
        ["strace", "-e", "signal=none", *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            raise StraceMissing(f"strace may not trace another process here: {said.strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # lets go of the process, which goes on
        tracer.communicate(timeout=ATTACH_LIMIT_S)
