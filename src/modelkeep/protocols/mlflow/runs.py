"""Runs and what is logged to them: the calls."""

from collections.abc import Sequence

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order, Position
from modelkeep.domain.tracking import ModelOutput
from modelkeep.ports.work import Work
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow.experiments import (
    DEFAULT_EXPERIMENT,
    parse_id,
    parse_size,
    parse_tags,
    parse_view,
)
from modelkeep.protocols.mlflow.run_messages import (
    CreateRun,
    LogBatch,
    LogInputs,
    LogKeyValue,
    LogMetric,
    LogModel,
    LogOutputs,
    MetricHistory,
    MetricsAnswer,
    RunAnswer,
    RunInfoAnswer,
    RunKey,
    RunsAnswer,
    SearchRuns,
    UpdateRun,
    parse_dataset,
    parse_metric,
    parse_status,
    render,
    render_info,
    render_metric,
    run_id_of,
)
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Message,
    Rpc,
    require,
)
from modelkeep.services import tracking
from modelkeep.services.app import App

PAGE = 1_000
HISTORY_LIMIT = 1_000_000  # points in one answer; also what a client gets that names no limit
EXPERIMENTS_LIMIT = 10_000  # experiments in one search


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
    run = await app.read(tracking.get_run, run_id_of(request))
    return RunAnswer(run=render(run))


async def update(app: App, caller: Caller, request: UpdateRun) -> Message:
    run = await app.write(
        tracking.update_run,
        caller,
        run_id_of(request),
        name=request.run_name,
        status=parse_status(request.status),
        end_ms=request.end_time,
    )
    return RunInfoAnswer(run_info=render_info(run))


async def delete(app: App, caller: Caller, request: RunKey) -> Message:
    await app.write(tracking.delete_run, caller, run_id_of(request))
    return Empty()


async def restore(app: App, caller: Caller, request: RunKey) -> Message:
    await app.write(tracking.restore_run, caller, run_id_of(request))
    return Empty()


async def search(app: App, caller: Caller, request: SearchRuns) -> Message:
    size = parse_size(request.max_results, PAGE)
    if len(request.experiment_ids) > EXPERIMENTS_LIMIT:
        raise InvalidInput(f"A search names at most {EXPERIMENTS_LIMIT} experiments.")
    experiment_ids = [parse_id(text) for text in request.experiment_ids]
    where = filters.parse_filter(request.filter, grammars.RUNS)
    order = filters.parse_order_by(request.order_by, grammars.RUNS)
    stages = parse_view(request.run_view_type)
    search = (experiment_ids, stages, where, order)
    after = page_position(request.page_token, search)
    return await app.search(_runs_page, *search, size, after)


def _runs_page(
    work: Work,
    experiment_ids: Sequence[int],
    stages: Sequence[str],
    where: Sequence[Comparison],
    order: Sequence[Order],
    size: int,
    after: Position | None,
) -> RunsAnswer:
    """Rendered where it was read: to do it in the event loop would stop everyone for a while."""
    search = (experiment_ids, stages, where, order)
    found = tracking.search_runs(work, *search, size, after)
    return RunsAnswer(
        runs=[render(run) for run in found.items],
        next_page_token=position_token(found.end, search),
    )


async def log_metric(app: App, caller: Caller, request: LogMetric) -> Message:
    metrics = [parse_metric(request)]
    await app.write(tracking.log_batch, caller, run_id_of(request), metrics, listed=False)
    return Empty()


async def log_param(app: App, caller: Caller, request: LogKeyValue) -> Message:
    param = (require(request.key, "key"), request.value)
    await app.write(tracking.log_batch, caller, run_id_of(request), params=[param], listed=False)
    return Empty()


async def set_tag(app: App, caller: Caller, request: LogKeyValue) -> Message:
    tag = (require(request.key, "key"), request.value)
    await app.write(tracking.log_batch, caller, run_id_of(request), tags=[tag], listed=False)
    return Empty()


async def delete_tag(app: App, caller: Caller, request: LogKeyValue) -> Message:
    await app.write(tracking.delete_tag, caller, run_id_of(request), require(request.key, "key"))
    return Empty()


async def log_batch(app: App, caller: Caller, request: LogBatch) -> Message:
    await app.write(
        tracking.log_batch,
        caller,
        run_id_of(request),
        [parse_metric(metric, index) for index, metric in enumerate(request.metrics)],
        [(require(p.key, f"params[{i}].key"), p.value) for i, p in enumerate(request.params)],
        [(require(t.key, f"tags[{i}].key"), t.value) for i, t in enumerate(request.tags)],
    )
    return Empty()


async def log_inputs(app: App, caller: Caller, request: LogInputs) -> Message:
    datasets = [parse_dataset(given) for given in request.datasets]
    models = [require(model.model_id, "models.model_id") for model in request.models]
    await app.write(tracking.log_inputs, caller, run_id_of(request), datasets, models)
    return Empty()


async def log_outputs(app: App, caller: Caller, request: LogOutputs) -> Message:
    outputs = [
        ModelOutput(require(model.model_id, "models.model_id"), model.step or 0)
        for model in request.models
    ]
    await app.write(tracking.log_outputs, caller, run_id_of(request), outputs)
    return Empty()


async def log_model(app: App, caller: Caller, request: LogModel) -> Message:
    model = require(request.model_json, "model_json")
    await app.write(tracking.log_model, caller, run_id_of(request), model)
    return Empty()


async def metric_history(app: App, caller: Caller, request: MetricHistory) -> Message:
    size = parse_size(request.max_results, HISTORY_LIMIT, HISTORY_LIMIT)
    run_id, key = run_id_of(request), require(request.metric_key, "metric_key")
    after = page_position(request.page_token, (run_id, key))
    return await app.read(_history_page, run_id, key, size, after)


def _history_page(
    work: Work, run_id: str, key: str, size: int, after: Position | None
) -> MetricsAnswer:
    """Rendered where it was read, as above: it may have a million points."""
    found = tracking.metric_history(work, run_id, key, size, after)
    return MetricsAnswer(
        metrics=[render_metric(metric) for metric in found.items],
        next_page_token=position_token(found.end, (run_id, key)),
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
