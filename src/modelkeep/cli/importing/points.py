"""The histories of metrics. Both sides are compared by digest; only what differs is sent.

Twenty runs' histories of one metric are read in one call where the source has that call and they
are short; long ones are read page by page, twice if they have to be sent, and never as a whole.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from modelkeep.cli.importing import fitting
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job, chunks
from modelkeep.cli.importing.keep import Metered
from modelkeep.cli.importing.mlflow import BULK_RUNS, Wire, number
from modelkeep.cli.importing.report import POINTS
from modelkeep.domain.imports import End, Points

Digests = dict[str, dict[str, str]]  # run -> metric -> digest
_Read = tuple[str, str, Points]  # run, metric, what its source has


def bring(job: Job, runs: Sequence[Wire]) -> None:
    """Brings every point of every metric of the runs, and compares what is here then."""
    if not runs:
        return
    wanted = _wanted(job, runs)
    known = job.keep.digests([run["info"]["run_id"] for run in runs])
    tasks = ((key, some) for key, ids in wanted.items() for some in chunks(ids, BULK_RUNS))
    read = [one for part in job.each(lambda task: _bring(job, known, *task), tasks) for one in part]
    again = job.keep.digests(sorted({run_id for run_id, _, _ in read})) if read else {}
    for run_id, key, points in read:
        _compare(job, run_id, key, points, known, again)
    for run_id, metrics in again.items():
        for key in sorted(metrics.keys() - {k for r, k, _ in read if r == run_id}):
            count = int(metrics[key].partition(":")[0])
            job.report.only_here(POINTS, f"{run_id} {key}", "this metric is here only", count)


def _wanted(job: Job, runs: Sequence[Wire]) -> dict[str, list[str]]:
    """Metric -> the runs that have it."""
    wanted: dict[str, list[str]] = {}
    for run in runs:
        for metric in run.get("data", {}).get("metrics", ()):
            wanted.setdefault(metric["key"], []).append(run["info"]["run_id"])
    for key in list(wanted):
        why = fitting.metric_key(key)
        if why:
            job.report.differs(POINTS, repr(key), f"of {len(wanted.pop(key))} runs: {why}")
    return wanted


def _bring(job: Job, known: Digests, key: str, run_ids: Sequence[str]) -> list[_Read]:
    """One metric of some runs."""
    together = _together(job, key, run_ids)
    if together is None:
        return [(run_id, key, _bring_long(job, known, key, run_id)) for run_id in run_ids]
    read = [(run_id, key, _summed([points])) for run_id, points in together.items()]
    missing = [r for r, _, sums in read if known.get(r, {}).get(key) != sums.digest]
    job.keep.points([(run_id, key, together[run_id]) for run_id in missing])
    return read


def _bring_long(job: Job, known: Digests, key: str, run_id: str) -> Points:
    """A history that may be long: read page by page and, if it has to be sent, once more."""
    sums = _summed(_pages(job, key, run_id))
    if known.get(run_id, {}).get(key) != sums.digest:
        for page in _pages(job, key, run_id):
            job.keep.points([(run_id, key, page)])
    return sums


def _together(job: Job, key: str, run_ids: Sequence[str]) -> dict[str, list[Metered]] | None:
    """The histories of some runs in one answer; None if the source cannot give them so."""
    try:
        answer = job.source.histories(key, run_ids)
    except Refused as refused:
        if refused.status in (404, 405):  # no such call there
            return None
        raise
    if answer is None:
        return None
    found: dict[str, list[Metered]] = {run_id: [] for run_id in run_ids}
    for wire in answer:
        found[wire["run_id"]].append(_point(wire))
    return {run_id: _distinct(points) for run_id, points in found.items()}


def _pages(job: Job, key: str, run_id: str) -> Iterator[list[Metered]]:
    for page in job.source.history(key, run_id):
        yield _distinct([_point(wire) for wire in page])


def _point(wire: Wire) -> Metered:
    return wire.get("step", 0), wire["timestamp"], number(wire.get("value"))


def _distinct(points: list[Metered]) -> list[Metered]:
    """Each point once: a source that keeps files may have one twice, and a NaN is not itself."""
    seen = {(s, at, "nan" if math.isnan(v) else v): (s, at, v) for s, at, v in points}
    return list(seen.values())


def _summed(pages: Iterable[list[Metered]]) -> Points:
    sums = Points()
    for page in pages:
        for point in page:
            sums.add(*point)
    return sums


def _compare(
    job: Job, run_id: str, key: str, points: Points, known: Digests, again: Digests
) -> None:
    before, here = known.get(run_id, {}).get(key), again.get(run_id, {}).get(key)
    job.report.saw(POINTS, points.count)
    if here != points.digest:
        count = here.partition(":")[0] if here else "none"
        why = f"{points.count} points there, {count} here, and not the same"
        job.report.differs(POINTS, f"{run_id} {key}", why)
        return
    job.report.same(POINTS, points.count)
    new = points.count - int(before.partition(":")[0]) if before else points.count
    job.report.count(POINTS, End.CREATED, new)
    job.report.count(POINTS, End.UNCHANGED, points.count - new)
