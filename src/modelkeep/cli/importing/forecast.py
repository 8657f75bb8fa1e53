"""What an import would bring, found by reading both sides. Nothing is written.

The histories of metrics and the files are not looked at: reading them is most of an import.
"""

from collections.abc import Iterable, Sequence

from modelkeep.cli.importing import facts, fitting, registry
from modelkeep.cli.importing.facts import Facts
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job, chunks
from modelkeep.cli.importing.mlflow import PAGE, Wire
from modelkeep.cli.importing.report import (
    ALIASES,
    EXPERIMENTS,
    LOGGED_MODELS,
    MODELS,
    RUNS,
    STAGES,
    VERSIONS,
)
from modelkeep.cli.importing.runs import OURS, OURS_OF_EXPERIMENTS
from modelkeep.domain.models import NO_STAGE


def of_experiment(job: Job, wire: Wire) -> str:
    """The experiment's id here; empty if it is not here."""
    given = job.fitted(EXPERIMENTS, "name", fitting.experiment, facts.experiment(wire))
    found = job.keep.match_experiment(given)
    here = facts.experiment(job.here.experiment(found.key)) if found else None
    _hold(job, EXPERIMENTS, given["name"], given, here, OURS_OF_EXPERIMENTS)
    job.seen.experiments.update([found.key] if found else [])
    return found.key if found else ""


def of_runs(job: Job, here_id: str, found: Iterable[Wire]) -> None:
    for page in chunks(found, PAGE):
        ids = [wire["info"]["run_id"] for wire in page]
        job.seen.runs.update(ids)
        wires = job.here.some_runs(here_id, ids) if here_id else ()
        here = {wire["info"]["run_id"]: facts.run(wire, 0) for wire in wires}
        for wire in page:
            given = job.fitted(RUNS, "run_id", fitting.run, facts.run(wire, 0))
            _hold(job, RUNS, given["run_id"], given, here.get(given["run_id"]), OURS)
        job.tick()


def of_logged_models(job: Job, found: Iterable[Wire]) -> None:
    for page in chunks(found, PAGE):
        ids = [wire["info"]["model_id"] for wire in page]
        job.seen.logged_models.update(ids)
        for wire, here in zip(page, job.each(lambda id: _logged_model(job, id), ids), strict=True):
            fit, there = fitting.logged_model, facts.logged_model(wire, 0)
            given = job.fitted(LOGGED_MODELS, "model_id", fit, there)
            _hold(job, LOGGED_MODELS, given["model_id"], given, here, OURS)
        job.tick()


def _logged_model(job: Job, model_id: str) -> Facts | None:
    try:
        return facts.logged_model(job.here.logged_model(model_id), 0)
    except Refused:
        return None


def of_model(job: Job, wire: Wire) -> None:
    """A registered model with its versions, and where they stand."""
    given = job.fitted(MODELS, "name", fitting.registered, facts.model(wire))
    for _, why in fitting.name(given["name"]):
        job.report.differs(MODELS, given["name"], why)
    found = registry.matched(job, given)
    here = _model(job, found.name if found else given["name"])
    if here and not found:
        job.report.differs(MODELS, given["name"], "a model of that name is here and is another")
    else:
        _hold(job, MODELS, given["name"], given, facts.model(here) if here else None)
    job.seen.models.update([found.key] if found else [])
    versions = list(job.here.versions(found.name)) if found else []
    _of_versions(job, found.key if found else "", given["name"], versions)
    _of_aliases(job, wire, facts.aliases(here) if here and found else {})


def _model(job: Job, name: str) -> Wire | None:
    try:
        return job.here.model(name)
    except Refused:
        return None


def _of_versions(job: Job, key: str, name: str, known: Sequence[Wire]) -> None:
    here = {int(wire["version"]): wire for wire in known}
    for wire in job.source.versions(name):
        given = facts.version(wire)
        number = given["number"]
        job.report.saw(VERSIONS)
        job.seen.versions.add((key, str(number)))
        if number in here:
            # Its source names where its bytes lie, which is another place here.
            ignored = ("source", "model")
            differing = facts.version_differences(given, facts.version(here[number]), ignored)
            job.compared(VERSIONS, f"{name}/{number}", differing)
        else:
            job.report.lacks(VERSIONS)
        _of_stage(job, f"{name}/{number}", wire, here.get(number))
        job.tick()
    if key:
        job.seen.listed[key] = name


def _of_stage(job: Job, name: str, there: Wire, here: Wire | None) -> None:
    wanted, found = _stage(there), _stage(here or {})
    if wanted == NO_STAGE:
        return
    job.report.saw(STAGES)
    if found == NO_STAGE:
        job.report.lacks(STAGES)
    else:
        differing = [] if found == wanted else [f"it is in {wanted} there and in {found} here"]
        job.compared(STAGES, name, differing)


def _stage(wire: Wire) -> str:
    return wire.get("current_stage") or NO_STAGE


def _of_aliases(job: Job, wire: Wire, here: dict[str, int]) -> None:
    for alias, number in sorted(facts.aliases(wire).items()):
        job.report.saw(ALIASES)
        found = {"version": here[alias]} if alias in here else None
        _hold(job, ALIASES, f"{wire['name']}@{alias}", {"version": number}, found)


def _hold(
    job: Job,
    kind: str,
    name: str,
    given: Facts,
    here: Facts | None,
    ignoring: tuple[str, ...] = (),
) -> None:
    if here is None:
        job.report.lacks(kind)
    else:
        job.compared(kind, name, facts.differences(given, here, ignoring))
