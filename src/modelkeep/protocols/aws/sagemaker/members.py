"""What callers say of packages: which members go together, and which of our words they mean.

A member that one of our words stands for is kept by that word: the description, the tags
(CustomerMetadataProperties), the source (where the first container's data lies), the stage
(ModelLifeCycle) and the approval, which is derived. Every other is kept as it was said.
Source: botocore 1.44's documentation of the members, and answers of SageMaker as quoted by users.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelkeep.domain import cards
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.packages import Approval
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sagemaker.described import KIND, NOWHERE, our_package_of
from modelkeep.protocols.aws.sagemaker.wording import group_of, tags_of
from modelkeep.services.packages import Change, Members, Registration

GROUP, NAME = "ModelPackageGroupName", "ModelPackageName"
TAGS, UNTAGGED = "CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove"
DESCRIPTION, VERDICT = "ModelPackageDescription", "ModelApprovalStatus"
COMMENT, LIFE, CARD = "ApprovalDescription", "ModelLifeCycle", "ModelCard"
RUNS, MORE, SOURCE = "InferenceSpecification", "AdditionalInferenceSpecifications", "SourceUri"
_TYPES = ("SupportedTransformInstanceTypes", "SupportedRealtimeInferenceInstanceTypes")
_OURS = {GROUP, NAME, TAGS, DESCRIPTION, VERDICT, "ClientToken", "Tags"}
_PATCHED = ("ModelPackageRegistrationType", RUNS, SOURCE, LIFE)

MORE_LIMIT = 15  # additional inference specifications
# Addresses that a version's source may be, and images, which only stand for one.
_ADDRESS = re.compile("(s3|models|runs|mlflow-artifacts):/.+")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*([./:@][A-Za-z0-9_\-]+)*")


def registration(call: Call) -> Registration:
    """What CreateModelPackage asks for. Raises InvalidInput for members that do not go together."""
    params = call.params
    single = is_single(params)
    (_check_single if single else _check_versioned)(params)
    if RUNS in params and SOURCE in params:
        raise InvalidInput(f"{SOURCE} and {RUNS} cannot both be provided.")
    _check_names(params.get(MORE, ()))
    _check_card(params.get(CARD, {}))
    verdict = params.get(VERDICT)
    return Registration(
        name=params[NAME] if single else group_of(params[GROUP]),
        source=_source(params),
        single=single,
        clone_of=_clone_of(call),
        description=params.get(DESCRIPTION),
        tags=params.get(TAGS),
        model_tags=tags_of(params.get("Tags", ())),
        said={name: value for name, value in params.items() if name not in _OURS},
        approval=Approval(verdict) if verdict else None,
        stage=params.get(LIFE, {}).get("Stage"),
        is_label=call.is_guests,
    )


def change(params: Mapping[str, Any]) -> Change:
    """What UpdateModelPackage asks for: a patch. Raises InvalidInput."""
    tags, untagged = params.get(TAGS, {}), params.get(UNTAGGED, ())
    if both := sorted(tags.keys() & set(untagged)):
        raise InvalidInput(f"{both[0]} cannot be in both {TAGS} and {UNTAGGED}.")
    added = params.get(f"{MORE}ToAdd", ())
    _check_names(added)
    _check_card(params.get(CARD, {}))
    verdict = params.get(VERDICT)

    def say(old: Members) -> Members:
        said = {name: params[name] for name in _PATCHED if name in params}
        if added:
            said[MORE] = _more(old.get(MORE, ()), added)
        if CARD in params:
            said[CARD] = _card(old.get(CARD, {}), params[CARD])
        return said

    return Change(
        approval=Approval(verdict) if verdict else None,
        comment=params.get(COMMENT),
        stage=params.get(LIFE, {}).get("Stage"),
        tags=tags,
        untagged=untagged,
        say=say,
        runs=bool(added) or RUNS in params or SOURCE in params,
    )


def is_single(params: Mapping[str, Any]) -> bool:
    """Whether a package without a group is meant. Raises InvalidInput where nobody can tell."""
    if GROUP in params and NAME in params:
        raise InvalidInput(
            f"Both {NAME} and {GROUP} are provided in the input. Cannot determine which one to use."
        )
    if GROUP not in params and NAME not in params:
        raise InvalidInput(f"Missing ARN. Give a {NAME} or a {GROUP}.")
    return NAME in params


# -- within --------------------------------------------------------------------------------------


def _check_versioned(params: Mapping[str, Any]) -> None:
    if params.get("Tags"):
        raise InvalidInput(
            "Tags cannot be supplied for a versioned model package: it has those of its group."
        )
    if params.get("CertifyForMarketplace"):
        raise InvalidInput("CertifyForMarketplace does not apply to versioned model packages.")


def _check_single(params: Mapping[str, Any]) -> None:
    specification = params.get(RUNS)
    if specification is None:
        return
    for types in _TYPES:
        if not specification.get(types):
            raise InvalidInput(f"{RUNS}.{types} is required for unversioned model packages.")
    if any(container.get("Environment") for container in specification["Containers"]):
        raise InvalidInput(f"{RUNS}: Environment is for containers of versioned model packages.")


def _check_names(specifications: Sequence[Mapping[str, Any]]) -> None:
    names = [one["Name"] for one in specifications]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"{MORE}: the name {twice} is there twice; names must be unique.")


def _more(old: Sequence[Any], added: Sequence[Any]) -> list[Any]:
    whole = [*old, *added]
    _check_names(whole)
    if len(whole) > MORE_LIMIT:
        raise InvalidInput(f"{MORE} would be {len(whole)}; the limit is {MORE_LIMIT}.")
    return whole


def _check_card(card: Mapping[str, Any]) -> None:
    if "ModelCardContent" in card:
        cards.check_of_package(card["ModelCardContent"])


def _card(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    if old.get("ModelCardStatus") == "Archived" and "ModelCardContent" in new:
        raise Coded("ConflictException", "Model Card is in Archived state")
    return {**old, **new}


def _clone_of(call: Call) -> tuple[str, int | None] | None:
    """The package that the source names, if it names one."""
    source = call.params.get(SOURCE, "")
    return our_package_of(call, source) if named(source).kind == KIND else None


def _source(params: Mapping[str, Any]) -> str:
    """Where the bytes are said to lie; else what stands for them, as a label."""
    containers = params.get(RUNS, {}).get("Containers", ())
    said = [*(_data(container) for container in containers), params.get(SOURCE, "")]
    address = next((one for one in said if _ADDRESS.fullmatch(one)), None)
    image = next((c["Image"] for c in containers if _IMAGE.fullmatch(c.get("Image", ""))), None)
    return address or (f"image:/{image}" if image else NOWHERE)


def _data(container: Mapping[str, Any]) -> str:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return container.get("ModelDataUrl") or source.get("S3Uri") or ""
