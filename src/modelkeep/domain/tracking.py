"""Experiments, runs and logged models, and what may be written to them.

What was written stays what was written: a param never changes, a metric's points are only added
to, and a deleted run takes nothing more. Limits are MLflow's (3.17 `utils/validation.py`), which
cuts the values of a run's params and tags. Times are milliseconds since the epoch, UTC.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import EXPERIMENT_NAME_LIMIT, check_key, check_tag_key, check_text

ACTIVE = "active"
DELETED = "deleted"
RUN_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
MODEL_STATUSES = ("PENDING", "READY", "UPLOAD_FAILED")

RUN_NAME_TAG = "mlflow.runName"  # says the same as the run's name, always
MODEL_HISTORY_TAG = "mlflow.log-model.history"  # a JSON list of what 2.x clients logged
CONTEXT_TAG = "mlflow.data.context"  # what a run used a data set for

RUN_ID_LIMIT = 256
MODEL_ID_LIMIT = 256
USER_ID_LIMIT = 256
MODEL_TYPE_LIMIT = 500
PARAM_VALUE_LIMIT = 6000
TAG_VALUE_LIMIT = 8000
EXPERIMENT_TAG_VALUE_LIMIT = 20_000
BATCH_METRICS_LIMIT = 1000
BATCH_PARAMS_LIMIT = 100
BATCH_TAGS_LIMIT = 100
BATCH_LIMIT = 1000
INPUTS_LIMIT = 10_000  # of one call that logs what a run read or made
MODEL_KEY_LIMIT = 500  # of a logged model's tags and params, which are any text
MODEL_VALUE_LIMIT = 100_000  # and these are not cut
DATASET_USES_LIMIT = 1000  # in one answer

_DATASET_LIMITS = {
    "name": 500,
    "digest": 36,
    "source_type": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}
_MODEL_NAME_FORBIDS = ("/", ":", ".", "%", '"', "'")
_MODEL_NAME_LIMIT = 500


# -- values ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Experiment:
    """A folder of runs. `artifact_location` is where theirs go; an inert label unless ours.

    `author` is who made it, an empty text where nobody knows.
    """

    id: int
    name: str
    artifact_location: str
    lifecycle_stage: str
    created_ms: int
    updated_ms: int
    author: str = ""
    tags: dict[str, str] = field(default_factory=dict)


class Metric(NamedTuple):
    """One point of a metric. `value` may be NaN or infinite.

    With `model_id` it is also a logged model's, measured on the data set named, if one is.
    A tuple, because they come by the thousand: it costs a third of a frozen dataclass.
    """

    key: str
    value: float
    at_ms: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None

    @property
    def recency(self) -> tuple[int, int, float, bool]:
        """The greatest of a metric's points is its latest, in whichever order they came.

        NaN counts as 0, as in MLflow, and beats a 0 of the same step and time.
        """
        is_nan = math.isnan(self.value)
        return self.step, self.at_ms, 0.0 if is_nan else self.value, is_nan


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that a run read, as the client described it; `source` is never opened."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """That some run of an experiment read a data set, and for what; "" when it was not said."""

    experiment_id: int
    name: str
    digest: str
    context: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A logged model that a run made, and at which step."""

    model_id: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One execution. `id` is the row's, `run_id` the name by which clients know it.

    `user_id` is what the client said; `author` is who called. `latest` holds the latest point of
    each metric.
    """

    id: int
    run_id: str
    experiment_id: int
    name: str
    user_id: str
    author: str
    status: str
    start_ms: int
    end_ms: int | None
    artifact_uri: str
    lifecycle_stage: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    latest: tuple[Metric, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[ModelOutput, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of each metric."""
        return {metric.key: metric.value for metric in self.latest}


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run has logged, before anybody registers it (MLflow 3).

    `points` are all that was measured of it, on whichever data set; `registrations` the names and
    numbers of the versions that were registered from it.
    """

    id: int
    model_id: str
    experiment_id: int
    name: str
    model_type: str | None
    source_run_id: str | None
    status: str
    author: str
    artifact_uri: str
    created_ms: int
    updated_ms: int
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: tuple[Metric, ...] = ()
    registrations: tuple[tuple[str, int], ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of each metric, over all data sets."""
        return {p.key: p.value for p in sorted(self.points, key=lambda point: point.recency)}


# -- rules -------------------------------------------------------------------------------------


def check_experiment_name(name: str) -> str:
    """1 to 500 characters, none of them a control character."""
    if not name or any(ord(character) < 0x20 or character == "\x7f" for character in name):
        raise InvalidInput(f"Invalid experiment name: {name[:EXPERIMENT_NAME_LIMIT]!r}")
    return check_text(name, "name", EXPERIMENT_NAME_LIMIT)


def check_logged_model_name(name: str) -> str:
    """1 to 500 characters, and none of MLflow's forbidden ones."""
    if not name or any(character in name for character in _MODEL_NAME_FORBIDS):
        raise InvalidInput(
            f"Invalid model name ({name[:_MODEL_NAME_LIMIT]!r}) provided. Model name must be a "
            "non-empty string and cannot contain the following characters: "
            f"{_MODEL_NAME_FORBIDS}"
        )
    return check_text(name, "name", _MODEL_NAME_LIMIT)


def check_metrics(metrics: Sequence[Metric], *, listed: bool = True) -> None:
    """A message says which one it means if they are `listed`, as in `metrics[3].timestamp`."""
    known: set[str] = set()
    for index, metric in enumerate(metrics):
        if metric.key not in known:
            check_key(metric.key, "metric", place_in("metrics", index, listed))
            known.add(metric.key)
        if metric.at_ms < 0:
            raise InvalidInput(
                f"Invalid value {metric.at_ms} for parameter "
                f"'{place_in('metrics', index, listed)}timestamp' supplied: "
                f"metric '{metric.key}' (value={metric.value}). "
                "Timestamp must be a nonnegative long (64-bit integer) "
            )
        if metric.dataset_name is not None or metric.dataset_digest is not None:
            _check_measured_on(metric.dataset_name, metric.dataset_digest)


def place_in(name: str, index: int, listed: bool) -> str:
    """What a message begins a field's name with: where the field is, if it is in a list."""
    return f"{name}[{index}]." if listed else ""


def _check_measured_on(name: str | None, digest: str | None) -> None:
    if name is None or digest is None:
        raise InvalidInput(
            "Both dataset_name and dataset_digest must be provided if one is provided"
        )
    check_text(name, "dataset_name", _DATASET_LIMITS["name"])
    check_text(digest, "dataset_digest", _DATASET_LIMITS["digest"])


def fitting_param(key: str, value: str, place: str = "") -> str:
    """A param's value as a run keeps it: cut to 6,000 characters, as MLflow's server does."""
    check_key(key, "param", place)
    return value[:PARAM_VALUE_LIMIT]


def fitting_tag(key: str, value: str, place: str = "") -> str:
    """A tag's value as a run keeps it: cut to 8,000 characters, as MLflow's server does."""
    check_key(key, "tag", place)
    return value[:TAG_VALUE_LIMIT]


def check_param(key: str, value: str) -> None:
    """As a run keeps it: an importer brings nothing over that would have to be cut."""
    check_key(key, "param")
    check_text(value, "Param value", PARAM_VALUE_LIMIT)


def check_run_tag(key: str, value: str) -> None:
    """As `check_param`."""
    check_key(key, "tag")
    check_text(value, "value", TAG_VALUE_LIMIT)


def check_logged_model_param(key: str, value: str) -> None:
    check_tag_key(key, MODEL_KEY_LIMIT)
    check_text(value, "Param value", MODEL_VALUE_LIMIT)


def check_logged_model_tag(key: str, value: str) -> None:
    check_tag_key(key, MODEL_KEY_LIMIT)
    check_text(value, "value", MODEL_VALUE_LIMIT)


def check_experiment_tag(key: str, value: str) -> None:
    check_key(key, "tag")
    check_text(value, "value", EXPERIMENT_TAG_VALUE_LIMIT)


def check_dataset(dataset: Dataset) -> None:
    for name, limit in _DATASET_LIMITS.items():
        value = getattr(dataset, name)
        if name in ("name", "digest") and not value:
            raise InvalidInput(f"Missing value for required parameter 'dataset.{name}'.")
        check_text(value or "", name, limit)
    for key, value in dataset.tags.items():
        check_text(key, "key", 255)
        check_text(value, "value", 500)


def check_batch(metrics: int, params: int, tags: int) -> None:
    """How many of each one batch may carry."""
    for what, limit, length in (
        ("metrics", BATCH_METRICS_LIMIT, metrics),
        ("params", BATCH_PARAMS_LIMIT, params),
        ("tags", BATCH_TAGS_LIMIT, tags),
        ("metrics, params, and tags", BATCH_LIMIT, metrics + params + tags),
    ):
        check_count(what, limit, length)


def check_count(what: str, limit: int, length: int) -> None:
    """That a request lists at most `limit` of something."""
    if length > limit:
        raise InvalidInput(
            f"A batch logging request can contain at most {limit} {what}. Got {length} {what}. "
            f"Please split up {what} across multiple requests and try again."
        )


def unique(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Params as a mapping. Raises InvalidInput if a key comes twice."""
    params: dict[str, str] = {}
    repeated = []
    for key, value in pairs:
        if key in params:
            repeated.append(key)
        params[key] = value
    if repeated:
        raise InvalidInput(
            f"Duplicate parameter keys have been submitted: {repeated}. Please ensure "
            "the request contains only one param value per param key."
        )
    return params


def new_params(known: Mapping[str, str], given: Mapping[str, str], owner: str) -> dict[str, str]:
    """Those of `given` that aren't known yet. Raises InvalidInput if one would change.

    `owner` names the run or model in the message.
    """
    changed = [
        {"key": key, "old_value": known[key], "new_value": value}
        for key, value in given.items()
        if known.get(key, value) != value
    ]
    if len(changed) == 1 == len(given):
        raise InvalidInput(
            "Changing param values is not allowed. Param with key='{key}' was already logged with "
            "value='{old_value}' for {owner}. Attempted logging new value '{new_value}'.".format(
                **changed[0], owner=owner
            )
        )
    if changed:
        raise InvalidInput(
            f"Changing param values is not allowed. Params were already logged='{changed}' "
            f"for {owner}."
        )
    return {key: value for key, value in given.items() if key not in known}


def sample_places(total: int, size: int) -> Sequence[int]:
    """Which of `total` points in a row, counted from 1, make a sample of at most `size`.

    The points fall into `size` groups that are equally large but for one point; the first of each
    is taken, and of the last group the last (MLflow 3.17, `get_metric_history_bulk_interval`).
    """
    if total <= size:
        return range(1, total + 1)
    each, more = divmod(total, size)
    return [*(1 + i * each + min(i, more) for i in range(size - 1)), total]
