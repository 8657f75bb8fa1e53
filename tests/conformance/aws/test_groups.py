"""Model package groups with stock clients: our models, by their handles."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.handles import handle_of
from modelkeep.domain.names import check_model_name
from modelkeep.protocols.aws.constraints import matcher
from tests.support.refusals import refused
from tests.support.server import Server

MLFLOW = "/api/2.0/mlflow"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group"
ENTITY_NAME = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


def register(server: Server, name: str, **facts: Any) -> None:
    url = f"{server.url}{MLFLOW}/registered-models/create"
    httpx.post(url, json={"name": name, **facts}, trust_env=False).raise_for_status()


def names(sagemaker: Any, **params: Any) -> list[str]:
    found = sagemaker.list_model_package_groups(**params)["ModelPackageGroupSummaryList"]
    return [group["ModelPackageGroupName"] for group in found]


def test_a_group_is_described_as_it_was_made(sagemaker: Any) -> None:
    description = "IMDb 情感分類模型版本管理"
    made = sagemaker.create_model_package_group(
        ModelPackageGroupName="sentiment", ModelPackageGroupDescription=description
    )
    assert made["ModelPackageGroupArn"] == f"{ARN}/sentiment"
    for named in ("sentiment", f"{ARN}/sentiment"):
        found = sagemaker.describe_model_package_group(ModelPackageGroupName=named)
        assert found["ModelPackageGroupDescription"] == description
        assert found["ModelPackageGroupStatus"] == "Completed"
        assert found["CreationTime"] <= datetime.now(UTC)
        assert "CreatedBy" in found


def test_a_group_that_is_there_is_refused_by_its_arn(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="twice")
    found = refused(sagemaker.create_model_package_group, ModelPackageGroupName="twice")
    assert found == ("ValidationException", f"Model Package Group already exists: {ARN}/twice")


def test_a_group_that_is_not_there_is_named_by_its_arn(sagemaker: Any) -> None:
    gone = ("ValidationException", f"ModelPackageGroup {ARN}/missing does not exist.")
    for call in (sagemaker.describe_model_package_group, sagemaker.delete_model_package_group):
        assert refused(call, ModelPackageGroupName="missing") == gone
    listed = refused(sagemaker.list_model_packages, ModelPackageGroupName="missing")
    assert listed == gone


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a_b", "Member must satisfy regular expression pattern: " + ENTITY_NAME),
        ("-a", "Member must satisfy regular expression pattern: " + ENTITY_NAME),
        ("a-", "Member must satisfy regular expression pattern: " + ENTITY_NAME),
        ("a" * 64, "Member must have length less than or equal to 63"),
        ("", "Member must have length greater than or equal to 1"),
    ],
)
def test_a_name_that_may_not_be_is_refused_in_awss_words(
    sagemaker: Any, name: str, rule: str
) -> None:
    code, message = refused(sagemaker.create_model_package_group, ModelPackageGroupName=name)
    assert code == "ValidationException"
    assert f"at 'modelPackageGroupName' failed to satisfy constraint: {rule}" in message


def test_a_call_without_a_name_makes_nothing(sagemaker: Any) -> None:
    assert refused(sagemaker.create_model_package_group) == (
        "ValidationException",
        "1 validation error detected: Value null at 'modelPackageGroupName' failed to satisfy "
        "constraint: Member must not be null",
    )


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("arn:aws:sagemaker:us-east-1:111111111111:model-package-group/g", "account 111111111111"),
        ("arn:aws:sagemaker:eu-west-1:000000000000:model-package-group/g", "region eu-west-1"),
        ("arn:aws:sagemaker:us-east-1:000000000000:pipeline/g", "not the ARN of a model package"),
    ],
)
def test_an_arn_of_another_account_region_or_kind_is_refused(
    sagemaker: Any, arn: str, said: str
) -> None:
    for call in (sagemaker.describe_model_package_group, sagemaker.delete_model_package_group):
        code, message = refused(call, ModelPackageGroupName=arn)
        assert (code, said in message) == ("ValidationException", True), message


def test_groups_are_listed_by_name_time_and_order(sagemaker: Any) -> None:
    for name in ("zulu-list", "alpha-list", "Mike-List"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    made = ["zulu-list", "alpha-list", "Mike-List"]
    assert names(sagemaker, NameContains="LIST") == made
    assert names(sagemaker, NameContains="list", SortOrder="Descending") == made[::-1]
    by_name = names(sagemaker, NameContains="list", SortBy="Name")
    assert by_name == sorted(made)
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert names(sagemaker, NameContains="list", CreationTimeAfter=soon) == []
    assert names(sagemaker, NameContains="list", CreationTimeBefore=soon) == made
    assert names(sagemaker, CrossAccountFilterOption="CrossAccount") == []


def test_pages_follow_one_another_and_tokens_are_of_one_list(sagemaker: Any) -> None:
    made = [f"paged-{number}" for number in range(5)]
    for name in made:
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    found, token = [], {}
    while True:
        page = sagemaker.list_model_package_groups(NameContains="paged", MaxResults=2, **token)
        found += [g["ModelPackageGroupName"] for g in page["ModelPackageGroupSummaryList"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == made
    others = [
        (sagemaker.list_model_package_groups, {**token, "NameContains": "other"}),
        (sagemaker.list_model_package_groups, {**token, "NameContains": "paged", "SortBy": "Name"}),
        (sagemaker.list_model_packages, token),
        (sagemaker.list_model_package_groups, {"NextToken": "nonsense"}),
    ]
    for call, params in others:
        code, message = refused(call, **params)
        assert (code, "Invalid page token" in message) == ("ValidationException", True)


@pytest.mark.parametrize(("size", "rule"), [(0, "greater than or equal to 1"), (101, "100")])
def test_a_page_has_one_to_a_hundred(sagemaker: Any, size: int, rule: str) -> None:
    for call in (sagemaker.list_model_package_groups, sagemaker.list_model_packages):
        code, message = refused(call, MaxResults=size)
        assert (code, rule in message) == ("ValidationException", True)


def test_a_group_with_packages_stays_and_an_empty_one_goes(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="full")
    sagemaker.create_model_package(ModelPackageGroupName="full")
    code, message = refused(sagemaker.delete_model_package_group, ModelPackageGroupName="full")
    assert (code, "delete those first" in message) == ("ConflictException", True)
    sagemaker.delete_model_package(ModelPackageName="full/1")
    sagemaker.delete_model_package_group(ModelPackageGroupName="full")
    assert "full" not in names(sagemaker, NameContains="full")
    sagemaker.create_model_package_group(ModelPackageGroupName="full")
    again = sagemaker.create_model_package(ModelPackageGroupName="full")
    assert again["ModelPackageArn"].endswith("model-package/full/1")


def test_tags_come_along_and_none_twice(sagemaker: Any, aws_server: Server) -> None:
    tags = [{"Key": "MLProject", "Value": "weather"}]
    sagemaker.create_model_package_group(ModelPackageGroupName="tagged", Tags=tags)
    url = f"{aws_server.url}{MLFLOW}/registered-models/get?name=tagged"
    model = httpx.get(url, trust_env=False).json()["registered_model"]
    assert model["tags"] == [{"key": "MLProject", "value": "weather"}]
    twice = [*tags, {"Key": "MLProject", "Value": "other"}]
    params = {"ModelPackageGroupName": "tagged-twice", "Tags": twice}
    code, message = refused(sagemaker.create_model_package_group, **params)
    assert (code, "Duplicate tag keys" in message) == ("ValidationException", True)
    assert "tagged-twice" not in names(sagemaker)


def test_models_of_mlflow_are_groups_at_once_by_their_handles(
    sagemaker: Any, aws_server: Server
) -> None:
    register(aws_server, "Fraud Model_v2.1")
    handle = handle_of("Fraud Model_v2.1")
    assert names(sagemaker, NameContains="Fraud") == [handle]
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=handle)
    assert found["ModelPackageGroupName"] == handle
    made = sagemaker.create_model_package(ModelPackageGroupName=handle)
    assert made["ModelPackageArn"].endswith(f":model-package/{handle}/1")
    url = f"{aws_server.url}{MLFLOW}/model-versions/get"
    params = {"name": "Fraud Model_v2.1", "version": "1"}
    assert httpx.get(url, params=params, trust_env=False).status_code == 200


def test_a_name_that_is_another_models_handle_is_taken(sagemaker: Any, aws_server: Server) -> None:
    register(aws_server, "taken name")
    handle = handle_of("taken name")
    code, message = refused(sagemaker.create_model_package_group, ModelPackageGroupName=handle)
    assert (code, message) == (
        "ValidationException",
        f"Model Package Group already exists: {ARN}/{handle}",
    )


def test_prompts_are_no_groups(sagemaker: Any, aws_server: Server) -> None:
    is_prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    register(aws_server, "greeting", tags=is_prompt)
    assert names(sagemaker, NameContains="greeting") == []
    refused(sagemaker.describe_model_package_group, ModelPackageGroupName="greeting")
    refused(sagemaker.create_model_package, ModelPackageGroupName="greeting")


@given(st.lists(st.text(min_size=1, max_size=80), min_size=2, max_size=20, unique=True))
def test_every_name_has_a_handle_of_its_own_that_sagemaker_takes(given: list[str]) -> None:
    fits = matcher(ENTITY_NAME)
    handles = [handle_of(name) for name in given if _may_be(name)]
    assert all(fits(handle) and len(handle) <= 63 for handle in handles)
    assert len(set(handles)) == len(handles)
    assert all(handle_of(handle) == handle for handle in handles)


def _may_be(name: str) -> bool:
    try:
        return check_model_name(name) == name
    except InvalidInput:
        return False
