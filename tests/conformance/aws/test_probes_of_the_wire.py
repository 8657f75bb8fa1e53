"""Probes of what no client sends by mistake, and of the services beside SageMaker."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from tests.conformance.aws.conftest import Aws
from tests.conformance.aws.probes import INVALID, Params, check_refused, named
from tests.conformance.aws.s3_clients import client_of, refusal

JSON_1_1 = "application/x-amz-json-1.1"
SERIAL, UNKNOWN = "SerializationException", "UnknownOperationException"
TOPIC = "arn:aws:sns:us-east-1:000000000000:probed"
Told = tuple[int, Mapping[str, str], bytes]


def post(aws: Aws, headers: Mapping[str, str], body: bytes) -> Told:
    """The status, headers and body of an answer to a request that nobody signed."""
    parts = urlsplit(aws.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("POST", "/", body, dict(headers))
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return told


# -- SageMaker's JSON ------------------------------------------------------------------------------


WIRE: list[tuple[str, str, bytes, int, str]] = [
    ("a body that is no JSON", "SageMaker.DescribeModelPackage", b"{", 400, SERIAL),
    ("a body that is no object", "SageMaker.DescribeModelPackage", b"[]", 400, SERIAL),
    (
        "a number for a text",
        "SageMaker.DescribeModelPackage",
        b'{"ModelPackageName": 1}',
        400,
        SERIAL,
    ),
    ("a text for a number", "SageMaker.ListModelPackages", b'{"MaxResults": "2"}', 400, SERIAL),
    ("a truth for a number", "SageMaker.ListModelPackages", b'{"MaxResults": true}', 400, SERIAL),
    ("a text for a time", "SageMaker.ListModels", b'{"CreationTimeAfter": "soon"}', 400, SERIAL),
    ("an object for a list", "SageMaker.CreateModel", b'{"Containers": {}}', 400, SERIAL),
    (
        "a null for what must be",
        "SageMaker.DescribeModelPackage",
        b'{"ModelPackageName": null}',
        400,
        INVALID,
    ),
    ("an operation that is AWS's alone", "SageMaker.CreateEndpoint", b"{}", 400, UNKNOWN),
    ("an operation that is nobody's", "SageMaker.MakeTea", b"{}", 400, UNKNOWN),
    ("an operation of a service that is nobody's", "Teapot.MakeTea", b"{}", 400, UNKNOWN),
    ("a member that nobody knows", "SageMaker.ListModelPackageGroups", b'{"Tea": 1}', 200, ""),
    ("no body", "SageMaker.ListModelPackageGroups", b"", 200, ""),
]


@pytest.mark.parametrize(("target", "body", "status", "code"), **named(WIRE))
def test_what_comes_by_the_wire_is_answered_in_its_words(
    aws: Aws, target: str, body: bytes, status: int, code: str
) -> None:
    found, headers, told = post(aws, {"x-amz-target": target, "content-type": JSON_1_1}, body)
    assert (found, headers["content-type"]) == (status, JSON_1_1)
    assert json.loads(told).get("__type", "") == code
    assert headers.get("x-amzn-errortype", "") == code
    assert headers["x-amzn-requestid"]


def test_spaces_after_a_target_mean_nothing(aws: Aws) -> None:
    status, _, told = post(aws, {"x-amz-target": "SageMaker.ListModelPackageGroups  "}, b"{}")
    assert (status, list(json.loads(told))) == (200, ["ModelPackageGroupSummaryList"])


# -- the forms of the query services ---------------------------------------------------------------


FORMS: list[tuple[str, bytes, str]] = [
    ("a form without an action", b"Version=2011-06-15", "MissingAction"),
    ("a form that is none", b"Action", "MalformedQueryString"),
    ("a version that no service has", b"Action=ListTopics&Version=1999-12-31", "InvalidAction"),
]


@pytest.mark.parametrize(("body", "code"), **named(FORMS))
def test_what_is_no_form_is_refused_in_xml(aws: Aws, body: bytes, code: str) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    status, headers, told = post(aws, kind, body)
    assert (status, headers["content-type"]) == (400, "text/xml")
    root = ElementTree.fromstring(told)
    assert [root.findtext(f"Error/{part}") for part in ("Type", "Code")] == ["Sender", code]
    assert root.findtext("RequestId")


# -- EventBridge, SNS, IAM -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probed(aws: Aws) -> Aws:
    """A topic, and a rule for what nobody does."""
    aws.client("events").put_rule(Name="probed", EventPattern='{"source": ["nobody"]}')
    aws.client("sns").create_topic(Name="probed")
    return aws


REFUSED: list[tuple[str, str, str, Params, str, str]] = [
    (
        "the name of a rule has no spaces",
        "events",
        "put_rule",
        {"Name": "a rule", "EventPattern": '{"source": ["a"]}'},
        INVALID,
        "Value 'a rule' at 'name' failed to satisfy constraint: Member must satisfy regular",
    ),
    (
        "a rule is enabled or disabled",
        "events",
        "put_rule",
        {"Name": "probed", "EventPattern": '{"source": ["a"]}', "State": "OFF"},
        INVALID,
        "Value 'OFF' at 'state' failed to satisfy constraint: Member must satisfy enum value set",
    ),
    (
        "a rule gets one target at least",
        "events",
        "put_targets",
        {"Rule": "probed", "Targets": []},
        INVALID,
        "at 'targets' failed to satisfy constraint: Member must have length greater than or equal",
    ),
    (
        "a target has an address",
        "events",
        "put_targets",
        {"Rule": "probed", "Targets": [{"Id": "1"}]},
        INVALID,
        "Value null at 'targets.1.member.arn' failed to satisfy constraint: Member must not be",
    ),
    (
        "a page of rules is a hundred at most",
        "events",
        "list_rules",
        {"Limit": 101},
        INVALID,
        "at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100",
    ),
    (
        "a message is for somebody",
        "sns",
        "publish",
        {"Message": "m"},
        "InvalidParameter",
        "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
    ),
    (
        "a message says something",
        "sns",
        "publish",
        {"TopicArn": TOPIC, "Message": ""},
        "InvalidParameter",
        "Invalid parameter: Message",
    ),
    (
        "what stands for an ARN until there is one is none",
        "sns",
        "unsubscribe",
        {"SubscriptionArn": "pending confirmation"},
        "InvalidParameter",
        "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
    ),
    (
        "the name of a role has no spaces",
        "iam",
        "get_role",
        {"RoleName": "a role"},
        "ValidationError",
        "Value 'a role' at 'roleName' failed to satisfy constraint: Member must satisfy regular",
    ),
    (
        "what is simulated is an action",
        "iam",
        "simulate_principal_policy",
        {"PolicySourceArn": "arn:aws:iam::000000000000:user/ann"},
        "ValidationError",
        "Value null at 'actionNames' failed to satisfy constraint: Member must not be null",
    ),
]


@pytest.mark.parametrize(("service", "call", "params", "code", "told"), **named(REFUSED))
def test_what_may_not_be_is_refused(
    probed: Aws, service: str, call: str, params: Params, code: str, told: str
) -> None:
    events, sns = probed.client("events"), probed.client("sns")

    def seen() -> Any:
        return events.list_rules()["Rules"], sns.list_topics()["Topics"]

    check_refused(probed.client(service), call, params, code, told, seen)


def test_a_rule_has_five_targets_at_most(probed: Aws) -> None:
    events = probed.client("events")

    def seen() -> Any:
        return events.list_targets_by_rule(Rule="probed")["Targets"]

    six = {"Rule": "probed", "Targets": [{"Id": f"{n}", "Arn": TOPIC} for n in range(6)]}
    check_refused(events, "put_targets", six, "LimitExceededException", "5 targets", seen)


# -- S3 --------------------------------------------------------------------------------------------


def test_a_thousand_keys_are_deleted_at_once_at_most(aws: Aws) -> None:
    s3 = client_of(aws.url)
    s3.put_object(Bucket="probed", Key="k0", Body=b"x")
    keys = {"Objects": [{"Key": f"k{n}"} for n in range(1001)]}
    assert refusal(s3.delete_objects, Bucket="probed", Delete=keys)[:2] == (400, "MalformedXML")
    assert s3.list_objects_v2(Bucket="probed")["KeyCount"] == 1


def test_keys_are_listed_in_an_encoding_that_there_is(aws: Aws) -> None:
    s3 = client_of(aws.url)
    for listing in (s3.list_objects_v2, s3.list_objects, s3.list_multipart_uploads):
        told = refusal(listing, Bucket="probed", EncodingType="tea")
        assert told == (400, "InvalidArgument", "Invalid Encoding Method specified in Request")
