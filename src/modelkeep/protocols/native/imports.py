"""The calls that an importer makes: things of another server, with their own ids and times.

Each takes a bounded batch and carries out all of it or nothing. What cannot be as the source has it
is an outcome with a reason, not an error: the rest of the import goes on.
"""

import secrets
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, get, post

from modelkeep.domain.access import Verb
from modelkeep.domain.imports import POINTS_LIMIT, RUNS_LIMIT, Brought, Kind, Outcome
from modelkeep.domain.manifests import File
from modelkeep.domain.tracking import Metric
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import change
from modelkeep.protocols.rules import everywhere
from modelkeep.services.app import App
from modelkeep.services.imports import (
    brought,
    experiments,
    files,
    logged_models,
    models,
    points,
    runs,
    slots,
    versions,
)
from modelkeep.services.imports.experiments import GivenExperiment
from modelkeep.services.imports.logged_models import GivenLoggedModel
from modelkeep.services.imports.models import GivenModel
from modelkeep.services.imports.points import GivenPoints
from modelkeep.services.imports.runs import GivenRun
from modelkeep.services.imports.versions import GivenVersion

_Value = float | Literal["NaN", "Infinity", "-Infinity"]
T = TypeVar("T")
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
    server = {"server": secrets.token_hex(16)}

    @get("/import/server")
    @everywhere(Verb.ADMIN)
    async def whoami() -> dict[str, str]:
        """The name of this process, by which an importer tells that it reads what it writes to."""
        return server

    @get("/import/brought")
    @everywhere(Verb.ADMIN)
    async def some_brought(origin: str, kind: Kind, after: str = "") -> list[Brought]:
        """What came from there and is here, not deleted, page by page."""
        return await app.read(brought.brought, origin, kind, after)

    @post("/import/experiments/match", status_code=200, keyless=True)
    @everywhere(Verb.ADMIN)
    async def match_experiment(data: ImportExperiment) -> list[Brought]:
        """What an import would take for an experiment, if there is any; changes nothing."""
        found = await app.read(brought.match_experiment, data.origin, data.experiment)
        return [found] if found else []

    @post("/import/models/match", status_code=200, keyless=True)
    @everywhere(Verb.ADMIN)
    async def match_model(data: ImportModel) -> list[Brought]:
        """As for an experiment, but it must have come from there."""
        found = await app.read(brought.match_model, data.origin, data.model)
        return [found] if found else []

    @post("/import/experiments", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_experiment(request: Http, data: ImportExperiment) -> Response[Outcome]:
        """Brings an experiment; the outcome's key is its id here."""
        args = caller(request), data.origin, data.experiment
        return await change(app, request, _as_it_is, experiments.bring_experiment, *args)

    @post("/import/runs", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_runs(request: Http, data: ImportRuns) -> Response[list[Outcome]]:
        """Brings runs without their metrics."""
        return await change(
            app, request, _as_it_is, runs.bring_runs, caller(request), data.origin, data.runs
        )

    @post("/import/points", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_points(request: Http, data: ImportPoints) -> Response[dict[str, str]]:
        """Adds points of metrics to imported runs."""
        given = [
            GivenPoints(m.run_id, m.key, [(s, at_ms, float(v)) for s, at_ms, v in m.points])
            for m in data.metrics
        ]
        return await change(app, request, _nothing, points.bring_points, caller(request), given)

    @post("/import/points/digests", status_code=200, keyless=True)
    @everywhere(Verb.ADMIN)
    async def digest_points(data: RunIds) -> dict[str, dict[str, str]]:
        """Run -> metric -> "<count>:<sum of hashes>" of its points."""
        return await app.read(points.points_of, data.run_ids)

    @post("/import/logged-models", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_logged_models(
        request: Http, data: ImportLoggedModels
    ) -> Response[list[Outcome]]:
        """Brings logged models without their metrics."""
        args = caller(request), data.origin, data.models
        return await change(app, request, _as_it_is, logged_models.bring_logged_models, *args)

    @post("/import/logged-models/points", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_model_points(
        request: Http, data: ImportModelPoints
    ) -> Response[dict[str, str]]:
        """Adds points that a run measured of imported logged models."""
        given = [_metric(point) for point in data.points]
        args = caller(request), data.run_id, given
        return await change(app, request, _nothing, logged_models.bring_model_points, *args)

    @post("/import/models", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_model(request: Http, data: ImportModel) -> Response[Outcome]:
        """Brings a registered model without its versions."""
        return await change(
            app, request, _as_it_is, models.bring_model, caller(request), data.origin, data.model
        )

    @post("/import/versions", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_version(request: Http, data: ImportVersion) -> Response[Outcome]:
        """Brings a version under its number, and freezes the bytes that are here by now."""
        args = caller(request), data.origin, data.version
        return await change(app, request, _as_it_is, versions.bring_version, *args)

    @post("/import/stages", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_stage(request: Http, data: ImportStage) -> Response[Outcome]:
        """Asks for an imported version's stage, as anybody would."""
        args = caller(request), data.origin, data.model, data.version, data.stage, data.reason
        return await change(app, request, _as_it_is, slots.place, *args)

    @post("/import/aliases", status_code=200)
    @everywhere(Verb.ADMIN)
    async def import_alias(request: Http, data: ImportAlias) -> Response[Outcome]:
        """Points an alias at an imported version, as anybody would."""
        args = caller(request), data.origin, data.model, data.alias, data.version
        return await change(app, request, _as_it_is, slots.point, *args)

    @get("/import/files")
    @everywhere(Verb.ADMIN)
    async def imported_files(folder: str, after: str = "") -> list[File]:
        """The files under a folder of the artifact store, with their digests, page by page."""
        return await app.read(files.files_in, folder, after)

    return [
        whoami, some_brought, match_experiment, match_model, import_experiment, import_runs,
        import_points, digest_points, import_logged_models, import_model_points, import_model,
        import_version, import_stage, import_alias, imported_files,
    ]  # fmt: skip


def _as_it_is(outcome: T) -> T:
    return outcome


def _nothing(done: None) -> dict[str, str]:
    return {}


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
