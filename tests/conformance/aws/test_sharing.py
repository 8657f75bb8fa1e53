"""Policies of groups, as stock clients set them."""

import json
from typing import Any

import pytest

from tests.support.refusals import refused

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
    ],
)
def test_what_is_no_policy_is_refused_where_it_is_wrong(shared: Any, text: str, told: str) -> None:
    group = {"ModelPackageGroupName": "private"}
    code, sentence = refused(shared.put_model_package_group_policy, **group, ResourcePolicy=text)
    assert code == INVALID
    assert told in sentence
    assert refused(shared.get_model_package_group_policy, **group)[0] == "ResourceNotFound"
