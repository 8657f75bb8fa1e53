"""Rows of experiments, runs and logged models.

An `experiment_id` is a number; a `run_id` and a `model_id` are the text by which clients know the
thing; a plain `id` is a run's row. `get` reads a thing with all that was logged to it, `find`
without. Times are milliseconds since the epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import (
    Dataset,
    DatasetUse,
    Experiment,
    LoggedModel,
    Metric,
    ModelOutput,
    Run,
)


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known of a run before it has a row."""

    run_id: str
    experiment_id: int
    name: str
    user_id: str
    author: str
    start_ms: int
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class NewLoggedModel:
    """What is known of a logged model before it has a row."""

    model_id: str
    experiment_id: int
    name: str
    model_type: str | None
    source_run_id: str | None
    author: str
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """A data set by its name and its digest, of which either may be empty: any will do."""

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class MetricOrder:
    """An order by a metric's latest value, measured on one data set if it is given."""

    order: Order
    dataset: DatasetFilter | None = None


class Experiments(Protocol):
    def get(self, experiment_id: int) -> Experiment | None:
        """With its tags; deleted ones too."""
        ...

    def named(self, name: str) -> Experiment | None:
        """As `get`. A deleted experiment keeps its name."""
        ...

    def add(
        self, name: str, artifact_location: str, author: str, at_ms: int, root: str = ""
    ) -> int:
        """The new id. An empty location becomes the id under `root`, or of a folder of ours."""
        ...

    def locate(self, experiment_id: int, root: str, at_ms: int) -> None:
        """Its artifacts lie under this root, by its id."""
        ...

    def any_within(self, folder: str) -> bool:
        """Whether one keeps its artifacts in a folder of the artifact store, or below it."""
        ...

    def rename(self, experiment_id: int, name: str, at_ms: int) -> None: ...
    def set_lifecycle(self, experiment_id: int, stage: str, at_ms: int) -> None: ...
    def set_tags(self, experiment_id: int, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, experiment_id: int, key: str) -> bool: ...
    def search(
        self,
        stages: Sequence[str],
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Experiment]: ...


class Runs(Protocol):
    def get(self, run_id: str) -> Run | None:
        """Deleted ones too."""
        ...

    def find(self, run_id: str) -> Run | None: ...
    def add(self, new: NewRun) -> int: ...
    def update(self, id: int, *, name: str, status: str, end_ms: int | None) -> None: ...
    def set_lifecycle(self, id: int, stage: str, at_ms: int) -> None: ...
    def set_lifecycle_in(self, experiment_id: int, stage: str, at_ms: int) -> None:
        """Of every run of an experiment."""
        ...

    def params(self, id: int, keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that are set."""
        ...

    def add_params(self, id: int, params: Mapping[str, str]) -> None: ...
    def tag(self, id: int, key: str) -> str | None: ...
    def set_tags(self, id: int, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, id: int, key: str) -> bool: ...
    def log_metrics(self, id: int, metrics: Sequence[Metric]) -> None:
        """Adds points, and moves the latest on. A point that is there already stays one."""
        ...

    def history(self, id: int, key: str, limit: int, after: Position | None) -> Page[Metric]:
        """A page by time, step and value. Raises InvalidInput for a position in another order."""
        ...

    def points(self, id: int, after: Metric | None, limit: int) -> list[Metric]:
        """Points of every metric, in one order: those that follow one, or the first."""
        ...

    def histories(self, run_ids: Sequence[str], key: str, limit: int) -> list[Metric]:
        """The first points of many runs, by run id, then as in `history`; each says its run."""
        ...

    def sample(self, id: int, key: str, size: int, steps: tuple[int, int] | None) -> list[Metric]:
        """The points at `sample_places`, by step, time and value; of all or of a span of steps."""
        ...

    def authors(self, experiment_id: int) -> list[str]:
        """Who made the runs of an experiment, deleted ones too."""
        ...

    def dataset_uses(self, experiment_ids: Sequence[int], limit: int) -> list[DatasetUse]:
        """Those by the experiments' runs, deleted ones too, by their fields."""
        ...

    def add_datasets(self, id: int, datasets: Sequence[Dataset]) -> None:
        """A data set (name, digest) that the run has already stays as it is."""
        ...

    def add_model_inputs(self, id: int, model_ids: Sequence[str]) -> None: ...
    def add_model_outputs(self, id: int, outputs: Sequence[ModelOutput]) -> None: ...
    def search(
        self,
        experiment_ids: Sequence[int],
        stages: Sequence[str],
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Run]:
        """Ends any order with the newest start first, then the run id."""
        ...


class LoggedModels(Protocol):
    def get(self, model_id: str, *, deleted: bool = False) -> LoggedModel | None:
        """`deleted` finds deleted ones too."""
        ...

    def find(self, model_id: str, *, deleted: bool = False) -> LoggedModel | None: ...
    def add(self, new: NewLoggedModel, at_ms: int) -> None: ...
    def set_status(self, model_id: str, status: str, at_ms: int) -> None: ...
    def delete(self, model_id: str, at_ms: int) -> None: ...
    def params(self, model_id: str, keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that are set."""
        ...

    def add_params(self, model_id: str, params: Mapping[str, str]) -> None: ...
    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, model_id: str, key: str) -> bool: ...
    def log_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        """Records those of the points that name a model; a point that is there stays one."""
        ...

    def search(
        self,
        experiment_ids: Sequence[int],
        where: Sequence[Comparison],
        datasets: Sequence[DatasetFilter],
        order: Sequence[MetricOrder],
        limit: int,
        after: Position | None,
    ) -> Page[LoggedModel]:
        """Those measured on one of the data sets, if any are given.

        Comparisons of metrics then look at those data sets alone. Ends any order with the newest
        first, then the model id.
        """
        ...
