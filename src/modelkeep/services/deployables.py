"""What SageMaker's clients call a model: containers, and the role that they would run with.

A container that is a package is one that is approved when the model is made, and neither blocked
nor retired: what nobody approved is not deployed through here. The journal says which packages.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.models import READY
from modelkeep.domain.packages import Approval, Package
from modelkeep.domain.resources import Kind, Resource, Saying
from modelkeep.ports.work import Work
from modelkeep.services import packages, resources


@dataclass(frozen=True, slots=True)
class Asked:
    """A package that somebody names: by its model's handle and its number, and in their words.

    `check` raises InvalidInput for a package that what they say beside it contradicts.
    """

    handle: str
    number: int | None  # of one without a group
    told: str
    check: Callable[[Package], None]


def create(
    work: Work,
    caller: Caller,
    name: str,
    said: Mapping[str, Any],
    of: Sequence[Asked],
    tags: Mapping[str, str],
) -> Resource:
    """`of` are the packages that it names. Raises AlreadyExists; InvalidInput for a package that is
    not there, not to be deployed, or contradicted."""
    found = [_deployable(work, asked) for asked in of]
    grounds = [
        {
            "model": package.version.model_id,
            "name": package.version.model_name,
            "version": package.version.number,
            "manifest": package.version.manifest,
        }
        for package in found
    ]
    body = json.dumps(said, ensure_ascii=False, sort_keys=True)
    why = {"packages": grounds} if grounds else {}
    return resources.create(work, caller, Kind.MODEL, name, Saying(body), tags, why)


def said_of(model: Resource) -> dict[str, Any]:
    """What was said when it was made."""
    return json.loads(model.said.body)


def _deployable(work: Work, asked: Asked) -> Package:
    try:
        package = packages.find(work, asked.handle, asked.number)
    except NotFound:
        raise InvalidInput(f"ModelPackage {asked.told} does not exist.") from None
    if package.version.ending.is_over:
        raise InvalidInput(f"ModelPackage {asked.told} is over: {package.version.warning}")
    if package.version.status != READY:
        raise InvalidInput(f"The files of ModelPackage {asked.told} are not known to be whole.")
    if package.approval is not Approval.APPROVED:
        raise InvalidInput(
            f"ModelPackage {asked.told} is {package.approval}: a model is made of approved "
            "packages only."
        )
    asked.check(package)
    return package
