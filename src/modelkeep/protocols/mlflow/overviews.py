"""What MLflow's pages ask of many runs at once: histories for a chart, and data sets.

Clients in other languages use them too. They answer under `/api` as well, where MLflow has some
of them under `/ajax-api` alone.
"""

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.tracking import DatasetSummary
from modelkeep.protocols.mlflow.experiments import parse_id
from modelkeep.protocols.mlflow.run_messages import WireMetric, render_metric
from modelkeep.protocols.mlflow.wire import Int64, Message, Rpc, missing, page_size, require
from modelkeep.services import experiments, tracking
from modelkeep.services.app import App

HISTORY_LIMIT = 25_000  # points of all runs together
SAMPLE_LIMIT = 2_500  # points of each run
RUNS_LIMIT = 100
EXPERIMENTS_LIMIT = 20
DATASETS_LIMIT = 1_000

_ALL_STEPS = (-(2**63), 2**63 - 1)


class BulkHistory(Message):
    run_id: list[str] = []
    metric_key: str | None = None
    max_results: Int64 | None = None


class SampledHistory(Message):
    run_ids: list[str] = []
    metric_key: str = ""
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 = SAMPLE_LIMIT


class Points(Message):
    metrics: list[WireMetric]  # always sent, unlike in an answer of one run's history


class SearchDatasets(Message):
    experiment_ids: list[str] = []


class WireSummary(Message):
    experiment_id: str
    name: str
    digest: str
    context: str = ""


class Datasets(Message):
    dataset_summaries: list[WireSummary] = []


async def bulk_history(app: App, caller: Caller, request: BulkHistory) -> Message:
    """Whole histories, one run after the other; runs that are not there are left out."""
    _check_count("GetMetricHistoryBulk", "run_id", len(request.run_id), RUNS_LIMIT)
    if request.metric_key is None:
        raise InvalidInput("GetMetricHistoryBulk request must specify a metric_key.")
    given = request.max_results
    size = page_size(given and min(given, HISTORY_LIMIT), HISTORY_LIMIT, HISTORY_LIMIT)
    points = await app.read(tracking.metric_histories, request.run_id, request.metric_key, size)
    return Points(metrics=[render_metric(point) for point in points])


async def sampled_history(app: App, caller: Caller, request: SampledHistory) -> Message:
    """Histories thinned out evenly, each run's for itself."""
    if not request.run_ids:
        raise missing("run_ids")
    if len(request.run_ids) > RUNS_LIMIT:
        raise InvalidInput(
            f"GetMetricHistoryBulkInterval request must specify at most {RUNS_LIMIT} run_ids. "
            f"Received {len(request.run_ids)} run_ids."
        )
    key = require(request.metric_key, "metric_key")
    if not 1 <= request.max_results <= SAMPLE_LIMIT:
        raise InvalidInput(f"max_results must be between 1 and {SAMPLE_LIMIT}.")
    steps = _steps(request)
    points = await app.read(
        tracking.sampled_histories, request.run_ids, key, steps, request.max_results
    )
    return Points(metrics=[render_metric(point) for point in points])


async def search_datasets(app: App, caller: Caller, request: SearchDatasets) -> Message:
    """The data sets that an experiment's runs read, each once for each context."""
    count = len(request.experiment_ids)
    _check_count("SearchDatasets", "experiment_id", count, EXPERIMENTS_LIMIT)
    ids = [parse_id(text) for text in request.experiment_ids]
    found = await app.read(experiments.search_datasets, ids, DATASETS_LIMIT)
    return Datasets(dataset_summaries=[_render(summary) for summary in found])


def _render(summary: DatasetSummary) -> WireSummary:
    return WireSummary(
        experiment_id=str(summary.experiment_id),
        name=summary.name,
        digest=summary.digest,
        context=summary.context,
    )


def _check_count(request: str, what: str, count: int, limit: int) -> None:
    if count == 0:
        raise InvalidInput(f"{request} request must specify at least one {what}.")
    if count > limit:
        raise InvalidInput(
            f"{request} request cannot specify more than {limit} {what}s. Received {count} {what}s."
        )


def _steps(request: SampledHistory) -> tuple[int, int]:
    first, last = request.start_step, request.end_step
    if first is None and last is None:
        return _ALL_STEPS
    if first is None or last is None:
        raise InvalidInput(
            "If either start step or end step are specified, both must be specified."
        )
    if first > last:
        raise InvalidInput(
            "end_step must be greater than start_step. "
            f"Found start_step={first} and end_step={last}."
        )
    return first, last


_POST, _GET = ("POST",), ("GET",)

RPCS: tuple[Rpc, ...] = (
    Rpc(_GET, "metrics/get-history-bulk", BulkHistory, bulk_history),
    Rpc(_GET, "metrics/get-history-bulk-interval", SampledHistory, sampled_history),
    Rpc(_POST, "experiments/search-datasets", SearchDatasets, search_datasets),
)
