"""The calls that an importer makes: things of another server, with their own ids and times.

Each takes a bounded batch and carries out all of it or nothing. What cannot be as the source has it
is an outcome with a reason, not an error: the rest of the import goes on.
"""

from typing import Annotated, Any, Literal, cast

import msgspec
from litestar import Request, get, post

from modelkeep.domain.access import Caller, Verb
from modelkeep.domain.imports import POINTS_LIMIT, RUNS_LIMIT, Outcome
from modelkeep.domain.manifests import File
from modelkeep.domain.tracking import Metric
from modelkeep.protocols.http import Scope, caller_of
from modelkeep.protocols.rules import everywhere
from modelkeep.services.app import App
from modelkeep.services.imports import experiments, files, logged_models, points, runs, slots
from modelkeep.services.imports import registry as imported
from modelkeep.services.imports.experiments import GivenExperiment
from modelkeep.services.imports.logged_models import GivenLoggedModel
from modelkeep.services.imports.points import GivenPoints
from modelkeep.services.imports.registry import GivenModel, GivenVersion
from modelkeep.services.imports.runs import GivenRun

_Http = Request[Any, Any, Any]
_Value = float | Literal["NaN", "Infinity", "-Infinity"]
_Few = msgspec.Meta(max_length=RUNS_LIMIT)


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    pass


class _From(_Body):
    """`origin` is the address of the source, or whatever it was given as before."""

    origin: str


class ImportExperiment(_From):
    experiment: GivenExperiment


class ImportRuns(_From):
    runs: Annotated[list[GivenRun], _Few]


class WirePoints(_Body):
    """Points of one metric of a run: [step, time in ms, value] each."""

    run_id: str
    key: str
    points: list[tuple[int, int, _Value]]


class ImportPoints(_Body):
    metrics: Annotated[list[WirePoints], msgspec.Meta(max_length=POINTS_LIMIT)]


class RunIds(_Body):
    run_ids: Annotated[list[str], _Few]


class ImportLoggedModels(_From):
    models: Annotated[list[GivenLoggedModel], _Few]


class ModelPoint(_Body):
    """A point that was measured of a logged model."""

    model_id: str
    key: str
    value: _Value
    at_ms: int
    step: int = 0
    dataset_name: str | None = None
    dataset_digest: str | None = None


class ImportModelPoints(_Body):
    run_id: str
    points: Annotated[list[ModelPoint], msgspec.Meta(max_length=POINTS_LIMIT)]


class ImportModel(_From):
    model: GivenModel


class ImportVersion(_From):
    version: GivenVersion


class ImportStage(_From):
    model: str
    version: int
    stage: str
    reason: str = ""


class ImportAlias(_From):
    """`version` null takes away an alias that an import has set."""

    model: str
    alias: str
    version: int | None


def handlers(app: App) -> list[Any]:
    """The routes over an application, below the native API's prefix."""

    @post("/import/experiments", status_code=200)
    @everywhere(Verb.ADMIN)
    async def experiment(request: _Http, data: ImportExperiment) -> Outcome:
        """Brings an experiment; the outcome's key is its id here."""
        args = _caller(request), data.origin, data.experiment
        return await app.write(experiments.bring_experiment, *args)

    @post("/import/runs", status_code=200)
    @everywhere(Verb.ADMIN)
    async def some_runs(request: _Http, data: ImportRuns) -> list[Outcome]:
        """Brings runs without their metrics."""
        return await app.write(runs.bring_runs, _caller(request), data.origin, data.runs)

    @post("/import/points", status_code=200)
    @everywhere(Verb.ADMIN)
    async def some_points(data: ImportPoints) -> dict[str, str]:
        """Adds points of metrics to imported runs."""
        given = [
            GivenPoints(m.run_id, m.key, [(s, at_ms, float(v)) for s, at_ms, v in m.points])
            for m in data.metrics
        ]
        await app.write(points.bring_points, given)
        return {}

    @post("/import/points/digests", status_code=200)
    @everywhere(Verb.ADMIN)
    async def digests(data: RunIds) -> dict[str, dict[str, str]]:
        """Run -> metric -> "<count>:<sum of hashes>" of its points."""
        return await app.read(points.points_of, data.run_ids)

    @post("/import/logged-models", status_code=200)
    @everywhere(Verb.ADMIN)
    async def some_logged_models(request: _Http, data: ImportLoggedModels) -> list[Outcome]:
        """Brings logged models without their metrics."""
        args = _caller(request), data.origin, data.models
        return await app.write(logged_models.bring_logged_models, *args)

    @post("/import/logged-models/points", status_code=200)
    @everywhere(Verb.ADMIN)
    async def model_points(data: ImportModelPoints) -> dict[str, str]:
        """Adds points that a run measured of imported logged models."""
        given = [_metric(point) for point in data.points]
        await app.write(logged_models.bring_model_points, data.run_id, given)
        return {}

    @post("/import/models", status_code=200)
    @everywhere(Verb.ADMIN)
    async def model(request: _Http, data: ImportModel) -> Outcome:
        """Brings a registered model without its versions."""
        return await app.write(imported.bring_model, _caller(request), data.origin, data.model)

    @post("/import/versions", status_code=200)
    @everywhere(Verb.ADMIN)
    async def version(request: _Http, data: ImportVersion) -> Outcome:
        """Brings a version under its number, and freezes the bytes that are here by now."""
        args = _caller(request), data.origin, data.version
        return await app.write(imported.bring_version, *args)

    @post("/import/stages", status_code=200)
    @everywhere(Verb.ADMIN)
    async def stage(request: _Http, data: ImportStage) -> Outcome:
        """Asks for an imported version's stage, as anybody would."""
        args = _caller(request), data.origin, data.model, data.version, data.stage, data.reason
        return await app.write(slots.place, *args)

    @post("/import/aliases", status_code=200)
    @everywhere(Verb.ADMIN)
    async def alias(request: _Http, data: ImportAlias) -> Outcome:
        """Points an alias at an imported version, as anybody would."""
        args = _caller(request), data.origin, data.model, data.alias, data.version
        return await app.write(slots.point, *args)

    @get("/import/files")
    @everywhere(Verb.ADMIN)
    async def some_files(folder: str, after: str = "") -> list[File]:
        """The files under a folder of the artifact store, with their digests, page by page."""
        return await app.read(files.files_in, folder, after)

    return [
        experiment, some_runs, some_points, digests, some_logged_models, model_points, model,
        version, stage, alias, some_files,
    ]  # fmt: skip


def _metric(point: ModelPoint) -> Metric:
    return Metric(
        point.key,
        float(point.value),
        point.at_ms,
        point.step,
        point.model_id,
        point.dataset_name,
        point.dataset_digest,
    )


def _caller(request: _Http) -> Caller:
    return caller_of(cast("Scope", request.scope))
