"""Experiments, as MLflow's clients speak of them. Their ids are digits in a string."""

import re
from collections.abc import Iterable

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.tracking import ACTIVE, DELETED, DatasetUse, Experiment
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Int64,
    KeyValue,
    Message,
    Rpc,
    page_size,
    require,
)
from modelkeep.services import experiments
from modelkeep.services.app import App

DEFAULT_EXPERIMENT = "0"
PAGE, LIMIT = 1_000, 50_000
DATASET_EXPERIMENTS_LIMIT = 20

_VIEWS = {
    "": (ACTIVE,),
    "0": (ACTIVE,),  # a number that was not set
    "1": (ACTIVE,),
    "2": (DELETED,),
    "3": (ACTIVE, DELETED),
    "ACTIVE_ONLY": (ACTIVE,),
    "DELETED_ONLY": (DELETED,),
    "ALL": (ACTIVE, DELETED),
}


class WireExperiment(Message):
    experiment_id: str = ""
    name: str = ""
    artifact_location: str = ""
    lifecycle_stage: str = ""
    creation_time: int | None = None
    last_update_time: int | None = None
    tags: list[KeyValue] = []


class ExperimentAnswer(Message):
    experiment: WireExperiment


class ExperimentsAnswer(Message):
    experiments: list[WireExperiment] = []
    next_page_token: str = ""


class Created(Message):
    experiment_id: str


class CreateExperiment(Message):
    name: str = ""
    artifact_location: str = ""
    tags: list[KeyValue] = []


class ExperimentKey(Message):
    experiment_id: str = ""


class ExperimentName(Message):
    experiment_name: str = ""


class RenameExperiment(Message):
    experiment_id: str = ""
    new_name: str = ""


class SearchDatasets(Message):
    experiment_ids: list[str] = []


class WireDatasetUse(Message):
    experiment_id: str
    name: str
    digest: str
    context: str = ""


class DatasetsAnswer(Message):
    dataset_summaries: list[WireDatasetUse] = []


class TagExperiment(Message):
    experiment_id: str = ""
    key: str = ""
    value: str = ""


class SearchExperiments(Message):
    filter: str = ""
    max_results: Int64 | None = None
    order_by: list[str] = []
    page_token: str = ""
    view_type: str | int = ""


def parse_id(text: str) -> int:
    """An experiment's number. Raises InvalidInput, or NotFound for one that cannot be."""
    if re.fullmatch(r"-?[0-9]+", text) is None:
        raise InvalidInput(
            f"Invalid experiment ID '{text[:100]}'. Experiment ID must be a valid integer."
        )
    if len(text) > 18:
        raise NotFound(f"No Experiment with id={text[:100]} exists")
    return int(text)


def parse_view(view_type: str | int) -> tuple[str, ...]:
    """The lifecycle stages that a view shows. Raises InvalidInput."""
    stages = _VIEWS.get(str(view_type))
    if stages is None:
        raise InvalidInput(f"Invalid value {str(view_type)[:100]!r} for parameter 'view_type'.")
    return stages


def parse_size(given: int | None, default: int, limit: int = LIMIT) -> int:
    """How many rows a page has: 1 to `limit`. Raises InvalidInput in the tracking calls' words."""
    if given is not None and given < 1:
        raise InvalidInput(
            f"Invalid value {given} for parameter 'max_results' supplied. "
            "It must be a positive integer."
        )
    return page_size(given, default, limit)


def parse_tags(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Of a key given twice the last value counts, as in MLflow."""
    return {pair.key: pair.value for pair in pairs}


def render_pairs(pairs: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in pairs.items()]


def render(experiment: Experiment) -> WireExperiment:
    return WireExperiment(
        experiment_id=str(experiment.id),
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=experiment.lifecycle_stage,
        creation_time=experiment.created_ms,
        last_update_time=experiment.updated_ms,
        tags=render_pairs(experiment.tags),
    )


def _id(request: ExperimentKey | RenameExperiment | TagExperiment) -> int:
    return parse_id(require(request.experiment_id, "experiment_id"))


async def create(app: App, caller: Caller, request: CreateExperiment) -> Message:
    name = require(request.name, "name")
    tags = parse_tags(request.tags)
    created = await app.write(
        experiments.create_experiment,
        caller,
        name,
        request.artifact_location,
        tags,
        app.closed,
        app.artifact_root,
    )
    return Created(experiment_id=str(created))


async def get(app: App, caller: Caller, request: ExperimentKey) -> Message:
    found = await app.read(experiments.get_experiment, _id(request), point=True)
    return ExperimentAnswer(experiment=render(found))


async def get_by_name(app: App, caller: Caller, request: ExperimentName) -> Message:
    name = require(request.experiment_name, "experiment_name")
    found = await app.read(experiments.get_experiment_by_name, name, point=True)
    return ExperimentAnswer(experiment=render(found))


async def search(app: App, caller: Caller, request: SearchExperiments) -> Message:
    size = parse_size(request.max_results, PAGE)
    where = filters.parse_filter(request.filter, grammars.EXPERIMENTS)
    grammar = grammars.EXPERIMENTS
    order = filters.parse_order_by(request.order_by, grammar) or grammar.default_order
    stages = parse_view(request.view_type)
    search = (stages, where, order)
    after = page_position(request.page_token, search)
    found = await app.search(experiments.search_experiments, *search, size, after)
    return ExperimentsAnswer(
        experiments=[render(experiment) for experiment in found.items],
        next_page_token=position_token(found.end, search),
    )


async def search_datasets(app: App, caller: Caller, request: SearchDatasets) -> Message:
    given = len(request.experiment_ids)
    if not given:
        raise InvalidInput("SearchDatasets request must specify at least one experiment_id.")
    if given > DATASET_EXPERIMENTS_LIMIT:
        raise InvalidInput(
            f"SearchDatasets request cannot specify more than {DATASET_EXPERIMENTS_LIMIT} "
            f"experiment_ids. Received {given} experiment_ids."
        )
    ids = [parse_id(text) for text in request.experiment_ids]
    found = await app.read(experiments.search_datasets, ids)
    return DatasetsAnswer(dataset_summaries=[_render_use(use) for use in found])


def _render_use(use: DatasetUse) -> WireDatasetUse:
    return WireDatasetUse(
        experiment_id=str(use.experiment_id),
        name=use.name,
        digest=use.digest,
        context=use.context,
    )


async def rename(app: App, caller: Caller, request: RenameExperiment) -> Message:
    new_name = require(request.new_name, "new_name")
    await app.write(experiments.rename_experiment, caller, _id(request), new_name)
    return Empty()


async def delete(app: App, caller: Caller, request: ExperimentKey) -> Message:
    await app.write(experiments.delete_experiment, caller, _id(request))
    return Empty()


async def restore(app: App, caller: Caller, request: ExperimentKey) -> Message:
    await app.write(experiments.restore_experiment, caller, _id(request))
    return Empty()


async def set_tag(app: App, caller: Caller, request: TagExperiment) -> Message:
    key = require(request.key, "key")
    await app.write(experiments.set_experiment_tag, caller, _id(request), key, request.value)
    return Empty()


async def delete_tag(app: App, caller: Caller, request: TagExperiment) -> Message:
    key = require(request.key, "key")
    await app.write(experiments.delete_experiment_tag, caller, _id(request), key)
    return Empty()


_POST, _GET = ("POST",), ("GET",)

RPCS: tuple[Rpc, ...] = (
    Rpc(_POST, "experiments/create", CreateExperiment, create),
    Rpc(_GET, "experiments/get", ExperimentKey, get),
    Rpc(_GET, "experiments/get-by-name", ExperimentName, get_by_name),
    Rpc(("GET", "POST"), "experiments/search", SearchExperiments, search),
    Rpc(_POST, "experiments/search-datasets", SearchDatasets, search_datasets),
    Rpc(_POST, "experiments/update", RenameExperiment, rename),
    Rpc(_POST, "experiments/delete", ExperimentKey, delete),
    Rpc(_POST, "experiments/restore", ExperimentKey, restore),
    Rpc(_POST, "experiments/set-experiment-tag", TagExperiment, set_tag),
    Rpc(_POST, "experiments/delete-experiment-tag", TagExperiment, delete_tag),
)
