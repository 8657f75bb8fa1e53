"""What is said of runs on MLflow's wire: requests, answers, and how to read and write them.

A run has one id under two names: clients send `run_id` and the older `run_uuid`, and read either.
"""

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.tracking import RUN_STATUSES, Dataset, Metric, Run
from modelkeep.protocols.mlflow.experiments import parse_tags, render_pairs
from modelkeep.protocols.mlflow.wire import (
    LARGEST,
    Int64,
    KeyValue,
    Message,
    missing,
    number,
    parse_number,
    require,
)

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
    user_id: str  # sent even if it is empty, as MLflow does
    run_id: str = ""
    run_uuid: str = ""
    run_name: str = ""
    experiment_id: str = ""
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


def run_id_of(request: RunKey) -> str:
    return require(request.run_id or request.run_uuid, "run_id")


def parse_status(status: str | int | None) -> str | None:
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


def parse_metric(metric: WireMetric | LogMetric, index: int | None = None) -> Metric:
    """Raises InvalidInput for one without key, value or timestamp; `index` is its place in a list.

    A batch calls this a thousand times: what only a message needs is made when there is one.
    """
    value, timestamp = metric.value, metric.timestamp
    if not metric.key or value is None or timestamp is None:
        raise _incomplete(metric, "" if index is None else f"metrics[{index}].")
    return Metric(
        metric.key,
        value if type(value) is float and abs(value) < LARGEST else parse_number(value),
        timestamp,
        metric.step or 0,
        metric.model_id or None,
        metric.dataset_name or None,
        metric.dataset_digest or None,
    )


def _incomplete(metric: WireMetric | LogMetric, path: str) -> InvalidInput:
    given = {"key": metric.key or None, "value": metric.value, "timestamp": metric.timestamp}
    return missing(path + next(name for name, value in given.items() if value is None))


def parse_dataset(given: DatasetInput) -> Dataset:
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
