"""Probes of groups and packages (see `probes`)."""

from typing import Any

import pytest

from tests.conformance.aws.probes import (
    CONFLICT,
    CONTAINER,
    INVALID,
    KIND,
    Answer,
    Params,
    Refusal,
    check_answered,
    check_refused,
    named,
)

ARN = f"{KIND}:model-package/probed"


def runs(**container: Any) -> Params:
    return {
        "Containers": [{**CONTAINER, **container}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@pytest.fixture(scope="module")
def probed(sagemaker: Any) -> Any:
    """A group with two packages, the first approved."""
    sagemaker.create_model_package_group(ModelPackageGroupName="probed")
    for _ in range(2):
        sagemaker.create_model_package(
            ModelPackageGroupName="probed",
            InferenceSpecification=runs(),
            CustomerMetadataProperties={"accuracy": "0.9"},
        )
    sagemaker.update_model_package(ModelPackageArn=f"{ARN}/1", ModelApprovalStatus="Approved")
    return sagemaker


def versioned(**params: Any) -> Params:
    return {"ModelPackageGroupName": "probed", **params}


REFUSED: list[Refusal] = [
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
        "groups are looked for by a part of a name that one may have",
        "list_model_package_groups",
        {"NameContains": "a_b"},
        INVALID,
        "at 'nameContains' failed to satisfy constraint: Member must satisfy regular expression "
        "pattern: ",
    ),
    (
        "an order is one of two",
        "list_model_package_groups",
        {"SortOrder": "Sideways"},
        INVALID,
        "at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: "
        "[Ascending, Descending]",
    ),
    (
        "groups are of this account, or of others",
        "list_model_package_groups",
        {"CrossAccountFilterOption": "All"},
        INVALID,
        "Member must satisfy enum value set: [SameAccount, CrossAccount]",
    ),
    (
        "the policy of a group is put by the group's name alone",
        "put_model_package_group_policy",
        {"ModelPackageGroupName": f"{KIND}:model-package-group/probed", "ResourcePolicy": "{}"},
        INVALID,
        "at 'modelPackageGroupName' failed to satisfy constraint",
    ),
    (
        "a package has a group, has none, or is either",
        "list_model_packages",
        {"ModelPackageType": "Any"},
        INVALID,
        "Member must satisfy enum value set: [Versioned, Unversioned, Both]",
    ),
    (
        "of a package all is told, or the metadata",
        "describe_model_package",
        {"ModelPackageName": f"{ARN}/1", "IncludedData": "Some"},
        INVALID,
        "at 'includedData' failed to satisfy constraint: Member must satisfy enum value set: "
        "[AllData, MetadataOnly]",
    ),
    (
        "a batch names packages by their ARNs",
        "batch_describe_model_package",
        {"ModelPackageArnList": [f"{ARN}/1", "probed/2"]},
        INVALID,
        "Value 'probed/2' at 'modelPackageArnList.2.member' failed to satisfy constraint",
    ),
    (
        "data lie in S3, or where HTTPS leads to",
        "create_model_package",
        versioned(InferenceSpecification=runs(ModelDataUrl="file:///model.tar.gz")),
        INVALID,
        "at 'inferenceSpecification.containers.1.member.modelDataUrl' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: (https|s3)://",
    ),
    (
        "data in S3 are an object, or all that a prefix has",
        "create_model_package",
        versioned(
            InferenceSpecification=runs(
                ModelDataSource={
                    "S3DataSource": {
                        "S3Uri": "s3://bucket/model/",
                        "S3DataType": "S3Bucket",
                        "CompressionType": "None",
                    }
                }
            )
        ),
        INVALID,
        "Value 'S3Bucket' at 'inferenceSpecification.containers.1.member.modelDataSource."
        "s3DataSource.s3DataType' failed to satisfy constraint",
    ),
    (
        "an image has no spaces",
        "create_model_package",
        versioned(InferenceSpecification=runs(Image="serve it")),
        INVALID,
        "Value 'serve it' at 'inferenceSpecification.containers.1.member.image'",
    ),
    (
        "a variable has a name that a shell knows",
        "create_model_package",
        versioned(InferenceSpecification=runs(Environment={"1ST": "v"})),
        INVALID,
        "at 'inferenceSpecification.containers.1.member.environment' failed to satisfy "
        "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression",
    ),
    (
        "a container has a hundred variables at most",
        "create_model_package",
        versioned(InferenceSpecification=runs(Environment={f"V{n}": "" for n in range(101)})),
        INVALID,
        "Member must have length less than or equal to 100",
    ),
    (
        "what is answered is of a media type",
        "create_model_package",
        versioned(InferenceSpecification={**runs(), "SupportedResponseMIMETypes": ["csv"]}),
        INVALID,
        "Value 'csv' at 'inferenceSpecification.supportedResponseMIMETypes.1.member'",
    ),
    (
        "an additional specification has a name",
        "create_model_package",
        versioned(AdditionalInferenceSpecifications=[{"Containers": [CONTAINER]}]),
        INVALID,
        "Value null at 'additionalInferenceSpecifications.1.member.name' failed to satisfy",
    ),
    (
        "a package is made by one algorithm at most",
        "create_model_package",
        versioned(
            SourceAlgorithmSpecification={"SourceAlgorithms": [{"AlgorithmName": "xgboost"}] * 2}
        ),
        INVALID,
        "at 'sourceAlgorithmSpecification.sourceAlgorithms' failed to satisfy constraint: Member "
        "must have length less than or equal to 1",
    ),
    (
        "a validation is run in a role",
        "create_model_package",
        versioned(ValidationSpecification={"ValidationProfiles": []}),
        INVALID,
        "Value null at 'validationSpecification.validationRole' failed to satisfy constraint: "
        "Member must not be null",
    ),
    (
        "a commit has 1,024 characters at most",
        "create_model_package",
        versioned(MetadataProperties={"CommitId": "c" * 1025}),
        INVALID,
        "at 'metadataProperties.commitId' failed to satisfy constraint: Member must have length",
    ),
    (
        "a package is registered, or logged",
        "create_model_package",
        versioned(ModelPackageRegistrationType="Forgotten"),
        INVALID,
        "Member must satisfy enum value set: [Logged, Registered]",
    ),
    (
        "the name of a stage has no spaces",
        "update_model_package",
        {
            "ModelPackageArn": f"{ARN}/2",
            "ModelLifeCycle": {"Stage": "In Production", "StageStatus": "Approved"},
        },
        INVALID,
        "Value 'In Production' at 'modelLifeCycle.stage' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: ",
    ),
    (
        "a key to be taken away is one that there could be",
        "update_model_package",
        {"ModelPackageArn": f"{ARN}/2", "CustomerMetadataPropertiesToRemove": [""]},
        INVALID,
        "at 'customerMetadataPropertiesToRemove.1.member' failed to satisfy constraint: Member "
        "must have length greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("call", "params", "code", "told"), **named(REFUSED))
def test_what_may_not_be_is_refused(
    probed: Any, call: str, params: Params, code: str, told: str
) -> None:
    def seen() -> Any:
        return probed.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"]

    check_refused(probed, call, params, code, told, seen)


ANSWERED: list[Answer] = [
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
]


@pytest.mark.parametrize(("call", "params", "member", "value"), **named(ANSWERED))
def test_what_is_asked_is_answered(
    probed: Any, call: str, params: Params, member: str, value: Any
) -> None:
    check_answered(probed, call, params, member, value)


def test_lists_tell_of_a_package_what_lists_tell(probed: Any) -> None:
    listed = probed.list_model_packages(**versioned())["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in listed] == [1, 2]
    assert "InferenceSpecification" not in listed[0]


def test_an_update_that_says_nothing_takes_nothing_away(probed: Any) -> None:
    before = probed.describe_model_package(ModelPackageName=f"{ARN}/1")
    assert probed.update_model_package(ModelPackageArn=f"{ARN}/1")["ModelPackageArn"]
    after = probed.describe_model_package(ModelPackageName=f"{ARN}/1")
    kept = before.keys() - {"LastModifiedTime", "ResponseMetadata"}
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
