"""Every operation of AWS's dialects, asked by every kind of account.

What an account may not see is for it as if it were not there: the answer is, byte for byte, that of
a name which nothing has. What it may see and not change stays as it is. An operation without a
case fails, and so does one of S3's.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import httpx
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from modelkeep.domain.access import VERBS, Role, Verb
from modelkeep.protocols.aws import models, operations
from modelkeep.protocols.aws.s3 import door
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.services import audit
from tests.services.access.test_models import model
from tests.support.aws_words import Words, as_form, form
from tests.support.estate import Estate
from tests.support.signing import HOST, key_of

REGION, NUMBER = "us-east-1", "000000000000"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{NUMBER}:"
TOPIC = f"arn:aws:sns:{REGION}:{NUMBER}:NAME"
NO_SUBSCRIPTION = f"{TOPIC}:00000000-0000-0000-0000-000000000000"
PACKAGE = f"{SAGEMAKER}model-package/NAME-g/1"
POLICY = json.dumps({
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
})  # fmt: skip
TAGS = [{"Key": "note", "Value": "NAME"}]

# Of whoever is not `boss`, who may do everything everywhere; `nobody` was granted nothing.
ROLES = {
    "nobody": None,
    "res": Role.RESTRICTED_VIEWER,
    "vic": Role.VIEWER,
    "ann": Role.CONTRIBUTOR,
    "bob": Role.REVIEWER,
    "dan": Role.DEPLOYER,
    "lea": Role.ADMIN,  # of a prefix
}


@dataclass(frozen=True, slots=True)
class Case:
    """What a call of an operation takes, on the model that it is about or, without one, on
    everything; None for what whoever is known may ask. NAME stands for `open`, which all may see,
    or `secret`, which none may."""

    verb: Verb | None
    params: dict[str, Any]
    everywhere: bool = False


def described(name: str) -> dict[str, Any]:
    return {"ModelPackageGroupName": name}


def filtered(name: str, value: str) -> dict[str, Any]:
    return {"Filters": [{"Name": name, "Operator": "Equals", "Value": value}]}


GROUPS = {
    "CreateModelPackageGroup": [
        Case(Verb.WRITE, described("NAME-new")),
        Case(Verb.WRITE, described("NAME-g")),  # a name that is taken
    ],
    "DescribeModelPackageGroup": [
        Case(Verb.READ, described("NAME-g")),
        Case(Verb.READ, described(f"{SAGEMAKER}model-package-group/NAME-g")),
    ],
    "ListModelPackageGroups": [
        Case(None, {"NameContains": "NAME"}),
        Case(None, {"SortBy": "Name", "MaxResults": 100}),
    ],
    "PutModelPackageGroupPolicy": [
        Case(Verb.ADMIN, {"ModelPackageGroupName": "NAME-g", "ResourcePolicy": POLICY})
    ],
    "GetModelPackageGroupPolicy": [Case(Verb.READ, described("NAME-g"))],
    "DeleteModelPackageGroupPolicy": [Case(Verb.ADMIN, described("NAME-g"))],
}
PACKAGES = {
    "CreateModelPackage": [
        Case(Verb.WRITE, described("NAME-g")),
        Case(Verb.WRITE, {"ModelPackageName": "NAME-alone"}),
        Case(Verb.WRITE, {**described("open-g"), "SourceUri": PACKAGE}),
        Case(Verb.WRITE, {**described("open-g"), "SourceUri": "models:/NAME-g/1"}),
        Case(Verb.WRITE, {**described("NAME-g"), "ModelApprovalStatus": "Approved"}),
    ],
    "DescribeModelPackage": [
        Case(Verb.READ, {"ModelPackageName": PACKAGE}),
        Case(Verb.READ, {"ModelPackageName": "NAME-g/1", "IncludedData": "MetadataOnly"}),
        Case(Verb.READ, {"ModelPackageName": "NAME-single"}),
    ],
    "BatchDescribeModelPackage": [Case(None, {"ModelPackageArnList": [PACKAGE]})],
    "ListModelPackages": [
        Case(Verb.READ, described("NAME-g")),
        Case(None, {"ModelPackageType": "Both", "NameContains": "NAME"}),
        Case(None, {"ModelPackageType": "Both", "ModelApprovalStatus": "Approved"}),
    ],
    "UpdateModelPackage": [
        Case(Verb.WRITE, {"ModelPackageArn": PACKAGE, "CustomerMetadataProperties": {"a": "b"}}),
        Case(Verb.WRITE, {"ModelPackageArn": PACKAGE, "ClientToken": "t" * 36}),
        Case(Verb.WRITE, {"ModelPackageArn": PACKAGE, "ApprovalDescription": "fine"}),
        Case(Verb.PROMOTE, {"ModelPackageArn": PACKAGE, "ModelApprovalStatus": "Approved"}),
        Case(
            Verb.PROMOTE,
            {
                "ModelPackageArn": PACKAGE,
                "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "InProgress"},
            },
        ),
    ],
    "Search": [
        Case(None, {"Resource": kind, **asked})
        for kind in ("ModelPackage", "ModelPackageGroup")
        for asked in (
            {"SearchExpression": filtered("ModelPackageGroupName", "NAME-g")},
            {"SearchExpression": filtered("Tags.note", "NAME")},
            {"VisibilityConditions": [{"Key": "Tags.note", "Value": "NAME"}]},
            {"SortBy": "ModelPackageGroupName"},
        )
    ],
}
CARD = {"ModelCardName": "NAME-card"}
RESOURCES = {
    "CreateModelCard": [
        Case(
            Verb.WRITE,
            {"ModelCardName": "NAME-new", "Content": "{}", "ModelCardStatus": "Draft"},
        ),
        Case(Verb.WRITE, {**CARD, "Content": "{}", "ModelCardStatus": "Draft"}),
    ],
    "DescribeModelCard": [
        Case(Verb.READ, CARD),
        Case(Verb.READ, {**CARD, "ModelCardVersion": 1}),
    ],
    "UpdateModelCard": [Case(Verb.WRITE, {**CARD, "ModelCardStatus": "PendingReview"})],
    "ListModelCards": [Case(None, {"NameContains": "NAME"}), Case(None, {})],
    "ListModelCardVersions": [Case(Verb.READ, CARD)],
    "CreateModel": [
        Case(Verb.WRITE, {"ModelName": "NAME-new"}),
        Case(Verb.WRITE, {"ModelName": "NAME-model"}),
        Case(
            Verb.WRITE,
            {"ModelName": "open-other", "PrimaryContainer": {"ModelPackageName": PACKAGE}},
        ),
    ],
    "DescribeModel": [Case(Verb.READ, {"ModelName": "NAME-model"})],
    "ListModels": [Case(None, {"NameContains": "NAME"}), Case(None, {})],
    "AddTags": [
        Case(Verb.WRITE, {"ResourceArn": f"{SAGEMAKER}{thing}", "Tags": TAGS})
        for thing in ("model-package-group/NAME-g", "model-card/NAME-card", "model/NAME-model")
    ],
    "ListTags": [
        Case(Verb.READ, {"ResourceArn": f"{SAGEMAKER}{thing}"})
        for thing in ("model-package-group/NAME-g", "model-card/NAME-card", "model/NAME-model")
    ],
    "DeleteTags": [
        Case(Verb.WRITE, {"ResourceArn": f"{SAGEMAKER}{thing}", "TagKeys": ["none"]})
        for thing in ("model-package-group/NAME-g", "model-card/NAME-card", "model/NAME-model")
    ],
    "DeleteModelCard": [Case(Verb.WRITE, CARD)],
    "DeleteModel": [Case(Verb.WRITE, {"ModelName": "NAME-model"})],
    "DeleteModelPackage": [Case(Verb.WRITE, {"ModelPackageName": PACKAGE})],
    "DeleteModelPackageGroup": [Case(Verb.WRITE, described("NAME-g"))],
}
EVENTS = {
    "PutRule": {"Name": "NAME", "EventPattern": '{"source": ["aws.sagemaker"]}'},
    "DescribeRule": {"Name": "NAME"},
    "ListRules": {"NamePrefix": "NAME"},
    "EnableRule": {"Name": "NAME"},
    "DisableRule": {"Name": "NAME"},
    "PutTargets": {"Rule": "NAME", "Targets": [{"Id": "t", "Arn": TOPIC}]},
    "ListTargetsByRule": {"Rule": "NAME"},
    "ListRuleNamesByTarget": {"TargetArn": TOPIC},
    "RemoveTargets": {"Rule": "NAME", "Ids": ["t"]},
    "DeleteRule": {"Name": "NAME"},
    "TestEventPattern": {"EventPattern": '{"a": ["b"]}', "Event": "{}"},
}
SNS = {
    "CreateTopic": {"Name": "NAME"},
    "ListTopics": {},
    "GetTopicAttributes": {"TopicArn": TOPIC},
    "SetTopicAttributes": {
        "TopicArn": TOPIC,
        "AttributeName": "SignatureVersion",
        "AttributeValue": "2",
    },
    "Subscribe": {"TopicArn": TOPIC, "Protocol": "http", "Endpoint": "http://127.0.0.1:9/"},
    "ListSubscriptions": {},
    "ListSubscriptionsByTopic": {"TopicArn": TOPIC},
    "GetSubscriptionAttributes": {"SubscriptionArn": NO_SUBSCRIPTION},
    "SetSubscriptionAttributes": {
        "SubscriptionArn": NO_SUBSCRIPTION,
        "AttributeName": "RawMessageDelivery",
        "AttributeValue": "true",
    },
    "Publish": {"TopicArn": TOPIC, "Message": "NAME"},
    "PublishBatch": {
        "TopicArn": TOPIC,
        "PublishBatchRequestEntries": [{"Id": "a", "Message": "NAME"}],
    },
    "Unsubscribe": {"SubscriptionArn": NO_SUBSCRIPTION},
    "DeleteTopic": {"TopicArn": TOPIC},
}
CASES: dict[tuple[str, str], list[Case]] = {
    **{("sagemaker", name): cases for name, cases in (GROUPS | PACKAGES | RESOURCES).items()},
    **{("events", name): [Case(Verb.ADMIN, params, True)] for name, params in EVENTS.items()},
    **{("sns", name): [Case(Verb.ADMIN, params, True)] for name, params in SNS.items()},
    ("sns", "ConfirmSubscription"): [Case(None, {"TopicArn": TOPIC, "Token": "0"})],
    ("sts", "GetCallerIdentity"): [Case(None, {})],
    ("iam", "GetRole"): [Case(None, {"RoleName": "any"})],
    ("iam", "SimulatePrincipalPolicy"): [
        Case(
            None,
            {
                "PolicySourceArn": f"arn:aws:iam::{NUMBER}:user/boss",
                "ActionNames": ["sagemaker:Search"],
            },
        )
    ],
}
# What `boss` is told all the same: there is no such token and no such subscription, and nothing may
# be sent to this machine.
REFUSED = {
    ("sns", name)
    for name in (
        "ConfirmSubscription",
        "GetSubscriptionAttributes",
        "SetSubscriptionAttributes",
        "Subscribe",
    )
}
# What of its own `boss` asks for instead: a group is deleted when it is empty.
INSTEAD = {("sagemaker", "DeleteModelPackageGroup"): described("NAME-new")}


class Ward:
    """An estate where `open-…` and `secret-…` are, of each kind one, and everybody has a key."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        for name, role in ROLES.items():
            estate.user(name, *([f"{role.value} prefix:open-"] if role else []))
        self._keys = {name: key_of(estate, name) for name in ("boss", *ROLES)}
        for name in ("open", "secret"):
            self._make(name)

    def _make(self, name: str) -> None:
        model(self.estate, f"{name}-g", note=name)
        tags = [{"Key": "words", "Value": f"{name}-words"}]
        card = {"ModelCardName": f"{name}-card", "Content": "{}", "ModelCardStatus": "Draft"}
        for operation, params in (
            ("PutModelPackageGroupPolicy", {**described(f"{name}-g"), "ResourcePolicy": POLICY}),
            (
                "CreateModelPackage",
                {
                    "ModelPackageName": f"{name}-single",
                    "ModelPackageDescription": f"{name}-words",
                },
            ),
            ("CreateModelCard", {**card, "Tags": tags}),
            ("CreateModel", {"ModelName": f"{name}-model", "Tags": tags}),
        ):
            made = self.ask("boss", ("sagemaker", operation), params)
            assert made.status_code == 200, made.text

    def ask(
        self, who: str, operation: tuple[str, str], params: dict[str, Any], name: str = ""
    ) -> httpx.Response:
        service, action = operation
        params = json.loads(json.dumps(params).replace("NAME", name))
        described = models.service(service)
        if service in ("sagemaker", "events"):
            prefix = {v: k for k, v in models.BY_TARGET.items()}[service]
            headers = {"X-Amz-Target": f"{prefix}.{action}"}
            headers["Content-Type"] = "application/x-amz-json-1.1"
            return self.send(who, service, "POST", "/", json.dumps(params).encode(), headers)
        fields = [("Action", action), ("Version", described.version), *as_form(params)]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send(who, service, "POST", "/", form(fields), headers)

    def send(
        self, who: str, service: str, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        url = f"http://{HOST}{path}"
        request = AWSRequest(method=method, url=url, data=body, headers={"Host": HOST, **headers})
        at = datetime.fromtimestamp(self.estate.clock.now_ms() / 1000, UTC).replace(tzinfo=None)
        kind = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
        with patch.object(auth, "get_current_datetime", lambda: at):
            kind(Credentials(*self.key(who)), service, REGION).add_auth(request)
        sent = {name.lower(): str(value) for name, value in request.headers.items()}
        return self.estate.call(method, path, content=body, headers=sent)

    def key(self, who: str) -> tuple[str, str]:
        """Its id, and its secret."""
        return self._keys[who]["id"], self._keys[who]["secret"]

    def rows(self) -> list[Any]:
        """All that the journal vouches for, but for denials, which are told of what one may see."""
        lines = self.estate.running.reader.run(lambda work: list(audit.export(work)))
        told = [line for line in lines if "model:access:denied" not in str(line)]
        return [line for line in told if line["kind"] == "row"] + [len(told)]


@pytest.fixture
def ward(estate: Estate) -> Ward:
    return Ward(estate)


@pytest.fixture
def quick_ward(quick: Estate) -> Ward:
    return Ward(quick)


def is_denied(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and "AccessDenied" in answer.text


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == set(operations.ALL)


def test_what_may_not_be_seen_is_as_if_it_were_not_there(ward: Ward) -> None:
    before = ward.rows()
    for operation, cases in CASES.items():
        for case in cases:
            for who in ("nobody", "ann", "lea"):
                there = ward.ask(who, operation, case.params, "secret")
                absent = ward.ask(who, operation, case.params, "absent")
                assert there.status_code == absent.status_code, (operation, there.text)
                assert there.text == absent.text.replace("absent", "secret"), operation
                if "NAME" not in str(case.params):
                    assert "secret" not in there.text, operation
    assert ward.rows() == before


def test_what_may_be_seen_is_changed_by_none_whose_role_does_not_allow_it(
    quick_ward: Ward,
) -> None:
    before, denied = quick_ward.rows(), 0
    for operation, cases in CASES.items():
        for case in cases:
            for who, role in ROLES.items():
                verbs = VERBS[role] if role and not case.everywhere else frozenset[Verb]()
                if role is None or case.verb is None or case.verb in verbs:
                    continue
                answer = quick_ward.ask(who, operation, case.params, "open")
                assert is_denied(answer), (operation, case, who, answer.text)
                denied += 1
    assert quick_ward.rows() == before
    assert denied > 150


def test_every_case_is_a_call_that_is_answered_to_who_may_make_it(quick_ward: Ward) -> None:
    for operation, cases in CASES.items():
        params = INSTEAD.get(operation, cases[0].params)
        answer = quick_ward.ask("boss", operation, params, "secret")
        assert (answer.status_code == 200) is (operation not in REFUSED), (operation, answer.text)


def test_whatever_one_says_who_may_do_nothing_gets_and_changes_nothing(quick_ward: Ward) -> None:
    known = {
        "ModelPackageGroupName": ["secret-g"],
        "ModelPackage": ["secret-g/1", "secret-single", PACKAGE.replace("NAME", "secret")],
        "ModelCardName": ["secret-card"],
        "ModelName": ["secret-model"],
        "ResourceArn": [
            f"{SAGEMAKER}model-package-group/secret-g",
            f"{SAGEMAKER}model/secret-model",
        ],
        "NameContains": ["secret", ""],
        "Resource": ["ModelPackage", "ModelPackageGroup"],
        "Name": ["Tags.words", "Tags.note", "CreationTime"],
    }
    words, before = Words(Random(1), known), quick_ward.rows()
    answered = 0
    for operation in list(operations.ALL) * 8:
        described = models.service(operation[0]).operation(operation[1])
        assert described is not None
        params = words.params(described.input)
        if not isinstance(params, dict):
            continue
        answer = quick_ward.ask("nobody", operation, params)
        assert answer.status_code in (200, 400, 403, 404), answer.text
        assert "secret-words" not in answer.text, operation
        answered += answer.status_code == 200
    assert answered > 20
    assert quick_ward.rows() == before


def test_who_may_not_have_the_bytes_gets_them_by_no_package_of_their_own(quick_ward: Ward) -> None:
    estate = quick_ward.estate
    estate.grant("ann", "restricted_viewer prefix:secret-")
    before = quick_ward.rows()
    for source in (PACKAGE.replace("NAME", "secret"), "models:/secret-g/1"):
        made = {**described("open-g"), "SourceUri": source}
        answer = quick_ward.ask("ann", ("sagemaker", "CreateModelPackage"), made)
        assert is_denied(answer), answer.text
        assert "may download on model secret-g" in answer.text
    assert quick_ward.rows() == before


def test_counts_are_of_what_may_be_seen(quick_ward: Ward) -> None:
    for kind, count in (("ModelPackage", 2), ("ModelPackageGroup", 1)):
        for who, seen in (("nobody", 0), ("vic", count), ("boss", 2 * count)):
            answer = quick_ward.ask(who, ("sagemaker", "Search"), {"Resource": kind})
            assert answer.json()["TotalHits"]["Value"] == len(answer.json()["Results"]) == seen


# -- S3 --------------------------------------------------------------------------------------------

WRITES_OBJECTS = {"PUT", "POST", "DELETE"}


def s3(
    ward: Ward, who: str, method: str, path: str, field: str = "", **headers: str
) -> httpx.Response:
    given = {f"X-Amz-{name.replace('_', '-')}": value for name, value in headers.items()}
    return ward.send(who, "s3", method, path + (f"?{field}=" if field else ""), b"", given)


def test_every_operation_of_s3_takes_a_role(quick_ward: Ward) -> None:
    asked = [("GET", "/", "")]
    asked += [(method, "/bucket", field) for method, field in door._OF_BUCKET]
    asked += [(method, "/bucket/WHO", field) for method, field in door._OF_OBJECT]
    for method, path, field in asked:
        is_write = method in WRITES_OBJECTS or field in ("uploadId", "uploads")
        reads_bytes = path == "/bucket/WHO" and not is_write
        need = Verb.WRITE if is_write else Verb.DOWNLOAD if reads_bytes else Verb.READ
        for who, role in ROLES.items():
            answer = s3(quick_ward, who, method, path.replace("WHO", who), field)
            is_allowed = role is not None and need in VERBS[role]
            assert (answer.status_code != 403) is is_allowed, (who, method, path, field)


def test_frozen_files_are_there_for_whoever_may_download_their_model(ward: Ward) -> None:
    listed = ward.ask("boss", ("sagemaker", "ListModelPackages"), described("secret-g")).json()
    assert len(listed["ModelPackageSummaryList"]) == 1
    paths = [f"/modelkeep/versions/{number}/weights" for number in range(1, 9)]
    readable = {
        who: [path for path in paths if s3(ward, who, "GET", path).status_code == 200]
        for who in ("boss", *ROLES)
    }
    assert len(readable["boss"]) == 2
    (open_path,) = readable["vic"]
    assert all(readable[who] == [open_path] for who in ("ann", "bob", "dan", "lea"))
    assert readable["nobody"] == readable["res"] == []
    (secret,) = set(readable["boss"]) - {open_path}
    absent = secret.replace("versions/", "versions/999")

    def lists(who: str, path: str) -> bool:
        prefix = path.removeprefix("/modelkeep/").removesuffix("weights")
        return "<Contents>" in s3(ward, who, "GET", f"/modelkeep?prefix={quote(prefix, '')}").text

    assert [who for who in ("boss", *ROLES) if lists(who, secret)] == ["boss"]
    assert [who for who in ("boss", *ROLES) if lists(who, open_path)] == [
        who for who in ("boss", *ROLES) if open_path in readable[who]
    ]
    assert not lists("boss", absent)
    for who in ("vic", "ann", "lea"):
        for method in ("GET", "HEAD"):
            there, none = (s3(ward, who, method, path) for path in (secret, absent))
            assert there.status_code == none.status_code == 404
            assert there.text == none.text.replace(absent, secret)
    before = ward.rows()
    for source in (secret, absent):
        copied = s3(ward, "ann", "PUT", "/bucket/mine", Copy_Source=quote(source))
        assert copied.status_code == 404
    assert ward.rows() == before


def presigned(ward: Ward, who: str, method: str, path: str, lasts_s: int = 3600) -> str:
    """An address that somebody has signed now."""
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", headers={"Host": HOST})
    at = datetime.fromtimestamp(ward.estate.clock.now_ms() / 1000, UTC).replace(tzinfo=None)
    with patch.object(auth, "get_current_datetime", lambda: at):
        credentials = Credentials(*ward.key(who))
        auth.S3SigV4QueryAuth(credentials, "s3", REGION, expires=lasts_s).add_auth(request)
    return str(request.url).removeprefix(f"http://{HOST}")


def test_an_address_is_no_longer_good_than_its_key_and_its_roles(quick_ward: Ward) -> None:
    estate = quick_ward.estate
    assert s3(quick_ward, "ann", "PUT", "/bucket/mine").status_code == 200
    address = {who: presigned(quick_ward, who, "GET", "/bucket/mine") for who in ("ann", "vic")}

    def status(who: str, **headers: str) -> int:
        given = {"host": HOST, **headers}
        return estate.call("GET", address[who], headers=given).status_code

    assert status("ann") == status("vic") == 200
    assert status("ann", **{"x-amz-tagging": "a=b"}) == 400  # that was not signed
    taken = f"{PREFIX}/accounts/vic/grants?role=viewer&on=prefix:open-"
    assert estate.call("DELETE", taken, "boss").status_code == 204
    assert (status("ann"), status("vic")) == (200, 403)
    gone = estate.call("DELETE", f"{PREFIX}/accounts/ann/keys/{quick_ward.key('ann')[0]}", "ann")
    assert gone.status_code == 204
    assert status("ann") == 403
