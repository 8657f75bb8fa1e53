"""Model package groups: our models, by their handles."""

from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NoGroup
from modelkeep.domain.handles import handle_of
from modelkeep.domain.models import Model
from modelkeep.domain.sharing import Lent
from modelkeep.ports.registry import Listing
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.sagemaker.wording import (
    DESCRIPTION_LIMIT,
    PAGE,
    asks_elsewhere,
    check_ours,
    group_arn,
    group_of,
    instant,
    ms_of,
    no_group,
    tags_of,
)
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import groups, permits, registry
from modelkeep.services.app import App
from modelkeep.services.permits import Need

_NAME = "ModelPackageGroupName"
_SYNCHRONOUS = "Completed"  # a group is there once its creation is answered


async def _create(app: App, call: Call) -> Mapping[str, Any]:
    name: str = call.params[_NAME]
    if "ManagedConfiguration" in call.params:
        raise InvalidInput("ManagedConfiguration is not supported: no storage here is AWS's.")
    tags = tags_of(call.params.get("Tags", ()))
    description = call.params.get("ModelPackageGroupDescription", "")
    try:
        await app.write(registry.create_model, call.caller, name, description, tags)
    except AlreadyExists:
        raise AlreadyExists(
            f"Model Package Group already exists: {group_arn(call, name)}"
        ) from None
    return {"ModelPackageGroupArn": group_arn(call, name)}


async def _describe(app: App, call: Call) -> Mapping[str, Any]:
    handle = group_of(call.params[_NAME])
    try:
        model = await app.read(groups.get, handle, point=True)
    except NoGroup:
        raise no_group(call, handle) from None
    return described(call, model)


async def _list(app: App, call: Call) -> Mapping[str, Any]:
    if asks_elsewhere(call):
        return {"ModelPackageGroupSummaryList": []}
    wanted = Listing(
        contains=call.params.get("NameContains", ""),
        from_ms=ms_of(call.params, "CreationTimeAfter"),
        until_ms=ms_of(call.params, "CreationTimeBefore"),
        by_handle=call.params.get("SortBy") == "Name",
        ascending=call.params.get("SortOrder") != "Descending",
    )
    after = page_position(call.params.get("NextToken", ""), wanted)
    size = call.params.get("MaxResults", PAGE)
    found = await app.search(groups.listed, wanted, size, after)
    return {
        "ModelPackageGroupSummaryList": [_summary(call, model) for model in found.items],
        "NextToken": position_token(found.end, wanted) or None,
    }


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    handle = group_of(call.params[_NAME])
    try:
        await app.write(groups.delete, call.caller, handle)
    except NoGroup:
        raise no_group(call, handle) from None
    return {}


def described(call: Call, model: Model) -> dict[str, Any]:
    # Who made a model is in the journal alone: this answer is read before every other.
    return {**_summary(call, model), "CreatedBy": {}}


def _summary(call: Call, model: Model) -> dict[str, Any]:
    return {
        _NAME: handle_of(model.name),
        "ModelPackageGroupArn": group_arn(call, model.name),
        "ModelPackageGroupDescription": model.description[:DESCRIPTION_LIMIT] or None,
        "CreationTime": instant(model.created_ms),
        "ModelPackageGroupStatus": _SYNCHRONOUS,
    }


# -- who may -------------------------------------------------------------------------------------


def _makes(call: Call) -> None:
    permits.admit_new(call.params[_NAME], tags_of(call.params.get("Tags", ())))


def _lists(_call: Call) -> None:
    """A guest finds what they may describe."""
    permits.admit(lent=Lent("DescribeModelPackageGroup"))


def _may(verb: Verb) -> Any:
    def admit(call: Call) -> None:
        check_ours(call, call.params[_NAME])
        handle = group_of(call.params[_NAME])
        find = Need(verb, find=lambda work: work.models.by_handle(handle))
        permits.admit(find, lent=call.lent(handle))

    return admit


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "CreateModelPackageGroup"): Operation(_create, _makes),
    ("sagemaker", "DescribeModelPackageGroup"): Operation(_describe, _may(Verb.READ)),
    ("sagemaker", "ListModelPackageGroups"): Operation(_list, _lists),
    ("sagemaker", "DeleteModelPackageGroup"): Operation(_delete, _may(Verb.WRITE)),
}
