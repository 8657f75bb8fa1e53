"""What nobody would say, said to every operation of AWS's dialects, and to S3.

However a call is spoilt, it is answered soon, in the words of its protocol, and never by a 5xx; and
what it leaves behind, the journal vouches for. The calls are the same each time; `make fuzz` makes
more of them.
"""

import base64
import http.client
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from itertools import count
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from modelkeep.domain import audit as verifier
from modelkeep.operations import open_export
from modelkeep.protocols.aws import models, operations
from tests.conftest import StartServer
from tests.support import aws_words
from tests.support.aws_words import Words, as_form, form

FUZZ_S = float(os.environ.get("MODELKEEP_FUZZ_S", "0"))
PROTOCOLS = ("application/json", "application/xml", "text/xml", "application/x-amz-json-1.1")
ROUNDS = 24  # at least: those that are made where no time is given
SLOW_S = 20.0  # of a machine that has other things to do
SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000:"
TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"
S3_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAANN/20260101/us-east-1/s3/aws4_request,"
    f"SignedHeaders=host,Signature={'0' * 64}"
)
POLICY = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
CARDS = ["{}", '{"model_overview": {}}', '{"intended_uses": {"risk_rating": "High"}}']
# What some of the calls name, so that they find it; packages are added as they are made.
KNOWN = {
    "ModelPackageGroupName": ["known", "other", "A-b"],
    "ModelPackageArn": [f"{SAGEMAKER}model-package/single"],
    "ModelPackageName": ["known/1", "known/2", "single", "s2"],
    "ModelCardName": ["card", "card2"],
    "ModelName": ["model", "m2"],
    "ResourceArn": [
        f"{SAGEMAKER}{thing}"
        for thing in ("model-package-group/known", "model-card/card", "model/model")
    ],
    "Resource": ["ModelPackage", "ModelPackageGroup"],
    "ModelCardContent": [*CARDS, '{"intended_uses": 1}', '{"intended_uses": null}'],
    "Content": CARDS,
    "ResourcePolicy": [json.dumps({"Version": "2012-10-17", "Statement": POLICY})],
    "EventPattern": ['{"source": ["aws.sagemaker"]}', '{"a": [{"prefix": "x"}]}'],
    "Event": ['{"source": "aws.sagemaker"}', '{"a": "xy"}'],
    "Rule": ["rule"],
    "TopicArn": [TOPIC],
    "Protocol": ["https", "http"],
    "Endpoint": ["https://127.0.0.1:9/x"],
    "NameContains": ["k", ""],
    "Stage": ["Staging", "Production", "None", "x"],
    "Name": ["CreationTime", "Tags.team", "ModelPackageVersion", "CustomerMetadataProperties.a"],
    "SortBy": ["CreationTime", "ModelPackageVersion", "Tags.team"],
    "Arn": [TOPIC],
}
SEEDS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": "known"}),
    ("SageMaker.CreateModelPackage", {"ModelPackageGroupName": "known"}),
    (
        "SageMaker.CreateModelPackage",
        {
            "ModelPackageGroupName": "known",
            "InferenceSpecification": {
                "Containers": [{"Image": "i:1", "ModelDataUrl": "s3://bucket/key"}]
            },
            "ModelCard": {"ModelCardContent": CARDS[2], "ModelCardStatus": "Draft"},
        },
    ),
    ("SageMaker.CreateModelPackage", {"ModelPackageName": "single"}),
    (
        "SageMaker.CreateModelCard",
        {"ModelCardName": "card", "Content": "{}", "ModelCardStatus": "Draft"},
    ),
    ("SageMaker.CreateModel", {"ModelName": "model"}),
    ("AWSEvents.PutRule", {"Name": "rule", "EventPattern": '{"source": ["aws.sagemaker"]}'}),
)


class Line:
    """A connection to a server, and what came of the calls over it."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._known = {name: [*texts] for name, texts in KNOWN.items()}
        self._tokens, self._uploads = list[str](), list[str]()
        self.codes: dict[str, Counter[str]] = defaultdict(Counter)

    def close(self) -> None:
        self._http.close()

    def seed(self) -> None:
        """Makes what is not there (any more)."""
        for target, params in SEEDS:
            made = self._json("seed", target, json.dumps(params).encode())
            if arn := made.get("ModelPackageArn"):
                self._known["ModelPackageArn"].append(arn)
        self._form(
            "seed", [("Action", "CreateTopic"), ("Version", "2010-03-31"), ("Name", "topic")]
        )

    def operations(self, random: Random) -> None:
        """Calls each of them once."""
        words = Words(random, self._known)
        targets = {service: prefix for prefix, service in models.BY_TARGET.items()}
        for service, name in operations.ALL:
            operation = models.service(service).operation(name)
            assert operation is not None
            params = words.params(operation.input)
            if self._tokens and isinstance(params, dict) and words.chance(0.2):
                params["NextToken"] = spoilt(random, random.choice(self._tokens))
            if service not in targets:
                fields = [("Action", name), ("Version", operation.service.version)]
                self._form(name, [*fields, *as_form(params)])
                continue
            body = json.dumps(params).encode()
            body = body[: random.randrange(len(body))] if words.chance(0.02) else body
            told = self._json(name, f"{targets[service]}.{name}", body)
            if token := told.get("NextToken"):
                self._tokens.append(token)

    def objects(self, random: Random) -> None:
        """One request of S3's."""
        asked = aws_words.objects(random, self._uploads)
        headers = {"authorization": S3_SIGNED, **asked.headers}
        status, kind, body = self._ask(asked.method, asked.target, asked.body, headers)
        code = ""
        if status >= 400 and asked.method != "HEAD":
            assert kind == "application/xml", (asked, kind)
            code = ElementTree.fromstring(body).findtext("Code") or ""
            assert code, (asked, body)
        if upload := re.search(b"<UploadId>([^<]+)", body):
            self._uploads.append(upload[1].decode())
        assert status < 500 or code in ("", "NotImplemented"), (asked, body)
        self.codes["S3"][code or str(status)] += 1

    def strangers(self, random: Random) -> None:
        """One request, which nobody has signed who is known."""
        query, headers = aws_words.signed(random)
        method, path = random.choice(
            (("POST", "/"), ("GET", "/bucket/key"), ("PUT", "/b"), ("GET", "/"))
        )
        if random.random() < 0.3:
            headers |= {"x-amz-target": "SageMaker.ListModels"}
        status, kind, body = self._ask(method, f"{path}?{query}", b"{}", headers)
        assert 400 <= status < 404, (path, query, headers, body)
        assert kind in PROTOCOLS, (path, query, headers, kind)
        assert b"rror" in body or b"__type" in body, body

    def _json(self, name: str, target: str, body: bytes) -> dict[str, Any]:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        status, kind, answer = self._ask("POST", "/", body, headers)
        assert (kind, status < 500) == ("application/x-amz-json-1.1", True), (target, body, answer)
        told = json.loads(answer) if answer else {}
        assert status == 200 or (told["__type"] and told["message"]), (target, body, told)
        self.codes[name]["" if status == 200 else told["__type"]] += 1
        return told

    def _form(self, name: str, fields: list[tuple[str, str]]) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        status, kind, answer = self._ask("POST", "/", form(fields), headers)
        assert (kind, status < 500) == ("text/xml", True), (fields, answer)
        code = ElementTree.fromstring(answer).findtext("Error/Code") or ""
        assert (code == "") is (status == 200), (fields, answer)
        self.codes[name][code] += 1

    def _ask(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        began_s = time.monotonic()
        self._http.request(method, target, body, dict(headers))
        answer = self._http.getresponse()
        told = answer.status, answer.getheader("content-type", ""), answer.read()
        assert time.monotonic() - began_s < SLOW_S, (target, headers, body[:1000])
        return told


def spoilt(random: Random, token: str) -> str:
    """The token of a page, whose position another may mean; of a signed one, a letter."""
    if "." in token:
        place = random.randrange(len(token))
        return token[:place] + random.choice("Aa0.=\x7f") + token[place + 1 :]
    told = json.loads(base64.b64decode(token))
    odd = (None, 2**63, -(2**63) - 1, 1.5, 1e308, True, -1, "a", "\x00", [], {})
    places = [random.choice(odd) for _ in told["after"]]
    told["after"] = random.choice([told["after"], places, [*told["after"], 1], [], None, {}, "x"])
    return base64.b64encode(json.dumps(told).encode()).decode()


@pytest.mark.timeout(400 + 3 * FUZZ_S)
def test_nothing_that_is_said_is_answered_but_in_the_words_of_its_protocol(
    database_url: str, start_server: StartServer
) -> None:
    server = start_server(database_url=database_url)
    began_s = time.monotonic()
    with closing(Line(server.port)) as line:
        for seed in count(1):
            random = Random(seed)
            if seed % 5 == 1:
                line.seed()
            line.operations(random)
            for _ in range(40):
                line.objects(random)
            if seed >= ROUNDS and time.monotonic() - began_s > FUZZ_S / 3:
                break
    unanswered = [name for name, codes in line.codes.items() if not codes[""]]
    assert len(unanswered) < len(line.codes) / 2, line.codes
    assert server.stop() == 0
    assert "Traceback" not in server.log_text()
    report = verifier.verify(list(open_export(server.data_dir, database_url)))
    assert report.is_intact, report.problems


def test_whoever_did_not_sign_is_refused_whatever_they_say(start_server: StartServer) -> None:
    server, random = start_server("--auth", "on"), Random(1)
    with closing(Line(server.port)) as line:
        for _ in range(max(800, 100 * int(FUZZ_S))):
            line.strangers(random)
    assert "Traceback" not in server.log_text()
