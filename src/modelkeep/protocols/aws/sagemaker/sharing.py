"""Policies of model package groups."""

from collections.abc import Callable, Mapping
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import NotFound
from modelkeep.domain.sharing import Place
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sagemaker.wording import GROUP, no_group
from modelkeep.services import permits, sharing
from modelkeep.services.app import App
from modelkeep.services.permits import Need

_NAME = "ModelPackageGroupName"


async def _put(app: App, call: Call) -> Mapping[str, Any]:
    handle, text = call.params[_NAME], call.params["ResourcePolicy"]
    at = Place(call.region, call.account)
    try:
        await app.write(sharing.put, call.caller, handle, text, at)
    except NotFound:
        raise no_group(call, handle) from None
    return {"ModelPackageGroupArn": _arn(call, handle)}


async def _get(app: App, call: Call) -> Mapping[str, Any]:
    handle: str = call.params[_NAME]
    try:
        policy = await app.read(sharing.get, handle, point=True)
    except NotFound:
        raise no_group(call, handle) from None
    if policy is None:
        raise _no_policy(call, handle)
    return {"ResourcePolicy": policy.body}


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    handle: str = call.params[_NAME]
    try:
        there_was_one = await app.write(sharing.delete, call.caller, handle)
    except NotFound:
        raise no_group(call, handle) from None
    if not there_was_one:
        raise _no_policy(call, handle)
    return {}


def _no_policy(call: Call, handle: str) -> Coded:
    return Coded("ResourceNotFound", f"Cannot find a resource policy of {_arn(call, handle)}.")


def _arn(call: Call, handle: str) -> str:
    return call.arn(f"{GROUP}/{handle}")


# -- who may -------------------------------------------------------------------------------------


def _may(verb: Verb) -> Callable[[Call], None]:
    def admit(call: Call) -> None:
        handle: str = call.params[_NAME]
        permits.admit(Need(verb, find=lambda work: work.models.by_handle(handle)))

    return admit


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "PutModelPackageGroupPolicy"): Operation(_put, _may(Verb.ADMIN)),
    ("sagemaker", "GetModelPackageGroupPolicy"): Operation(_get, _may(Verb.READ)),
    ("sagemaker", "DeleteModelPackageGroupPolicy"): Operation(_delete, _may(Verb.ADMIN)),
}
