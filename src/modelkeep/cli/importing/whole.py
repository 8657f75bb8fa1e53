"""What is to be brought: all that the source has, or what was named with all that it stands on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from modelkeep.cli.importing import extras, forecast, logged, registry, runs
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job
from modelkeep.cli.importing.mlflow import Wire
from modelkeep.cli.importing.origins import LOGGED_MODEL
from modelkeep.cli.importing.report import EXPERIMENTS, MODELS


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names of experiments and models; nothing named is everything."""

    experiments: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        return not self.experiments and not self.models


@dataclass(frozen=True, slots=True)
class Part:
    """An experiment with the runs and logged models that are wanted of it: all if it is whole."""

    experiment: Wire
    runs: Iterable[Wire]
    logged_models: Iterable[Wire]
    is_whole: bool


def bring(job: Job, wanted: Wanted) -> None:
    """Brings it, and writes into the job's report what came of it."""
    models = list(_named_models(job, wanted))
    job.begin("Experiments, runs and logged models")
    for part in _parts(job, wanted, models):
        here_id = runs.bring_experiment(job, part.experiment)
        if here_id is not None:
            runs.bring_runs(job, here_id, part.runs)
            logged.bring_logged_models(job, here_id, part.logged_models)
            _saw_all(job, part, str(here_id))
    job.begin("Models, versions and aliases")
    registry.bring_registry(job, _all_models(job, wanted, models))
    _look_for_extras(job, wanted)


def foresee(job: Job, wanted: Wanted) -> None:
    """Holds it against what is here, and finds what cannot come. Writes nothing."""
    models = list(_named_models(job, wanted))
    job.begin("Experiments, runs and logged models")
    for part in _parts(job, wanted, models):
        here_id = forecast.of_experiment(job, part.experiment)
        forecast.of_runs(job, here_id, part.runs)
        forecast.of_logged_models(job, part.logged_models)
        _saw_all(job, part, here_id)
    job.begin("Models, versions and aliases")
    for model in _all_models(job, wanted, models):
        forecast.of_model(job, model)
    _look_for_extras(job, wanted)


def _saw_all(job: Job, part: Part, here_id: str) -> None:
    if part.is_whole and here_id:
        job.seen.whole.add(here_id)


def _look_for_extras(job: Job, wanted: Wanted) -> None:
    job.begin("What is here only")
    extras.tell(job, is_all=wanted.is_all)


def _parts(job: Job, wanted: Wanted, models: Sequence[Wire]) -> Iterator[Part]:
    source = job.source
    for experiment in _experiments(job, wanted):
        id = experiment["experiment_id"]
        yield Part(experiment, source.runs(id), source.logged_models(id), is_whole=True)
    yield from _Grounds(job).parts(models)


def _all_models(job: Job, wanted: Wanted, named: Sequence[Wire]) -> Sequence[Wire]:
    """Listed as late as may be: the source is in use meanwhile."""
    return job.source.models() if wanted.is_all else named


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

    def parts(self, models: Iterable[Wire]) -> Iterator[Part]:
        for model in models:
            for version in self._job.source.versions(model["name"]):
                self._take(version)
        source = self._job.source
        for experiment_id in sorted(self._runs.keys() | self._models.keys()):
            ids, model_ids = self._runs.get(experiment_id, []), self._models.get(experiment_id, [])
            yield Part(
                source.experiment(experiment_id),
                map(source.run, ids),
                map(source.logged_model, model_ids),
                is_whole=False,
            )

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
