"""What EventBridge would be told of a package: "SageMaker Model Package State Change".

One when a package is made and one for every call that changes it, with the fields that changed and
what they were before. Account and region are of whoever listens. An event's id is worked out from
the call's last entry in the journal, so that a receiver knows it again.
Source: SageMaker's developer guide, "Events that SageMaker sends to EventBridge"; the list of
changed fields is of newer events than are described there.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.events import instant
from modelkeep.domain.handles import handle_of
from modelkeep.domain.models import FAILED, NO_STAGE, PENDING, READY, Version
from modelkeep.domain.packages import LIFE, Approval, life_of

KIND = "SageMaker Model Package State Change"
SOURCE = "aws.sagemaker"
VERDICT, COMMENT = "ModelApprovalStatus", "ApprovalDescription"
STATUS = "ModelPackageStatus"
TAGS, DESCRIPTION = "CustomerMetadataProperties", "ModelPackageDescription"
KEY_LIMIT, VALUE_LIMIT, TAGS_LIMIT = 128, 256, 50  # characters; of the tags that are told

_EVENTS = uuid.UUID("5a0f0f0e-6f6b-5c1c-9d0e-7d6c1f1d0a36")  # the namespace of their ids
_STATUS = {READY: "Completed", PENDING: "Pending", FAILED: "Failed"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal has said of a package up to an entry: its stage, whether its files are here,
    what SageMaker's clients said of it, and what the last of verdicts, rejections and stays in
    production comes to. `is_single`: no group has it."""

    is_single: bool = False
    stage: str = NO_STAGE
    status: str = READY
    members: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None
    last: Approval | None = None

    def approval(self, production: str) -> Approval:
        """As it was then: nothing is judged anew by the policy of now."""
        found = Approval.APPROVED if self.stage == production else self.last or Approval.PENDING
        is_early = found is Approval.APPROVED and self.status != READY
        return Approval.PENDING if is_early else found

    def fields(self, production: str) -> dict[str, Any]:
        """Of these, by SageMaker's names, it is known what they were. One without a group has no
        approval until somebody says something of it."""
        shown = self.approval(production)
        life = life_of(self.stage, self.members, shown, self.status)
        is_unsaid = self.is_single and self.last is None and shown is Approval.PENDING
        own = {
            VERDICT: None if is_unsaid else shown.value,
            LIFE: life,
            COMMENT: self.comment,
            STATUS: _STATUS[self.status],
        }
        return {**self.members, **own}


@dataclass(frozen=True, slots=True)
class Change:
    """A package that one call made (nothing in `updated`) or changed. `version` is as it is by now;
    `previous` has what a field was, where that is known. `is_single`: no group has it."""

    version: Version
    is_single: bool
    fields: Mapping[str, Any]
    updated: tuple[str, ...] = ()
    previous: Mapping[str, Any] = field(default_factory=dict)


def made(version: Version, standing: Standing, production: str) -> Change:
    """The making of a package."""
    return Change(version, standing.is_single, standing.fields(production))


def changed(
    version: Version, before: Standing, after: Standing, production: str, touched: set[str]
) -> Change | None:
    """What changed from one standing to the next; `touched` are fields of which it is known that
    they did. None where nothing did that SageMaker has a word for."""
    was, now = before.fields(production), after.fields(production)
    differ = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
    if not differ | touched:
        return None
    previous = {name: was.get(name) for name in sorted(differ)}
    return Change(version, after.is_single, now, tuple(sorted(differ | touched)), previous)


def event_of(
    change: Change, entry: str, part: int, at_ms: int, region: str, account: str
) -> dict[str, Any]:
    """The event; `entry` is the hash of the last of its call's entries in the journal, and `part`
    the change's own number among the call's."""
    version, handle = change.version, handle_of(change.version.model_name)
    name = handle if change.is_single else f"{handle}/{version.number}"
    versioned = {"ModelPackageGroupName": handle, "ModelPackageVersion": version.number}
    arn = f"arn:aws:sagemaker:{region}:{account}:model-package/{name}"
    detail = {
        **change.fields,
        **({} if change.is_single else versioned),
        "ModelPackageName": name,
        "ModelPackageArn": arn,
        DESCRIPTION: version.description or None,
        "CreationTime": _second(version.created_ms),
        "LastModifiedTime": _second(at_ms),
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        TAGS: _tags(version) or None,
        "UpdatedModelPackageFields": list(change.updated) or None,
        "PreviousValues": dict(change.previous) or None,
    }
    return {
        "version": "0",
        "id": str(uuid.uuid5(_EVENTS, f"{entry}.{part}")),
        "detail-type": KIND,
        "source": SOURCE,
        "account": account,
        "time": _second(at_ms),
        "region": region,
        "resources": [arn],
        "detail": {name: value for name, value in detail.items() if value is not None},
    }


def _second(at_ms: int) -> str:
    return f"{instant(at_ms)[:19]}Z"


def _tags(version: Version) -> dict[str, str]:
    fitting = [
        (key, value)
        for key, value in sorted(version.tags.items())
        if len(key) <= KEY_LIMIT and len(value) <= VALUE_LIMIT
    ]
    return dict(fitting[:TAGS_LIMIT])
