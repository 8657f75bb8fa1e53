"""SageMaker's models: what could be deployed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NotFound
from modelkeep.domain.packages import Package, code_of
from modelkeep.domain.resources import Kind
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.protocols.aws.sagemaker.described import arn_of, loadable, our_package_of
from modelkeep.protocols.aws.sagemaker.wording import PAGE, instant, sought, tags_of
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import deployables, permits, resources
from modelkeep.services.app import App
from modelkeep.services.deployables import Asked

_NAME, _PACKAGE = "ModelName", "ModelPackageName"
_OF_PACKAGE = ("Image", "ModelDataUrl", "ModelDataSource")  # what a package says for itself
_SOURCES = "AdditionalModelDataSources"


async def _create(app: App, call: Call) -> Mapping[str, Any]:
    name: str = call.params[_NAME]
    said = {key: value for key, value in call.params.items() if key not in (_NAME, "Tags")}
    of = [_asked(call, container) for container in _packaged(said)]
    tags = tags_of(call.params.get("Tags", ()))
    try:
        await app.write(deployables.create, call.caller, name, said, of, tags)
    except AlreadyExists:
        raise AlreadyExists(f'Cannot create already existing model "{_arn(call, name)}".') from None
    return {"ModelArn": _arn(call, name)}


def _asked(call: Call, container: Mapping[str, Any]) -> Asked:
    handle, number = our_package_of(call, container[_PACKAGE])
    told = arn_of(call, handle, number)

    def check(package: Package) -> None:
        other = _contradicted(container, package)
        if other:
            raise InvalidInput(
                f"ModelPackage {told} does not say this {other}: leave it out of the container; "
                "what is loaded is what was approved."
            )

    return Asked(handle, number, told, check)


def _contradicted(container: Mapping[str, Any], package: Package) -> str | None:
    """What a container says of what is loaded that those of its package do not, all of them; they
    may be meant by the addresses of the frozen files, too."""
    which = container.get("InferenceSpecificationName")
    forms = [_containers(loadable(package, to_guest=form), which) for form in (False, True)]
    for name, value in _loads(container).items():
        if not any(form and all(_loads(one).get(name) == value for one in form) for form in forms):
            return name
    return None


def _containers(said: Mapping[str, Any], which: str | None) -> list[Mapping[str, Any]]:
    """Those of a package's specification, or of the additional one of a name."""
    more = said.get("AdditionalInferenceSpecifications", ())
    usual = said.get("InferenceSpecification", {})
    found = next((one for one in more if one["Name"] == which), {}) if which else usual
    return found.get("Containers", [])


def _loads(container: Mapping[str, Any]) -> dict[str, Any]:
    """What it loads besides its image and its data."""
    sources = container.get(_SOURCES)
    return {**code_of(container), **({_SOURCES: sources} if sources else {})}


def _packaged(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers that name a package. Raises InvalidInput for containers that none has."""
    if "PrimaryContainer" in said and "Containers" in said:
        raise InvalidInput("A model has a PrimaryContainer or Containers, and not both.")
    containers = said.get("Containers") or [said.get("PrimaryContainer", {})]
    for container in containers:
        other = next((name for name in _OF_PACKAGE if name in container), None)
        if _PACKAGE in container and other:
            raise InvalidInput(
                f"A container with a {_PACKAGE} takes its {other} from the package; give one of "
                "them."
            )
    return [container for container in containers if _PACKAGE in container]


async def _describe(app: App, call: Call) -> Mapping[str, Any]:
    name: str = call.params[_NAME]
    try:
        model = await app.read(resources.get, Kind.MODEL, name, point=True)
    except NotFound:
        raise no_model(call, name) from None
    return {**deployables.said_of(model), **_summary(call, name, model.created_ms)}


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    name: str = call.params[_NAME]
    try:
        await app.write(resources.delete, call.caller, Kind.MODEL, name)
    except NotFound:
        raise no_model(call, name) from None
    return {}


async def _list(app: App, call: Call) -> Mapping[str, Any]:
    wanted = sought(call.params, "Descending")
    if wanted.from_ms is not None:  # of all lists this alone has the moment itself
        wanted = replace(wanted, from_ms=wanted.from_ms - 1)
    after = page_position(call.params.get("NextToken", ""), wanted)
    size = call.params.get("MaxResults", PAGE)
    found = await app.search(resources.listed, Kind.MODEL, wanted, size, after)
    return {
        "Models": [_summary(call, model.name, model.created_ms) for model in found.items],
        "NextToken": position_token(found.end, wanted) or None,
    }


def no_model(call: Call, name: str) -> NotFound:
    return NotFound(f'Could not find model "{_arn(call, name)}".')


def _arn(call: Call, name: str) -> str:
    return call.arn(f"{Kind.MODEL}/{name}")


def _summary(call: Call, name: str, created_ms: int) -> dict[str, Any]:
    return {_NAME: name, "ModelArn": _arn(call, name), "CreationTime": instant(created_ms)}


# -- who may -------------------------------------------------------------------------------------


def _makes(call: Call) -> None:
    permits.admit_new(call.params[_NAME], tags_of(call.params.get("Tags", ())))


def _knows(_call: Call) -> None:
    permits.admit()


def _reads(call: Call) -> None:
    permits.admit(permits.on_resource(Verb.READ, Kind.MODEL, call.params[_NAME]))


def _writes(call: Call) -> None:
    permits.admit(permits.on_resource(Verb.WRITE, Kind.MODEL, call.params[_NAME]))


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "CreateModel"): Operation(_create, _makes),
    ("sagemaker", "DescribeModel"): Operation(_describe, _reads),
    ("sagemaker", "ListModels"): Operation(_list, _knows),
    ("sagemaker", "DeleteModel"): Operation(_delete, _writes),
}
