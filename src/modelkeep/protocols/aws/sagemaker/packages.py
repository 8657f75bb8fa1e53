"""Model packages: versions of our models.

A member that one of our words stands for is kept by that word: the description, the tags
(CustomerMetadataProperties), the source (where the first container's data lies), the stage
(ModelLifeCycle) and the approval, which is derived. Every other is kept as it was said.
"""

from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.handles import handle_of
from modelkeep.domain.models import NO_STAGE, Version
from modelkeep.domain.packages import VERDICT, Approval, Package
from modelkeep.ports.work import Work
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sagemaker.wording import group_of, instant, shown_tags
from modelkeep.services import packages, permits, registry
from modelkeep.services.app import App
from modelkeep.services.permits import Need
from modelkeep.services.registry import Draft
from modelkeep.services.steps import End, Result

KIND = "model-package"
_GROUP, _NAME = "ModelPackageGroupName", "ModelPackageName"
_TAGS, _DESCRIPTION = "CustomerMetadataProperties", "ModelPackageDescription"
_OURS = {_GROUP, _NAME, _TAGS, _DESCRIPTION, VERDICT, "ClientToken", "Tags"}


async def _create(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    handle = group_of(params[_GROUP])
    said = {name: value for name, value in params.items() if name not in _OURS}
    wanted = Approval(params.get(VERDICT, Approval.PENDING.value))
    made = await app.write(
        _register,
        call.caller,
        handle,
        params.get(_DESCRIPTION, ""),
        dict(params.get(_TAGS, {})),
        said,
        wanted,
    )
    return {"ModelPackageArn": package_arn(call, made.version)}


def _register(
    work: Work,
    caller: Any,
    handle: str,
    description: str,
    tags: dict[str, str],
    said: dict[str, Any],
    wanted: Approval,
) -> Package:
    model = work.models.by_handle(handle)
    if model is None:
        raise NotFound("Model Package Group does not exist.")
    draft = Draft(model, _source(said), description=description, tags=tags)
    made = packages.register(work, caller, draft, said)
    if wanted is Approval.APPROVED:
        result = packages.approve(work, caller, made.version, "")
        if result is not None and not result.is_done:
            raise InvalidInput(
                "A package cannot be registered as Approved here: register it as "
                f"PendingManualApproval. {result.message}"
            )
    elif wanted is Approval.REJECTED:
        packages.reject(work, caller, made.version, "")
    return made


def _source(said: Mapping[str, Any]) -> str:
    """Where the bytes are said to lie; else what stands for them, as a label."""
    containers = said.get("InferenceSpecification", {}).get("Containers", [])
    for container in containers:
        if address := _address(container):
            return address
    if said.get("SourceUri"):
        return said["SourceUri"]
    return next((f"image://{c['Image']}" for c in containers if c.get("Image")), "sagemaker://none")


def _address(container: Mapping[str, Any]) -> str:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return container.get("ModelDataUrl") or source.get("S3Uri") or ""


async def _describe(app: App, call: Call) -> Mapping[str, Any]:
    handle, number = package_of(call.params[_NAME])
    try:
        found = await app.read(packages.find, handle, number, point=True)
    except NotFound:
        raise no_package(call, handle, number) from None
    return described(call, found)


async def _update(app: App, call: Call) -> Mapping[str, Any]:
    handle, number = package_of(call.params["ModelPackageArn"])
    try:
        version, result = await app.write(_patch, call.caller, handle, number, call.params)
    except NotFound:
        raise no_package(call, handle, number) from None
    if result is not None and result.end not in (End.MOVED, End.UNCHANGED, End.REJECTED):
        raise Coded("ConflictException", result.message)
    return {"ModelPackageArn": package_arn(call, version)}


def _patch(
    work: Work, caller: Any, handle: str, number: int, params: Mapping[str, Any]
) -> tuple[Version, Result | None]:
    """What was not given stays as it is."""
    version = packages.find(work, handle, number).version
    model = version.model_name
    for key, value in params.get(_TAGS, {}).items():
        registry.set_version_tag(work, caller, model, number, key, value)
    for key in params.get("CustomerMetadataPropertiesToRemove", ()):
        registry.delete_version_tag(work, caller, model, number, key)
    kept = ("InferenceSpecification", "SourceUri", "ModelCard", "ApprovalDescription",
            "ModelPackageRegistrationType")  # fmt: skip
    said = {name: params[name] for name in kept if name in params}
    if said:
        packages.amend(work, caller, version, said)
    comment = params.get("ApprovalDescription", "")
    verdict = params.get(VERDICT)
    if verdict == Approval.APPROVED:
        return version, packages.approve(work, caller, version, comment)
    if verdict == Approval.REJECTED:
        return version, packages.reject(work, caller, version, comment)
    return version, None


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    handle, number = package_of(call.params[_NAME])
    try:
        refusal = await app.write(_remove, call.caller, handle, number)
    except NotFound:
        raise no_package(call, handle, number) from None
    if refusal is not None:
        raise Coded("ConflictException", refusal.message)
    return {}


def _remove(work: Work, caller: Any, handle: str, number: int) -> Result | None:
    version = packages.find(work, handle, number).version
    return registry.delete_version(work, caller, version.model_name, number)


# -- words ---------------------------------------------------------------------------------------


def package_of(text: str) -> tuple[str, int]:
    """The handle and number of a versioned package, named by `GROUP/N` or its ARN. InvalidInput for
    any other."""
    found = named(text)
    handle, slash, number = found.name.rpartition("/")
    if found.kind not in ("", KIND) or not slash or not number.isascii() or not number.isdigit():
        raise InvalidInput(f"{text} does not name a version of a model package group.")
    return handle, int(number[:18])


def package_arn(call: Call, version: Version) -> str:
    return call.arn(f"{KIND}/{handle_of(version.model_name)}/{version.number}")


def no_package(call: Call, handle: str, number: int) -> NotFound:
    return NotFound(f"ModelPackage {call.arn(f'{KIND}/{handle}/{number}')} does not exist.")


def described(call: Call, package: Package) -> dict[str, Any]:
    version = package.version
    return {
        **package.said,
        _NAME: f"{handle_of(version.model_name)}/{version.number}",
        _GROUP: handle_of(version.model_name),
        "ModelPackageVersion": version.number,
        "ModelPackageArn": package_arn(call, version),
        _DESCRIPTION: version.description or None,
        "CreationTime": instant(version.created_ms),
        "LastModifiedTime": instant(version.updated_ms),
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ModelPackageStatus": _STATUS[version.status],
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        VERDICT: package.approval.value,
        _TAGS: shown_tags(version.tags) or None,
        "ModelLifeCycle": _life(version, package.said),
    }


_STATUS = {"READY": "Completed", "PENDING_REGISTRATION": "Pending", "FAILED_REGISTRATION": "Failed"}


def _life(version: Version, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    told: Mapping[str, Any] = said.get("ModelLifeCycle", {})
    if version.stage == NO_STAGE or told.get("Stage", "").lower() == version.stage.lower():
        return told or None
    return {"Stage": version.stage, "StageStatus": "Approved"}


# -- who may -------------------------------------------------------------------------------------


def _on_group(call: Call) -> None:
    handle = group_of(call.params.get(_GROUP, ""))
    permits.admit(Need(Verb.WRITE, find=lambda work: work.models.by_handle(handle)))


def _on_package(verb: Verb, field: str = _NAME) -> Any:
    def admit(call: Call) -> None:
        handle, _ = package_of(call.params[field])
        permits.admit(Need(verb, find=lambda work: work.models.by_handle(handle)))

    return admit


def _on_update(call: Call) -> None:
    """A vote takes a role that approves; any other change one that writes."""
    is_vote = VERDICT in call.params
    _on_package(Verb.APPROVE if is_vote else Verb.WRITE, "ModelPackageArn")(call)


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "CreateModelPackage"): Operation(_create, _on_group),
    ("sagemaker", "DescribeModelPackage"): Operation(_describe, _on_package(Verb.READ)),
    ("sagemaker", "UpdateModelPackage"): Operation(_update, _on_update),
    ("sagemaker", "DeleteModelPackage"): Operation(_delete, _on_package(Verb.WRITE)),
}
