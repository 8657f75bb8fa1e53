"""Registered models, versions, stages and aliases, as MLflow's clients speak of them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from modelkeep.domain import semver
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Forbidden, InvalidInput
from modelkeep.domain.models import (
    PROMPT_TAG,
    Model,
    Version,
    is_prompt,
)
from modelkeep.domain.search import Comparison, Order, Position
from modelkeep.ports.work import About, Work
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.protocols.http import loader_in
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow.grammars import Grammar
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Int64,
    KeyValue,
    Message,
    Rpc,
    page_size,
    require,
)
from modelkeep.services import creation, promotion, registry, sources
from modelkeep.services.app import App
from modelkeep.services.promotion import Result

MODELS_PAGE, MODELS_LIMIT = 100, 1_000
VERSIONS_PAGE, VERSIONS_LIMIT = 10_000, 200_000
OTHER_ALIASES = 50  # of a version, for which what was asked of one of them is remembered


# -- answers -----------------------------------------------------------------------------------


class Alias(Message):
    alias: str = ""
    version: str = ""


class WireVersion(Message):
    description: str  # these three are sent even if they are empty, as MLflow does
    run_id: str
    run_link: str
    name: str = ""
    version: str = ""
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0
    user_id: str = ""
    current_stage: str = ""
    source: str = ""
    status: str = ""
    status_message: str = ""
    model_id: str = ""
    tags: list[KeyValue] = []
    aliases: list[str] = []


class WireModel(Message):
    name: str = ""
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0
    description: str = ""
    latest_versions: list[WireVersion] = []
    tags: list[KeyValue] = []
    aliases: list[Alias] = []


class ModelAnswer(Message):
    registered_model: WireModel


class VersionAnswer(Message):
    model_version: WireVersion


class VersionsAnswer(Message):
    model_versions: list[WireVersion] = []
    next_page_token: str = ""


class ModelsAnswer(Message):
    registered_models: list[WireModel] = []
    next_page_token: str = ""


class UriAnswer(Message):
    artifact_uri: str


def render_version(version: Version) -> WireVersion:
    return WireVersion(
        name=version.model_name,
        version=str(version.number),
        creation_timestamp=version.created_ms,
        last_updated_timestamp=version.updated_ms,
        user_id="" if version.author == "anonymous" else version.author,
        current_stage=version.stage,
        description=version.description,
        source=version.source,
        run_id=version.run_id or "",
        status=version.status,
        status_message=version.notice,
        run_link=version.run_link or "",
        model_id=version.logged_model_id or "",
        tags=_pairs(version.tags),
        aliases=list(version.aliases),
    )


def render_model(model: Model, latest: list[Version]) -> WireModel:
    return WireModel(
        name=model.name,
        creation_timestamp=model.created_ms,
        last_updated_timestamp=model.updated_ms,
        description=model.description,
        latest_versions=[render_version(version) for version in latest],
        tags=_pairs(model.tags),
        aliases=[Alias(alias=a, version=str(n)) for a, n in sorted(model.aliases.items())],
    )


def _pairs(tags: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in tags.items()]


def _tags(pairs: list[KeyValue]) -> dict[str, str]:
    return {pair.key: pair.value for pair in pairs}  # of a key given twice the last counts


def parse_version(text: str) -> int:
    """A version number from the wire. Raises InvalidInput in MLflow's words."""
    require(text, "version")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(f"Parameter 'version' must be an integer, got '{text[:100]}'.")
    return int(text)


# -- searches ----------------------------------------------------------------------------------


def _without_prompts(where: Sequence[Comparison]) -> Sequence[Comparison]:
    """What a search of models means: models alone, unless it asks for prompts first of all.

    Those that are none have no tag that says so, and stock clients ask for them by `!= 'true'`:
    so whatever else is said of that tag is left out (MLflow 3.17.2, the SQL store).
    """
    said = [c for c in where if (c.field, c.key) == ("tag", PROMPT_TAG)]
    if said and (said[0].op, str(said[0].value).lower()) in (("=", "true"), ("!=", "false")):
        return where
    others = [comparison for comparison in where if comparison not in said]
    return [*others, Comparison("tag", PROMPT_TAG, "IS NOT", "true")]


def _order(clauses: list[str], grammar: Grammar) -> tuple[Order, ...]:
    given = filters.parse_order_by(clauses, grammar)
    if not given:
        return grammar.default_order
    named = {order.key for order in given}
    return (*given, *(order for order in grammar.tie_order if order.key not in named))


# -- models ------------------------------------------------------------------------------------


class Named(Message):
    name: str = ""


class CreateModel(Message):
    name: str = ""
    description: str = ""
    tags: list[KeyValue] = []


class RenameModel(Message):
    name: str = ""
    new_name: str = ""


class DescribeModel(Message):
    name: str = ""
    description: str = ""


class TagModel(Message):
    name: str = ""
    key: str = ""
    value: str = ""


class Search(Message):
    filter: str = ""
    max_results: Int64 | None = None
    order_by: list[str] = []
    page_token: str = ""


class LatestVersions(Message):
    name: str = ""
    stages: list[str] = []


async def create_model(app: App, caller: Caller, request: CreateModel) -> Message:
    model = await app.write(
        registry.create_model, caller, request.name, request.description, _tags(request.tags)
    )
    return ModelAnswer(registered_model=render_model(model, []))


async def get_model(app: App, caller: Caller, request: Named) -> Message:
    name = require(request.name, "name")
    model, latest = await app.read(registry.get_model_with_latest, name, point=True)
    return ModelAnswer(registered_model=render_model(model, latest))


async def rename_model(app: App, caller: Caller, request: RenameModel) -> Message:
    name = require(request.name, "name")
    new_name = require(request.new_name, "new_name")
    refusal = await app.write(registry.rename_model, caller, name, new_name)
    if refusal is not None:
        _done(refusal)
    return await get_model(app, caller, Named(name=new_name))


async def describe_model(app: App, caller: Caller, request: DescribeModel) -> Message:
    name = require(request.name, "name")
    await app.write(registry.describe_model, caller, name, request.description)
    return await get_model(app, caller, Named(name=name))


async def delete_model(app: App, caller: Caller, request: Named) -> Message:
    refusal = await app.write(registry.delete_model, caller, require(request.name, "name"))
    return _deleted(refusal)


async def set_model_tag(app: App, caller: Caller, request: TagModel) -> Message:
    name = require(request.name, "name")
    await app.write(registry.set_model_tag, caller, name, request.key, request.value)
    return Empty()


async def delete_model_tag(app: App, caller: Caller, request: TagModel) -> Message:
    name = require(request.name, "name")
    await app.write(registry.delete_model_tag, caller, name, require(request.key, "key"))
    return Empty()


async def search_models(app: App, caller: Caller, request: Search) -> Message:
    size = page_size(request.max_results, MODELS_PAGE, MODELS_LIMIT)
    where = _without_prompts(filters.parse_filter(request.filter, grammars.MODELS))
    search = (where, _order(request.order_by, grammars.MODELS))
    after = page_position(request.page_token, search)
    return await app.search(_models_page, *search, size, after)


def _models_page(
    work: Work,
    where: Sequence[Comparison],
    order: Sequence[Order],
    size: int,
    after: Position | None,
) -> ModelsAnswer:
    """Rendered where it was read: to do it in the event loop would stop everyone for a while."""
    found = registry.search_models(work, where, order, size, after)
    return ModelsAnswer(
        registered_models=[render_model(model, latest) for model, latest in found.items],
        next_page_token=position_token(found.end, (where, order)),
    )


async def latest_versions(app: App, caller: Caller, request: LatestVersions) -> Message:
    name = require(request.name, "name")
    # A client's `models:/churn/1.4.0` and `models:/churn/~1.4` ask for stages of these names.
    numbers = [text for text in request.stages if semver.wanted(text)]
    stages = [text for text in request.stages if text not in numbers]
    found = await app.read(registry.latest_versions, name, stages, numbers, point=True)
    return VersionsAnswer(model_versions=[render_version(version) for version in found])


# -- versions ----------------------------------------------------------------------------------


class CreateVersion(Message):
    name: str = ""
    source: str = ""
    run_id: str = ""
    run_link: str = ""
    description: str = ""
    model_id: str = ""
    tags: list[KeyValue] = []


class VersionKey(Message):
    name: str = ""
    version: str = ""


class DescribeVersion(Message):
    name: str = ""
    version: str = ""
    description: str = ""


class TagVersion(Message):
    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


class Transition(Message):
    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: bool = False


class AliasKey(Message):
    name: str = ""
    alias: str = ""
    version: str = ""


def _key(request: VersionKey | DescribeVersion | TagVersion | Transition) -> tuple[str, int]:
    return require(request.name, "name"), parse_version(request.version)


def _meant(request: VersionKey) -> tuple[str, int | str]:
    """As `_key`, where a semantic version may stand for the number: for what only reads."""
    with suppress(InvalidInput):  # for what is neither, MLflow has words
        if semver.wanted(request.version):
            return require(request.name, "name"), request.version
    return _key(request)


async def create_version(app: App, caller: Caller, request: CreateVersion) -> Message:
    draft = creation.Draft(
        model=require(request.name, "name"),
        source=require(request.source, "source"),
        run_id=request.run_id or None,
        logged_model_id=request.model_id or None,
        run_link=request.run_link or None,
        description=request.description,
        tags=_tags(request.tags),
    )
    if not is_prompt(_tags(request.tags)):  # which has a placeholder for a source
        sources.check_claimed(draft.source, draft.run_id, draft.logged_model_id)
    version = await app.write(creation.create_version, caller, draft)
    return VersionAnswer(model_version=render_version(version))


async def get_version(app: App, caller: Caller, request: VersionKey) -> msgspec.Raw:
    return await app.recall(*_by_number(request))


def _by_number(request: VersionKey) -> tuple[Any, ...]:
    return _answer_by_number, *_meant(request)


def _answer_by_number(work: Work, name: str, which: int | str) -> About[msgspec.Raw]:
    return _answer_about(registry.get_version(work, name, which))


def _answer_about(version: Version) -> About[msgspec.Raw]:
    answer = VersionAnswer(model_version=render_version(version))
    return About(msgspec.Raw(msgspec.json.encode(answer)), version.model_id)


async def describe_version(app: App, caller: Caller, request: DescribeVersion) -> Message:
    version = await app.write(
        registry.describe_version, caller, *_key(request), request.description
    )
    return VersionAnswer(model_version=render_version(version))


async def delete_version(app: App, caller: Caller, request: VersionKey) -> Message:
    return _deleted(await app.write(registry.delete_version, caller, *_key(request)))


async def set_version_tag(app: App, caller: Caller, request: TagVersion) -> Message:
    await app.write(registry.set_version_tag, caller, *_key(request), request.key, request.value)
    return Empty()


async def delete_version_tag(app: App, caller: Caller, request: TagVersion) -> Message:
    key = require(request.key, "key")
    await app.write(registry.delete_version_tag, caller, *_key(request), key)
    return Empty()


async def download_uri(app: App, caller: Caller, request: VersionKey) -> Message:
    uri, version = await app.read(registry.download_address, *_meant(request), point=True)
    app.loads.note(caller, version)
    return UriAnswer(artifact_uri=uri)


async def search_versions(app: App, caller: Caller, request: Search) -> Message:
    size = page_size(request.max_results, VERSIONS_PAGE, VERSIONS_LIMIT)
    where = _without_prompts(filters.parse_filter(request.filter, grammars.VERSIONS))
    search = (where, _order(request.order_by, grammars.VERSIONS))
    after = page_position(request.page_token, search)
    return await app.search(_versions_page, *search, size, after)


def _versions_page(
    work: Work,
    where: Sequence[Comparison],
    order: Sequence[Order],
    size: int,
    after: Position | None,
) -> VersionsAnswer:
    found = registry.search_versions(work, where, order, size, after)
    return VersionsAnswer(
        model_versions=[render_version(version) for version in found.items],
        next_page_token=position_token(found.end, (where, order)),
    )


# -- stages and aliases ------------------------------------------------------------------------


async def transition(app: App, caller: Caller, request: Transition) -> Message:
    name, number = _key(request)
    stage = require(request.stage, "stage")
    order = promotion.Order(name, number, stage, archive_existing=request.archive_existing_versions)
    result = await app.write(promotion.request, caller, order)
    return VersionAnswer(model_version=render_version(_done(result).version))


async def get_alias(app: App, caller: Caller, request: AliasKey) -> msgspec.Raw:
    return await app.recall(*_by_alias(request))


def _by_alias(request: AliasKey) -> tuple[Any, ...]:
    return _answer_by_alias, require(request.name, "name"), require(request.alias, "alias")


def _answer_by_alias(work: Work, name: str, alias: str) -> About[msgspec.Raw]:
    version = registry.version_by_alias(work, name, alias)
    if version is None:
        # MLflow answers an unknown alias as a bad parameter; clients look for this very text.
        raise InvalidInput(f"Registered model alias {alias} not found.")
    others = version.aliases[:OTHER_ALIASES]
    return _answer_about(version)._replace(also=[(name, other) for other in others])


async def set_alias(app: App, caller: Caller, request: AliasKey) -> Message:
    name, number = require(request.name, "name"), parse_version(request.version)
    result = await app.write(promotion.set_alias, caller, name, request.alias, number)
    _done(result)
    return Empty()


async def delete_alias(app: App, caller: Caller, request: AliasKey) -> Message:
    name, alias = require(request.name, "name"), require(request.alias, "alias")
    return _deleted(await app.write(promotion.delete_alias, caller, name, alias))


def _deleted(result: Result | None) -> Empty:
    if result is not None:
        _done(result)
    return Empty()


def _done(result: Result) -> Result:
    """The result, if the version moved. A refusal is recorded by now; here it becomes a 403."""
    if not result.is_done:
        raise Forbidden(result.message)
    return result


_POST, _GET, _PATCH, _DELETE = ("POST",), ("GET",), ("PATCH",), ("DELETE",)

RPCS: tuple[Rpc, ...] = (
    Rpc(_POST, "registered-models/create", CreateModel, create_model),
    Rpc(_GET, "registered-models/get", Named, get_model),
    Rpc(_POST, "registered-models/rename", RenameModel, rename_model),
    Rpc(_PATCH, "registered-models/update", DescribeModel, describe_model),
    Rpc(_DELETE, "registered-models/delete", Named, delete_model),
    Rpc(_GET, "registered-models/search", Search, search_models),
    Rpc(("GET", "POST"), "registered-models/get-latest-versions", LatestVersions, latest_versions),
    Rpc(_POST, "registered-models/set-tag", TagModel, set_model_tag),
    Rpc(_DELETE, "registered-models/delete-tag", TagModel, delete_model_tag),
    Rpc(_POST, "registered-models/alias", AliasKey, set_alias),
    Rpc(_GET, "registered-models/alias", AliasKey, get_alias, recalls=_by_alias),
    Rpc(_DELETE, "registered-models/alias", AliasKey, delete_alias),
    Rpc(_POST, "model-versions/create", CreateVersion, create_version),
    Rpc(_GET, "model-versions/get", VersionKey, get_version, recalls=_by_number),
    Rpc(_PATCH, "model-versions/update", DescribeVersion, describe_version),
    Rpc(_DELETE, "model-versions/delete", VersionKey, delete_version),
    Rpc(_GET, "model-versions/search", Search, search_versions),
    Rpc(_GET, "model-versions/get-download-uri", VersionKey, download_uri, caller=loader_in),
    Rpc(_POST, "model-versions/set-tag", TagVersion, set_version_tag),
    Rpc(_DELETE, "model-versions/delete-tag", TagVersion, delete_version_tag),
    Rpc(_POST, "model-versions/transition-stage", Transition, transition),
)
