"""SNS's topics and subscriptions, asked for by a stock client, with receivers over HTTP."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.conftest import StartServer
from tests.support.aws_bus import client, subscribed, visit
from tests.support.receiver import Receiver, answer
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("sns") / "data", args=("--webhook-allow-private",))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def sns(server: Server) -> Any:
    return client(server, "sns")


SIGNATURE = ("SignatureVersion", "Signature", "SigningCertURL")


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_topic_is_made_once_by_its_name_listed_and_deleted(sns: Any) -> None:
    arn = sns.create_topic(Name="once")["TopicArn"]
    assert arn == "arn:aws:sns:us-east-1:000000000000:once"
    assert sns.create_topic(Name="once")["TopicArn"] == arn
    assert [t["TopicArn"] for t in sns.list_topics()["Topics"]].count(arn) == 1
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsConfirmed"] == "0"
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException, match="Topic does not exist"):
        sns.get_topic_attributes(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=arn, Message="m")


def test_a_receiver_hears_nothing_until_it_has_visited_the_address_it_was_sent(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = sns.create_topic(Name="confirmed")["TopicArn"]
    made = sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
    assert made["SubscriptionArn"] == "pending confirmation"
    (asked,) = receiver.wait(1)
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert asked.json["Type"] == "SubscriptionConfirmation"
    assert asked.json["TopicArn"] == asked.headers["x-amz-sns-topic-arn"] == arn
    (shown,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert shown["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=arn, Message="too early")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="Token"):
        sns.confirm_subscription(TopicArn=arn, Token="0" * 128)
    answered = visit(server, asked.json["SubscribeURL"])
    assert answered.status_code == 200
    assert "<SubscriptionArn>" + arn in answered.text
    told = sns.publish(TopicArn=arn, Message="now", Subject="of it")["MessageId"]
    message = receiver.wait(2)[1]
    assert message.json == {
        "Type": "Notification",
        "MessageId": told,
        "TopicArn": arn,
        "Subject": "of it",
        "Message": "now",
        "Timestamp": message.json["Timestamp"],
        **{name: message.json[name] for name in ("UnsubscribeURL", *SIGNATURE)},
    }
    assert message.headers["x-amz-sns-message-type"] == "Notification"
    assert message.headers["x-amz-sns-message-id"] == told
    (shown,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert message.headers["x-amz-sns-subscription-arn"] == shown["SubscriptionArn"]
    assert (shown["Protocol"], shown["Endpoint"]) == ("http", receiver.url)


def test_the_sdk_may_confirm_with_the_token_and_unsubscribe(sns: Any, receiver: Receiver) -> None:
    arn = sns.create_topic(Name="by-sdk")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
    token = receiver.wait(1)[0].json["Token"]
    with pytest.raises(sns.exceptions.InvalidParameterException, match="unsubscribes by itself"):
        sns.confirm_subscription(TopicArn=arn, Token=token, AuthenticateOnUnsubscribe="true")
    confirmed = sns.confirm_subscription(TopicArn=arn, Token=token)["SubscriptionArn"]
    assert sns.confirm_subscription(TopicArn=arn, Token=token)["SubscriptionArn"] == confirmed
    again = sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
    assert again["SubscriptionArn"] == confirmed
    sns.unsubscribe(SubscriptionArn=confirmed)
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []
    assert confirmed not in str(sns.list_subscriptions()["Subscriptions"])


def test_a_message_keeps_its_id_and_envelope_when_it_is_sent_again(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = subscribed(server, receiver, "again")
    receiver.script = [answer(503)]
    told = sns.publish(TopicArn=arn, Message="m")["MessageId"]
    first, second = receiver.wait(2)
    assert first.body == second.body
    assert first.headers["x-amz-sns-message-id"] == second.json["MessageId"] == told


def test_what_cannot_be_subscribed_or_said_is_refused(sns: Any, receiver: Receiver) -> None:
    arn = sns.create_topic(Name="refused")["TopicArn"]
    for wrong, said in (
        ({"Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q"}, "Protocol"),
        ({"Protocol": "https", "Endpoint": receiver.url}, "match the specified protocol"),
        ({"Protocol": "http", "Endpoint": "http://ann@x.example/"}, "."),
        ({"Protocol": "http", "Endpoint": receiver.url, "Attributes": {"X": "y"}}, "attribute X"),
    ):
        with pytest.raises(sns.exceptions.InvalidParameterException, match=said):
            sns.subscribe(TopicArn=arn, **wrong)
    sns.publish(TopicArn=arn, Message="x" * 262_144)
    for wrong in (
        {"Message": "x" * 262_145},
        {"Message": "m", "Subject": "two\nlines"},
        {"Message": "m", "MessageGroupId": "g"},
    ):
        with pytest.raises(sns.exceptions.InvalidParameterException):
            sns.publish(TopicArn=arn, **wrong)
    with pytest.raises(ClientError) as error:
        sns.create_topic(Name="not a name")
    assert code_of(error) in ("InvalidParameter", "ValidationError")


def test_a_program_unsubscribes_by_the_address_in_a_message(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = subscribed(server, receiver, "left")
    sns.publish(TopicArn=arn, Message="m")
    told = visit(server, receiver.wait(1)[0].json["UnsubscribeURL"])
    assert (told.status_code, "<UnsubscribeResponse" in told.text) == (200, True)
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []


def is_signed(told: dict[str, str], folder: Path) -> bool:
    """What AWS tells a subscriber to do: the members in order, each with its name, one to a line;
    the certificate from its address; and OpenSSL says whether it fits."""
    names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn")
    lines = [line for n in (*names, "Type") if n in told for line in (n, told[n])]
    signed, key, signature = folder / "signed", folder / "key.pem", folder / "signature"
    signed.write_text("".join(f"{line}\n" for line in lines), newline="")
    signature.write_bytes(base64.b64decode(told["Signature"]))
    fetched = httpx.get(told["SigningCertURL"], trust_env=False)
    assert fetched.status_code == 200
    told_key = ["openssl", "x509", "-pubkey", "-noout", "-out", key]
    subprocess.run(told_key, input=fetched.content, check=True)
    digest = {"1": "-sha1", "2": "-sha256"}[told["SignatureVersion"]]
    verify = ["openssl", "dgst", digest, "-verify", key, "-signature", signature, signed]
    return subprocess.run(verify, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_what_a_topic_sends_is_signed_as_aws_documents_it(
    server: Server, sns: Any, receiver: Receiver, tmp_path: Path
) -> None:
    arn = sns.create_topic(Name="signed")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
    asked = receiver.wait(1)[0].json
    visit(server, asked["SubscribeURL"])
    sns.publish(TopicArn=arn, Message="first\nof two lines, é", Subject="a subject")
    first = receiver.wait(2)[1].json
    wanted = {"AttributeName": "SignatureVersion", "AttributeValue": "2"}
    sns.set_topic_attributes(TopicArn=arn, **wanted)
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SignatureVersion"] == "2"
    sns.publish(TopicArn=arn, Message="second")
    second = receiver.wait(3)[2].json
    versions = [told["SignatureVersion"] for told in (asked, first, second)]
    assert versions == ["1", "1", "2"]
    for told in (asked, first, second):
        assert is_signed(told, tmp_path)
        assert not is_signed({**told, "Message": "another"}, tmp_path)
    assert httpx.get(first["SigningCertURL"] + "x", trust_env=False).status_code == 404


def test_a_topic_says_when_it_is_made_how_it_signs(sns: Any) -> None:
    wanted = {"SignatureVersion": "2"}
    arn = sns.create_topic(Name="made-to-sign", Attributes=wanted)["TopicArn"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SignatureVersion"] == "2"
    assert sns.create_topic(Name="made-to-sign")["TopicArn"] == arn
    for wrong in ({"SignatureVersion": "1"}, {"DisplayName": "n"}):
        with pytest.raises(sns.exceptions.InvalidParameterException, match="different attributes"):
            sns.create_topic(Name="made-to-sign", Attributes=wrong)
    for name, value in (
        *(("SignatureVersion", "3"), ("Policy", "{}")),
        *(("DisplayName", "x" * 101), ("DisplayName", "two\nlines")),
    ):
        with pytest.raises(sns.exceptions.InvalidParameterException):
            sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def test_a_subscriber_gets_what_its_filter_policy_lets_through(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = subscribed(server, receiver, "filtered")
    (shown,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    one = shown["SubscriptionArn"]
    policy = '{"team": ["risk", {"prefix": "fraud"}], "drift": [{"numeric": [">", 0.2]}]}'
    sns.set_subscription_attributes(
        SubscriptionArn=one, AttributeName="FilterPolicy", AttributeValue=policy
    )
    told = sns.get_subscription_attributes(SubscriptionArn=one)["Attributes"]
    assert (told["FilterPolicy"], told["FilterPolicyScope"]) == (policy, "MessageAttributes")
    assert (told["PendingConfirmation"], told["RawMessageDelivery"]) == ("false", "false")
    low, high = ({"DataType": "Number", "StringValue": s} for s in ("0.1", "0.3"))
    for attributes in (
        {},
        {"team": text("risk")},
        {"team": text("risk"), "drift": low},
        {"team": text("sales"), "drift": high},
        {"team": text("fraud-eu"), "drift": high},
    ):
        sns.publish(TopicArn=arn, Message="by attributes", MessageAttributes=attributes)
    sns.set_subscription_attributes(
        SubscriptionArn=one, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    for body in ("no JSON", '{"team": "risk"}', '{"team": ["a", "risk"], "drift": 1}', "[" * 5000):
        sns.publish(TopicArn=arn, Message=body)
    sns.set_subscription_attributes(
        SubscriptionArn=one, AttributeName="FilterPolicy", AttributeValue="{}"
    )
    assert "FilterPolicy" not in sns.get_subscription_attributes(SubscriptionArn=one)["Attributes"]
    sns.publish(TopicArn=arn, Message="anything")
    first, *others = [message.json for message in receiver.wait(3)]
    assert first["MessageAttributes"] == {
        "team": {"Type": "String", "Value": "fraud-eu"},
        "drift": {"Type": "Number", "Value": "0.3"},
    }
    assert [m["Message"] for m in others] == ['{"team": ["a", "risk"], "drift": 1}', "anything"]


def test_a_batch_says_what_it_can_and_tells_of_the_rest(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = subscribed(server, receiver, "batch")
    entries = [
        {"Id": "a", "Message": "first", "Subject": "s"},
        {"Id": "b", "Message": "second", "Subject": "two\nlines"},
        {"Id": "c", "Message": "third", "MessageAttributes": {"n": text("")}},
        {"Id": "d", "Message": '{"default": "fourth"}', "MessageStructure": "json"},
    ]
    told = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
    assert [(f["Id"], f["Code"]) for f in told["Failed"]] == [
        ("b", "InvalidParameter"),
        ("c", "ParameterValueInvalid"),
    ]
    heard = [message.json for message in receiver.wait(2)]
    assert [message["Message"] for message in heard] == ["first", "fourth"]
    assert [one["MessageId"] for one in told["Successful"]] == [m["MessageId"] for m in heard]
    for wrong, error in (
        ([], "EmptyBatchRequest"),
        ([{"Id": f"{i}", "Message": "m"} for i in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": i, "Message": "m" * 140_000} for i in "ab"], "BatchRequestTooLong"),
    ):
        with pytest.raises(sns.exceptions.from_code(error)):
            sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=wrong)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish_batch(TopicArn=f"{arn}x", PublishBatchRequestEntries=entries)


def test_raw_delivery_sends_the_message_alone(server: Server, sns: Any, receiver: Receiver) -> None:
    arn = sns.create_topic(Name="raw")["TopicArn"]
    wanted = {"RawMessageDelivery": "true", "FilterPolicy": '{"a": [{"exists": false}]}'}
    asked = {"TopicArn": arn, "Protocol": "http", "Endpoint": receiver.url, "Attributes": wanted}
    one = sns.subscribe(**asked, ReturnSubscriptionArn=True)["SubscriptionArn"]
    told = sns.get_subscription_attributes(SubscriptionArn=one)["Attributes"]
    assert (told["RawMessageDelivery"], told["PendingConfirmation"]) == ("true", "true")
    visit(server, receiver.wait(1)[0].json["SubscribeURL"])  # the envelope, for it has the token
    told = sns.publish(TopicArn=arn, Message="as it is")["MessageId"]
    message = receiver.wait(2)[1]
    assert message.body == b"as it is"
    assert message.headers["x-amz-sns-rawdelivery"] == "true"
    assert message.headers["x-amz-sns-message-id"] == told
    assert sns.subscribe(**asked)["SubscriptionArn"] == one
    with pytest.raises(sns.exceptions.InvalidParameterException, match="different attributes"):
        sns.subscribe(**{**asked, "Attributes": {"RawMessageDelivery": "false"}})


def test_attributes_that_are_none_are_refused(sns: Any, receiver: Receiver) -> None:
    arn = sns.create_topic(Name="attributes")["TopicArn"]
    for wrong, said in (
        ({"DataType": "Number", "StringValue": "nan"}, "to number"),
        ({"DataType": "Number", "StringValue": "1e999"}, "to number"),
        ({"DataType": "Map", "StringValue": "x"}, "invalid message attribute type"),
        ({"DataType": "String", "StringValue": ""}, "non-empty"),
        ({"DataType": "String.Array", "StringValue": '[{"a": 1}]'}, "JSON array"),
        ({"DataType": "String.Array", "StringValue": '"a"'}, "JSON array"),
        ({"DataType": "Binary", "BinaryValue": b""}, "non-empty"),
    ):
        with pytest.raises(sns.exceptions.InvalidParameterValueException, match=said):
            sns.publish(TopicArn=arn, Message="m", MessageAttributes={"a": wrong})
    for name in ("AWS.a", ".a", "a..b", "a b", "x" * 257):
        with pytest.raises(sns.exceptions.InvalidParameterValueException, match="name"):
            sns.publish(TopicArn=arn, Message="m", MessageAttributes={name: text("x")})
    none = f"{arn}:00000000-0000-0000-0000-000000000000"
    with pytest.raises(sns.exceptions.NotFoundException, match="Subscription does not exist"):
        sns.get_subscription_attributes(SubscriptionArn=none)
    with pytest.raises(sns.exceptions.InvalidParameterException, match="AttributeName"):
        sns.set_subscription_attributes(
            SubscriptionArn=none, AttributeName="DeliveryPolicy", AttributeValue="{}"
        )
    wrong = {"FilterPolicy": '{"a": [{"regex": ".*"}]}'}
    with pytest.raises(sns.exceptions.InvalidParameterException, match="FilterPolicy: "):
        sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url, Attributes=wrong)


def test_a_subscription_is_no_webhook_that_other_dialects_show_or_change(
    server: Server, sns: Any, receiver: Receiver
) -> None:
    arn = subscribed(server, receiver, "hidden")
    (shown,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    webhook_id = shown["SubscriptionArn"].rpartition(":")[2]
    api = f"{server.url}/api/v1/webhooks"
    assert webhook_id not in httpx.get(api, trust_env=False).text
    assert httpx.get(f"{api}/{webhook_id}", trust_env=False).status_code == 404


def test_with_accounts_only_the_token_confirms_and_only_administrators_subscribe(
    start_server: StartServer,
) -> None:
    server = start_server("--auth", "on")
    arn = "arn:aws:sns:us-east-1:000000000000:topic"
    answered = visit(server, f"{server.url}/sns/confirm?TopicArn={arn}&Token=0")
    assert answered.status_code == 400
    assert "<Message>Invalid parameter: Token</Message>" in answered.text
    with pytest.raises(ClientError) as error:
        client(server, "sns").create_topic(Name="topic")
    assert code_of(error) == "InvalidClientTokenId"
