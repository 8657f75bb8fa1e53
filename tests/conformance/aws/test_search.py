"""Search, as stock clients ask it."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.refusals import refused

INVALID = "ValidationException"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1"
Filter = dict[str, Any]


@pytest.fixture(scope="module")
def filled(sagemaker: Any) -> Any:
    """Three groups: weather of five packages, fraud of two, empty of none."""
    for name, tags in (
        ("weather", {"MLProject": "weather"}),
        ("fraud", {"a.b": "x"}),
        ("empty", {}),
    ):
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        sagemaker.create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=f"of {name}", Tags=pairs
        )
    for number in range(1, 6):
        containers = [
            {"Image": IMAGE, "ModelDataUrl": f"s3://bucket/weather/{number}"},
            {"Image": f"{IMAGE}-{number}", "ModelDataUrl": "s3://bucket/both"},
        ]
        metadata = {"accuracy": f"0.9{number}", "odd": str(number % 2)}
        create(sagemaker, "weather", containers, CustomerMetadataProperties=metadata)
    for _ in range(2):
        create(sagemaker, "fraud", [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/fraud"}])
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/weather/2"
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return sagemaker


def create(sagemaker: Any, group: str, containers: list[Any], **facts: Any) -> None:
    specification = {
        "Containers": containers,
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, **facts
    )


def where(name: str, operator: str = "Equals", value: str | None = None) -> Filter:
    return {"Name": name, "Operator": operator, **({} if value is None else {"Value": value})}


def found(sagemaker: Any, expression: dict[str, Any], **more: Any) -> list[str]:
    """The names of the packages, by group and number."""
    more = {"SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": 100, **more}
    answer = sagemaker.search(Resource="ModelPackage", SearchExpression=expression, **more)
    names = [
        f"{p['ModelPackageGroupName']}/{p['ModelPackageVersion']}"
        for p in (one["ModelPackage"] for one in answer["Results"])
    ]
    assert answer["TotalHits"] == {"Value": len(names), "Relation": "EqualTo"}
    return names


def weather(*numbers: int) -> list[str]:
    return [f"weather/{number}" for number in numbers]


ALL = [*weather(1, 2, 3, 4, 5), "fraud/1", "fraud/2"]
METADATA = "CustomerMetadataProperties"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("ModelPackageGroupName", value="weather"), weather(1, 2, 3, 4, 5)),
        ({"Name": "ModelPackageGroupName", "Value": "fraud"}, ["fraud/1", "fraud/2"]),
        (where("ModelPackageGroupName", value="nowhere"), []),
        (where("ModelPackageGroupName", "NotEquals", "weather"), ["fraud/1", "fraud/2"]),
        (where("ModelPackageGroupName", "Contains", "eath"), weather(1, 2, 3, 4, 5)),
        (where("ModelPackageGroupName", "In", "fraud, other"), ["fraud/1", "fraud/2"]),
        (where("ModelPackageVersion", "GreaterThan", "3"), weather(4, 5)),
        (where("ModelPackageVersion", "GreaterThanOrEqualTo", "4"), weather(4, 5)),
        (where("ModelPackageVersion", "LessThan", "1.5"), ["weather/1", "fraud/1"]),
        (where("ModelPackageVersion", "LessThanOrEqualTo", "1"), ["weather/1", "fraud/1"]),
        (where("ModelApprovalStatus", value="Approved"), weather(2)),
        (where(f"{METADATA}.odd", value="1"), weather(1, 3, 5)),
        (where(f"{METADATA}.odd", "Exists"), weather(1, 2, 3, 4, 5)),
        (where(f"{METADATA}.odd", "NotExists"), ["fraud/1", "fraud/2"]),
        (where(f"{METADATA}.odd", "NotEquals", "1"), [*weather(2, 4), "fraud/1", "fraud/2"]),
        (where("Tags.MLProject", value="weather"), weather(1, 2, 3, 4, 5)),
        (where("Tags.a.b", "In", "x,y"), ["fraud/1", "fraud/2"]),
        (where("CreationTime", "GreaterThan", "2020-01-01T00:00:00Z"), ALL),
        (where("CreationTime", "LessThan", "2020-01-01"), []),
        (where("ModelPackageDescription", "NotExists"), ALL),
        (
            where("InferenceSpecification.Containers.ModelDataUrl", value="s3://bucket/fraud"),
            ["fraud/1", "fraud/2"],
        ),
    ],
    ids=lambda one: "".join(one.values()) if isinstance(one, dict) else "",
)
def test_one_filter(filled: Any, condition: Filter, expected: list[str]) -> None:
    assert found(filled, {"Filters": [condition]}) == expected


def test_filters_are_joined_by_and_or(filled: Any) -> None:
    both = [where("ModelPackageVersion", value="2"), where(f"{METADATA}.odd", value="0")]
    assert found(filled, {"Filters": both}) == weather(2)
    assert found(filled, {"Filters": both, "Operator": "And"}) == weather(2)
    assert found(filled, {"Filters": both, "Operator": "Or"}) == [*weather(2, 4), "fraud/2"]


def test_expressions_stand_within_expressions(filled: Any) -> None:
    odd = {"Filters": [where(f"{METADATA}.odd", value="1")]}
    ends = {
        "Filters": [
            where("ModelPackageVersion", "LessThan", "2"),
            where("ModelPackageVersion", "GreaterThan", "4"),
        ],
        "Operator": "Or",
    }
    assert found(filled, {"SubExpressions": [odd, ends]}) == weather(1, 5)
    either = found(filled, {"SubExpressions": [odd, ends], "Operator": "Or"})
    assert either == [*weather(1, 3, 5), "fraud/1"]
    assert found(filled, {"SubExpressions": [{"SubExpressions": [odd]}]}) == weather(1, 3, 5)


def test_nested_filters_hold_of_one_and_the_same_element(filled: Any) -> None:
    name = "InferenceSpecification.Containers"
    image, data = f"{name}.Image", f"{name}.ModelDataUrl"
    of_two = [where(image, value=IMAGE), where(data, value="s3://bucket/both")]
    nested = {"NestedFilters": [{"NestedPropertyName": name, "Filters": of_two}]}
    assert found(filled, {"Filters": of_two}) == weather(1, 2, 3, 4, 5)
    assert found(filled, nested) == []
    of_one = [where(image, value=f"{IMAGE}-3"), where(data, value="s3://bucket/both")]
    nested = {"NestedFilters": [{"NestedPropertyName": name, "Filters": of_one}]}
    assert found(filled, nested) == weather(3)


def test_results_are_sorted_by_any_property(filled: Any) -> None:
    group = {"Filters": [where("ModelPackageGroupName", value="weather")]}
    backwards = found(filled, group, SortBy="ModelPackageVersion", SortOrder="Descending")
    assert backwards == weather(5, 4, 3, 2, 1)
    by_accuracy = {"SortBy": f"{METADATA}.accuracy", "SortOrder": "Descending"}
    assert found(filled, {}, **by_accuracy)[:5] == weather(5, 4, 3, 2, 1)
    by_accuracy["SortOrder"] = "Ascending"
    assert found(filled, {}, **by_accuracy) == ALL  # what has none comes last
    assert found(filled, group, SortBy="LastModifiedTime", SortOrder="Descending")[0] == "weather/2"


@pytest.mark.parametrize("by", ["CreationTime", "ModelPackageVersion", f"{METADATA}.accuracy"])
def test_pages_follow_one_another_and_know_the_total(filled: Any, by: str) -> None:
    asked = {"Resource": "ModelPackage", "SortBy": by, "SortOrder": "Ascending", "MaxResults": 2}
    asked["SearchExpression"] = {"Filters": [where("ModelPackageVersion", "NotEquals", "4")]}
    pages, token = [], {}
    while True:
        page = filled.search(**asked, **token)
        assert page["TotalHits"] == {"Value": 6, "Relation": "EqualTo"}
        pages.append([one["ModelPackage"]["ModelPackageArn"] for one in page["Results"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [2, 2, 2]
    assert len({arn for page in pages for arn in page}) == 6
    asked["SearchExpression"] = {"Filters": [where("ModelPackageVersion", value="1")]}
    code, told = refused(filled.search, **asked, **(token or {"NextToken": "none"}))
    assert code == INVALID
    assert "page token" in told


def test_a_token_of_a_page_is_the_servers_own_and_its_callers(aws: Aws, filled: Any) -> None:
    asked = {"Resource": "ModelPackage", "MaxResults": 2}
    token = filled.search(**asked)["NextToken"]
    claims, _, tag = token.partition(".")
    inner = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))[1]
    after = json.loads(base64.b64decode(inner))
    after["after"][0] = 99999
    forged = base64.b64encode(json.dumps(after).encode()).decode()
    for given in (forged, f"{claims}x.{tag}", "none"):
        code, told = refused(filled.search, **asked, NextToken=given)
        assert (code, "page token" in told) == (INVALID, True)
    assert filled.search(**asked, NextToken=token)["Results"]
    assert refused(aws.client("sagemaker", "eve").search, **asked, NextToken=token)[0] == INVALID


def test_a_package_is_shown_as_it_is_described_with_the_tags_of_its_group(filled: Any) -> None:
    answer = filled.search(
        Resource="ModelPackage",
        SearchExpression={"Filters": [where("Tags.MLProject", value="weather")]},
        MaxResults=1,
    )
    (one,) = answer["Results"]
    shown = one["ModelPackage"]
    assert shown.pop("Tags") == [{"Key": "MLProject", "Value": "weather"}]
    described = filled.describe_model_package(ModelPackageName=shown["ModelPackageArn"])
    described.pop("ResponseMetadata")
    assert shown == described
    assert answer["TotalHits"]["Value"] == 5


def test_groups_are_found_too(filled: Any) -> None:
    def groups(*filters: Filter, **more: Any) -> list[str]:
        expression = {"SearchExpression": {"Filters": [*filters]}} if filters else {}
        answer = filled.search(Resource="ModelPackageGroup", **expression, **more)
        return [one["ModelPackageGroup"]["ModelPackageGroupName"] for one in answer["Results"]]

    oldest = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    assert groups(**oldest) == ["weather", "fraud", "empty"]
    assert groups(where("Tags.MLProject", value="weather")) == ["weather"]
    assert groups(where("Tags.MLProject", "NotExists"), **oldest) == ["fraud", "empty"]
    described = where("ModelPackageGroupDescription", "Contains", "aud")
    assert groups(described) == ["fraud"]
    by_name = groups(SortBy="ModelPackageGroupName", SortOrder="Ascending")
    assert by_name == ["empty", "fraud", "weather"]
    visible = {"VisibilityConditions": [{"Key": "Tags.MLProject", "Value": "weather"}]}
    assert groups(**visible) == ["weather"]
    assert groups(CrossAccountFilterOption="CrossAccount") == []


def deep(levels: int) -> dict[str, Any]:
    expression: dict[str, Any] = {"Filters": [where("ModelPackageVersion", value="1")]}
    for _ in range(levels - 1):
        expression = {"SubExpressions": [expression]}
    return expression


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ({"Filters": [where("Nothing", value="1")]}, "Unknown property name: Nothing"),
        ({"Filters": [where("ModelMetrics.X", "Exists")]}, "Unknown property name: ModelMetrics.X"),
        ({"Filters": [where("Task.", "Exists")]}, "Unknown property name: Task."),
        (
            {"Filters": [where("Task", "Contains", "a"), where("Domain", "Contains", "b")]},
            "'CONTAINS' operator usage limit of 1 exceeded.",
        ),
        ({"Filters": [where("Task", "GreaterThan", "a")]}, "GreaterThan cannot be used on Task"),
        ({"Filters": [where("ModelPackageVersion", "In", "1,2")]}, "In cannot be used on"),
        ({"Filters": [where("ModelMetrics", value="1")]}, "Equals cannot be used on ModelMetrics"),
        ({"Filters": [where("ModelPackageVersion", value="one")]}, "'one' is not a number"),
        ({"Filters": [where("CreationTime", "LessThan", "soon")]}, "'soon' is not a time"),
        ({"Filters": [where("Task")]}, "Equals on Task needs a value"),
        ({"Filters": [where("Task", "Exists", "x")]}, "Exists on Task takes no value"),
        ({"Filters": [where("Task", "Like", "x")]}, "Member must satisfy enum value set"),
        ({"Filters": [where("Task", value="a")] * 21}, "length less than or equal to 20"),
        (
            {"Filters": [where("Task", value="a")] * 11, "SubExpressions": [deep(1)] * 10},
            "at most 20 elements",
        ),
        (
            {"SubExpressions": [{"Filters": [where("Task", value="a")] * 20}] * 6},
            "more than 100 filters",
        ),
        (deep(11), "more than 10 SubExpressions within one another"),
        (
            {
                "NestedFilters": [
                    {"NestedPropertyName": "Tags", "Filters": [where("Task", "Exists")]}
                ]
            },
            "Task is not",
        ),
    ],
)
def test_what_cannot_be_asked_is_told_of(
    filled: Any, expression: dict[str, Any], told: str
) -> None:
    code, sentence = refused(filled.search, Resource="ModelPackage", SearchExpression=expression)
    assert code == INVALID
    assert told in sentence


def test_what_aws_runs_is_not_here_to_be_found(filled: Any) -> None:
    expression = {"Filters": [where("ModelArtifacts.S3ModelArtifacts", value="s3://b/m")]}
    answer = filled.search(Resource="TrainingJob", SearchExpression=expression)
    assert answer["Results"] == []
    assert answer["TotalHits"] == {"Value": 0, "Relation": "EqualTo"}
    assert "not Model." in refused(filled.search, Resource="Model")[1]


def test_unknown_orders_are_told_of(filled: Any) -> None:
    asked = {"Resource": "ModelPackage", "SortBy": "Nothing"}
    assert refused(filled.search, **asked) == (INVALID, "Unknown property name: Nothing")


def test_an_endless_expression_is_refused_as_any_other_mistake(filled: Any) -> None:
    body = json.dumps({"Resource": "ModelPackage", "SearchExpression": {}})
    nested = '{"SubExpressions":[' * 400 + "{}" + "]}" * 400

    request = urllib.request.Request(
        filled.meta.endpoint_url,
        body.replace("{}", nested).encode(),
        {"x-amz-target": "SageMaker.Search", "content-type": "application/x-amz-json-1.1"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 400
    assert json.load(caught.value)["__type"] == "SerializationException"
