"""Logged models, as MLflow's 3.x clients speak of them."""

import base64
import binascii
import zlib
from collections.abc import Sequence

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order, Position
from modelkeep.domain.tracking import MODEL_STATUSES, LoggedModel
from modelkeep.ports.tracking import DatasetFilter, MetricOrder
from modelkeep.ports.work import Work
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow.experiments import parse_id, parse_tags, render_pairs
from modelkeep.protocols.mlflow.run_messages import WireMetric, render_metric
from modelkeep.protocols.mlflow.runs import EXPERIMENTS_LIMIT
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Int64,
    KeyValue,
    Message,
    Rpc,
    page_size,
    require,
)
from modelkeep.services import tracking
from modelkeep.services.app import App

PAGE, LIMIT = 100, 50_000
DATASETS_LIMIT = 100  # data sets in one search
_STATUS_PREFIX = "LOGGED_MODEL_"


class Registration(Message):
    name: str
    version: str


class ModelInfo(Message):
    model_type: str  # these two are sent even if they are empty, as MLflow does
    source_run_id: str
    model_id: str = ""
    experiment_id: str = ""
    name: str = ""
    creation_timestamp_ms: int | None = None
    last_updated_timestamp_ms: int | None = None
    artifact_uri: str = ""
    status: str = ""
    tags: list[KeyValue] = []
    registrations: list[Registration] = []


class ModelData(Message):
    params: list[KeyValue] = []
    metrics: list[WireMetric] = []


class WireLoggedModel(Message):
    info: ModelInfo
    data: ModelData


class ModelAnswer(Message):
    model: WireLoggedModel


class ModelsAnswer(Message):
    models: list[WireLoggedModel] = []
    next_page_token: str = ""


class CreateModel(Message):
    experiment_id: str = ""
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class ModelKey(Message):
    model_id: str = ""


class GetModel(ModelKey):
    allow_deleted: bool = False


class FinishModel(ModelKey):
    status: str | int = ""


class ModelTags(ModelKey):
    tags: list[KeyValue] = []


class ModelTagKey(ModelKey):
    tag_key: str = ""


class ModelParams(ModelKey):
    params: list[KeyValue] = []


class WireDatasetFilter(Message):
    dataset_name: str = ""
    dataset_digest: str = ""


class WireOrder(WireDatasetFilter):
    field_name: str = ""
    ascending: bool = True


class SearchModels(Message):
    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[WireDatasetFilter] = []
    max_results: Int64 | None = None
    order_by: list[WireOrder] = []
    page_token: str = ""


def render(model: LoggedModel) -> WireLoggedModel:
    return WireLoggedModel(
        info=ModelInfo(
            model_id=model.model_id,
            experiment_id=str(model.experiment_id),
            name=model.name,
            creation_timestamp_ms=model.created_ms,
            last_updated_timestamp_ms=model.updated_ms,
            artifact_uri=model.artifact_uri,
            status=_STATUS_PREFIX + model.status,
            model_type=model.model_type or "",
            source_run_id=model.source_run_id or "",
            tags=render_pairs(model.tags),
            registrations=[
                Registration(name=name, version=str(number)) for name, number in model.registrations
            ],
        ),
        data=ModelData(
            params=render_pairs(model.params),
            metrics=[render_metric(point) for point in model.points],
        ),
    )


def _answer(model: LoggedModel) -> ModelAnswer:
    return ModelAnswer(model=render(model))


def _parse_status(status: str | int) -> str:
    """A status by its name or its number in the protocol."""
    text = str(status)
    named = text.removeprefix(_STATUS_PREFIX)
    if text.startswith(_STATUS_PREFIX) and named in MODEL_STATUSES:
        return named
    if text in ("1", "2", "3"):
        return MODEL_STATUSES[int(text) - 1]
    raise InvalidInput(
        f"Invalid value {text[:100]!r} for parameter 'status'. Valid values are "
        f"{', '.join(_STATUS_PREFIX + status for status in MODEL_STATUSES)}."
    )


def _parse_dataset(given: WireDatasetFilter) -> DatasetFilter:
    if not given.dataset_name:
        raise InvalidInput("`dataset_name` in the `datasets` clause must be specified.")
    return DatasetFilter(given.dataset_name, given.dataset_digest)


def _parse_order(given: WireOrder) -> MetricOrder:
    """An order by an attribute, or by `metrics.<key>`, whose key is any text."""
    field, dot, key = given.field_name.partition(".")
    if not dot:
        direction = "ASC" if given.ascending else "DESC"
        orders = filters.parse_order_by([f"{field} {direction}"], grammars.LOGGED_MODELS)
        return MetricOrder(orders[0])
    if field != "metrics":
        raise InvalidInput(
            f"Invalid order by field name: {given.field_name}. Only metrics are supported."
        )
    order = Order("metric", key.strip("`"), given.ascending)
    dataset = DatasetFilter(given.dataset_name, given.dataset_digest)
    return MetricOrder(order, dataset if dataset.name or dataset.digest else None)


def _parse_filter(text: str) -> tuple[Comparison, ...]:
    try:
        return filters.parse_filter(text, grammars.LOGGED_MODELS)
    except InvalidInput as error:
        # What MLflow's clients look for in a mistake of this search, and in no other's.
        raise InvalidInput(f"Invalid filter string. {error.message}") from None


def _check_counts(request: SearchModels) -> None:
    for what, limit, length in (
        ("experiments", EXPERIMENTS_LIMIT, len(request.experiment_ids)),
        ("datasets", DATASETS_LIMIT, len(request.datasets)),
        ("orders", filters.ORDER_LIMIT, len(request.order_by)),
    ):
        if length > limit:
            raise InvalidInput(f"A search names at most {limit} {what}, not {length}.")


_TOKEN = tuple[int, int, int, str]  # of the three below, and the token of the page
_BOUND = (
    "Experiment IDs in the page token do not match the requested experiment IDs.",
    "Filter string in the page token does not match the requested filter string.",
    "Order by in the page token does not match the requested order by.",
)


def _marks(request: SearchModels) -> list[int]:
    """What a page token of this search is bound to, in a few bytes."""
    bound = (request.experiment_ids, request.filter, request.order_by)
    return [zlib.crc32(msgspec.json.encode(part)) for part in bound]


def _seal(request: SearchModels, token: str) -> str:
    """A page's token, bound to the search that it is a page of."""
    sealed = msgspec.json.encode([*_marks(request), token])
    return base64.b64encode(sealed).decode()


def _unseal(request: SearchModels) -> str:
    """The page's token. Raises InvalidInput for another search's, in MLflow's words."""
    if not request.page_token:
        return ""
    try:
        sealed = base64.b64decode(request.page_token, validate=True)
        *marks, token = msgspec.json.decode(sealed, type=_TOKEN)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise InvalidInput("Invalid page token.") from None
    for message, mark, wanted in zip(_BOUND, marks, _marks(request), strict=True):
        if mark != wanted:
            raise InvalidInput(message)
    return token


async def create(app: App, caller: Caller, request: CreateModel) -> Message:
    model = await app.write(
        tracking.create_logged_model,
        caller,
        parse_id(require(request.experiment_id, "experiment_id")),
        name=request.name,
        model_type=request.model_type or None,
        source_run_id=request.source_run_id or None,
        params=[(param.key, param.value) for param in request.params],
        tags=parse_tags(request.tags),
    )
    return _answer(model)


async def get(app: App, caller: Caller, request: GetModel) -> Message:
    # No point read: a model may have thousands of points.
    model = await app.read(
        tracking.get_logged_model, request.model_id, deleted=request.allow_deleted
    )
    return _answer(model)


async def finish(app: App, caller: Caller, request: FinishModel) -> Message:
    status = _parse_status(request.status)
    return _answer(await app.write(tracking.finish_logged_model, caller, request.model_id, status))


async def delete(app: App, caller: Caller, request: ModelKey) -> Message:
    await app.write(tracking.delete_logged_model, caller, request.model_id)
    return Empty()


async def search(app: App, caller: Caller, request: SearchModels) -> Message:
    size = page_size(request.max_results or None, PAGE, LIMIT)
    _check_counts(request)
    search = (
        [parse_id(text) for text in request.experiment_ids],
        _parse_filter(request.filter),
        [_parse_dataset(given) for given in request.datasets],
        [_parse_order(given) for given in request.order_by],
    )
    after = page_position(_unseal(request), search)
    answer = await app.search(_models_page, *search, size, after)
    if answer.next_page_token:
        answer.next_page_token = _seal(request, answer.next_page_token)
    return answer


def _models_page(
    work: Work,
    experiment_ids: Sequence[int],
    where: Sequence[Comparison],
    datasets: Sequence[DatasetFilter],
    order: Sequence[MetricOrder],
    size: int,
    after: Position | None,
) -> ModelsAnswer:
    """Rendered where it was read: to do it in the event loop would stop everyone for a while."""
    search = (experiment_ids, where, datasets, order)
    found = tracking.search_logged_models(work, *search, size, after)
    return ModelsAnswer(
        models=[render(model) for model in found.items],
        next_page_token=position_token(found.end, search),
    )


async def set_tags(app: App, caller: Caller, request: ModelTags) -> Message:
    tags = parse_tags(request.tags)
    return _answer(await app.write(tracking.set_logged_model_tags, caller, request.model_id, tags))


async def delete_tag(app: App, caller: Caller, request: ModelTagKey) -> Message:
    await app.write(tracking.delete_logged_model_tag, caller, request.model_id, request.tag_key)
    return Empty()


async def log_params(app: App, caller: Caller, request: ModelParams) -> Message:
    params = [(param.key, param.value) for param in request.params]
    await app.write(tracking.log_logged_model_params, caller, request.model_id, params)
    return Empty()


_ONE = "logged-models/{model_id}"

RPCS: tuple[Rpc, ...] = (
    Rpc(("POST",), "logged-models", CreateModel, create),
    Rpc(("POST",), "logged-models/search", SearchModels, search),
    Rpc(("GET",), _ONE, GetModel, get),
    Rpc(("PATCH",), _ONE, FinishModel, finish),
    Rpc(("DELETE",), _ONE, ModelKey, delete),
    Rpc(("PATCH",), f"{_ONE}/tags", ModelTags, set_tags),
    Rpc(("DELETE",), f"{_ONE}/tags/{{+tag_key}}", ModelTagKey, delete_tag),
    Rpc(("POST",), f"{_ONE}/params", ModelParams, log_params),
)
