"""Experiments and their runs, page by page: bring, then read both sides and compare."""

from collections.abc import Iterable, Sequence

from modelkeep.cli.importing import facts, files, fitting, points
from modelkeep.cli.importing.facts import Facts
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job, chunks
from modelkeep.cli.importing.mlflow import PAGE, Wire
from modelkeep.cli.importing.report import EXPERIMENTS, RUNS
from modelkeep.domain.imports import End

# What is another on this side: where artifacts lie, and what we ourselves say of a thing.
OURS = ("artifact_uri", "experiment_id", "source_id", "artifact_location", "updated_ms")
# Default was made with the server, and others may have been here before.
OURS_OF_EXPERIMENTS = (*OURS, "created_ms")


def bring_experiment(job: Job, wire: Wire) -> int | None:
    """The experiment's id here; None if it may not be here."""
    given = job.fitted(EXPERIMENTS, "name", fitting.experiment, facts.experiment(wire))
    name = given["name"]
    try:
        ended = job.keep.experiment(given)
    except Refused as refused:
        job.report.differs(EXPERIMENTS, name, refused.message)
        known = job.keep.match_experiment(given)
        job.seen.experiments.update([known.key] if known else [])
        return None
    job.note(EXPERIMENTS, name, ended)
    if ended.end is End.REFUSED:
        return None
    job.seen.experiments.add(ended.key)
    if ended.is_here:
        here = facts.experiment(job.here.experiment(ended.key))
        differing = facts.differences(given, here, OURS_OF_EXPERIMENTS)
        job.compared(EXPERIMENTS, name, [*differing, *([ended.reason] if ended.reason else [])])
    return int(ended.key)


def bring_runs(job: Job, here_id: int, found: Iterable[Wire]) -> None:
    """All of an experiment's runs, or those that are wanted of it."""
    for page in chunks(found, PAGE):
        job.seen.runs.update(wire["info"]["run_id"] for wire in page)
        _bring_page(job, here_id, page)
        job.tick()


def _bring_page(job: Job, here_id: int, page: Sequence[Wire]) -> None:
    given = [job.fitted(RUNS, "run_id", fitting.run, facts.run(wire, here_id)) for wire in page]
    here = {
        ended.key
        for ended in job.brought(RUNS, "run_id", job.keep.runs, given)
        if job.note(RUNS, ended.key, ended)
    }
    carried = [wire for wire in page if wire["info"]["run_id"] in here]
    points.bring(job, carried)
    roots = _compare(job, here_id, [run for run in given if run["run_id"] in here])
    if job.with_artifacts:
        trees = [files.of_run(job, w["info"]["run_id"], roots.get(w["info"]["run_id"], ""))
                 for w in carried]  # fmt: skip
        files.bring(job, trees)


def _compare(job: Job, here_id: int, given: Sequence[Facts]) -> dict[str, str]:
    """Holds the runs here against what was given; where the artifacts of each lie here."""
    if not given:
        return {}
    ids = [run["run_id"] for run in given]
    found = {
        wire["info"]["run_id"]: facts.run(wire, here_id)
        for wire in job.here.some_runs(str(here_id), ids)
    }
    for run in given:
        here = found.get(run["run_id"])
        differing = facts.differences(run, here, OURS) if here else ["it is not here"]
        job.compared(RUNS, run["run_id"], differing)
    return {run_id: here["artifact_uri"] for run_id, here in found.items()}
