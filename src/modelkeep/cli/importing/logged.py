"""Logged models of an experiment: bring, then read both sides and compare."""

from collections.abc import Iterable, Sequence

from modelkeep.cli.importing import facts, files, fitting
from modelkeep.cli.importing.facts import Facts, Point
from modelkeep.cli.importing.job import Job, chunks
from modelkeep.cli.importing.mlflow import PAGE, Wire
from modelkeep.cli.importing.report import LOGGED_MODELS, MODEL_POINTS
from modelkeep.cli.importing.runs import OURS
from modelkeep.domain.imports import End


def bring_logged_models(job: Job, here_id: int, found: Iterable[Wire]) -> None:
    """All of an experiment's logged models, or those that are wanted of it."""
    for page in chunks(found, PAGE):
        job.seen.logged_models.update(wire["info"]["model_id"] for wire in page)
        _bring_page(job, here_id, page)
        job.tick()


def _bring_page(job: Job, here_id: int, page: Sequence[Wire]) -> None:
    wires = {wire["info"]["model_id"]: wire for wire in page}
    given = {
        model_id: job.fitted(
            LOGGED_MODELS,
            "model_id",
            fitting.logged_model,
            facts.logged_model(wire, here_id),
        )
        for model_id, wire in wires.items()
    }
    ended = job.brought(LOGGED_MODELS, "model_id", job.keep.logged_models, list(given.values()))
    here = [one.key for one in ended if job.note(LOGGED_MODELS, one.key, one)]
    trees = [
        files.of_logged_model(job, model_id, root)
        for model_id, root in job.each(lambda m: _finish(job, given[m], wires[m]), here)
    ]
    if job.with_artifacts:
        files.bring(job, trees)


def _finish(job: Job, given: Facts, wire: Wire) -> tuple[str, str]:
    """Brings what was measured of a logged model, and compares all; its id, and its root here."""
    model_id = given["model_id"]
    there, before = _fitting_points(job, model_id, wire), job.here.logged_model(model_id)
    missing = there - facts.model_points(before)
    for run_id in sorted({point[0] for point in missing}):
        points = sorted((p for p in missing if p[0] == run_id), key=lambda p: p[1:4])
        job.keep.model_points(model_id, run_id, points)
    after = job.here.logged_model(model_id) if missing else before
    _compare(job, given, there, len(missing), after)
    return model_id, after["info"]["artifact_uri"]


def _fitting_points(job: Job, model_id: str, wire: Wire) -> set[Point]:
    points = facts.model_points(wire)
    refused = {point for point in points if fitting.metric_key(point[1])}
    for key in sorted({point[1] for point in refused}):
        why = fitting.metric_key(key) or ""
        job.report.differs(MODEL_POINTS, f"{model_id} {key!r}", why)
    return points - refused


def _compare(job: Job, given: Facts, there: set[Point], sent: int, after: Wire) -> None:
    here = facts.logged_model(after, given["experiment_id"])
    job.compared(LOGGED_MODELS, given["model_id"], facts.differences(given, here, OURS))
    points = facts.model_points(after)
    job.report.saw(MODEL_POINTS, len(there))
    job.report.count(MODEL_POINTS, End.CREATED, sent)
    job.report.count(MODEL_POINTS, End.UNCHANGED, len(there) - sent)
    if points == there:
        job.report.same(MODEL_POINTS, len(there))
    else:
        why = f"{len(there)} points there, {len(points)} here, and not the same"
        job.report.differs(MODEL_POINTS, given["model_id"], why)
