"""What is to be brought: all that the source has, or what was named with all that it stands on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from modelkeep.cli.importing import facts, fitting, logged, registry, runs
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job
from modelkeep.cli.importing.mlflow import Wire
from modelkeep.cli.importing.origins import LOGGED_MODEL
from modelkeep.cli.importing.report import (
    ALIASES,
    EXPERIMENTS,
    LOGGED_MODELS,
    MODELS,
    RUNS,
    VERSIONS,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names of experiments and models; nothing named is everything."""

    experiments: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        return not self.experiments and not self.models


def bring(job: Job, wanted: Wanted) -> None:
    """Brings it, and writes into the job's report what came of it."""
    models = list(_named_models(job, wanted))
    for experiment in _experiments(job, wanted):
        matched = runs.bring_experiment(job, experiment)
        if matched:
            runs.bring_runs(job, matched, job.source.runs(matched.source_id))
            logged.bring_logged_models(job, matched, job.source.logged_models(matched.source_id))
    _Grounds(job).bring(models)
    registry.bring_registry(job, job.source.models() if wanted.is_all else models)


def count(job: Job, wanted: Wanted) -> None:
    """Counts what there is to bring, and finds the names that cannot come. Writes nothing."""
    models = list(_named_models(job, wanted))
    for wire in _experiments(job, wanted):
        job.report.saw(EXPERIMENTS)
        _object(job, EXPERIMENTS, wire["name"], fitting.experiment(facts.experiment(wire)))
        for run in job.source.runs(wire["experiment_id"]):
            job.report.saw(RUNS)
            _object(job, RUNS, run["info"]["run_id"], fitting.run(facts.run(run, 0)))
            job.tick()
        for model in job.source.logged_models(wire["experiment_id"]):
            job.report.saw(LOGGED_MODELS)
            left = fitting.logged_model(facts.logged_model(model, 0))
            _object(job, LOGGED_MODELS, model["info"]["model_id"], left)
    for model in job.source.models() if wanted.is_all else models:
        job.report.saw(MODELS)
        job.report.saw(ALIASES, len(facts.aliases(model)))
        _object(job, MODELS, model["name"], fitting.name(model["name"]))
        for _ in job.source.versions(model["name"]):
            job.report.saw(VERSIONS)


def _object(job: Job, kind: str, name: str, left: Iterable[fitting.Left]) -> None:
    for what, why in left:
        job.report.differs(kind, f"{name}: {what}", why)


def _experiments(job: Job, wanted: Wanted) -> Iterator[Wire]:
    missing = set(wanted.experiments)
    if wanted.is_all or missing:
        for wire in job.source.experiments():
            if wanted.is_all or wire["name"] in missing:
                missing.discard(wire["name"])
                yield wire
    for name in sorted(missing):
        job.report.differs(EXPERIMENTS, name, "the source has no experiment of this name")


def _named_models(job: Job, wanted: Wanted) -> Iterator[Wire]:
    for name in dict.fromkeys(wanted.models):
        try:
            yield job.source.model(name)
        except Refused as refused:
            job.report.differs(MODELS, name, refused.message)


class _Grounds:
    """What the versions of named models stand on: their runs and logged models, each once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._runs: dict[str, list[str]] = {}  # experiment -> runs
        self._models: dict[str, list[str]] = {}  # experiment -> logged models

    def bring(self, models: Iterable[Wire]) -> None:
        for model in models:
            for version in self._job.source.versions(model["name"]):
                self._take(version)
        source = self._job.source
        for experiment_id in sorted(self._runs.keys() | self._models.keys()):
            wire = source.get("experiments/get", experiment_id=experiment_id)["experiment"]
            matched = runs.bring_experiment(self._job, wire)
            if matched:
                ids, model_ids = (
                    self._runs.get(experiment_id, []),
                    self._models.get(experiment_id, []),
                )
                runs.bring_runs(self._job, matched, map(source.run, ids))
                logged.bring_logged_models(self._job, matched, map(source.logged_model, model_ids))

    def _take(self, version: Wire) -> None:
        run_id = version.get("run_id", "")
        made_of = LOGGED_MODEL.match(version.get("source", ""))
        if made_of:
            model = self._found(self._job.source.logged_model, made_of[1], self._models)
            run_id = run_id or (model or {}).get("info", {}).get("source_run_id", "")
        if run_id:
            self._found(self._job.source.run, run_id, self._runs)

    def _found(
        self, read: Callable[[str], Wire], key: str, known: dict[str, list[str]]
    ) -> Wire | None:
        """Reads a thing and keeps its id under its experiment; None if it is gone."""
        try:
            wire = read(key)
        except Refused:
            return None  # the version that names it will be told of
        ids = known.setdefault(wire["info"]["experiment_id"], [])
        if key not in ids:
            ids.append(key)
        return wire
