"""What is remembered of packages: what DescribeModelPackage would say if it looked it up."""

import json
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from modelkeep.domain.access import Caller
from modelkeep.protocols.aws import models, rendering
from modelkeep.protocols.aws.calls import REGION, Call
from modelkeep.protocols.aws.sagemaker import groups, packages
from modelkeep.services import promotion, registry
from tests.support.core import ANN, BOB, ROB, Core

ACCOUNT = "000000000000"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/churn"
GUARDED = {
    "lifecycles": [
        {
            "name": "guarded",
            "models": ["churn"],
            "stage_transitions": {
                "None -> Production": {"approval_required": True, "required_tags": ["ok"]}
            },
        }
    ]
}
T = TypeVar("T")
DESCRIBE = packages.OPERATIONS["sagemaker", "DescribeModelPackage"]


async def awaited(answer: Awaitable[T]) -> T:
    return await answer


def do(core: Core, operation: str, caller: Caller = ANN, **params: Any) -> None:
    found = {**groups.OPERATIONS, **packages.OPERATIONS}["sagemaker", operation]
    core.ask(awaited(found.handle(core.app, Call(REGION, ACCOUNT, caller, params))))


def remembered(core: Core, number: int = 1) -> dict[str, Any] | None:
    """What is told from memory, which must be what would be looked up; None for nothing."""
    asked = Call(REGION, ACCOUNT, ANN, {"ModelPackageName": f"churn/{number}"})
    assert DESCRIBE.known is not None
    body = core.ask(awaited(DESCRIBE.known(core.app, asked)))
    shape = models.output_of("sagemaker", "DescribeModelPackage")
    now = rendering.to_json(shape, core.ask(awaited(DESCRIBE.handle(core.app, asked))))
    assert not body or json.loads(body) == json.loads(now)
    return json.loads(body) if body else None


@pytest.fixture
def grouped(core: Core) -> Core:
    """Two packages of a group, which lies under a policy that wants a tag and a vote."""
    core.apply(GUARDED)
    do(core, "CreateModelPackageGroup", ModelPackageGroupName="churn")
    for _ in range(2):
        do(core, "CreateModelPackage", ModelPackageGroupName="churn")
    return core


def change(core: Core, caller: Caller = ANN, number: int = 1, **params: Any) -> None:
    do(core, "UpdateModelPackage", caller, ModelPackageArn=f"{ARN}/{number}", **params)


def test_every_change_of_a_package_is_seen_at_once(grouped: Core) -> None:
    properties = {"CustomerMetadataProperties": {"ok": "yes"}}
    approved = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "good"}
    changes: list[tuple[Caller, dict[str, Any]]] = [
        (ANN, properties),
        (ANN, {"CustomerMetadataPropertiesToRemove": ["no"]}),
        (ANN, {"SourceUri": "s3://bucket/elsewhere"}),
        (ROB, {"ModelApprovalStatus": "Rejected"}),
        (ROB, approved),
        (ROB, {"ApprovalDescription": "very good"}),
        (ROB, {"ModelApprovalStatus": "Rejected"}),
    ]
    shown = remembered(grouped)
    assert shown is not None
    for caller, params in changes:
        grouped.clock.advance(1_000)
        change(grouped, caller, **params)
        before, shown = shown, remembered(grouped)
        assert shown is not None
        assert (shown == before) is ("CustomerMetadataPropertiesToRemove" in params)
    for use_case, args in (
        (registry.describe_version, (ANN, "churn", 1, "the first")),
        (promotion.request, (ROB, promotion.Order("churn", 1, "Staging"))),
        (registry.set_version_tag, (BOB, "churn", 1, "mlflow", "said so")),
    ):
        grouped.write(use_case, *args)
        before, shown = shown, remembered(grouped)
        assert shown != before
    grouped.apply({})
    assert remembered(grouped) is not None
    do(grouped, "DeleteModelPackage", ModelPackageName="churn/1")
    with pytest.raises(Exception, match="churn/1 does not exist"):
        remembered(grouped)


def test_an_approval_that_hangs_on_gates_is_not_remembered(grouped: Core) -> None:
    for number in (1, 2):
        change(grouped, number=number, CustomerMetadataProperties={"ok": "yes"})
        change(grouped, ROB, number, ModelApprovalStatus="Approved")
    assert remembered(grouped, 2) is not None  # it stands in production
    assert remembered(grouped, 1) is None  # it would be let in again, as long as gates say so


def test_what_is_large_is_not_remembered(grouped: Core) -> None:
    change(grouped, CustomerMetadataProperties={f"k{n}": "v" * 250 for n in range(40)})
    assert remembered(grouped) is None
