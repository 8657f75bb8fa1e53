"""Answers of the S3 API that take long."""

import asyncio
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest

from modelkeep.domain.errors import Unavailable
from modelkeep.protocols.aws.s3 import asked
from modelkeep.protocols.aws.s3.asked import Asked
from modelkeep.protocols.aws.s3.bodies import Body


async def answered(outcome: Mapping[str, object] | Exception) -> tuple[int, bytes, int]:
    """The status, the body, and in how many messages it came, of what waits for two of them."""
    sent: list[Any] = []
    enough = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 3:
            enough.set()

    async def coming() -> Mapping[str, object]:
        await enough.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def receive() -> Any:
        raise AssertionError("there is no body")

    scope = {"method": "POST", "path": "/b/k", "query_string": b"", "headers": []}
    scope["modelkeep.request_id"] = "req-1"
    of = Asked.of(scope, send, Body(scope, receive, None))
    await of.say_later("Result", coming())
    assert all(message.get("more_body", True) for message in sent[:-1])
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:]), len(sent)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "PATIENCE_S", 0.001)


def test_what_takes_long_is_told_behind_spaces() -> None:
    status, body, messages = asyncio.run(answered({"ETag": '"x-2"'}))
    assert (status, messages >= 5) == (200, True)
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n ')
    root = ElementTree.fromstring(body)
    assert [child.text for child in root] == ['"x-2"']


def test_what_goes_wrong_in_the_end_is_told_as_an_error() -> None:
    status, body, _ = asyncio.run(answered(Unavailable("The store is away.")))
    root = ElementTree.fromstring(body)
    assert (status, root.tag, root.findtext("Code")) == (200, "Error", "SlowDown")
    assert root.findtext("Message") == "The store is away."
