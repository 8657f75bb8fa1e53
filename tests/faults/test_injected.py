"""Every write, flush and rename of the flows that matter, as the moment when something fails.

strace stops a running server at the n-th call of a kind in one of its threads: there it dies, or is
told that the disk is broken or full. What was acknowledged must be there then, what was not must be
there wholly or not at all, and a server that goes on must show what it would find after a restart.

A sample of the points is tried unless MODELKEEP_FAULTS=all (`make faults`).
"""

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.forked import ForkedServer
from tests.support.strace import (
    FAULTS,
    KILL,
    Fault,
    Point,
    StraceMissing,
    has_struck,
    injected,
    recorded,
)
from tests.support.ward import Flow, State, crash_image, flows, prepare, serves, shown, survived

ALL = os.environ.get("MODELKEEP_FAULTS") == "all"
SAMPLE = 2  # points of each flow and fault, where not all are tried
SETTLE_S = 20.0  # within which the journal's checkpoint follows a change, on any machine
AFTER_S = 0.5  # for what follows that
LASTS_S = 2.0  # where the disk is broken for good, and there may never be one
STOP_S = 60.0


@dataclass
class Ward:
    """Where copies of one registry are treated badly."""

    folder: Path
    flows: list[Flow]
    rounds: int = 0

    def server(self) -> tuple[Path, ForkedServer]:
        """A running server on a copy of the registry."""
        self.rounds += 1
        data_dir = self.folder / f"data-{self.rounds}"
        shutil.copytree(self.folder / "template", data_dir)
        return data_dir, ForkedServer(data_dir, self.folder / f"{self.rounds}.log")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    folder = tmp_path_factory.mktemp("ward")
    server = ForkedServer(folder / "template", folder / "template.log")
    run = prepare(server.url)
    assert server.stop(STOP_S) == 0
    return Ward(folder, flows(run))


@pytest.mark.parametrize("number", range(4), ids=["register", "promote", "approve", "roll-back"])
@pytest.mark.timeout(7200 if ALL else 400)
def test_a_fault_at_any_write_flush_or_rename_leaves_nothing_half_done(
    ward: Ward, number: int, record_property: Callable[[str, object], None]
) -> None:
    flow = ward.flows[number]
    try:
        points, states = observe(ward, flow)
    except StraceMissing as missing:
        pytest.skip(str(missing))
    began = time.monotonic()
    found: list[str] = []
    tally: Counter[str] = Counter()
    for fault in FAULTS:
        for point in chosen(points, fault):
            tally[try_point(ward, flow, states, point, fault, found)] += 1
    tally["points"] = len(points)
    summary = f"{flow.name}: {dict(tally)} in {time.monotonic() - began:.0f} s"
    print(summary)
    record_property("faults", summary)
    assert not found, "\n\n".join(found)
    assert tally["struck"] >= 0.75 * sum(tally[how] for how in ("struck", "not reached"))


def chosen(points: list[Point], fault: Fault) -> list[Point]:
    """All, or a few that lie evenly, each fault at others."""
    if ALL:
        return points
    every = max(1, len(points) // SAMPLE)
    return points[FAULTS.index(fault) * every // len(FAULTS) :: every]


def observe(ward: Ward, flow: Flow) -> tuple[list[Point], list[State]]:
    """Where a fault can strike, and what there is after each call when none does."""
    data_dir, server = ward.server()
    out, states = ward.folder / f"{ward.rounds}.trace", [State()]
    try:
        for call in flow.warm_up:
            assert call.send(server.url).status_code == call.status
        states = [shown(data_dir)]
        with recorded(server.pid, server.threads(), data_dir, out) as seen:
            for call in flow.calls:
                answer = call.send(server.url)
                assert answer.status_code == call.status, answer.text
                states.append(shown(data_dir))
            settle(data_dir, out, SETTLE_S)
    finally:
        server.kill()
    assert survived(data_dir) == states[-1]
    points = [
        Point(thread, call, n + 1)
        for (thread, call), count in sorted(seen.items())
        for n in range(count)
    ]
    return points, states


def settle(data_dir: Path, out: Path, limit_s: float) -> None:
    """Waits until the fault has struck, or whoever signs the journal has nothing left to do."""
    until, was_signed = time.monotonic() + limit_s, False
    while not has_struck(out) and time.monotonic() < until:
        if not was_signed and is_signed(data_dir):
            was_signed, until = True, time.monotonic() + AFTER_S
        time.sleep(0.02)


def is_signed(data_dir: Path) -> bool:
    sizes = "SELECT (SELECT max(size) FROM checkpoints), (SELECT size FROM journal_state)"
    with (
        suppress(sqlite3.OperationalError),  # it was killed just now
        closing(sqlite3.connect(f"file:{data_dir}/modelkeep.db?mode=ro", uri=True)) as db,
    ):
        signed, size = db.execute(sizes).fetchone()
        return signed == size
    return False


def try_point(
    ward: Ward, flow: Flow, states: list[State], point: Point, fault: Fault, found: list[str]
) -> str:
    """Whether the fault struck; what was wrong then is added to `found`."""
    data_dir, server = ward.server()
    trial = Trial(server, data_dir, flow, states, fault, point)
    out = ward.folder / f"{ward.rounds}.trace"
    try:
        for call in flow.warm_up:
            assert call.send(server.url).status_code == call.status
        assert serves(server.url, states[0])
        threads = server.threads()
        if point.thread not in threads:  # of a pool that did with fewer this time
            return "not reached"
        with injected(threads, point, fault, out):
            trial.run()
            settle(data_dir, out, LASTS_S if fault.lasts else SETTLE_S)
        trial.end()
    except AssertionError as error:
        found.append(f"{flow.name}, {fault.name} at {point}: {error}\n{server.log_text()[-1500:]}")
    finally:
        server.kill()
    struck = has_struck(out)
    shutil.rmtree(data_dir, ignore_errors=True)
    return "struck" if struck else "not reached"


@dataclass
class Trial:
    """One flow, until the server is gone or all of it is done."""

    server: ForkedServer
    data_dir: Path
    flow: Flow
    states: list[State]
    fault: Fault
    point: Point
    done: int = 0  # calls that have taken effect
    is_over: bool = False

    def run(self) -> None:
        while self.done < len(self.flow.calls) and not self.is_over:
            call = self.flow.calls[self.done]
            try:
                answer = call.send(self.server.url)
            except httpx.TransportError:
                assert self.server.end(STOP_S) is not None, "no answer, and it runs on"
                return
            if answer.status_code == call.status:
                self.done += 1
            else:
                self.failed(answer)

    def failed(self, answer: httpx.Response) -> None:
        """What it says after an error, a restart must say as well; then it is asked again.

        If no flush ever ends well again, it may also say that it does not know. Then it stops.
        """
        assert answer.status_code == 503, f"{answer.status_code} {answer.text[:500]}"
        self.is_over = self.fault.lasts
        if "look whether" in answer.text:
            assert self.fault.lasts, answer.text
            assert "sync" in self.point.call, "a disk that says so when it is full stops nobody"
            assert self.server.end(STOP_S) == 1, "it does not know, and goes on"
            return
        live = shown(self.data_dir)
        found = survived(crash_image(self.data_dir, self.data_dir.with_name("image")))
        assert found == live, f"a restart shows another state: {answer.text[:500]}"
        assert live == self.states[self.done], f"it has done something: {answer.text[:500]}"
        assert serves(self.server.url, live), "it serves what is no more, or is not yet"

    def end(self) -> None:
        """All that was acknowledged is there, and at most the call that got no answer as well."""
        is_whole = self.done == len(self.flow.calls)
        if is_whole and self.fault is not KILL and not self.fault.lasts:  # those may stop it
            assert serves(self.server.url, self.states[self.done]), "it does not serve what it did"
        self.server.kill()
        left = survived(self.data_dir)
        assert left in self.states[self.done : self.done + 2], (
            f"acknowledged {self.done}, but what is left is "
            f"{self.states.index(left) if left in self.states else left}"
        )
