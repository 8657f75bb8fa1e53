"""Histories of one metric over many runs: whole, or sampled. MLflow's pages draw charts of them."""

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.mlflow.run_messages import MetricsAnswer, WireMetric, render_metric
from modelkeep.protocols.mlflow.wire import Int64, Message, Rpc, require
from modelkeep.services import histories
from modelkeep.services.app import App

BULK_LIMIT = 25_000  # points in one answer, of all runs together
SAMPLE_LIMIT = 2_500  # points of each run
RUNS_LIMIT = 100


class BulkHistory(Message):
    run_id: list[str] = []
    metric_key: str | None = None
    max_results: Int64 = BULK_LIMIT


class SampledHistory(Message):
    run_ids: list[str] = []
    metric_key: str = ""
    max_results: Int64 = SAMPLE_LIMIT
    start_step: Int64 | None = None
    end_step: Int64 | None = None


class BulkAnswer(Message):
    metrics: list[WireMetric]  # sent when there are none, too: MLflow's pages look for it


async def bulk_history(app: App, caller: Caller, request: BulkHistory) -> Message:
    _check_bulk(request)
    assert request.metric_key is not None
    limit = min(request.max_results, BULK_LIMIT)
    found = await app.read(histories.of_runs, request.run_id, request.metric_key, limit)
    return BulkAnswer(metrics=[render_metric(metric) for metric in found])


def _check_bulk(request: BulkHistory) -> None:
    name, given = "GetMetricHistoryBulk request", len(request.run_id)
    if not given:
        raise InvalidInput(f"{name} must specify at least one run_id.")
    if given > RUNS_LIMIT:
        raise InvalidInput(
            f"{name} cannot specify more than {RUNS_LIMIT} run_ids. Received {given} run_ids."
        )
    if request.metric_key is None:
        raise InvalidInput(f"{name} must specify a metric_key.")
    if request.max_results < 0:
        raise InvalidInput(f"max_results must not be negative, but is {request.max_results}.")


async def sampled_history(app: App, caller: Caller, request: SampledHistory) -> Message:
    given = len(request.run_ids)
    if not given:
        raise InvalidInput("Missing value for required parameter 'run_ids'.")
    if given > RUNS_LIMIT:
        raise InvalidInput(
            f"GetMetricHistoryBulkInterval request must specify at most {RUNS_LIMIT} run_ids. "
            f"Received {given} run_ids."
        )
    if not 1 <= request.max_results <= SAMPLE_LIMIT:
        raise InvalidInput(f"max_results must be between 1 and {SAMPLE_LIMIT}.")
    found = await app.read(
        histories.samples_of_runs,
        request.run_ids,
        require(request.metric_key, "metric_key"),
        request.max_results,
        _steps(request.start_step, request.end_step),
    )
    return MetricsAnswer(metrics=[render_metric(metric) for metric in found])


def _steps(start: int | None, end: int | None) -> tuple[int, int] | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InvalidInput(
            "If either start step or end step are specified, both must be specified."
        )
    if start > end:
        raise InvalidInput(
            "end_step must be greater than start_step. "
            f"Found start_step={start} and end_step={end}."
        )
    return start, end


RPCS: tuple[Rpc, ...] = (
    Rpc(("GET",), "metrics/get-history-bulk", BulkHistory, bulk_history),
    Rpc(("GET",), "metrics/get-history-bulk-interval", SampledHistory, sampled_history),
)
