"""Policies of groups, as stock clients set them, and what another account's may do by them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.office import Office
from tests.support.refusals import refused
from tests.support.server import Server

INVALID = "ValidationException"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{}"
PACKAGES = ARN.replace("-group", "")
STATEMENT = {
    "Sid": "AddPermModelPackageGroup",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": ["sagemaker:DescribeModelPackageGroup"],
    "Resource": ARN.format("*"),
}


def policy(**changes: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, **changes}]})


@pytest.fixture(scope="module")
def shared(sagemaker: Any) -> Any:
    for name in ("shared", "private"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return sagemaker


def test_a_policy_is_kept_as_it_was_given_until_it_is_deleted(shared: Any) -> None:
    group = {"ModelPackageGroupName": "shared"}
    missing = ("ResourceNotFound", f"Cannot find a resource policy of {ARN.format('shared')}.")
    for text in (policy(), policy(Effect="Deny"), policy(Principal="*", Action="*")):
        answer = shared.put_model_package_group_policy(**group, ResourcePolicy=text)
        assert answer["ModelPackageGroupArn"] == ARN.format("shared")
        assert shared.get_model_package_group_policy(**group)["ResourcePolicy"] == text
    shared.delete_model_package_group_policy(**group)
    assert refused(shared.get_model_package_group_policy, **group) == missing
    assert refused(shared.delete_model_package_group_policy, **group) == missing


def test_a_group_that_is_not_there_has_none(shared: Any) -> None:
    group = {"ModelPackageGroupName": "nowhere"}
    told = (INVALID, f"ModelPackageGroup {ARN.format('nowhere')} does not exist.")
    assert refused(shared.get_model_package_group_policy, **group) == told
    assert refused(shared.delete_model_package_group_policy, **group) == told
    text = policy()
    assert refused(shared.put_model_package_group_policy, **group, ResourcePolicy=text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "length greater than or equal to 1"),
        (policy(Sid="x" * 20480), "length less than or equal to 20480"),
        ("no", "not valid JSON"),
        ("[]", "Expected `object`, got `array`"),
        ('{"Version":"2012-10-17","Statement":[]}', "`array` of length >= 1"),
        ('{"Version":"2012-10-17"}', "missing required field `Statement`"),
        (policy().replace("2012", "2013"), "Invalid enum value '2013-10-17'"),
        (policy(Effect="Permit"), "Invalid enum value 'Permit'"),
        (policy(NotResource="*"), "unknown field `NotResource`"),
        (policy(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), "the condition Bool"),
        (
            policy(Condition={"StringEqualsIfExists": {"aws:PrincipalAccount": "1"}}),
            "the condition StringEqualsIfExists",
        ),
        (
            policy(Condition={"StringLike": {"aws:SourceIp": "*"}}),
            "a condition on aws:SourceIp",
        ),
        (
            policy(Condition={"StringLike": {"aws:ResourceTag/a": ["b", "${aws:username}"]}}),
            "a variable in its condition on aws:ResourceTag/a",
        ),
        (policy(Condition={"StringLike": {"aws:ResourceTag/a": 1}}), "Expected `str | array`"),
        (policy(NotAction="*"), "unknown field `NotAction`"),
        (policy(Principal={"Service": "x"}), "unknown field `Service`"),
        (policy(Principal={"AWS": "ann"}), "as Principal what is none: ann"),
        (policy(Action="s3:GetObject"), "as Action what is none: s3:GetObject"),
        (policy(Resource="shared"), "as Resource what is none: shared"),
        (policy(Action=[]), "`array` of length >= 1"),
        (policy(Action="sagemaker:CreateEndpoint"), "the Action sagemaker:CreateEndpoint, of"),
        (policy(Principal={"AWS": "arn:aws:iam::111122223333:user/*"}), "as Principal what is"),
        (policy(Principal={"AWS": "arn:aws:iam::000000000000:root"}), "of this very account"),
        (policy(Principal={"AWS": ["111122223333", "000000000000"]}), "of this very account"),
        (policy(Resource=ARN.format("other")), "what is not of this group"),
        (policy(Resource=[ARN.format("private"), ARN.format("other")]), "is not of this group"),
        (policy(Resource=PACKAGES.format("private/3")), "as Resource what is none"),
        (policy(Resource=PACKAGES.format("private/1*")), "as Resource what is none"),
        (policy(Resource=PACKAGES.format("private/?")), "as Resource what is none"),
        (policy(Resource=PACKAGES.format("*1*")), "what is not of this group"),
        (policy(Resource=PACKAGES.format("private???*")), "what is not of this group"),
        (policy(Principal={"AWS": "arn:aws:iam::111122223333:user/a/b"}), "as Principal what is"),
    ],
)
def test_what_is_no_policy_is_refused_where_it_is_wrong(shared: Any, text: str, told: str) -> None:
    group = {"ModelPackageGroupName": "private"}
    code, sentence = refused(shared.put_model_package_group_policy, **group, ResourcePolicy=text)
    assert code == INVALID
    assert told in sentence
    assert refused(shared.get_model_package_group_policy, **group)[0] == "ResourceNotFound"


# -- keys of another account ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("aws") / "data", args=("--auth", "on"))
    server.start()
    yield server
    server.kill()


def test_another_accounts_clients_find_describe_and_load_what_is_shared_and_no_more(
    guarded: Server,
) -> None:
    office, aws = Office(guarded), Aws(guarded.url)
    office.user("gus", "contributor", "*")
    ours = office.post("/accounts/boss/keys", {})
    theirs = office.post("/accounts/gus/keys", {"account_number": "111122223333"})
    sagemaker, s3 = (aws.client(name, ours["id"], ours["secret"]) for name in ("sagemaker", "s3"))
    guest, files, who = (
        aws.client(name, theirs["id"], theirs["secret"]) for name in ("sagemaker", "s3", "sts")
    )
    assert who.get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/gus"
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=b"bytes")
    containers = [{"Image": "i", "ModelDataUrl": "s3://models/model.tar.gz"}]
    for name in ("weather", "traffic"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
        sagemaker.create_model_package(
            ModelPackageGroupName=name, InferenceSpecification={"Containers": containers}
        )
    allowed = {
        "Action": ["sagemaker:Describe*", "sagemaker:ListModelPackages", "sagemaker:CreateModel"],
        "Resource": [ARN.format("weather"), PACKAGES.format("weather/*")],
    }
    sagemaker.put_model_package_group_policy(
        ModelPackageGroupName="weather", ResourcePolicy=policy(**allowed)
    )
    across = {"CrossAccountFilterOption": "CrossAccount"}
    (found,) = guest.list_model_package_groups(**across)["ModelPackageGroupSummaryList"]
    assert found["ModelPackageGroupArn"] == ARN.format("weather")
    (package,) = guest.list_model_packages(
        ModelPackageGroupName=ARN.format("weather"), ModelApprovalStatus="PendingManualApproval"
    )["ModelPackageSummaryList"]
    assert package["ModelPackageArn"] == PACKAGES.format("weather/1")
    hits = guest.search(Resource="ModelPackage", **across)["TotalHits"]
    assert hits == {"Value": 1, "Relation": "EqualTo"}
    described = guest.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    (container,) = described["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    assert bucket == "modelkeep"
    assert refused(files.get_object, Bucket="models", Key="model.tar.gz")[0] == "AccessDenied"
    body = files.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert body == b"bytes"
    folder = key.rpartition("/")[0] + "/"
    (one,) = files.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]
    assert (one["Key"], one["Size"]) == (key, 5)
    for unshared in ("versions/2/", "versions/99/"):
        assert "Contents" not in files.list_objects_v2(Bucket=bucket, Prefix=unshared)
    assert refused(files.list_objects_v2, Bucket="models")[0] == "AccessDenied"
    for call, params in (
        (guest.describe_model_package, {"ModelPackageName": PACKAGES.format("traffic/1")}),
        (guest.create_model_package, {"ModelPackageGroupName": ARN.format("weather")}),
        (guest.delete_model_package_group, {"ModelPackageGroupName": ARN.format("weather")}),
        (guest.list_models, {}),
    ):
        assert refused(call, **params)[0] == "AccessDeniedException"
    with pytest.raises(files.exceptions.NoSuchKey):
        files.get_object(Bucket="modelkeep", Key="versions/2/model.tar.gz")
