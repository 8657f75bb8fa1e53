"""Who may do what to cards, models and tags of SageMaker's clients, on both databases."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from modelkeep.domain.access import Access, Actor, Caller, Grant, Role, scope_of
from modelkeep.domain.audit import verify
from modelkeep.domain.errors import Forbidden, ModelkeepError
from modelkeep.protocols.aws import operations
from modelkeep.protocols.aws.calls import REGION, Call
from modelkeep.services import permits
from tests.support.core import Core

ACCOUNT = "000000000000"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
CARD = {"Content": "{}", "ModelCardStatus": "Draft"}
Params = Mapping[str, Any]


class Member:
    """Somebody with grants, who calls operations as a door with accounts lets them."""

    def __init__(self, core: Core, name: str, *grants: tuple[Role, str]) -> None:
        granted = tuple(Grant(role, scope_of(scope)) for role, scope in grants)
        access = Access(granted, deciding_tags=frozenset(("team",)))
        self._core, self._caller = core, Caller(Actor(name, verified=True), access=access)
        self._app = permits.gated(core.app)

    def __call__(self, name: str, **params: Any) -> Params:
        async def ask() -> Params:
            permits.ask(self._caller)
            call = Call(REGION, ACCOUNT, self._caller, params)
            operation = operations.ALL["sagemaker", name]
            operation.admit(call)
            return await operation.handle(self._app, call)

        async def apart() -> Params:  # in a context of its own, as each call has
            return await asyncio.create_task(ask())

        return self._core.ask(apart())


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def boss(core: Core) -> Member:
    boss = Member(core, "boss", (Role.ADMIN, "*"))
    for name, team in (("churn", "risk"), ("ad-clicks", "ads")):
        boss("CreateModelPackageGroup", ModelPackageGroupName=name, Tags=pairs(team=team))
        boss("CreateModelCard", ModelCardName=name, **CARD, Tags=pairs(team=team))
        boss("CreateModel", ModelName=name, Tags=pairs(team=team))
    return boss


def named(found: Params, listing: str, name: str) -> list[str]:
    return [one[name] for one in found[listing]]


@pytest.mark.parametrize("scope", ["model:churn", "prefix:chu", "tag:team=risk"])
def test_who_may_see_some_names_or_tags_sees_no_other(core: Core, boss: Member, scope: str) -> None:
    ann = Member(core, "ann", (Role.VIEWER, scope))
    cards = ann("ListModelCards")
    assert named(cards, "ModelCardSummaries", "ModelCardName") == ["churn"]
    assert named(ann("ListModels"), "Models", "ModelName") == ["churn"]
    assert ann("DescribeModelCard", ModelCardName="churn")["Content"] == "{}"
    for name, params in (
        ("DescribeModelCard", {"ModelCardName": "ad-clicks"}),
        ("ListModelCardVersions", {"ModelCardName": "ad-clicks"}),
        ("DescribeModel", {"ModelName": "ad-clicks"}),
        ("ListTags", {"ResourceArn": f"{ARN}model-card/ad-clicks"}),
        ("ListTags", {"ResourceArn": f"{ARN}model-package-group/ad-clicks"}),
        ("GetModelPackageGroupPolicy", {"ModelPackageGroupName": "ad-clicks"}),
    ):
        with pytest.raises(ModelkeepError, match=r"does not exist|Could not find"):
            ann(name, **params)


@pytest.mark.parametrize("scope", ["model:churn", "prefix:chu", "tag:team=risk"])
def test_who_may_write_to_some_changes_those_alone(core: Core, boss: Member, scope: str) -> None:
    cat = Member(core, "cat", (Role.CONTRIBUTOR, scope), (Role.VIEWER, "*"))
    for name in ("churn", "ad-clicks"):
        for operation, params in (
            ("UpdateModelCard", {"ModelCardName": name, "ModelCardStatus": "Approved"}),
            ("AddTags", {"ResourceArn": f"{ARN}model-card/{name}", "Tags": pairs(a="b")}),
            ("AddTags", {"ResourceArn": f"{ARN}model-package-group/{name}", "Tags": pairs(a="b")}),
            ("DeleteTags", {"ResourceArn": f"{ARN}model/{name}", "TagKeys": ["a"]}),
            ("DeleteModel", {"ModelName": name}),
            ("DeleteModelCard", {"ModelCardName": name}),
        ):
            if name == "churn":
                cat(operation, **params)
            else:
                with pytest.raises(Forbidden, match="needs a role that may write on"):
                    cat(operation, **params)
    assert named(boss("ListModels"), "Models", "ModelName") == ["ad-clicks"]


def test_a_tag_that_decides_is_an_admins_to_change(core: Core, boss: Member) -> None:
    cat = Member(core, "cat", (Role.CONTRIBUTOR, "tag:team=risk"))
    for thing in ("model-package-group", "model-card", "model"):
        arn = f"{ARN}{thing}/churn"
        for operation, params in (
            ("AddTags", {"Tags": pairs(team="ads")}),
            ("DeleteTags", {"TagKeys": ["team"]}),
        ):
            with pytest.raises(Forbidden, match="admin"):
                cat(operation, ResourceArn=arn, **params)
        assert cat("ListTags", ResourceArn=arn)["Tags"] == pairs(team="risk")
        boss("AddTags", ResourceArn=arn, Tags=pairs(team="ads"))
        with pytest.raises(ModelkeepError, match=r"does not exist|Could not find"):
            cat("ListTags", ResourceArn=arn)
    with pytest.raises(Forbidden):
        cat("CreateModelCard", ModelCardName="new", **CARD, Tags=pairs(team="ads"))
    cat("CreateModelCard", ModelCardName="new", **CARD, Tags=pairs(team="risk"))
    with pytest.raises(ModelkeepError, match="already exists"):
        cat("CreateModelCard", ModelCardName="churn", **CARD, Tags=pairs(team="risk"))


def test_only_an_admin_shares_a_group(core: Core, boss: Member) -> None:
    cat = Member(core, "cat", (Role.CONTRIBUTOR, "*"))
    statement = '{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}'
    policy = f'{{"Version":"2012-10-17","Statement":{statement}}}'
    group = {"ModelPackageGroupName": "churn"}
    with pytest.raises(Forbidden):
        cat("PutModelPackageGroupPolicy", **group, ResourcePolicy=policy)
    boss("PutModelPackageGroupPolicy", **group, ResourcePolicy=policy)
    assert cat("GetModelPackageGroupPolicy", **group)["ResourcePolicy"] == policy
    with pytest.raises(Forbidden):
        cat("DeleteModelPackageGroupPolicy", **group)


def test_a_package_that_may_not_be_seen_is_not_there_to_be_deployed(
    core: Core, boss: Member
) -> None:
    core.register("ad-clicks", "s3://bucket/model")
    ann = Member(core, "ann", (Role.CONTRIBUTOR, "model:churn"), (Role.CONTRIBUTOR, "prefix:mine"))
    container = {"ModelPackageName": "ad-clicks/1"}
    with pytest.raises(ModelkeepError, match="ad-clicks/1 does not exist"):
        ann("CreateModel", ModelName="mine", PrimaryContainer=container)
    with pytest.raises(ModelkeepError, match="ad-clicks/1 is PendingManualApproval"):
        boss("CreateModel", ModelName="mine", PrimaryContainer=container)


def test_tampering_with_what_a_card_says_is_found(core: Core, boss: Member) -> None:
    rows = core.export()
    (one,) = (
        line["row"]
        for line in rows
        if line["kind"] == "row"
        and line["table"] == "resource_revision"
        and line["row"]["status"] == "Draft"
        and line["row"]["resource"] == 1
    )
    one["body"] = one["body"].replace("{}", '{"model_overview":{}}')
    report = verify(rows)
    assert any("resource_revision 1/1" in problem.message for problem in report.problems)
