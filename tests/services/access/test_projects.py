"""Grants on a tag, as SageMaker's clients meet them: `MLProject=weather` is all that there is."""

from typing import Any

import pytest

from tests.support.estate import Estate
from tests.support.signing import Signer, caller

ARN = "arn:aws:sagemaker:us-east-1:000000000000:"
GROUP, PACKAGE = f"{ARN}model-package-group/", f"{ARN}model-package/"
DENIED = "AccessDeniedException"
RUNS = {"Containers": [{"Image": "i"}]}


def tags(project: str) -> list[dict[str, str]]:
    return [{"Key": "MLProject", "Value": project}] if project else []


@pytest.fixture
def boss(estate: Estate) -> Signer:
    """The administrator; of each project, and of none, there is one of each kind."""
    return prepared(estate)


@pytest.fixture
def alone(quick: Estate) -> Signer:
    """The same, on SQLite alone."""
    return prepared(quick)


def prepared(estate: Estate) -> Signer:
    boss = caller(estate, "boss")
    estate.user("pat", "contributor tag:MLProject=weather")
    estate.user("con", "contributor")
    estate.user("pre", "contributor prefix:pre-")
    for name, project in (("weather", "weather"), ("traffic", "traffic"), ("plain", "")):
        boss("CreateModelPackageGroup", ModelPackageGroupName=name, Tags=tags(project))
        # What a version says of itself gives nobody anything.
        said = {"CustomerMetadataProperties": {"MLProject": "weather"}}
        boss("CreateModelPackage", ModelPackageGroupName=name, **said)
        boss("CreateModelPackage", ModelPackageName=f"{name}-one", Tags=tags(project))
        card = {"ModelCardName": name, "Content": "{}", "ModelCardStatus": "Draft"}
        boss("CreateModelCard", **card, Tags=tags(project))
        boss("CreateModel", ModelName=name, PrimaryContainer={"Image": "i"}, Tags=tags(project))
    return boss


def test_lists_searches_and_counts_have_what_the_tag_shows(boss: Signer) -> None:
    pat = caller(boss.estate, "pat")
    assert pat.groups() == ["weather"]
    assert pat.found("ModelPackageGroup") == (["weather"], 1)
    assert pat.found() == (["weather", "weather-one"], 2)
    other = {"Filters": [{"Name": "Tags.MLProject", "Operator": "Equals", "Value": "traffic"}]}
    for resource in ("ModelPackage", "ModelPackageGroup"):
        assert pat.found(resource, SearchExpression=other) == ([], 0)
    both = pat("ListModelPackages", ModelPackageType="Both")["ModelPackageSummaryList"]
    names = sorted(package["ModelPackageName"] for package in both)
    assert names == ["weather-one", "weather/1"]
    (card,) = pat("ListModelCards")["ModelCardSummaries"]
    (model,) = pat("ListModels")["Models"]
    assert (card["ModelCardName"], model["ModelName"]) == ("weather", "weather")
    boss("DeleteTags", ResourceArn=GROUP + "weather", TagKeys=["MLProject"])
    assert pat.groups() == []
    assert pat.found() == (["weather-one"], 1)


def asked(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every call that names something, for things of one name."""
    group, package = {"ModelPackageGroupName": name}, {"ModelPackageArn": f"{PACKAGE}{name}/1"}
    tagged = [
        {"ResourceArn": f"{ARN}{kind}/{name}"}
        for kind in ("model-package-group", "model-card", "model")
    ]
    tagged.append({"ResourceArn": f"{PACKAGE}{name}-one"})
    return [
        ("DescribeModelPackageGroup", group),
        ("ListModelPackages", group),
        ("CreateModelPackage", group),
        ("DeleteModelPackageGroup", group),
        ("GetModelPackageGroupPolicy", group),
        ("DescribeModelPackage", {"ModelPackageName": f"{name}/1"}),
        ("DescribeModelPackage", {"ModelPackageName": f"{name}-one"}),
        ("DeleteModelPackage", {"ModelPackageName": f"{name}/1"}),
        ("BatchDescribeModelPackage", {"ModelPackageArnList": [f"{PACKAGE}{name}/1"]}),
        ("UpdateModelPackage", {**package, "CustomerMetadataProperties": {"a": "1"}}),
        ("UpdateModelPackage", {**package, "ModelApprovalStatus": "Approved"}),
        (
            "UpdateModelPackage",
            {**package, "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "x"}},
        ),
        (
            "CreateModelPackage",
            {"ModelPackageGroupName": "weather", "SourceUri": f"{PACKAGE}{name}/1"},
        ),
        (
            "CreateModel",
            {
                "ModelName": "new",
                "Tags": tags("weather"),
                "PrimaryContainer": {"ModelPackageName": f"{PACKAGE}{name}/1"},
            },
        ),
        ("DescribeModelCard", {"ModelCardName": name}),
        ("UpdateModelCard", {"ModelCardName": name, "ModelCardStatus": "Archived"}),
        ("DeleteModelCard", {"ModelCardName": name}),
        ("ListModelCardVersions", {"ModelCardName": name}),
        ("DescribeModel", {"ModelName": name}),
        ("DeleteModel", {"ModelName": name}),
        *(("ListTags", given) for given in tagged),
        *(("AddTags", {**given, "Tags": [{"Key": "a", "Value": "b"}]}) for given in tagged),
        *(("DeleteTags", {**given, "TagKeys": ["a"]}) for given in tagged),
    ]


def test_what_the_tag_does_not_show_is_not_there_for_any_call(boss: Signer) -> None:
    pat = caller(boss.estate, "pat")
    for hidden in ("traffic", "plain"):
        for (operation, params), (_, absent) in zip(asked(hidden), asked("nowhere"), strict=True):
            told = pat.raw(operation, **params)
            expected = pat.raw(operation, **absent)
            assert told.status_code == expected.status_code, (operation, told.text)
            assert told.text.replace(hidden, "nowhere") == expected.text
    assert boss.found()[1] == 6


def test_what_the_tag_shows_is_as_it_would_be_without(alone: Signer) -> None:
    pat = caller(alone.estate, "pat")
    for operation, params in asked("weather"):
        if not operation.startswith(("Delete", "Archive")):
            assert pat(operation, **params) != DENIED, operation
    life = alone("DescribeModelPackage", ModelPackageName="weather/1")["ModelLifeCycle"]
    assert life["Stage"] == "Staging"


@pytest.mark.parametrize("who", ["pat", "con"])
def test_an_access_tag_is_an_admins_on_whatever_has_tags(alone: Signer, who: str) -> None:
    person = caller(alone.estate, who)
    named = ("model-package-group/weather", "model-package/weather-one")
    for name in (*named, "model-card/weather", "model/weather"):
        for project in ("weather", "traffic"):
            given = [{"Key": "team", "Value": "x"}, *tags(project)]
            arn = {"ResourceArn": ARN + name}
            told = person("AddTags", **arn, Tags=given)
            assert (told == DENIED) is (project == "traffic")  # the other changes nothing
            alone("DeleteTags", **arn, TagKeys=["team"])
        assert person("DeleteTags", **arn, TagKeys=["team", "MLProject"]) == DENIED
        assert alone("ListTags", **arn) == {"Tags": tags("weather")}
        assert person("AddTags", **arn, Tags=given[:1])["Tags"] == [*tags("weather"), given[0]]
        assert person("DeleteTags", **arn, TagKeys=["team"]) == {}
        assert alone("DeleteTags", **arn, TagKeys=["MLProject"]) == {}
    assert caller(alone.estate, "pat").groups() == []


def making(name: str, project: str) -> list[tuple[str, dict[str, Any]]]:
    given = {"Tags": tags(project)}
    return [
        ("CreateModelPackageGroup", {"ModelPackageGroupName": name, **given}),
        ("CreateModelPackage", {"ModelPackageName": f"{name}-one", **given}),
        (
            "CreateModelCard",
            {"ModelCardName": name, "Content": "{}", "ModelCardStatus": "Draft", **given},
        ),
        ("CreateModel", {"ModelName": name, "PrimaryContainer": {"Image": "i"}, **given}),
    ]


def test_who_may_not_change_an_access_tag_is_told_of_that_tag_alone(alone: Signer) -> None:
    pat = caller(alone.estate, "pat")
    given = {"ResourceArn": GROUP + "weather", "Tags": [{"Key": "team", "Value": "x"}]}
    told = pat.told("AddTags", **{**given, "Tags": [*given["Tags"], *tags("traffic")]})
    assert "Grants hang on the tags MLProject: to change them" in told
    assert "team" not in told


def test_nobody_makes_anything_in_a_project_that_is_not_theirs(alone: Signer) -> None:
    people = {name: caller(alone.estate, name) for name in ("pat", "con", "pre")}
    for who, name, project, is_let in (
        ("pat", "new", "traffic", False),
        ("pat", "new", "", False),
        ("pat", "new", "weather", True),
        ("con", "newer", "weather", True),
        ("pre", "pre-new", "weather", False),
        ("pre", "pre-new", "", True),
    ):
        for operation, params in making(name, project):
            assert (people[who](operation, **params) != DENIED) is is_let, (who, operation)


def test_an_access_tag_is_changed_by_who_administers_both_sides(alone: Signer) -> None:
    for index, (sides, name, will, is_let) in enumerate(
        (
            (("tag:MLProject=weather", "tag:MLProject=traffic"), "weather", "traffic", True),
            (("tag:MLProject=weather",), "weather", "traffic", False),
            (("tag:MLProject=traffic",), "weather", "traffic", False),
            (("tag:MLProject=weather", "prefix:w"), "weather", "traffic", False),
            (("tag:MLProject=weather", "model:weather"), "weather", "", True),
            (("tag:MLProject=weather",), "weather", "", False),
            (("model:weather",), "weather", "", False),
            (("tag:MLProject=weather",), "plain", "weather", False),
            (("tag:MLProject=weather", "model:plain"), "plain", "weather", True),
            (("model:plain",), "plain", "weather", False),
            (("tag:MLProject=weather",), "weather", "weather", True),
            (("*",), "plain", "weather", True),
        )
    ):
        alone.estate.user(f"adm{index}", "contributor", *(f"admin {scope}" for scope in sides))
        adm = caller(alone.estate, f"adm{index}")
        for kind in ("model-package-group", "model-card"):
            arn = {"ResourceArn": f"{ARN}{kind}/{name}"}
            if will:
                told = adm("AddTags", **arn, Tags=tags(will))
            else:
                told = adm("DeleteTags", **arn, TagKeys=["MLProject"])
            assert (told != DENIED) is is_let, (sides, kind, told)
            alone("DeleteTags", **arn, TagKeys=["MLProject"])
            alone("AddTags", **arn, Tags=tags("weather" if name == "weather" else ""))
