"""Tags of groups: those of our models, whoever sets them."""

import json
import urllib.request
from typing import Any

from tests.support.refusals import refused
from tests.support.server import Server

INVALID = "ValidationException"


def made(sagemaker: Any, name: str, **facts: Any) -> str:
    return sagemaker.create_model_package_group(ModelPackageGroupName=name, **facts)[
        "ModelPackageGroupArn"
    ]


def listed(sagemaker: Any, arn: str) -> dict[str, str]:
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def mlflow(server: Server, path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        f"{server.url}/api/2.0/mlflow/{path}",
        json.dumps(body).encode() if body else None,
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_tags_are_added_changed_listed_and_deleted(sagemaker: Any) -> None:
    arn = made(sagemaker, "tagged", Tags=pairs(team="risk"))
    answer = sagemaker.add_tags(ResourceArn=arn, Tags=pairs(team="fraud", stage="beta"))
    assert answer["Tags"] == pairs(stage="beta", team="fraud")
    assert listed(sagemaker, arn) == {"team": "fraud", "stage": "beta"}
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["stage", "none"])
    assert listed(sagemaker, arn) == {"team": "fraud"}


def test_mlflow_and_sagemaker_see_one_set(sagemaker: Any, aws_server: Server) -> None:
    arn = made(sagemaker, "shared")
    sagemaker.add_tags(ResourceArn=arn, Tags=pairs(MLProject="weather"))
    told = mlflow(aws_server, "registered-models/get?name=shared")["registered_model"]
    assert told["tags"] == [{"key": "MLProject", "value": "weather"}]
    tag = {"name": "shared", "key": "owner", "value": "ann"}
    mlflow(aws_server, "registered-models/set-tag", tag)
    assert listed(sagemaker, arn) == {"MLProject": "weather", "owner": "ann"}


def test_what_mlflow_lets_be_longer_is_not_shown_and_stays(
    sagemaker: Any, aws_server: Server
) -> None:
    arn = made(sagemaker, "long")
    for key, value in (("k" * 129, "v"), ("long", "v" * 257), ("edge", "v" * 256)):
        tag = {"name": "long", "key": key, "value": value}
        mlflow(aws_server, "registered-models/set-tag", tag)
    assert listed(sagemaker, arn) == {"edge": "v" * 256}
    told = mlflow(aws_server, "registered-models/get?name=long")["registered_model"]
    assert len(told["tags"]) == 3


def test_many_tags_are_listed_in_pages(sagemaker: Any, aws_server: Server) -> None:
    arn = made(sagemaker, "many", Tags=[{"Key": f"k{i:02}", "Value": ""} for i in range(50)])
    for number in range(10):
        tag = {"name": "many", "key": f"more{number}", "value": ""}
        mlflow(aws_server, "registered-models/set-tag", tag)
    page = sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
    assert [tag["Key"] for tag in page["Tags"]] == [f"k{i:02}" for i in range(50)]
    rest = sagemaker.list_tags(ResourceArn=arn, MaxResults=50, NextToken=page["NextToken"])
    assert [tag["Key"] for tag in rest["Tags"]] == [f"more{i}" for i in range(10)]
    assert "NextToken" not in rest


def test_a_thing_has_at_most_fifty_tags(sagemaker: Any) -> None:
    arn = made(sagemaker, "full", Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
    code, told = refused(sagemaker.add_tags, ResourceArn=arn, Tags=pairs(one="more"))
    assert code == INVALID
    assert "at most 50 tags; with these it would have 51" in told
    sagemaker.add_tags(ResourceArn=arn, Tags=pairs(k1="another value"))
    assert listed(sagemaker, arn)["k1"] == "another value"


def test_tags_that_may_not_be_are_refused(sagemaker: Any) -> None:
    arn = made(sagemaker, "picky")
    reserved = "aws: prefixed tag key names are not allowed for external use."
    tags = [{"Key": "AWS:owner", "Value": ""}]
    assert refused(sagemaker.add_tags, ResourceArn=arn, Tags=tags) == (INVALID, reserved)
    name = "picky-2"
    made_so = sagemaker.create_model_package_group
    assert refused(made_so, ModelPackageGroupName=name, Tags=tags) == (INVALID, reserved)
    twice = [*pairs(a="1"), *pairs(a="2")]
    assert "Duplicate tag keys" in refused(sagemaker.add_tags, ResourceArn=arn, Tags=twice)[1]
    for key, value, rule in (
        ("k" * 129, "", "length less than or equal to 128"),
        ("k", "v" * 257, "length less than or equal to 256"),
        ("k!", "", "regular expression pattern"),
    ):
        code, told = refused(
            sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": key, "Value": value}]
        )
        assert code == INVALID
        assert rule in told
    assert listed(sagemaker, arn) == {}


def test_a_package_without_a_group_has_tags_of_its_own(sagemaker: Any) -> None:
    arn = sagemaker.create_model_package(ModelPackageName="lone", Tags=pairs(team="a"))[
        "ModelPackageArn"
    ]
    assert listed(sagemaker, arn) == {"team": "a"}
    added = sagemaker.add_tags(ResourceArn=arn, Tags=pairs(team="b", stage="new"))["Tags"]
    assert added == pairs(stage="new", team="b")
    expression = {"Filters": [{"Name": "Tags.team", "Operator": "Equals", "Value": "b"}]}
    (found,) = sagemaker.search(Resource="ModelPackage", SearchExpression=expression)["Results"]
    told = found["ModelPackage"]
    assert (told["ModelPackageArn"], told["Tags"]) == (arn, pairs(stage="new", team="b"))
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team", "nothing"])
    assert listed(sagemaker, arn) == {"stage": "new"}
    own = "modelkeep.package"  # which makes it one
    for call, given in (
        (sagemaker.add_tags, {"Tags": [{"Key": own, "Value": "x"}]}),
        (sagemaker.delete_tags, {"TagKeys": [own]}),
    ):
        assert refused(call, ResourceArn=arn, **given)[0] == INVALID
    sagemaker.add_tags(ResourceArn=arn, Tags=pairs(**{f"k{n}": "" for n in range(49)}))
    assert len(listed(sagemaker, arn)) == 50
    assert "at most 50" in refused(sagemaker.add_tags, ResourceArn=arn, Tags=pairs(more=""))[1]
    made(sagemaker, "with-versions")
    for name in ("with-versions", "nowhere"):  # the one is a group's
        absent = arn.replace("lone", name)
        assert refused(sagemaker.list_tags, ResourceArn=absent) == (
            INVALID,
            f"ModelPackage {absent} does not exist.",
        )


def test_what_is_not_there_or_has_no_tags_is_told_of(sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/nowhere"
    assert refused(sagemaker.list_tags, ResourceArn=arn) == (
        INVALID,
        f"ModelPackageGroup {arn} does not exist.",
    )
    version = "arn:aws:sagemaker:us-east-1:000000000000:model-package/churn/1"
    code, told = refused(sagemaker.add_tags, ResourceArn=version, Tags=pairs(a="b"))
    assert code == INVALID
    assert told == f"{version} cannot have tags here: a version has those of its group."


def test_an_arn_of_another_account_or_region_names_nothing_here(sagemaker: Any) -> None:
    for arn in (
        "arn:aws:sagemaker:us-east-1:111122223333:model-card/churn",
        "arn:aws:sagemaker:eu-west-1:000000000000:model-package-group/churn",
    ):
        code, told = refused(sagemaker.list_tags, ResourceArn=arn)
        assert (code, told.startswith(f"{arn} is ")) == (INVALID, True)


def test_a_search_shows_tags_without_a_value(sagemaker: Any) -> None:
    made(sagemaker, "bare", Tags=pairs(seen=""))
    expression = {"Filters": [{"Name": "Tags.seen", "Operator": "Exists"}]}
    found = sagemaker.search(Resource="ModelPackageGroup", SearchExpression=expression)
    (one,) = found["Results"]
    assert one["ModelPackageGroup"]["Tags"] == pairs(seen="")
