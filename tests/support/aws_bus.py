"""Stock botocore clients, and subscribers to topics."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import botocore.session
import httpx
from botocore.config import Config

from tests.support.receiver import Received, Receiver
from tests.support.server import Server


def client(server: Server, service: str) -> Any:
    """A client of the AWS SDK, which knows of modelkeep its address alone."""
    return botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}),
    )


def visit(server: Server, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Goes to an address that a message has, at the server as it runs now."""
    here = urlsplit(url)._replace(netloc=urlsplit(server.url).netloc)
    return httpx.get(urlunsplit(here), headers=headers, trust_env=False)


def subscribed(server: Server, receiver: Receiver, topic: str) -> str:
    """A confirmed subscription of the receiver to a new topic; the topic's ARN."""
    sns = client(server, "sns")
    arn: str = sns.create_topic(Name=topic)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
    (asked,) = receiver.wait(1)
    assert visit(server, asked.json["SubscribeURL"]).status_code == 200
    receiver.received.clear()
    return arn


def events_in(received: list[Received]) -> list[dict[str, Any]]:
    """The events in the messages of a topic."""
    return [json.loads(one.json["Message"]) for one in received]
