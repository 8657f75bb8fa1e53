"""Services that are not here, keys that are any text, and signatures of another age: what stock
clients are told, in words that they can read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import botocore.session
import httpx
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.conformance.aws.conftest import Aws
from tests.support.office import Office
from tests.support.server import Server

# By service: an operation of it, its parameters, and the code that its protocol has for "unknown".
UNKNOWN, ACTION = "UnknownOperationException", "InvalidAction"
ELSEWHERE: dict[str, tuple[str, dict[str, Any], str]] = {
    "dynamodb": ("list_tables", {}, UNKNOWN),
    "sqs": ("list_queues", {}, UNKNOWN),
    "ec2": ("describe_instances", {}, ACTION),
    "lambda": ("list_functions", {}, UNKNOWN),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("elsewhere") / "data", args=("--auth", "on"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def key(guarded: Server) -> dict[str, Any]:
    office = Office(guarded)
    office.user("ann", "contributor", "*")
    return office.post("/accounts/ann/keys", {})


@pytest.fixture(scope="module")
def known(guarded: Server) -> Aws:
    return Aws(guarded.url)


def refused(call: Any, **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    told = caught.value.response
    status = told["ResponseMetadata"]["HTTPStatusCode"]
    return status, told["Error"]["Code"], told["Error"]["Message"]


@pytest.mark.parametrize("service", list(ELSEWHERE))
def test_a_service_that_is_not_here_is_told_of_in_its_own_protocol(
    service: str, aws: Aws, known: Aws, key: dict[str, Any]
) -> None:
    name, params, code = ELSEWHERE[service]
    signed = known.client(service, key["id"], key["secret"])
    for client in (aws.client(service), signed):
        status, said, message = refused(getattr(client, name), **params)
        assert status in (400, 404)
        assert (said, message) == (code, f"modelkeep does not have the service {service}.")


def test_the_endpoints_of_sagemaker_are_not_here_and_it_says_so(
    aws: Aws, known: Aws, key: dict[str, Any]
) -> None:
    signed = known.client("sagemaker-runtime", key["id"], key["secret"])
    for client in (aws.client("sagemaker-runtime"), signed):
        told = refused(client.invoke_endpoint, EndpointName="x", Body=b"x")
        what = "POST /endpoints/x/invocations of sagemaker"
        assert told == (404, UNKNOWN, f"modelkeep does not have {what}.")


@pytest.mark.parametrize("service", [*ELSEWHERE, "sagemaker-runtime"])
def test_who_signs_wrongly_does_not_learn_which_services_are_here(
    service: str, known: Aws, key: dict[str, Any]
) -> None:
    name, params, _ = ELSEWHERE.get(service, ("invoke_endpoint", {"EndpointName": "x"}, ""))
    other = Aws(known.url)  # which has no client of the key yet
    for ident, secret in ((key["id"], "wrong"), ("AKIANOBODYNOBODYNOBO", "any")):
        client = other.client(service, ident, secret)
        status, _, message = refused(getattr(client, name), **params)
        assert status in (401, 403)
        assert "modelkeep does not have" not in message


def test_nobody_learns_anything_of_a_service_unsigned(guarded: Server) -> None:
    with httpx.Client(base_url=guarded.url, trust_env=False) as http:
        targets = ("DynamoDB_20120810.ListTables", "SageMaker.ListModels")
        told = [http.post("/", headers={"x-amz-target": t}).json() for t in targets]
        assert told[0] == told[1]
        assert told[0]["__type"] == "MissingAuthenticationTokenException"
        assert http.get("/2015-03-31/functions").status_code == 401


# -- keys, where there are no accounts -------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "ann@example.org", "a b", "team/ann"])
def test_whatever_is_a_users_name_is_a_claim_at_every_door(aws: Aws, name: str) -> None:
    assert aws.client("sts", name).get_caller_identity()["UserId"] == name
    assert "Buckets" in aws.client("s3", name).list_buckets()
    assert aws.client("sagemaker", name).list_models()["Models"] == []


def test_what_is_no_users_name_is_refused_in_each_protocols_words(aws: Aws) -> None:
    name, said = "n" * 201, "A user name has at most 200 printable characters."
    assert refused(aws.client("s3", name).list_buckets) == (400, "InvalidArgument", said)
    assert refused(aws.client("sagemaker", name).list_models) == (400, "ValidationException", said)
    told = refused(aws.client("sts", name).get_caller_identity)
    assert told == (400, "ValidationError", said)


@pytest.mark.parametrize("name", ["sagemaker", "SageMaker", "modelkeep", "system"])
def test_nobody_claims_a_name_under_which_the_server_acts(aws: Aws, name: str) -> None:
    said = f"Nobody can be named '{name}': the server itself acts under it."
    assert refused(aws.client("s3", name).list_buckets) == (400, "InvalidArgument", said)
    assert refused(aws.client("sagemaker", name).list_models) == (400, "ValidationException", said)
    url = f"{aws.url}/api/2.0/mlflow/registered-models/search"
    answer = httpx.get(url, auth=(name, "any"), trust_env=False)
    assert (answer.status_code, answer.json()["message"]) == (400, said)


# -- other times, and another age ------------------------------------------------------------------


def s3_of(url: str, key: dict[str, Any], version: str = "s3v4") -> Any:
    return botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        config=Config(signature_version=version, retries={"total_max_attempts": 1}),
    )


def test_an_address_after_its_time_has_expired_and_a_clock_that_is_off_is_told_of(
    guarded: Server, key: dict[str, Any]
) -> None:
    s3 = s3_of(guarded.url, key)
    now = datetime.now(UTC).replace(tzinfo=None)
    asked = {"Bucket": "b", "Key": "k"}
    with patch.object(auth, "get_current_datetime", lambda: now - timedelta(hours=2)):
        late = s3.generate_presigned_url("get_object", asked, ExpiresIn=60)
    answer = httpx.get(late, trust_env=False)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.text
    for off in (timedelta(hours=1), timedelta(hours=-1)):
        with patch.object(auth, "get_current_datetime", lambda off=off: now + off):
            status, code, message = refused(s3.list_buckets)
        assert (status, code) == (403, "RequestTimeTooSkewed")
        assert message.startswith("The difference between the request time and the current time")


def test_a_clock_that_is_off_is_told_of_in_awss_words(known: Aws, key: dict[str, Any]) -> None:
    sagemaker = known.client("sagemaker", key["id"], key["secret"])
    now = datetime.now(UTC).replace(tzinfo=None)
    for off, words in (
        (timedelta(hours=1), r"Signature not yet current: \w+ is still later than \w+ \(\w+ \+ "),
        (timedelta(hours=-1), r"Signature expired: \w+ is now earlier than \w+ \(\w+ - "),
    ):
        with patch.object(auth, "get_current_datetime", lambda off=off: now + off):
            status, code, message = refused(sagemaker.list_models)
        assert (status, code) == (403, "InvalidSignatureException")
        assert re.fullmatch(words + r"15 min\.\)", message)


# -- how an operation is asked for -----------------------------------------------------------------


def test_json_is_answered_in_the_version_that_was_spoken(aws: Aws) -> None:
    for version in ("1.0", "1.1"):
        kind = f"application/x-amz-json-{version}"
        for target in ("DynamoDB_20120810.ListTables", "SageMaker.ListModels", "SageMaker.None"):
            headers = {"content-type": kind, "x-amz-target": target}
            answer = httpx.post(aws.url, headers=headers, content=b"{}", trust_env=False)
            assert answer.headers["content-type"] == kind


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_only_a_post_runs_an_operation(guarded: Server, key: dict[str, Any], method: str) -> None:
    body = b'{"ModelPackageGroupName": "by-another-method"}'
    target = {"X-Amz-Target": "SageMaker.CreateModelPackageGroup"}
    headers = {"Content-Type": "application/x-amz-json-1.1", **target}
    url = f"{guarded.url}/"
    request = AWSRequest(method, url, headers, body)
    credentials = Credentials(key["id"], key["secret"])
    auth.SigV4Auth(credentials, "sagemaker", "us-east-1").add_auth(request)
    signed = dict(request.headers)
    answer = httpx.request(method, url, content=body, headers=signed, trust_env=False)
    assert (answer.status_code, answer.json()["__type"]) == (400, UNKNOWN)
    assert f"by {method} here: use POST" in answer.json()["message"]


def presigned(url: str, key: dict[str, Any], method: str, lasts_s: int = 60) -> str:
    sts = Aws(url).client("sts", key["id"], key["secret"])
    return sts.generate_presigned_url("get_caller_identity", ExpiresIn=lasts_s, HttpMethod=method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_was_signed_for_sts_says_who_signed_it_until_it_expires(
    aws: Aws, guarded: Server, key: dict[str, Any], method: str
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    for off, lasts_s, status, word in (
        (0, 60, 200, "<Arn>arn:aws:iam::000000000000:user/ann</Arn>"),
        (-3600, 7200, 200, "<UserId>ann</UserId>"),
        (-120, 61, 403, " - 61 sec.)</Message>"),
    ):
        then = now + timedelta(seconds=off)
        with patch.object(auth, "get_current_datetime", lambda then=then: then):
            address = presigned(guarded.url, key, method, lasts_s)
        for _ in range(2):
            answer = httpx.request(method, address, trust_env=False)
            assert (answer.status_code, word in answer.text) == (status, True), answer.text
        forged = address.replace("GetCallerIdentity", "GetSessionToken")
        assert httpx.request(method, forged, trust_env=False).status_code == 403
    claimed = {"id": "rob", "secret": "any"}
    answer = httpx.request(method, presigned(aws.url, claimed, method), trust_env=False)
    assert "<Arn>arn:aws:iam::000000000000:user/rob</Arn>" in answer.text


def test_an_address_by_get_asks_for_nothing_that_changes_anything(aws: Aws) -> None:
    sns = aws.client("sns", "rob", "any")
    address = sns.generate_presigned_url("create_topic", {"Name": "by-get"}, HttpMethod="GET")
    answer = httpx.get(address, trust_env=False)
    assert (answer.status_code, "<Code>InvalidAction</Code>" in answer.text) == (400, True)
    assert sns.list_topics()["Topics"] == []


def test_an_address_that_is_signed_as_of_old_says_how_to_sign(
    aws: Aws, guarded: Server, key: dict[str, Any]
) -> None:
    for url in (aws.url, guarded.url):
        s3 = s3_of(url, key, "s3")
        old = s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
        assert "AWSAccessKeyId" in old
        answer = httpx.get(old, trust_env=False)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/xml")
        assert "<Code>InvalidRequest</Code>" in answer.text
        assert "Please use AWS4-HMAC-SHA256" in answer.text
        assert refused(s3.list_buckets)[:2] == (400, "InvalidRequest")
