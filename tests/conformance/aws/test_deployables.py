"""SageMaker's models: what could be deployed, which is nothing that nobody approved."""

import json
import urllib.request
from typing import Any

import pytest

from tests.support.refusals import refused
from tests.support.server import Server

INVALID = "ValidationException"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:{}"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1"
CONTAINER = {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}


@pytest.fixture(scope="module")
def churn(sagemaker: Any) -> Any:
    """A group of four packages, all but the first approved."""
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    specification = {
        "Containers": [CONTAINER],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    for number in range(1, 5):
        made = sagemaker.create_model_package(
            ModelPackageGroupName="churn", InferenceSpecification=specification
        )
        if number > 1:
            arn = made["ModelPackageArn"]
            sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return sagemaker


def made_of(sagemaker: Any, name: str, package: str, **more: Any) -> str:
    container = {"ModelPackageName": package, **more}
    model = {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": ROLE}
    return sagemaker.create_model(**model)["ModelArn"]


def ended(server: Server, number: int, state: str) -> None:
    """Takes a version out of its stage, and ends its life."""
    moved = {"name": "churn", "version": str(number), "stage": "None"}
    ask(server, "POST", "/api/2.0/mlflow/model-versions/transition-stage", moved)
    path = f"/api/v1/models/churn/versions/{number}/state"
    ask(server, "PUT", path, {"state": state, "reason": "it leaks"})


def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    headers = {"content-type": "application/json"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_a_model_is_described_as_it_was_made(sagemaker: Any) -> None:
    said = {
        "PrimaryContainer": {**CONTAINER, "Environment": {"A": "b"}},
        "ExecutionRoleArn": ROLE,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": True,
    }
    answer = sagemaker.create_model(ModelName="plain", **said)
    assert answer["ModelArn"] == ARN.format("model/plain")
    model = sagemaker.describe_model(ModelName="plain")
    assert {name: model[name] for name in said} == said
    assert (model["ModelName"], model["ModelArn"]) == ("plain", answer["ModelArn"])
    assert model["CreationTime"]


def test_a_name_is_taken_until_its_model_is_deleted(sagemaker: Any) -> None:
    arn = ARN.format("model/twice")
    sagemaker.create_model(ModelName="twice", Containers=[CONTAINER, CONTAINER])
    taken = (INVALID, f'Cannot create already existing model "{arn}".')
    assert refused(sagemaker.create_model, ModelName="twice") == taken
    sagemaker.delete_model(ModelName="twice")
    missing = (INVALID, f'Could not find model "{arn}".')
    assert refused(sagemaker.describe_model, ModelName="twice") == missing
    assert refused(sagemaker.delete_model, ModelName="twice") == missing
    assert refused(sagemaker.list_tags, ResourceArn=arn) == missing
    sagemaker.create_model(ModelName="twice")


def test_a_model_is_made_of_approved_packages_only(churn: Any) -> None:
    for text in ("churn/1", ARN.format("model-package/churn/1")):
        assert refused(
            churn.create_model, ModelName="no", PrimaryContainer={"ModelPackageName": text}
        ) == (
            INVALID,
            f"ModelPackage {ARN.format('model-package/churn/1')} is PendingManualApproval: "
            "a model is made of approved packages only.",
        )
    arn = made_of(churn, "of-two", "churn/2", Environment={"A": "b"})
    assert arn == ARN.format("model/of-two")
    pair = [{"ModelPackageName": "churn/2"}, {"ModelPackageName": "churn/1"}]
    code, told = refused(churn.create_model, ModelName="no", Containers=pair)
    assert (code, "churn/1 is Pending" in told) == (INVALID, True)
    assert refused(churn.describe_model, ModelName="no")[0] == INVALID


def test_what_is_over_or_not_there_is_refused(churn: Any, aws_server: Server) -> None:
    ended(aws_server, 3, "blocked")
    ended(aws_server, 4, "retired")
    for package, told in (
        ("churn/3", "churn/3 is over: churn/3 is blocked: it leaks."),
        ("churn/4", "churn/4 is over: churn/4 is retired: it leaks."),
        ("churn/9", "churn/9 does not exist."),
        ("nowhere/1", "nowhere/1 does not exist."),
        ("churn", "model-package/churn does not exist."),
    ):
        container = {"ModelPackageName": package}
        code, sentence = refused(churn.create_model, ModelName="no", PrimaryContainer=container)
        assert code == INVALID
        assert told in sentence


def test_containers_that_contradict_are_refused(churn: Any) -> None:
    both = {"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]}
    code, told = refused(churn.create_model, ModelName="no", **both)
    assert (code, "and not both" in told) == (INVALID, True)
    for name in ("Image", "ModelDataUrl"):
        container = {"ModelPackageName": "churn/2", name: CONTAINER[name]}
        code, told = refused(churn.create_model, ModelName="no", PrimaryContainer=container)
        assert (code, f"takes its {name} from the package" in told) == (INVALID, True)


def test_models_are_listed_newest_first_or_as_asked(sagemaker: Any) -> None:
    for name in ("b", "c", "a"):
        sagemaker.create_model(ModelName=f"list-{name}")

    def listed(**wanted: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_models").paginate(
            NameContains="list-", PaginationConfig={"PageSize": 2}, **wanted
        )
        return [model["ModelName"][-1] for page in pages for model in page["Models"]]

    assert listed() == ["a", "c", "b"]
    assert listed(SortOrder="Ascending") == ["b", "c", "a"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["a", "b", "c"]
    middle = sagemaker.describe_model(ModelName="list-c")["CreationTime"]
    assert listed(CreationTimeAfter=middle) == ["a", "c"]  # at that time, or after it
    assert listed(CreationTimeBefore=middle) == ["b"]


def test_models_have_tags(sagemaker: Any) -> None:
    team = [{"Key": "team", "Value": "risk"}]
    arn = sagemaker.create_model(ModelName="tagged-model", Tags=team)["ModelArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == team
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_the_journal_says_of_which_packages_a_model_is_made(churn: Any, aws_server: Server) -> None:
    made_of(churn, "told", "churn/2")
    entries = ask(aws_server, "GET", "/api/v1/journal/entries?limit=1000")
    (entry,) = [e for e in entries if e["obj"].get("name") == "told"]
    assert entry["act"] == "resource:created"
    (of,) = entry["why"]["packages"]
    assert (of["name"], of["version"]) == ("churn", 2)
