"""Brings the points of metrics over, and says by digests which are here."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain import imports
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.imports import Points
from modelkeep.domain.tracking import Metric, Run
from modelkeep.ports.work import Work

PAGE = 10_000  # points read at a time


@dataclass(frozen=True, slots=True)
class GivenPoints:
    """Points of one metric of a run: (step, time in ms, value) each."""

    run_id: str
    key: str
    points: list[tuple[int, int, float]]


def bring_points(work: Work, caller: Caller, given: Sequence[GivenPoints]) -> None:
    """Adds points to runs that were imported; one that is there already stays one.

    At most `POINTS_LIMIT` in all. Raises NotFound, InvalidInput; Conflict for a run of this
    server's own.
    """
    if sum(len(metric.points) for metric in given) > imports.POINTS_LIMIT:
        raise InvalidInput(f"A call takes at most {imports.POINTS_LIMIT} points.")
    for metric in given:
        points = [Metric(metric.key, value, at_ms, step) for step, at_ms, value in metric.points]
        rules.check_metrics(points)
        work.runs.log_metrics(_imported_run(work, metric.run_id).id, points)
    for run_id in {metric.run_id for metric in given}:
        hand = Hand(Thing.RUN, caller.actor.name, Deed.IMPORTED)
        work.hands.add(run_id, hand, work.now_ms)


def points_of(work: Work, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Run -> metric -> the digest of its points (`domain.imports.Points`)."""
    found: dict[str, dict[str, str]] = {}
    for run_id in run_ids:
        run = work.runs.find(run_id)
        if run is not None:
            found[run_id] = {key: sums.digest for key, sums in _sums(work, run).items()}
    return found


def _sums(work: Work, run: Run) -> dict[str, Points]:
    sums: dict[str, Points] = {}
    last: Metric | None = None
    while page := work.runs.points(run.id, last, PAGE):
        for point in page:
            sums.setdefault(point.key, Points()).add(point.step, point.at_ms, point.value)
        last = page[-1]
    return sums


def _imported_run(work: Work, run_id: str) -> Run:
    """Raises NotFound; Conflict for one that was not imported."""
    run = work.runs.find(run_id)
    if run is None:
        raise NotFound(f"Run with id={run_id} not found")
    if work.imports.find("run", run_id) is None:
        raise Conflict(f"Run {run_id} is this server's own; nothing is imported into it.")
    return run
