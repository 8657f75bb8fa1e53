"""Points of one metric of many runs at once, as charts draw them."""

from collections.abc import Sequence

from modelkeep.domain.tracking import Metric
from modelkeep.ports.work import Work


def of_runs(work: Work, run_ids: Sequence[str], key: str, limit: int) -> list[Metric]:
    """The first points, by run id, then time, step and value. Runs that aren't there have none."""
    return work.runs.histories(run_ids, key, limit)


def samples_of_runs(
    work: Work, run_ids: Sequence[str], key: str, size: int, steps: tuple[int, int] | None
) -> list[Metric]:
    """At most `size` points of each run, spread evenly over its history by step.

    A run's last point is always among them, and its first if `size` is over 1. `steps` takes only
    the points from one step to another. Runs that aren't there have none.
    """
    found: list[Metric] = []
    for run_id in run_ids:
        run = work.runs.find(run_id)
        if run is not None:
            points = work.runs.sample(run.id, key, size, steps)
            found += [point._replace(run_id=run_id) for point in points]
    return found
