"""What AWS documents, or botocore's models say, and stand-ins for AWS commonly get wrong.

Each row is a sentence, a call, and what comes of it. What takes more than a call is tested beside
what it is about (`test_packages`, `test_groups`, …).
"""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.refusals import refused

INVALID, CONFLICT, MISSING = "ValidationException", "ConflictException", "ResourceNotFound"
KIND = "arn:aws:sagemaker:us-east-1:000000000000"
ARN = f"{KIND}:model-package/probed"
CONTAINER = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1"}
ROLE = "arn:aws:iam::000000000000:role/any"
CARD = json.dumps({"model_overview": {"model_name": "probed"}})
Params = dict[str, Any]
Row = tuple[str, str, Params, str, str]


def runs(**container: Any) -> Params:
    return {
        "Containers": [{**CONTAINER, **container}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@pytest.fixture(scope="module")
def probed(sagemaker: Any) -> Any:
    """A group with a tag and two packages, the first approved; a model and a card."""
    tags = [{"Key": "team", "Value": "risk"}]
    sagemaker.create_model_package_group(ModelPackageGroupName="probed", Tags=tags)
    for _ in range(2):
        sagemaker.create_model_package(
            ModelPackageGroupName="probed",
            InferenceSpecification=runs(),
            CustomerMetadataProperties={"accuracy": "0.9"},
        )
    sagemaker.update_model_package(ModelPackageArn=f"{ARN}/1", ModelApprovalStatus="Approved")
    sagemaker.create_model(ModelName="probed", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    sagemaker.create_model_card(ModelCardName="probed", Content=CARD, ModelCardStatus="Draft")
    return sagemaker


def versioned(**params: Any) -> Params:
    return {"ModelPackageGroupName": "probed", **params}


REFUSED: list[Row] = [
    (
        "a group has 50 tags at most, and those that are told of are no notation of Python's",
        "create_model_package_group",
        {
            "ModelPackageGroupName": "tagged",
            "Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)],
        },
        INVALID,
        "Value '[{Key=k0, Value=v}, {Key=k1, Value=v}, ",
    ),
    (
        "a group's description has 1,024 characters at most",
        "create_model_package_group",
        {"ModelPackageGroupName": "long", "ModelPackageGroupDescription": "d" * 1025},
        INVALID,
        "at 'modelPackageGroupDescription' failed to satisfy constraint: Member must have length "
        "less than or equal to 1024",
    ),
    (
        "a package's description has 1,024 characters at most",
        "create_model_package",
        versioned(ModelPackageDescription="d" * 1025),
        INVALID,
        "at 'modelPackageDescription' failed to satisfy constraint: Member must have length less",
    ),
    (
        "a status is one of three, in their order",
        "create_model_package",
        versioned(ModelApprovalStatus="Maybe"),
        INVALID,
        "1 validation error detected: Value 'Maybe' at 'modelApprovalStatus' failed to satisfy "
        "constraint: Member must satisfy enum value set: [Approved, Rejected, "
        "PendingManualApproval]",
    ),
    (
        "all broken rules are told of at once",
        "create_model_package",
        versioned(ModelApprovalStatus="Maybe", SkipModelValidation="Some"),
        INVALID,
        "2 validation errors detected: ",
    ),
    (
        "the value of a property has 256 characters at most",
        "create_model_package",
        versioned(CustomerMetadataProperties={"k": "v" * 257}),
        INVALID,
        "Map value must satisfy constraint: [Member must have length less than or equal to 256",
    ),
    (
        "the key of a property has 128 characters at most",
        "update_model_package",
        {"ModelPackageArn": f"{ARN}/2", "CustomerMetadataProperties": {"k" * 129: "v"}},
        INVALID,
        "Map keys must satisfy constraint: [Member must have length less than or equal to 128",
    ),
    (
        "what is run has a container",
        "create_model_package",
        versioned(InferenceSpecification={"Containers": []}),
        INVALID,
        "at 'inferenceSpecification.containers' failed to satisfy constraint: Member must have "
        "length greater than or equal to 1",
    ),
    (
        "what is run has fifteen containers at most",
        "create_model_package",
        versioned(InferenceSpecification={"Containers": [CONTAINER] * 16}),
        INVALID,
        "Member must have length less than or equal to 15",
    ),
    (
        "the digest of an image is a SHA-256",
        "create_model_package",
        versioned(InferenceSpecification=runs(ImageDigest="abc")),
        INVALID,
        "at 'inferenceSpecification.containers.1.member.imageDigest' failed to satisfy constraint",
    ),
    (
        "an instance type is one that there is",
        "create_model_package",
        versioned(
            InferenceSpecification={
                **runs(),
                "SupportedRealtimeInferenceInstanceTypes": ["ml.abacus"],
            }
        ),
        INVALID,
        "Member must satisfy enum value set: [",
    ),
    (
        "metrics say where they are",
        "create_model_package",
        versioned(
            ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json"}}}
        ),
        INVALID,
        "Value null at 'modelMetrics.modelQuality.statistics.s3Uri' failed to satisfy constraint: "
        "Member must not be null",
    ),
    (
        "a stage has a status",
        "update_model_package",
        {"ModelPackageArn": f"{ARN}/2", "ModelLifeCycle": {"Stage": "Staging"}},
        INVALID,
        "Value null at 'modelLifeCycle.stageStatus'",
    ),
    (
        "the description of an approval has 1,024 characters at most",
        "update_model_package",
        {"ModelPackageArn": f"{ARN}/2", "ApprovalDescription": "d" * 1025},
        INVALID,
        "at 'approvalDescription'",
    ),
    (
        "a token has 36 characters at most",
        "create_model_package",
        versioned(ClientToken="t" * 37),
        INVALID,
        "at 'clientToken' failed to satisfy constraint: Member must have length less than or equal",
    ),
    (
        "a version that is not there is not described",
        "describe_model_package",
        {"ModelPackageName": f"{ARN}/99"},
        INVALID,
        f"ModelPackage {ARN}/99 does not exist.",
    ),
    (
        "a version that is not there is not updated",
        "update_model_package",
        {"ModelPackageArn": f"{ARN}/99", "ModelApprovalStatus": "Approved"},
        INVALID,
        f"ModelPackage {ARN}/99 does not exist.",
    ),
    (
        "a version that is not there is not deleted",
        "delete_model_package",
        {"ModelPackageName": f"{ARN}/99"},
        INVALID,
        f"ModelPackage {ARN}/99 does not exist.",
    ),
    (
        "a group that is not there has no list",
        "list_model_packages",
        {"ModelPackageGroupName": "nowhere"},
        INVALID,
        f"ModelPackageGroup {KIND}:model-package-group/nowhere does not exist.",
    ),
    (
        "a group with packages is not deleted",
        "delete_model_package_group",
        {"ModelPackageGroupName": "probed"},
        CONFLICT,
        "probed has model packages",
    ),
    (
        "a page of packages is a hundred at most",
        "list_model_packages",
        {"MaxResults": 101},
        INVALID,
        "at 'maxResults' failed to satisfy constraint: Member must have value less than or equal "
        "to 100",
    ),
    (
        "packages are sorted by what lists can be sorted by",
        "list_model_packages",
        {"SortBy": "Size"},
        INVALID,
        "Member must satisfy enum value set: [Name, CreationTime]",
    ),
    (
        "a token of a page is one that was given",
        "list_model_packages",
        {"NextToken": "none"},
        INVALID,
        "page token",
    ),
    (
        "a batch has a package",
        "batch_describe_model_package",
        {"ModelPackageArnList": []},
        INVALID,
        "at 'modelPackageArnList' failed to satisfy constraint: Member must have length greater",
    ),
    (
        "a tag has a key",
        "add_tags",
        {
            "ResourceArn": f"{KIND}:model-package-group/probed",
            "Tags": [{"Key": "", "Value": "v"}],
        },
        INVALID,
        "at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than",
    ),
    (
        "an unapproved package is no model",
        "create_model",
        {
            "ModelName": "unapproved",
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"ModelPackageName": f"{ARN}/2"},
        },
        INVALID,
        "PendingManualApproval",
    ),
    (
        "a model's name is taken once",
        "create_model",
        {"ModelName": "probed", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
        INVALID,
        "Cannot create already existing model",
    ),
    (
        "a role is the ARN of one",
        "create_model",
        {"ModelName": "m", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": "arn:aws:x"},
        INVALID,
        "at 'executionRoleArn'",
    ),
    (
        "a model that is not there could not be found",
        "describe_model",
        {"ModelName": "nowhere"},
        INVALID,
        "Could not find model",
    ),
    (
        "a card's content is of its schema",
        "create_model_card",
        {"ModelCardName": "odd", "Content": '{"odd": 1}', "ModelCardStatus": "Draft"},
        INVALID,
        "odd",
    ),
    (
        "a card that is not there is not updated",
        "update_model_card",
        {"ModelCardName": "nowhere", "ModelCardStatus": "Approved"},
        MISSING,
        "Modelcard nowhere does not exist.",
    ),
]


@pytest.mark.parametrize(
    ("call", "params", "code", "told"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_may_not_be_is_refused(
    probed: Any, call: str, params: Params, code: str, told: str
) -> None:
    before = probed.list_model_packages(ModelPackageType="Both")
    found, sentence = refused(getattr(probed, call), **params)
    assert found == code
    assert told in sentence
    assert "An error occurred" not in sentence  # which is for clients to say
    after = probed.list_model_packages(ModelPackageType="Both")
    assert after["ModelPackageSummaryList"] == before["ModelPackageSummaryList"]


ANSWERED: list[tuple[str, str, Params, str, Any]] = [
    (
        "a package that nobody gave a status is pending",
        "describe_model_package",
        {"ModelPackageName": "probed/2"},
        "ModelApprovalStatus",
        "PendingManualApproval",
    ),
    (
        "without a validation a package is complete at once",
        "describe_model_package",
        {"ModelPackageName": f"{ARN}/2"},
        "ModelPackageStatus",
        "Completed",
    ),
    (
        "an approval alone keeps what was said",
        "describe_model_package",
        {"ModelPackageName": f"{ARN}/1"},
        "CustomerMetadataProperties",
        {"accuracy": "0.9"},
    ),
    (
        "there is always a list of validations",
        "describe_model_package",
        {"ModelPackageName": f"{ARN}/1"},
        "ModelPackageStatusDetails",
        {"ValidationStatuses": [], "ImageScanStatuses": []},
    ),
    (
        "a group is found by its ARN",
        "describe_model_package_group",
        {"ModelPackageGroupName": f"{KIND}:model-package-group/probed"},
        "ModelPackageGroupStatus",
        "Completed",
    ),
    (
        "what other accounts share is nothing",
        "list_model_package_groups",
        {"CrossAccountFilterOption": "CrossAccount"},
        "ModelPackageGroupSummaryList",
        [],
    ),
    (
        "what was made after the future is nothing",
        "list_model_packages",
        versioned(CreationTimeAfter="2100-01-01T00:00:00Z"),
        "ModelPackageSummaryList",
        [],
    ),
    (
        "a key that is not there is taken away without a word",
        "delete_tags",
        {"ResourceArn": f"{KIND}:model-package-group/probed", "TagKeys": ["nobody"]},
        "Tags",
        None,
    ),
    (
        "adding no new tag tells of all that there are",
        "add_tags",
        {
            "ResourceArn": f"{KIND}:model-package-group/probed",
            "Tags": [{"Key": "team", "Value": "risk"}],
        },
        "Tags",
        [{"Key": "team", "Value": "risk"}],
    ),
]


@pytest.mark.parametrize(
    ("call", "params", "member", "value"),
    [row[1:] for row in ANSWERED],
    ids=[r[0] for r in ANSWERED],
)
def test_what_is_asked_is_answered(
    probed: Any, call: str, params: Params, member: str, value: Any
) -> None:
    answer = getattr(probed, call)(**params)
    assert answer.get(member) == value
    assert answer["ResponseMetadata"]["RequestId"]


def test_lists_tell_of_a_package_what_lists_tell(probed: Any) -> None:
    listed = probed.list_model_packages(**versioned())["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in listed] == [1, 2]
    assert "InferenceSpecification" not in listed[0]


# -- what no client sends by mistake -------------------------------------------------------------


WIRE: list[tuple[str, str, bytes, int, str]] = [
    ("a body that is no JSON", "DescribeModelPackage", b"{", 400, "SerializationException"),
    ("a body that is no object", "DescribeModelPackage", b"[]", 400, "SerializationException"),
    (
        "a number for a text",
        "DescribeModelPackage",
        b'{"ModelPackageName": 1}',
        400,
        "SerializationException",
    ),
    (
        "a null for what must be",
        "DescribeModelPackage",
        b'{"ModelPackageName": null}',
        400,
        INVALID,
    ),
    ("an operation that is AWS's alone", "CreateEndpoint", b"{}", 400, "UnknownOperationException"),
    ("an operation that is nobody's", "MakeTea", b"{}", 400, "UnknownOperationException"),
    ("a member that nobody knows", "ListModelPackageGroups", b'{"Tea": 1}', 200, ""),
    ("no body", "ListModelPackageGroups", b"", 200, ""),
]


def test_spaces_after_a_target_mean_nothing(aws: Aws) -> None:
    parts = urlsplit(aws.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"x-amz-target": "SageMaker.ListModelPackageGroups  "}
    connection.request("POST", "/", b"{}", headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert (answer.status, list(told)) == (200, ["ModelPackageGroupSummaryList"])


@pytest.mark.parametrize(
    ("operation", "body", "status", "code"), [row[1:] for row in WIRE], ids=[r[0] for r in WIRE]
)
def test_what_comes_by_the_wire_is_answered_in_its_words(
    aws: Aws, operation: str, body: bytes, status: int, code: str
) -> None:
    parts = urlsplit(aws.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    kind = "application/x-amz-json-1.1"
    headers = {"x-amz-target": f"SageMaker.{operation}", "content-type": kind}
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    told: Mapping[str, Any] = json.loads(answer.read())
    connection.close()
    assert (answer.status, answer.getheader("content-type")) == (status, kind)
    assert told.get("__type", "") == code
    assert answer.getheader("x-amzn-errortype", "") == code
