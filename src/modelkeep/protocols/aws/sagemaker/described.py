"""Packages as SageMaker's operations tell of them, and how they are named."""

import re
from collections.abc import Mapping
from typing import Any

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.handles import handle_of
from modelkeep.domain.models import FAILED, PENDING, READY, Version
from modelkeep.domain.objects import SCHEME
from modelkeep.domain.packages import LOADED, Package, life_of
from modelkeep.protocols.aws.arns import named
from modelkeep.protocols.aws.calls import Call, Place
from modelkeep.protocols.aws.sagemaker.wording import (
    DESCRIPTION_LIMIT,
    check_ours,
    identity,
    instant,
    metadata_of,
    shown_tags,
)
from modelkeep.services.packages import shown_approval
from modelkeep.services.sources import VERSION_FOLDER

KIND = "model-package"
SOURCE_LIMIT = 1024  # characters of a SourceUri
NOWHERE = "sagemaker:/none"  # the source of a package that says of none
_METADATA = {"intended_uses": ("risk_rating",)}  # of the card in a package

_NAMED = re.compile("([^/]+)(?:/([1-9][0-9]{0,8}))?")
_STATUS = {"READY": "Completed", "PENDING_REGISTRATION": "Pending", "FAILED_REGISTRATION": "Failed"}
# Of the files that are not all here: those of a label are hashed by nobody.
_FILES = {READY: "NotStarted", PENDING: "InProgress", FAILED: "Failed"}


def package_of(text: str) -> tuple[str, int | None]:
    """The handle and number of a package, named by `GROUP/N` or its ARN; the handle and None of
    one without a group. InvalidInput for any other."""
    found = named(text)
    parts = _NAMED.fullmatch(found.name)
    if found.kind not in ("", KIND) or parts is None:
        raise InvalidInput(f"{text} is not the name or the ARN of a model package.")
    return parts[1], int(parts[2]) if parts[2] else None


def our_package_of(call: Call, text: str) -> tuple[str, int | None]:
    """As `package_of`; InvalidInput also for one of another account or region."""
    check_ours(call, text)
    return package_of(text)


def arn_of(place: Place, handle: str, number: int | None) -> str:
    return place.arn(f"{KIND}/{handle}" + (f"/{number}" if number is not None else ""))


def package_arn(place: Place, version: Version, *, is_single: bool = False) -> str:
    return arn_of(place, handle_of(version.model_name), None if is_single else version.number)


def no_package(place: Place, handle: str, number: int | None) -> NotFound:
    return NotFound(f"ModelPackage {arn_of(place, handle, number)} does not exist.")


def described(place: Place, package: Package, *, to_guest: bool = False) -> dict[str, Any]:
    """All that there is to say of a package."""
    version, said = package.version, package.said
    modified_ms = max(version.updated_ms, said.at_ms)
    is_known = said.by and said.at_ms == modified_ms  # else MLflow's clients spoke last, or ours
    return {
        **_source(package),
        "CertifyForMarketplace": False,
        **loadable(package, to_guest=to_guest),
        **summary(place, package),
        "LastModifiedTime": instant(modified_ms),
        "CreatedBy": identity(place, version.author),
        "LastModifiedBy": identity(place, said.by) if is_known else None,
        "ApprovalDescription": said.verdict.comment if said.verdict else None,
        "ModelPackageStatusDetails": _details(package),
        "CustomerMetadataProperties": shown_tags(version.tags) or None,
    }


def loadable(package: Package, *, to_guest: bool) -> Mapping[str, Any]:
    """What was said; with addresses of ours that lead to other bytes by now, or that a guest may
    not read, as those of the frozen ones: what was approved is what is loaded."""
    said = package.said.members
    frozen = {
        address: _frozen_address(package, address)
        for address in (package.frozen if to_guest else package.replaced)
    }
    if not frozen:
        return said

    def led(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: led(part) for name, part in value.items()}
        if isinstance(value, list):
            return [led(part) for part in value]
        return frozen.get(value, value) if isinstance(value, str) else value

    return {**said, **{name: led(said[name]) for name in LOADED if name in said}}


def _frozen_address(package: Package, address: str) -> str:
    """A folder's ends with a slash where the address that it stands for does."""
    inner = package.frozen[address]
    folder = f"{SCHEME}{VERSION_FOLDER}/{package.version.id}"
    end = "/" if address.endswith("/") else ""
    return (f"{folder}/{inner}" if inner else folder) + end


def summary(place: Place, package: Package) -> dict[str, Any]:
    """What lists say of a package."""
    version, said = package.version, package.said.members
    handle = handle_of(version.model_name)
    approval = shown_approval(package)
    versioned = {
        "ModelPackageGroupName": handle,
        "ModelPackageVersion": version.number,
    }
    return {
        "ModelPackageName": handle if package.is_single else f"{handle}/{version.number}",
        **({} if package.is_single else versioned),
        "ModelPackageArn": package_arn(place, version, is_single=package.is_single),
        "ModelPackageDescription": version.description[:DESCRIPTION_LIMIT] or None,
        "CreationTime": instant(version.created_ms),
        "ModelPackageStatus": _STATUS[version.status],
        "ModelApprovalStatus": approval.value if approval else None,
        "ModelLifeCycle": life_of(version.stage, said, package.approval, version.status),
        "ModelPackageRegistrationType": said.get("ModelPackageRegistrationType"),
    }


def in_batch(place: Place, package: Package, *, to_guest: bool = False) -> dict[str, Any]:
    """What BatchDescribeModelPackage says of a package: of each it names a group and what it
    runs."""
    told = summary(place, package)
    del told["ModelPackageName"], told["ModelLifeCycle"]
    handle = handle_of(package.version.model_name)
    runs = loadable(package, to_guest=to_guest).get("InferenceSpecification", {"Containers": []})
    return {**told, "ModelPackageGroupName": handle, "InferenceSpecification": runs}


def without_contents(told: dict[str, Any]) -> dict[str, Any]:
    """With of the model card's content the risk rating alone (IncludedData MetadataOnly)."""
    card = told.get("ModelCard", {})
    if "ModelCardContent" not in card:
        return told
    content = metadata_of(card["ModelCardContent"], _METADATA)
    return {**told, "ModelCard": {**card, "ModelCardContent": content}}


def _source(package: Package) -> dict[str, Any]:
    """Where MLflow's clients said that it lies; SageMaker's say so of what it runs."""
    source = package.version.source
    if "InferenceSpecification" in package.said.members or source == NOWHERE:
        return {}
    return {"SourceUri": source} if len(source) <= SOURCE_LIMIT else {}


def _details(package: Package) -> dict[str, Any]:
    """Validations are kept, and run by nobody; files are verified, or it says why they were not."""
    version = package.version
    asked = package.said.members.get("ValidationSpecification", {}).get("ValidationProfiles", ())
    found = [{"Name": one["ProfileName"], "Status": "NotStarted"} for one in asked]
    if version.status != READY or version.status_message:
        status = _FILES[version.status]
        reason = version.status_message or None
        found.append({"Name": "files", "Status": status, "FailureReason": reason})
    return {"ValidationStatuses": found, "ImageScanStatuses": []}
