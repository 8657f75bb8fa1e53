"""EventBridge's rules over the registry's own events, asked for by a stock client."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.conftest import StartServer
from tests.support.aws_bus import client, events_in, subscribed
from tests.support.receiver import Receiver, answer
from tests.support.s3 import Store
from tests.support.server import Server

KIND = "SageMaker Model Package State Change"
APPROVED = {
    "ModelApprovalStatus": ["Approved"],
    "UpdatedModelPackageFields": ["ModelApprovalStatus"],
}
APPROVALS = {"source": ["aws.sagemaker"], "detail-type": [KIND], "detail": APPROVED}
SPECIFICATION = {
    "Containers": [{"Image": "registry/image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("events") / "data", args=("--webhook-allow-private",))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def events(server: Server) -> Any:
    return client(server, "events")


@pytest.fixture(scope="module")
def sagemaker(server: Server) -> Any:
    return client(server, "sagemaker")


def rule(events: Any, name: str, pattern: Any, *arns: str) -> str:
    """A rule that sends what matches to these targets."""
    arn: str = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    targets = [{"Id": str(i), "Arn": one} for i, one in enumerate(arns)]
    assert events.put_targets(Rule=name, Targets=targets)["FailedEntryCount"] == 0
    return arn


def package(sagemaker: Any, group: str) -> str:
    """The ARN of a new version of a new group."""
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=SPECIFICATION,
    )
    return made["ModelPackageArn"]


def of_group(group: str, **also: Any) -> dict[str, Any]:
    """A pattern for the events of one group."""
    return {"detail": {"ModelPackageGroupName": [group], **also}}


def mlflow(server: Server, call: str, body: dict[str, Any]) -> dict[str, Any]:
    answered = httpx.post(f"{server.url}{API}/{call}", json=body, trust_env=False)
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_an_approval_reaches_a_topics_subscriber_as_aws_shapes_it(
    server: Server, events: Any, sagemaker: Any, receiver: Receiver
) -> None:
    topic = subscribed(server, receiver, "approvals")
    rule(events, "approvals", {**APPROVALS, **of_group("shaped", **APPROVED)}, topic)
    arn = package(sagemaker, "shaped")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    (message,) = receiver.wait(1)
    assert message.json["Type"] == "Notification"
    assert message.json["TopicArn"] == topic
    (event,) = events_in([message])
    detail = event.pop("detail")
    assert uuid.UUID(event.pop("id"))
    assert event == {
        "version": "0",
        "detail-type": KIND,
        "source": "aws.sagemaker",
        "account": "000000000000",
        "time": detail["LastModifiedTime"],
        "region": "us-east-1",
        "resources": [arn],
    }
    assert detail["ModelApprovalStatus"] == "Approved"
    assert detail["PreviousValues"]["ModelApprovalStatus"] == "PendingManualApproval"
    assert "ModelApprovalStatus" in detail["UpdatedModelPackageFields"]
    assert (detail["ModelPackageGroupName"], detail["ModelPackageVersion"]) == ("shaped", 1)
    assert detail["ModelPackageArn"] == arn
    assert detail["ModelPackageName"] == "shaped/1"
    assert detail["ModelPackageStatus"] == "Completed"
    assert detail["InferenceSpecification"] == SPECIFICATION
    assert detail["CreationTime"].endswith("Z")
    assert len(detail["CreationTime"]) == len("2026-01-01T00:00:00Z")


def test_every_change_of_a_package_is_told_once_in_order_with_what_changed(
    server: Server, events: Any, sagemaker: Any, receiver: Receiver
) -> None:
    topic = subscribed(server, receiver, "changes")
    rule(events, "changes", of_group("told"), topic)
    arn = package(sagemaker, "told")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "1"})
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    tag = {"name": "told", "version": "1", "key": "b", "value": "2"}
    mlflow(server, "model-versions/set-tag", tag)
    told = [event["detail"] for event in events_in(receiver.wait(4))]
    fields = [detail.get("UpdatedModelPackageFields") for detail in told]
    tags = ["CustomerMetadataProperties"]
    assert fields == [None, tags, ["ModelApprovalStatus"], tags]
    assert told[0]["InferenceSpecification"] == SPECIFICATION
    assert [detail["ModelApprovalStatus"] for detail in told] == [
        *("PendingManualApproval", "PendingManualApproval", "Rejected", "Rejected")
    ]
    assert len({event["id"] for event in events_in(receiver.received)}) == 4


def test_a_rejection_of_what_is_in_production_fires_no_rule_for_approvals(
    server: Server, events: Any, sagemaker: Any, receiver: Receiver
) -> None:
    topic = subscribed(server, receiver, "deploys")
    approved = {"ModelApprovalStatus": ["Approved"]}
    rule(events, "deploys", of_group("deployed", **approved), topic)
    arn = package(sagemaker, "deployed")
    words = {"ApprovalDescription": "fair", "CustomerMetadataProperties": {"a": "1", "b": "2"}}
    for status in ("Approved", "Rejected", "Approved"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **words)
    first, second = (event["detail"] for event in events_in(receiver.wait(2)))
    changed = ["ApprovalDescription", "CustomerMetadataProperties", "ModelApprovalStatus"]
    assert first["UpdatedModelPackageFields"] == [*changed, "ModelLifeCycle"]
    assert first["PreviousValues"]["ModelApprovalStatus"] == "PendingManualApproval"
    assert first["CustomerMetadataProperties"] == {"a": "1", "b": "2"}
    assert second["PreviousValues"]["ModelApprovalStatus"] == "Rejected"


def test_what_becomes_of_a_packages_files_reaches_rules_for_its_status(
    start_server: StartServer, receiver: Receiver, moto: Store
) -> None:
    place = moto.place()
    server = start_server("--webhook-allow-private", "--ingest", str(place), env=moto.environment)
    topic = subscribed(server, receiver, "files")
    status = "ModelPackageStatus"
    of_status = {"detail": {"UpdatedModelPackageFields": [status]}}
    rule(client(server, "events"), "files", of_status, topic)
    moto.client.put_object(Bucket=place.bucket, Key=f"{place.prefix}/m.tar.gz", Body=b"m")
    sagemaker = client(server, "sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="files")
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="files", SourceUri=f"{place}/m.tar.gz"
    )
    (event,) = events_in(receiver.wait(1))
    assert event["resources"] == [arn["ModelPackageArn"]]
    assert event["detail"][status] == "Completed"
    assert event["detail"]["PreviousValues"] == {status: "Pending"}


def test_a_promotion_through_mlflow_is_an_approval_for_whoever_speaks_aws(
    server: Server, events: Any, receiver: Receiver
) -> None:
    topic = subscribed(server, receiver, "promotions")
    rule(events, "promotions", APPROVALS, topic)
    mlflow(server, "registered-models/create", {"name": "Fraud Model_v2"})
    mlflow(server, "model-versions/create", {"name": "Fraud Model_v2", "source": "s3://b/m"})
    mlflow(
        server,
        "model-versions/transition-stage",
        {"name": "Fraud Model_v2", "version": "1", "stage": "Production"},
    )
    (event,) = events_in(receiver.wait(1))
    assert event["detail"]["ModelPackageGroupName"].startswith("Fraud-Model-v2-")
    assert event["detail"]["ModelLifeCycle"]["Stage"] == "Production"
    assert event["detail"]["PreviousValues"] == {
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": None,
    }
    events.remove_targets(Rule="promotions", Ids=["0"])


def test_what_does_not_match_is_not_sent_nor_what_happens_while_a_rule_is_disabled(
    server: Server, events: Any, sagemaker: Any, receiver: Receiver
) -> None:
    topic = subscribed(server, receiver, "narrow")
    later = [{"numeric": [">", 1]}]
    rule(events, "narrow", of_group("narrow", ModelPackageVersion=later), topic)
    package(sagemaker, "narrow")
    events.disable_rule(Name="narrow")
    mlflow(server, "model-versions/create", {"name": "narrow", "source": "s3://b/m"})
    events.enable_rule(Name="narrow")
    mlflow(server, "model-versions/create", {"name": "narrow", "source": "s3://b/m"})
    (event,) = events_in(receiver.wait(1))
    assert event["detail"]["ModelPackageVersion"] == 3


def test_a_webhook_of_ours_is_a_target_and_gets_the_event_itself(
    server: Server, events: Any, sagemaker: Any, receiver: Receiver
) -> None:
    wanted = {"name": "hook", "url": receiver.url, "events": ["JOURNAL/FORKED"]}
    made = httpx.post(f"{server.url}/api/v1/webhooks", json=wanted, trust_env=False).json()
    target = f"arn:aws:modelkeep:us-east-1:000000000000:webhook/{made['id']}"
    rule(events, "hooked", of_group("hooked"), target)
    package(sagemaker, "hooked")
    (delivered,) = receiver.wait(1)
    assert delivered.json["detail-type"] == KIND
    assert delivered.headers["webhook-id"]


def test_rules_and_targets_are_described_listed_and_taken_away(server: Server, events: Any) -> None:
    topic = client(server, "sns").create_topic(Name="listed")["TopicArn"]
    arn = rule(events, "listed", APPROVALS, topic, topic)
    described = events.describe_rule(Name="listed")
    assert (described["Arn"], described["State"]) == (arn, "ENABLED")
    assert json.loads(described["EventPattern"]) == APPROVALS
    assert [r["Name"] for r in events.list_rules(NamePrefix="list")["Rules"]] == ["listed"]
    first = events.list_targets_by_rule(Rule="listed", Limit=1)
    after = events.list_targets_by_rule(Rule="listed", NextToken=first["NextToken"])
    assert [t["Id"] for t in (*first["Targets"], *after["Targets"])] == ["0", "1"]
    assert [t["Id"] for t in events.list_targets_by_rule(Rule="listed")["Targets"]] == ["0", "1"]
    rule(events, "listed-too", APPROVALS, topic)
    names = events.list_rule_names_by_target(TargetArn=topic, Limit=1)
    more = events.list_rule_names_by_target(TargetArn=topic, NextToken=names["NextToken"])
    assert names["RuleNames"] + more["RuleNames"] == ["listed", "listed-too"]
    assert events.list_rule_names_by_target(TargetArn=f"{topic}-not")["RuleNames"] == []
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name="listed")
    gone = events.remove_targets(Rule="listed", Ids=["0", "1", "2"])
    assert [failed["TargetId"] for failed in gone["FailedEntries"]] == ["2"]
    events.delete_rule(Name="listed")
    with pytest.raises(events.exceptions.ResourceNotFoundException, match="does not exist"):
        events.describe_rule(Name="listed")


def test_what_no_rule_or_target_may_be_is_refused(events: Any) -> None:
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="not valid"):
        events.put_rule(Name="wrong", EventPattern='{"source": "text"}')
    with pytest.raises(ClientError, match="EventPattern"):
        events.put_rule(Name="wrong", ScheduleExpression="rate(5 minutes)")
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.put_rule(Name="wrong", EventPattern='{"source": ["a"]}', EventBusName="other")
    events.put_rule(Name="wrong", EventPattern='{"source": ["a"]}')
    lambda_arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    refused = events.put_targets(Rule="wrong", Targets=[{"Id": "1", "Arn": lambda_arn}])
    assert refused["FailedEntryCount"] == 1
    assert "neither a topic nor a webhook" in refused["FailedEntries"][0]["ErrorMessage"]


def test_who_sends_events_of_their_own_is_told_what_there_is_instead(events: Any) -> None:
    mine = {"Source": "mine", "DetailType": "it", "Detail": "{}"}
    with pytest.raises(ClientError, match="publish messages of your own to a topic"):
        events.put_events(Entries=[mine])


def test_a_pattern_can_be_tried_out(events: Any) -> None:
    event = json.dumps({"source": "aws.sagemaker", "detail": {"n": 3}})
    for pattern, expected in (('{"detail": {"n": [3]}}', True), ('{"detail": {"n": [4]}}', False)):
        assert events.test_event_pattern(EventPattern=pattern, Event=event)["Result"] is expected


def test_an_event_outlives_a_kill_with_its_id(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = start_server("--webhook-allow-private")
    topic = subscribed(server, receiver, "durable")
    rule(client(server, "events"), "durable", of_group("durable"), topic)
    receiver.otherwise = answer(503)
    package(client(server, "sagemaker"), "durable")
    before = receiver.wait(1)[0]
    server.kill()
    receiver.otherwise = answer(200)
    count = len(receiver.received)
    server.start()
    after = receiver.wait(count + 1)[-1]
    assert after.body == before.body
