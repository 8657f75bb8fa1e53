"""What EventBridge would be told of a package: "SageMaker Model Package State Change".

One when a package is made and one for every change of it, with the fields that changed and what
they were before. Account and region are of whoever listens. An event's id is worked out from the
journal's entry, so that a receiver knows it again.
Source: SageMaker's developer guide, "Events that SageMaker sends to EventBridge"; the list of
changed fields is of newer events than are described there.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.approvals import Status
from modelkeep.domain.events import instant
from modelkeep.domain.handles import handle_of
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import NO_STAGE, Version
from modelkeep.domain.packages import VERDICT, Approval

KIND = "SageMaker Model Package State Change"
SOURCE = "aws.sagemaker"
LIFE, TAGS, DESCRIPTION = "ModelLifeCycle", "CustomerMetadataProperties", "ModelPackageDescription"
KEY_LIMIT, VALUE_LIMIT, TAGS_LIMIT = 128, 256, 50  # characters; of the tags that are told

_EVENTS = uuid.UUID("5a0f0f0e-6f6b-5c1c-9d0e-7d6c1f1d0a36")  # the namespace of their ids
_STATUS = {"READY": "Completed", "PENDING_REGISTRATION": "Pending", "FAILED_REGISTRATION": "Failed"}
_OF_REQUEST = {
    Status.APPROVED: Approval.APPROVED,
    Status.REJECTED: Approval.REJECTED,
    Status.CHANGES: Approval.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal has said of a package up to an entry: its stage, what SageMaker's clients
    said of it, and where the newest request for production stands."""

    stage: str = NO_STAGE
    said: Mapping[str, Any] = field(default_factory=dict)
    asked: Status | None = None

    def approval(self, cycle: Lifecycle) -> Approval:
        """As `packages.approval_of`, at that entry; the policy is that of now."""
        verdict = Approval(self.said[VERDICT]) if VERDICT in self.said else None
        if self.stage == cycle.production:
            return Approval.APPROVED
        if verdict is Approval.REJECTED:
            return verdict
        if not cycle.is_guarded(cycle.production):
            return verdict or Approval.PENDING
        return _OF_REQUEST.get(self.asked, Approval.PENDING) if self.asked else Approval.PENDING

    def life(self) -> Mapping[str, Any] | None:
        told: Mapping[str, Any] = self.said.get(LIFE, {})
        if self.stage == NO_STAGE or told.get("Stage", "").lower() == self.stage.lower():
            return told or None
        return {"Stage": self.stage, "StageStatus": "Approved"}


@dataclass(frozen=True, slots=True)
class Change:
    """A package that one entry made (nothing in `updated`) or changed. `version` is as it is by
    now; `previous` has what a field was, where that is known."""

    version: Version
    after: Standing
    approval: Approval
    updated: tuple[str, ...] = ()
    previous: Mapping[str, Any] = field(default_factory=dict)


def changed(
    version: Version, before: Standing, after: Standing, cycle: Lifecycle, touched: set[str]
) -> Change | None:
    """What changed from one standing to the next; `touched` are fields of which it is known that
    they did. None where nothing did that SageMaker has a word for."""
    fields = touched | {
        name
        for name in (before.said.keys() | after.said.keys()) - {VERDICT, LIFE}
        if before.said.get(name) != after.said.get(name)
    }
    previous = {name: before.said.get(name) for name in fields - touched}
    was, now = before.approval(cycle), after.approval(cycle)
    if was is not now:
        fields.add(VERDICT)
        previous[VERDICT] = was.value
    if before.life() != after.life():
        fields.add(LIFE)
        previous[LIFE] = before.life()
    return Change(version, after, now, tuple(sorted(fields)), previous) if fields else None


def event_of(
    change: Change, entry: str, part: int, at_ms: int, region: str, account: str
) -> dict[str, Any]:
    """The event; `entry` is the hash of its entry in the journal, whose `part`-th change it is."""
    version = change.version
    handle = handle_of(version.model_name)
    arn = f"arn:aws:sagemaker:{region}:{account}:model-package/{handle}/{version.number}"
    detail = {
        **change.after.said,
        "ModelPackageName": f"{handle}/{version.number}",
        "ModelPackageGroupName": handle,
        "ModelPackageVersion": version.number,
        "ModelPackageArn": arn,
        DESCRIPTION: version.description or None,
        "CreationTime": _second(version.created_ms),
        "LastModifiedTime": _second(at_ms),
        "ModelPackageStatus": _STATUS[version.status],
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        VERDICT: change.approval.value,
        LIFE: change.after.life(),
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
