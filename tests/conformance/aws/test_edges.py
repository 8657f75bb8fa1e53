"""The dialects of `POST /`, asked what no client of them would ask."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from modelkeep.protocols.aws import models, parsing
from modelkeep.protocols.aws.door import BODY_LIMIT_BYTES
from modelkeep.protocols.aws.parsing import VALUES_LIMIT, Malformed
from tests.support.server import Server

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def http(aws_server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=aws_server.url, trust_env=False, timeout=60) as client:
        yield client


def ask(http: httpx.Client, target: str, body: Any) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    answer = http.post("/", content=content, headers=headers)
    assert answer.headers["content-type"] == "application/x-amz-json-1.1", answer.text
    return answer.status_code, answer.json()


def ask_form(http: httpx.Client, **fields: str) -> tuple[int, ElementTree.Element]:
    answer = http.post("/", data=fields)
    assert answer.headers["content-type"] == "text/xml"
    return answer.status_code, ElementTree.fromstring(answer.content)


def text_of(root: ElementTree.Element, name: str) -> str:
    return next(e.text or "" for e in root.iter() if e.tag.rpartition("}")[2] == name)


# -- more than anybody needs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"TagKeys": ["a"] * VALUES_LIMIT},
        {"SubExpressions": [{}] * VALUES_LIMIT},
        {"CustomerMetadataProperties": {str(n): "" for n in range(VALUES_LIMIT)}},
        {"Any": [[[1] * 10] * 10] * (VALUES_LIMIT // 100)},
    ],
    ids=["list", "objects", "map", "lists within lists"],
)
def test_nobody_waits_for_one_who_sends_too_many_values(
    http: httpx.Client, params: dict[str, Any]
) -> None:
    status, told = ask(http, "SageMaker.Search", params)
    assert (status, told["__type"]) == (400, "SerializationException")
    assert told["message"] == f"The request's body has over {VALUES_LIMIT} values."


def test_a_body_that_no_operation_takes_is_not_read(http: httpx.Client) -> None:
    status, told = ask(http, "SageMaker.Search", b" " * (BODY_LIMIT_BYTES + 1))
    assert (status, told["__type"]) == (400, "ResourceLimitExceeded")
    assert str(BODY_LIMIT_BYTES) in told["message"]


def test_the_name_of_a_field_leads_no_deeper_than_any_member_lies() -> None:
    operation = models.service("iam").operation("GetRole")
    assert operation is not None
    fields = {"a" + ".a" * 500_000: "1", "RoleName": "r"}
    tracemalloc.start()
    assert parsing.from_query(operation.input, fields) == {"RoleName": "r"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_a_simulation_has_one_page_of_results(http: httpx.Client) -> None:
    asked = {
        "Action": "SimulatePrincipalPolicy",
        "Version": "2010-05-08",
        "PolicySourceArn": "arn:aws:iam::000000000000:user/ann",
        **{f"ActionNames.member.{n}": "sagemaker:Search" for n in range(1, 101)},
        **{f"ResourceArns.member.{n}": "*" for n in range(1, 11)},
    }
    status, root = ask_form(http, **asked)
    assert (status, sum(e.tag.endswith("EvalDecision") for e in root.iter())) == (200, 1000)
    status, root = ask_form(http, **asked, **{"ResourceArns.member.11": "*"})
    assert (status, text_of(root, "Code")) == (400, "ValidationError")
    assert "are 1100 results; the limit is 1000" in text_of(root, "Message")


@pytest.mark.parametrize("event", ['{"a": [' + "1," * 2000 + "1]}", f'{{"a": "{"x" * 300_000}"}}'])
def test_an_event_that_is_tested_is_no_larger_than_events_are(
    http: httpx.Client, event: str
) -> None:
    pattern = json.dumps({"a": [""] * 1000})
    asked = {"EventPattern": pattern, "Event": event}
    status, told = ask(http, "AWSEvents.TestEventPattern", asked)
    assert (status, told["__type"]) == (400, "ValidationException")
    assert "Parameter Event" in told["message"]


@pytest.mark.parametrize("time", [-(2**63) - 1, 2**70, 1e15, -1e300, "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_calendar_has_is_refused(http: httpx.Client, time: object) -> None:
    status, told = ask(http, "SageMaker.ListModelPackages", {"CreationTimeBefore": time})
    assert (status, told["__type"]) == (400, "SerializationException")
    assert told["message"] == "The value at CreationTimeBefore is not a time."


def test_objects_within_objects_have_an_end() -> None:
    operation = models.service("sagemaker").operation("Search")
    assert operation is not None
    for depth in (200, 900, 5000):
        body = b'{"SearchExpression":' + b'{"SubExpressions":[' * depth + b"]}" * depth + b"}"
        with pytest.raises(Malformed):
            parsing.from_json(operation.input, body)


def test_no_tag_makes_a_group_one_that_nobody_finds(http: httpx.Client) -> None:
    group = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/stays"
    tag = {"Key": "mlflow.prompt.is_prompt", "Value": "true"}
    ask(http, "SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": "stays"})
    for operation, params in (
        ("AddTags", {"ResourceArn": group, "Tags": [tag]}),
        ("CreateModelPackageGroup", {"ModelPackageGroupName": "lost", "Tags": [tag]}),
        ("CreateModelPackage", {"ModelPackageName": "lost", "Tags": [tag]}),
    ):
        status, told = ask(http, f"SageMaker.{operation}", params)
        assert (status, told["__type"]) == (400, "ValidationException")
    status, told = ask(http, "SageMaker.ListTags", {"ResourceArn": group})
    assert (status, told["Tags"]) == (200, [])


# -- what cannot be said back ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "params"),
    [
        ("AWSEvents.TestEventPattern", {"EventPattern": '{"\\ud800": []}', "Event": "{}"}),
        ("AWSEvents.PutRule", {"Name": "r", "EventPattern": '{"a": [{"\\udfff": 1}]}'}),
    ],
)
def test_half_a_character_in_a_text_is_refused_in_a_sentence(
    http: httpx.Client, target: str, params: dict[str, Any]
) -> None:
    status, told = ask(http, target, params)
    assert status == 400
    assert "?" in told["message"]


def test_what_xml_has_no_words_for_is_left_out(http: httpx.Client) -> None:
    status, root = ask_form(http, Action="\x00<Get>\x0b\uffff", Version="2011-06-15")
    assert (status, text_of(root, "Code")) == (400, "InvalidAction")
    assert "There is no operation <Get> of" in text_of(root, "Message")


@pytest.mark.parametrize(
    "content", ["1", "null", "NaN", '"risk_rating"', '["risk_rating"]', '{"\\ud800": 1}']
)
def test_a_card_in_a_package_that_is_none_is_refused(http: httpx.Client, content: str) -> None:
    ask(http, "SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": "brief"})
    card = {"ModelCardContent": f'{{"intended_uses": {content}}}', "ModelCardStatus": "Draft"}
    made = {"ModelPackageGroupName": "brief", "ModelCard": card}
    status, told = ask(http, "SageMaker.CreateModelPackage", made)
    assert (status, told["__type"]) == (400, "ValidationException")
    assert told["message"].startswith("ModelCardContent is not ")


def test_a_card_in_a_package_is_told_briefly(http: httpx.Client) -> None:
    ask(http, "SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": "brief"})
    uses = {"intended_uses": {"risk_rating": "High", "purpose_of_model": "scores"}}
    card = {"ModelCardContent": json.dumps(uses), "ModelCardStatus": "Draft"}
    made = {"ModelPackageGroupName": "brief", "ModelCard": card}
    _, told = ask(http, "SageMaker.CreateModelPackage", made)
    asked = {"ModelPackageName": told["ModelPackageArn"], "IncludedData": "MetadataOnly"}
    status, told = ask(http, "SageMaker.DescribeModelPackage", asked)
    kept = {"intended_uses": {"risk_rating": "High"}}
    assert (status, json.loads(told["ModelCard"]["ModelCardContent"])) == (200, kept)
