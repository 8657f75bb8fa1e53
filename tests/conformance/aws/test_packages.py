"""Model packages with stock clients: versions of our models, and models of one version."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelkeep.domain.handles import handle_of
from tests.support.clients import client
from tests.support.refusals import refused
from tests.support.server import Server

MLFLOW = "/api/2.0/mlflow"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.1"
CONTAINER = {"Image": IMAGE, "ModelDataUrl": "s3://bucket/run/model.tar.gz"}
RUNS = {
    "Containers": [CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
TYPES = {
    "SupportedTransformInstanceTypes": ["ml.m5.large"],
    "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
}
SEEDS = Path(__file__).parent / "seeds"
_numbers = count()

Make = Callable[..., str]


@pytest.fixture
def group(sagemaker: Any) -> str:
    name = f"packages-{next(_numbers)}"
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


@pytest.fixture
def make(sagemaker: Any, group: str) -> Make:
    """Registers a version of the test's group; its ARN."""

    def made(**params: Any) -> str:
        answer = sagemaker.create_model_package(ModelPackageGroupName=group, **params)
        return answer["ModelPackageArn"]

    return made


def described(sagemaker: Any, name: str, **params: Any) -> dict[str, Any]:
    return sagemaker.describe_model_package(ModelPackageName=name, **params)


def mlflow(server: Server, method: str, path: str, **facts: Any) -> Any:
    with httpx.Client(base_url=server.url + MLFLOW, trust_env=False) as http:
        answer = http.request(method, path, **facts)
    answer.raise_for_status()
    return answer.json()


def arns(sagemaker: Any, **params: Any) -> list[str]:
    found = sagemaker.list_model_packages(**params)["ModelPackageSummaryList"]
    return [package["ModelPackageArn"] for package in found]


# -- registering and describing ------------------------------------------------------------------


def test_a_version_keeps_every_member_as_it_was_said(
    sagemaker: Any, group: str, make: Make
) -> None:
    statistics = {"ContentType": "application/json", "S3Uri": "s3://bucket/statistics.json"}
    said = {
        "InferenceSpecification": RUNS,
        "ModelPackageDescription": "gradient boosting",
        "MetadataProperties": {"CommitId": "abc", "Repository": "git", "GeneratedBy": "ci"},
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
        "DriftCheckBaselines": {"ModelQuality": {"Statistics": statistics}},
        "CustomerMetadataProperties": {"accuracy": "0.84"},
        "AdditionalInferenceSpecifications": [{"Name": "neo", "Containers": [CONTAINER]}],
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://bucket/payload.tar.gz",
        "SkipModelValidation": "All",
        "ModelPackageRegistrationType": "Registered",
        "SecurityConfig": {"KmsKeyId": "alias/key"},
        "ValidationSpecification": {
            "ValidationRole": "arn:aws:iam::000000000000:role/Role",
            "ValidationProfiles": [
                {
                    "ProfileName": "quick",
                    "TransformJobDefinition": {
                        "TransformInput": {
                            "DataSource": {
                                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}
                            }
                        },
                        "TransformOutput": {"S3OutputPath": "s3://b/out"},
                        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                    },
                }
            ],
        },
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    }
    arn = make(**said)
    found = described(sagemaker, arn)
    assert {name: found[name] for name in said} == said
    assert found["ModelPackageArn"] == arn == f"{ARN}/{group}/1"
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == (group, 1)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert (found["ModelPackageStatus"], found["CertifyForMarketplace"]) == ("Completed", False)
    statuses = found["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert statuses == [{"Name": "quick", "Status": "NotStarted"}]
    assert found["CreatedBy"]["IamIdentity"]["PrincipalId"] == "AKIAANNANNANNANNANNA"
    assert found["LastModifiedBy"] == found["CreatedBy"]
    assert found["CreationTime"] <= found["LastModifiedTime"] <= datetime.now(UTC)


def test_a_version_is_found_by_its_name_as_by_its_arn(
    sagemaker: Any, group: str, make: Make
) -> None:
    arn = make(ModelPackageDescription="first")
    by_name = described(sagemaker, f"{group}/1")
    assert by_name["ModelPackageArn"] == arn
    assert described(sagemaker, by_name["ModelPackageName"])["ModelPackageDescription"] == "first"


def test_numbers_go_up_and_are_not_used_again(sagemaker: Any, make: Make) -> None:
    assert [make().rsplit("/")[-1] for _ in range(2)] == ["1", "2"]
    last = make()
    sagemaker.delete_model_package(ModelPackageName=last)
    assert make().rsplit("/")[-1] == "4"
    code, message = refused(sagemaker.describe_model_package, ModelPackageName=last)
    assert (code, message) == ("ValidationException", f"ModelPackage {last} does not exist.")


REFUSED = [
    ({"ModelPackageName": "x"}, "Both ModelPackageName and ModelPackageGroupName are provided"),
    ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags cannot be supplied"),
    ({"CertifyForMarketplace": True}, "CertifyForMarketplace does not apply to versioned"),
    ({"InferenceSpecification": RUNS, "SourceUri": "s3://b/k"}, "cannot both be provided"),
    (
        {"AdditionalInferenceSpecifications": [{"Name": "a", "Containers": [CONTAINER]}] * 2},
        "the name a is there twice",
    ),
    ({"InferenceSpecification": {"Containers": []}}, "Member must have length greater than"),
    ({"InferenceSpecification": {"Containers": [CONTAINER] * 16}}, "less than or equal to 15"),
    ({"ModelApprovalStatus": "approved"}, "Member must satisfy enum value set: [Approved, "),
    ({"SkipModelValidation": "Some"}, "Member must satisfy enum value set: [All, None]"),
    ({"CustomerMetadataProperties": {}}, "Member must have length greater than or equal to 1"),
    ({"CustomerMetadataProperties": {"k" * 129: "v"}}, "length less than or equal to 128"),
    ({"CustomerMetadataProperties": {"k": "v" * 257}}, "length less than or equal to 256"),
    (
        {"CustomerMetadataProperties": {str(n): "v" for n in range(51)}},
        "Member must have length less than or equal to 50",
    ),
    ({"ModelLifeCycle": {"Stage": "Staging"}}, "'modelLifeCycle.stageStatus' failed to satisfy"),
    ({"ModelLifeCycle": {"Stage": "QA", "StageStatus": "Approved"}}, "None, Staging, Production"),
    ({"ModelCard": {"ModelCardContent": "no JSON"}}, "ModelCardContent is not valid JSON"),
    ({"ModelCard": {"ModelCardContent": "[]"}}, "Expected `object`, got `array`"),
    ({"ModelCard": {"ModelCardContent": '{"model_package_details": {}}'}}, "unknown field `model_"),
    (
        {"ModelCard": {"ModelCardContent": '{"model_overview": {"model_name": "x"}}'}},
        "unknown field `model_name` - at `$.model_overview`",
    ),
    (
        {"ModelCard": {"ModelCardContent": '{"intended_uses": {"risk_rating": "Huge"}}'}},
        "Invalid enum value 'Huge' - at `$.intended_uses.risk_rating`",
    ),
    (
        {"ModelCard": {"ModelCardContent": '{"evaluation_details": [{"datasets": []}]}'}},
        "missing required field `name` - at `$.evaluation_details[0]`",
    ),
    ({"SourceUri": f"{ARN}/missing/1"}, f"ModelPackage {ARN}/missing/1 does not exist."),
    ({"ClientToken": "a" * 37}, "Member must have length less than or equal to 36"),
]


@pytest.mark.parametrize(("params", "said"), REFUSED)
def test_what_does_not_go_together_is_refused_and_makes_nothing(
    sagemaker: Any, group: str, params: dict[str, Any], said: str
) -> None:
    call = sagemaker.create_model_package
    code, message = refused(call, ModelPackageGroupName=group, **params)
    assert (code, said in message) == ("ValidationException", True), message
    assert arns(sagemaker, ModelPackageGroupName=group) == []


def test_a_package_has_a_name_or_a_group(sagemaker: Any) -> None:
    assert refused(sagemaker.create_model_package) == (
        "ValidationException",
        "Missing ARN. Give a ModelPackageName or a ModelPackageGroupName.",
    )
    found = refused(sagemaker.create_model_package, ModelPackageGroupName="missing")
    assert found == ("ValidationException", "Model Package Group does not exist.")


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("arn:aws:sagemaker:us-east-1:111111111111:model-package/g/1", "account 111111111111"),
        ("arn:aws:sagemaker:eu-west-1:000000000000:model-package/g/1", "region eu-west-1"),
        ("arn:aws:sagemaker:us-east-1:000000000000:model-package-group/g/1", "ARN of a model pack"),
        ("g/1/2", "Member must satisfy regular expression pattern"),
    ],
)
def test_a_package_of_another_account_region_or_kind_is_refused(
    sagemaker: Any, arn: str, said: str
) -> None:
    for call in (sagemaker.describe_model_package, sagemaker.delete_model_package):
        code, message = refused(call, ModelPackageName=arn)
        assert (code, said in message) == ("ValidationException", True), message


def test_an_update_takes_an_arn_alone(sagemaker: Any, group: str, make: Make) -> None:
    make()
    code, message = refused(sagemaker.update_model_package, ModelPackageArn=f"{group}/1")
    assert (code, "regular expression pattern" in message) == ("ValidationException", True)


def test_the_same_token_and_call_have_their_effect_once(
    sagemaker: Any, group: str, make: Make
) -> None:
    first = make(ClientToken="token-1", ModelPackageDescription="one")
    assert make(ClientToken="token-1", ModelPackageDescription="one") == first
    assert arns(sagemaker, ModelPackageGroupName=group) == [first]
    other = {"ClientToken": "token-1", "ModelPackageDescription": "two"}
    call = sagemaker.create_model_package
    code, message = refused(call, ModelPackageGroupName=group, **other)
    assert (code, "used for a call with other parameters" in message) == ("ConflictException", True)
    sagemaker.update_model_package(
        ModelPackageArn=first, ClientToken="token-1", CustomerMetadataProperties={"a": "1"}
    )
    sagemaker.update_model_package(ModelPackageArn=first, CustomerMetadataProperties={"a": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=first, ClientToken="token-1", CustomerMetadataProperties={"a": "1"}
    )
    assert described(sagemaker, first)["CustomerMetadataProperties"] == {"a": "2"}


def test_a_clone_has_what_its_original_says_and_its_own_words_first(
    sagemaker: Any, make: Make
) -> None:
    original = make(
        InferenceSpecification=RUNS,
        CustomerMetadataProperties={"accuracy": "0.84"},
        ModelPackageDescription="original",
        ModelApprovalStatus="Rejected",
    )
    found = described(sagemaker, make(SourceUri=original, ModelPackageDescription="clone"))
    assert found["InferenceSpecification"] == RUNS
    assert found["CustomerMetadataProperties"] == {"accuracy": "0.84"}
    assert (found["ModelPackageDescription"], found["SourceUri"]) == ("clone", original)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"


# -- changing ------------------------------------------------------------------------------------


def test_an_update_of_the_approval_alone_keeps_the_rest(sagemaker: Any, make: Make) -> None:
    said = {"CustomerMetadataProperties": {"accuracy": "0.84"}, "InferenceSpecification": RUNS}
    arn = make(ModelPackageDescription="d", **said)
    before = described(sagemaker, arn)
    answer = sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert answer["ModelPackageArn"] == arn
    found = described(sagemaker, arn)
    assert {name: found[name] for name in said} == said
    assert (found["ModelApprovalStatus"], found["ModelPackageDescription"]) == ("Approved", "d")
    assert found["LastModifiedTime"] > before["LastModifiedTime"]


def test_metadata_is_merged_and_taken_away_by_key(sagemaker: Any, make: Make) -> None:
    arn = make(CustomerMetadataProperties={"a": "1", "b": "2", "c": "3"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"b": "two", "d": "4"},
        CustomerMetadataPropertiesToRemove=["a", "unknown"],
    )
    found = described(sagemaker, arn)["CustomerMetadataProperties"]
    assert found == {"b": "two", "c": "3", "d": "4"}
    both = {"CustomerMetadataProperties": {"b": "x"}, "CustomerMetadataPropertiesToRemove": ["b"]}
    code, _ = refused(sagemaker.update_model_package, ModelPackageArn=arn, **both)
    assert code == "ValidationException"


def test_metadata_has_fifty_entries_at_most(sagemaker: Any, make: Make) -> None:
    arn = make(CustomerMetadataProperties={str(n): "v" for n in range(50)})
    one_more = {"ModelPackageArn": arn, "CustomerMetadataProperties": {"more": "v"}}
    code, message = refused(sagemaker.update_model_package, **one_more)
    assert (code, "at most 50 entries" in message) == ("ValidationException", True)
    sagemaker.update_model_package(**one_more, CustomerMetadataPropertiesToRemove=["0"])
    assert len(described(sagemaker, arn)["CustomerMetadataProperties"]) == 50


def test_metadata_and_mlflows_tags_are_one_set(
    sagemaker: Any, aws_server: Server, group: str, make: Make
) -> None:
    arn = make(CustomerMetadataProperties={"accuracy": "0.84"})
    version = {"name": group, "version": "1"}
    for key, value in (("f1", "0.83"), ("notes", "x" * 257), ("k" * 129, "v"), ("none", "")):
        tag = {**version, "key": key, "value": value}
        mlflow(aws_server, "POST", "/model-versions/set-tag", json=tag)
    found = described(sagemaker, arn)["CustomerMetadataProperties"]
    assert found == {"accuracy": "0.84", "f1": "0.83"}  # the others do not fit, and stay there
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["f1"])
    kept = mlflow(aws_server, "GET", "/model-versions/get", params=version)["model_version"]
    assert {tag["key"] for tag in kept["tags"]} == {"accuracy", "notes", "k" * 129, "none"}


def test_additional_specifications_are_added_by_unique_names(sagemaker: Any, make: Make) -> None:
    one, two = ({"Name": name, "Containers": [CONTAINER]} for name in ("one", "two"))
    arn = make(AdditionalInferenceSpecifications=[one])
    update = sagemaker.update_model_package
    update(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[two])
    assert described(sagemaker, arn)["AdditionalInferenceSpecifications"] == [one, two]
    more = [{"Name": f"n{n}", "Containers": [CONTAINER]} for n in range(14)]
    for added, said in (([one], "the name one is there twice"), (more, "would be 16")):
        params = {"ModelPackageArn": arn, "AdditionalInferenceSpecificationsToAdd": added}
        code, message = refused(update, **params)
        assert (code, said in message) == ("ValidationException", True)


def test_what_is_run_can_be_said_later(sagemaker: Any, make: Make) -> None:
    arn = make()
    sagemaker.update_model_package(ModelPackageArn=arn, InferenceSpecification=RUNS)
    sagemaker.update_model_package(
        ModelPackageArn=arn, SourceUri="my-source", ModelPackageRegistrationType="Logged"
    )
    found = described(sagemaker, arn)
    assert (found["InferenceSpecification"], found["SourceUri"]) == (RUNS, "my-source")
    assert found["ModelPackageRegistrationType"] == "Logged"


def test_a_card_is_patched_until_it_is_archived(sagemaker: Any, make: Make) -> None:
    content = {"intended_uses": {"risk_rating": "Low", "purpose_of_model": "tests"}}
    arn = make(ModelCard={"ModelCardContent": json.dumps(content), "ModelCardStatus": "Draft"})
    update = sagemaker.update_model_package
    update(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Archived"})
    card = described(sagemaker, arn)["ModelCard"]
    assert card == {"ModelCardContent": json.dumps(content), "ModelCardStatus": "Archived"}
    brief = described(sagemaker, arn, IncludedData="MetadataOnly")["ModelCard"]
    assert json.loads(brief["ModelCardContent"]) == {"intended_uses": {"risk_rating": "Low"}}
    again = {"ModelPackageArn": arn, "ModelCard": {"ModelCardContent": "{}"}}
    found = refused(update, **again)
    assert found == ("ConflictException", "Model Card is in Archived state")


def test_a_stage_is_where_the_version_stands(
    sagemaker: Any, aws_server: Server, group: str, make: Make
) -> None:
    life = {"Stage": "staging", "StageStatus": "InProgress", "StageDescription": "soon"}
    arn = make(ModelLifeCycle=life)
    version = {"name": group, "version": "1"}
    found = mlflow(aws_server, "GET", "/model-versions/get", params=version)["model_version"]
    assert found["current_stage"] == "Staging"
    assert described(sagemaker, arn)["ModelLifeCycle"] == {**life, "Stage": "Staging"}
    moved = {**version, "stage": "Archived", "archive_existing_versions": False}
    mlflow(aws_server, "POST", "/model-versions/transition-stage", json=moved)
    assert described(sagemaker, arn)["ModelLifeCycle"]["Stage"] == "Archived"
    unknown = {"Stage": "Elsewhere", "StageStatus": "Approved"}
    params = {"ModelPackageArn": arn, "ModelLifeCycle": unknown}
    code, message = refused(sagemaker.update_model_package, **params)
    assert (code, "None, Staging, Production, Archived" in message) == ("ValidationException", True)


def test_a_refused_update_changes_nothing(sagemaker: Any, make: Make) -> None:
    arn = make(CustomerMetadataProperties={"a": "1"})
    params = {
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "Approved"},
        "CustomerMetadataProperties": {"a": "2"},
    }
    code, message = refused(sagemaker.update_model_package, ModelPackageArn=arn, **params)
    assert (code, "one after the other" in message) == ("ValidationException", True)
    found = described(sagemaker, arn)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["CustomerMetadataProperties"] == {"a": "1"}


def test_nobody_else_writes_what_sagemakers_calls_say(
    aws_server: Server, group: str, make: Make
) -> None:
    make(InferenceSpecification=RUNS)
    for name in ("sagemaker.json", "sagemaker-verdict.json"):
        url = f"{aws_server.url}/api/v1/models/{group}/versions/1/documents/{name}"
        body = {"body": "{}", "media_type": "application/json"}
        assert httpx.put(url, json=body, trust_env=False).status_code == 400


# -- listing -------------------------------------------------------------------------------------


def test_the_versions_of_a_group_are_listed_newest_last_or_first(
    sagemaker: Any, group: str, make: Make
) -> None:
    made = [make(InferenceSpecification=RUNS, ModelPackageDescription=str(n)) for n in range(3)]
    by_arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{group}"
    for named in (group, by_arn):
        assert arns(sagemaker, ModelPackageGroupName=named) == made
    descending = {"ModelPackageGroupName": group, "SortOrder": "Descending"}
    assert arns(sagemaker, **descending, SortBy="CreationTime") == made[::-1]
    assert arns(sagemaker, **descending, SortBy="Name") == made[::-1]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert arns(sagemaker, ModelPackageGroupName=group, CreationTimeAfter=soon) == []
    (first, *_) = sagemaker.list_model_packages(ModelPackageGroupName=group)[
        "ModelPackageSummaryList"
    ]
    assert "InferenceSpecification" not in first
    assert (first["ModelPackageVersion"], first["ModelPackageDescription"]) == (1, "0")


def test_versions_are_listed_by_their_approval_over_pages(
    sagemaker: Any, group: str, make: Make
) -> None:
    words = ["Approved", "Rejected", "PendingManualApproval"]
    made = [make(ModelApprovalStatus=words[n % 3]) for n in range(9)]
    for place, word in enumerate(words):
        found, token = [], {}
        while True:
            page = sagemaker.list_model_packages(
                ModelPackageGroupName=group, ModelApprovalStatus=word, MaxResults=2, **token
            )
            found += [one["ModelPackageArn"] for one in page["ModelPackageSummaryList"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert found == made[place::3]
        other = {"ModelPackageGroupName": group, **token}  # of the list of all approvals
        assert refused(sagemaker.list_model_packages, **other)[0] == "ValidationException"


def test_versions_are_described_together_and_those_that_are_not_there_too(
    sagemaker: Any, group: str, make: Make
) -> None:
    one, two = make(InferenceSpecification=RUNS), make()
    elsewhere = "arn:aws:sagemaker:us-east-1:111111111111:model-package/g/1"
    missing = f"{ARN}/{group}/9"
    asked = [one, two, missing, elsewhere]
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=asked)
    assert found["ModelPackageSummaries"].keys() == {one, two}
    assert found["ModelPackageSummaries"][one]["InferenceSpecification"] == RUNS
    errors = found["BatchDescribeModelPackageErrorMap"]
    assert errors.keys() == {missing, elsewhere}
    assert errors[missing]["ErrorResponse"] == f"ModelPackage {missing} does not exist."
    for asked in ([], [one] * 101):
        call = sagemaker.batch_describe_model_package
        assert refused(call, ModelPackageArnList=asked)[0] == "ValidationException"


def test_versions_of_mlflow_are_packages_at_once_and_gone_when_deleted(
    sagemaker: Any, aws_server: Server
) -> None:
    name = "Net Work_v1.0"
    mlflow(aws_server, "POST", "/registered-models/create", json={"name": name})
    version = {"name": name, "source": "s3://bucket/net", "description": "of MLflow"}
    mlflow(aws_server, "POST", "/model-versions/create", json=version)
    handle = handle_of(name)
    (arn,) = arns(sagemaker, ModelPackageGroupName=handle)
    found = described(sagemaker, f"{handle}/1")
    assert found["ModelPackageArn"] == arn == f"{ARN}/{handle}/1"
    told = (found["SourceUri"], found["ModelPackageDescription"])
    assert told == ("s3://bucket/net", "of MLflow")
    gone = {"name": name, "version": "1"}
    mlflow(aws_server, "DELETE", "/model-versions/delete", json=gone)
    assert arns(sagemaker, ModelPackageGroupName=handle) == []
    assert refused(sagemaker.describe_model_package, ModelPackageName=arn)[0]


# -- without a group -----------------------------------------------------------------------------


def test_a_package_without_a_group_is_a_model_of_one_version(
    sagemaker: Any, aws_server: Server
) -> None:
    params = {
        "ModelPackageName": "alone",
        "InferenceSpecification": {**RUNS, **TYPES},
        "Tags": [{"Key": "team", "Value": "x"}],
    }
    arn = sagemaker.create_model_package(**params)["ModelPackageArn"]
    assert arn == f"{ARN}/alone"
    for name in ("alone", arn):
        found = described(sagemaker, name)
        assert (found["ModelPackageName"], found["ModelPackageArn"]) == ("alone", arn)
        assert "ModelPackageGroupName" not in found
        assert "ModelApprovalStatus" not in found
    found = refused(sagemaker.create_model_package, ModelPackageName="alone")
    assert found == ("ValidationException", f"ModelPackage already exists: {arn}")
    refused(sagemaker.describe_model_package, ModelPackageName="alone/1")
    refused(sagemaker.describe_model_package_group, ModelPackageGroupName="alone")
    refused(sagemaker.create_model_package, ModelPackageGroupName="alone")
    with httpx.Client(base_url=aws_server.url + MLFLOW, trust_env=False) as http:
        second = {"name": "alone", "source": "s3://bucket/second"}
        assert http.post("/model-versions/create", json=second).is_client_error
        kind = {"name": "alone", "key": "modelkeep.package", "value": "other"}
        assert http.post("/registered-models/set-tag", json=kind).is_client_error
    sagemaker.delete_model_package(ModelPackageName="alone")
    refused(sagemaker.describe_model_package, ModelPackageName="alone")
    sagemaker.create_model_package(ModelPackageName="alone")


def test_lists_have_those_without_a_group_unless_asked(sagemaker: Any, make: Make) -> None:
    versioned = make()
    alone = [
        sagemaker.create_model_package(ModelPackageName=f"lonely-{n}")["ModelPackageArn"]
        for n in range(2)
    ]
    assert arns(sagemaker, NameContains="lonely") == alone
    assert versioned not in arns(sagemaker)
    only = arns(sagemaker, ModelPackageType="Versioned")
    assert versioned in only
    assert not set(alone) & set(only)
    both = arns(sagemaker, ModelPackageType="Both", SortOrder="Descending", SortBy="CreationTime")
    assert {versioned, *alone} <= set(both)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (RUNS, "SupportedTransformInstanceTypes is required for unversioned"),
        ({**RUNS, **TYPES, "Containers": [{**CONTAINER, "Environment": {"A": "1"}}]}, "Environ"),
    ],
)
def test_without_a_group_more_has_to_be_said(
    sagemaker: Any, runs: dict[str, Any], said: str
) -> None:
    params = {"ModelPackageName": "lacking", "InferenceSpecification": runs}
    code, message = refused(sagemaker.create_model_package, **params)
    assert (code, said in message) == ("ValidationException", True)


# -- what people have published ------------------------------------------------------------------

_PRELUDE = """
import sys, types
region, xgboost_container = "us-east-1", "683313688378.dkr.ecr.us-east-1.amazonaws.com/xgboost:1.7"
model_s3_uri = model_url = "s3://bucket/model.tar.gz"
sdk, images = types.ModuleType("sagemaker"), types.ModuleType("sagemaker.image_uris")
images.retrieve = lambda **named: "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface:1"
sys.modules |= {"sagemaker": sdk, "sagemaker.image_uris": images}
import boto3
sm_client = boto3.client("sagemaker")
for path in sys.argv[1:]:
    exec(open(path).read())
"""


@pytest.mark.client
def test_published_code_runs_as_it_stands(aws_server: Server, tmp_path: Path) -> None:
    boto3 = client("boto3", "MODELKEEP_S3_PYTHON", "s3", tmp_path)
    env = {
        "AWS_ENDPOINT_URL": aws_server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAANNANNANNANNANNA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    seeds = [str(path) for path in sorted(SEEDS.glob("*.py"))]
    told = boto3.run(_PRELUDE, *seeds, url=aws_server.url, env=env)
    group, package, version = told.splitlines()
    assert group.startswith("ModelPackageGroup Arn : arn:aws:sagemaker:us-east-1:")
    assert package.startswith(f"ModelPackage Version ARN : {ARN}/air-quality-")
    assert version == "版本 1: [Approved]"
