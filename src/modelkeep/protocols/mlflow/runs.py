"""Runs and what is logged to them, as MLflow's clients speak of them.

A run has one id under two names: clients send `run_id` and the older `run_uuid`, and read either.
"""

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.tracking import RUN_STATUSES, Dataset, Metric, ModelOutput, Run
from modelkeep.protocols.mlflow import filters
from modelkeep.protocols.mlflow.experiments import (
    DEFAULT_EXPERIMENT,
    parse_id,
    parse_tags,
    parse_view,
    render_pairs,
)
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Int64,
    KeyValue,
    Message,
    Rpc,
    number,
    page_offset,
    page_size,
    page_token,
    parse_number,
    require,
)
from modelkeep.services import tracking
from modelkeep.services.app import App

PAGE, LIMIT = 1_000, 50_000
HISTORY_LIMIT = 1_000_000  # points in one answer; also what a client gets that names no limit
EXPERIMENTS_LIMIT = 10_000  # experiments in one search


# -- answers -----------------------------------------------------------------------------------


class WireMetric(Message):
    key: str = ""
    value: float | str | None = None
    timestamp: Int64 | None = None
    step: Int64 | None = None
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


class RunInfo(Message):
    run_id: str = ""
    run_uuid: str = ""
    run_name: str = ""
    experiment_id: str = ""
    user_id: str = ""
    status: str = ""
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str = ""
    lifecycle_stage: str = ""


class RunData(Message):
    metrics: list[WireMetric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class WireDataset(Message):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class DatasetInput(Message):
    tags: list[KeyValue] = []
    dataset: WireDataset | None = None


class ModelInput(Message):
    model_id: str = ""


class WireOutput(Message):
    model_id: str = ""
    step: Int64 | None = None


class RunInputs(Message):
    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class RunOutputs(Message):
    model_outputs: list[WireOutput] = []


class WireRun(Message):
    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class RunAnswer(Message):
    run: WireRun


class RunInfoAnswer(Message):
    run_info: RunInfo


class RunsAnswer(Message):
    runs: list[WireRun] = []
    next_page_token: str = ""


class MetricsAnswer(Message):
    metrics: list[WireMetric] = []
    next_page_token: str = ""


def render_metric(metric: Metric) -> WireMetric:
    return WireMetric(
        key=metric.key,
        value=number(metric.value),
        timestamp=metric.at_ms,
        step=metric.step,
        model_id=metric.model_id or "",
        dataset_name=metric.dataset_name or "",
        dataset_digest=metric.dataset_digest or "",
        run_id=metric.run_id or "",
    )


def render_info(run: Run) -> RunInfo:
    return RunInfo(
        run_id=run.run_id,
        run_uuid=run.run_id,
        run_name=run.name,
        experiment_id=str(run.experiment_id),
        user_id=run.user_id,
        status=run.status,
        start_time=run.start_ms,
        end_time=run.end_ms,
        artifact_uri=run.artifact_uri,
        lifecycle_stage=run.lifecycle_stage,
    )


def render(run: Run) -> WireRun:
    return WireRun(
        info=render_info(run),
        data=RunData(
            metrics=[render_metric(metric) for metric in run.latest],
            params=render_pairs(run.params),
            tags=render_pairs(run.tags),
        ),
        inputs=RunInputs(
            dataset_inputs=[_render_dataset(dataset) for dataset in run.datasets],
            model_inputs=[ModelInput(model_id=model_id) for model_id in run.model_inputs],
        ),
        outputs=RunOutputs(
            model_outputs=[WireOutput(model_id=o.model_id, step=o.step) for o in run.model_outputs]
        ),
    )


def _render_dataset(dataset: Dataset) -> DatasetInput:
    return DatasetInput(
        tags=render_pairs(dataset.tags),
        dataset=WireDataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema,
            profile=dataset.profile,
        ),
    )


# -- requests ----------------------------------------------------------------------------------


class CreateRun(Message):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: list[KeyValue] = []


class RunKey(Message):
    run_id: str = ""
    run_uuid: str = ""


class UpdateRun(RunKey):
    status: str | int | None = None
    end_time: Int64 | None = None
    run_name: str = ""


class LogMetric(RunKey):
    key: str = ""
    value: float | str | None = None
    timestamp: Int64 | None = None
    step: Int64 | None = None
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogKeyValue(RunKey):
    """A param, or a tag."""

    key: str = ""
    value: str = ""


class LogBatch(RunKey):
    metrics: list[WireMetric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class LogInputs(RunKey):
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(RunKey):
    models: list[WireOutput] = []


class LogModel(RunKey):
    model_json: str = ""


class SearchRuns(Message):
    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str | int = ""
    max_results: Int64 | None = None
    order_by: list[str] = []
    page_token: str = ""


class MetricHistory(RunKey):
    metric_key: str = ""
    max_results: Int64 | None = None
    page_token: str = ""


def _run_id(request: RunKey) -> str:
    return require(request.run_id or request.run_uuid, "run_id")


def _parse_status(status: str | int | None) -> str | None:
    """A status by its name or its number in the protocol."""
    if status is None or status in RUN_STATUSES:
        return None if status is None else str(status)
    text = str(status)
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(RUN_STATUSES):
        return RUN_STATUSES[int(text[:9]) - 1]
    raise InvalidInput(
        f"Invalid value {text[:100]!r} for parameter 'status'. "
        f"Valid values are {', '.join(RUN_STATUSES)}."
    )


def parse_metric(metric: WireMetric | LogMetric, path: str = "") -> Metric:
    """Raises InvalidInput for one without key, value or timestamp; `path` leads to it."""
    require(metric.key, f"{path}key")
    if metric.value is None:
        raise InvalidInput(f"Missing value for required parameter '{path}value'.")
    if metric.timestamp is None:
        raise InvalidInput(f"Missing value for required parameter '{path}timestamp'.")
    return Metric(
        key=metric.key,
        value=parse_number(metric.value),
        at_ms=metric.timestamp,
        step=metric.step or 0,
        model_id=metric.model_id or None,
        dataset_name=metric.dataset_name or None,
        dataset_digest=metric.dataset_digest or None,
    )


def _parse_dataset(given: DatasetInput) -> Dataset:
    if given.dataset is None:
        raise InvalidInput("Dataset input must have a dataset associated with it.")
    return Dataset(
        name=given.dataset.name,
        digest=given.dataset.digest,
        source_type=given.dataset.source_type,
        source=given.dataset.source,
        schema=given.dataset.schema,
        profile=given.dataset.profile,
        tags=parse_tags(given.tags),
    )


# -- calls -------------------------------------------------------------------------------------


async def create(app: App, caller: Caller, request: CreateRun) -> Message:
    run = await app.write(
        tracking.create_run,
        caller,
        parse_id(request.experiment_id or DEFAULT_EXPERIMENT),
        name=request.run_name,
        user_id=request.user_id,
        start_ms=request.start_time,
        tags=parse_tags(request.tags),
    )
    return RunAnswer(run=render(run))


async def get(app: App, caller: Caller, request: RunKey) -> Message:
    # No point read: a run may have thousands of metrics.
    run = await app.read(tracking.get_run, _run_id(request))
    return RunAnswer(run=render(run))


async def update(app: App, caller: Caller, request: UpdateRun) -> Message:
    run = await app.write(
        tracking.update_run,
        _run_id(request),
        name=request.run_name,
        status=_parse_status(request.status),
        end_ms=request.end_time,
    )
    return RunInfoAnswer(run_info=render_info(run))


async def delete(app: App, caller: Caller, request: RunKey) -> Message:
    await app.write(tracking.delete_run, _run_id(request))
    return Empty()


async def restore(app: App, caller: Caller, request: RunKey) -> Message:
    await app.write(tracking.restore_run, _run_id(request))
    return Empty()


async def search(app: App, caller: Caller, request: SearchRuns) -> Message:
    size = page_size(request.max_results, PAGE, LIMIT)
    offset = page_offset(request.page_token)
    if len(request.experiment_ids) > EXPERIMENTS_LIMIT:
        raise InvalidInput(f"A search names at most {EXPERIMENTS_LIMIT} experiments.")
    experiment_ids = [parse_id(text) for text in request.experiment_ids]
    where = filters.parse_filter(request.filter, filters.RUNS)
    order = filters.parse_order_by(request.order_by, filters.RUNS)
    stages = parse_view(request.run_view_type)
    found = await app.read(
        tracking.search_runs, experiment_ids, stages, where, order, size + 1, offset
    )
    return RunsAnswer(
        runs=[render(run) for run in found[:size]],
        next_page_token=page_token(offset + size) if len(found) > size else "",
    )


async def log_metric(app: App, caller: Caller, request: LogMetric) -> Message:
    await app.write(tracking.log_batch, _run_id(request), [parse_metric(request)])
    return Empty()


async def log_param(app: App, caller: Caller, request: LogKeyValue) -> Message:
    param = (require(request.key, "key"), request.value)
    await app.write(tracking.log_batch, _run_id(request), params=[param])
    return Empty()


async def set_tag(app: App, caller: Caller, request: LogKeyValue) -> Message:
    tag = (require(request.key, "key"), request.value)
    await app.write(tracking.log_batch, _run_id(request), tags=[tag])
    return Empty()


async def delete_tag(app: App, caller: Caller, request: LogKeyValue) -> Message:
    await app.write(tracking.delete_tag, _run_id(request), require(request.key, "key"))
    return Empty()


async def log_batch(app: App, caller: Caller, request: LogBatch) -> Message:
    await app.write(
        tracking.log_batch,
        _run_id(request),
        [parse_metric(m, f"metrics[{index}].") for index, m in enumerate(request.metrics)],
        [(require(p.key, f"params[{i}].key"), p.value) for i, p in enumerate(request.params)],
        [(require(t.key, f"tags[{i}].key"), t.value) for i, t in enumerate(request.tags)],
    )
    return Empty()


async def log_inputs(app: App, caller: Caller, request: LogInputs) -> Message:
    datasets = [_parse_dataset(given) for given in request.datasets]
    models = [require(model.model_id, "models.model_id") for model in request.models]
    await app.write(tracking.log_inputs, _run_id(request), datasets, models)
    return Empty()


async def log_outputs(app: App, caller: Caller, request: LogOutputs) -> Message:
    outputs = [
        ModelOutput(require(model.model_id, "models.model_id"), model.step or 0)
        for model in request.models
    ]
    await app.write(tracking.log_outputs, _run_id(request), outputs)
    return Empty()


async def log_model(app: App, caller: Caller, request: LogModel) -> Message:
    model = require(request.model_json, "model_json")
    await app.write(tracking.log_model, _run_id(request), model)
    return Empty()


async def metric_history(app: App, caller: Caller, request: MetricHistory) -> Message:
    size = page_size(request.max_results, HISTORY_LIMIT, HISTORY_LIMIT)
    offset = page_offset(request.page_token)
    key = require(request.metric_key, "metric_key")
    found = await app.read(tracking.metric_history, _run_id(request), key, size + 1, offset)
    return MetricsAnswer(
        metrics=[render_metric(metric) for metric in found[:size]],
        next_page_token=page_token(offset + size) if len(found) > size else "",
    )


_POST, _GET = ("POST",), ("GET",)

RPCS: tuple[Rpc, ...] = (
    Rpc(_POST, "runs/create", CreateRun, create),
    Rpc(_GET, "runs/get", RunKey, get),
    Rpc(_POST, "runs/update", UpdateRun, update),
    Rpc(_POST, "runs/delete", RunKey, delete),
    Rpc(_POST, "runs/restore", RunKey, restore),
    Rpc(_POST, "runs/search", SearchRuns, search),
    Rpc(_POST, "runs/log-metric", LogMetric, log_metric),
    Rpc(_POST, "runs/log-parameter", LogKeyValue, log_param),
    Rpc(_POST, "runs/set-tag", LogKeyValue, set_tag),
    Rpc(_POST, "runs/delete-tag", LogKeyValue, delete_tag),
    Rpc(_POST, "runs/log-batch", LogBatch, log_batch),
    Rpc(_POST, "runs/log-inputs", LogInputs, log_inputs),
    Rpc(_POST, "runs/outputs", LogOutputs, log_outputs),
    Rpc(_POST, "runs/log-model", LogModel, log_model),
    Rpc(_GET, "metrics/get-history", MetricHistory, metric_history),
)
