"""Model cards."""

import json
from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NotFound
from modelkeep.domain.resources import Kind, Resource
from modelkeep.ports.resources import Sought
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sagemaker.wording import (
    PAGE,
    check_ours,
    identity,
    instant,
    metadata_of,
    sought,
    tags_of,
)
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import cards, permits, resources
from modelkeep.services.app import App

_NAME, _STATUS, _VERSION = "ModelCardName", "ModelCardStatus", "ModelCardVersion"
_MISSING = "ResourceNotFound"
VERSIONS_LIMIT = 2**31 - 1
_METADATA = {
    "model_overview": ("model_id", "model_name"),
    "intended_uses": ("risk_rating",),
    "model_package_details": ("model_package_group_name", "model_package_arn"),
}


async def _create(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    name: str = params[_NAME]
    said = {key: params[key] for key in ("Content", "SecurityConfig") if key in params}
    tags = tags_of(params.get("Tags", ()))
    try:
        await app.write(cards.create, call.caller, name, said, params[_STATUS], tags)
    except AlreadyExists:
        raise Coded("ConflictException", f"Modelcard {name} already exists") from None
    return {"ModelCardArn": _arn(call, name)}


async def _describe(app: App, call: Call) -> Mapping[str, Any]:
    name, version = _meant(call), call.params.get(_VERSION)
    if version is not None and not 0 < version <= VERSIONS_LIMIT:
        raise _no_version(name, version)
    try:
        card = await app.read(resources.get, Kind.CARD, name, version, point=True)
    except NotFound:
        raise (no_card(call, name) if version is None else _no_version(name, version)) from None
    told = described(call, card)
    is_brief = call.params.get("IncludedData") == "MetadataOnly"
    return {**told, "Content": metadata_of(told["Content"], _METADATA)} if is_brief else told


async def _update(app: App, call: Call) -> Mapping[str, Any]:
    name, params = _meant(call), call.params
    try:
        await app.write(cards.update, call.caller, name, params.get("Content"), params.get(_STATUS))
    except NotFound:
        raise no_card(call, name) from None
    return {"ModelCardArn": _arn(call, name)}


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    name = _meant(call)
    try:
        await app.write(resources.delete, call.caller, Kind.CARD, name)
    except NotFound:
        raise no_card(call, name) from None
    return {}


async def _list(app: App, call: Call) -> Mapping[str, Any]:
    wanted = _sought(call)
    after = page_position(call.params.get("NextToken", ""), wanted)
    size = call.params.get("MaxResults", PAGE)
    found = await app.search(resources.listed, Kind.CARD, wanted, size, after)
    return {
        "ModelCardSummaries": [_summary(call, card) for card in found.items],
        "NextToken": position_token(found.end, wanted) or None,
    }


async def _list_versions(app: App, call: Call) -> Mapping[str, Any]:
    name, wanted = _meant(call), _sought(call)
    after = page_position(call.params.get("NextToken", ""), (name, wanted))
    size = call.params.get("MaxResults", PAGE)
    try:
        found = await app.search(resources.revisions, Kind.CARD, name, wanted, size, after)
    except NotFound:
        raise no_card(call, name) from None
    return {
        "ModelCardVersionSummaryList": [
            {**_summary(call, card), _VERSION: card.revision} for card in found.items
        ],
        "NextToken": position_token(found.end, (name, wanted)) or None,
    }


# -- words ---------------------------------------------------------------------------------------


def no_card(_call: Call, name: str) -> Coded:
    return Coded(_MISSING, f"Modelcard {name} does not exist.")


def _no_version(name: str, version: int) -> Coded:
    return Coded(_MISSING, f"Modelcard with name {name} and version: {version} does not exist")


def _meant(call: Call) -> str:
    """Raises InvalidInput for the ARN of something else."""
    check_ours(call, call.params[_NAME])
    found = named(call.params[_NAME])
    if found.kind not in ("", Kind.CARD):
        raise InvalidInput(f"{call.params[_NAME]} is not the ARN of a model card.")
    return found.name


def _arn(call: Call, name: str) -> str:
    return call.arn(f"{Kind.CARD}/{name}")


def _sought(call: Call) -> Sought:
    return sought(call.params, "Ascending", call.params.get(_STATUS, ""))


def _summary(call: Call, card: Resource) -> dict[str, Any]:
    return {
        _NAME: card.name,
        "ModelCardArn": _arn(call, card.name),
        _STATUS: card.said.status,
        "CreationTime": instant(card.created_ms),
        "LastModifiedTime": instant(card.revised_ms),
    }


def described(call: Call, card: Resource) -> dict[str, Any]:
    """All that there is to say of a card."""
    return {
        **_summary(call, card),
        **cards.said_of(card),
        _VERSION: card.revision,
        "CreatedBy": identity(call, card.created_by),
        "LastModifiedBy": identity(call, card.revised_by),
    }


def subject(content: str) -> dict[str, str | None]:
    """What a card is about, as Search has it: the package or else the model that its content
    names."""
    said = json.loads(content)
    package, overview = said.get("model_package_details", {}), said.get("model_overview", {})
    return {
        "ModelId": package.get("model_package_arn") or overview.get("model_id"),
        "ModelPackageGroupName": package.get("model_package_group_name"),
        "RiskRating": said.get("intended_uses", {}).get("risk_rating"),
    }


# -- who may -------------------------------------------------------------------------------------


def _makes(call: Call) -> None:
    permits.admit_new(call.params[_NAME], tags_of(call.params.get("Tags", ())))


def _knows(_call: Call) -> None:
    permits.admit()


def _reads(call: Call) -> None:
    permits.admit(permits.on_resource(Verb.READ, Kind.CARD, _meant(call)))


def _writes(call: Call) -> None:
    permits.admit(permits.on_resource(Verb.WRITE, Kind.CARD, _meant(call)))


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "CreateModelCard"): Operation(_create, _makes),
    ("sagemaker", "DescribeModelCard"): Operation(_describe, _reads),
    ("sagemaker", "UpdateModelCard"): Operation(_update, _writes),
    ("sagemaker", "DeleteModelCard"): Operation(_delete, _writes),
    ("sagemaker", "ListModelCards"): Operation(_list, _knows),
    ("sagemaker", "ListModelCardVersions"): Operation(_list_versions, _reads),
}
