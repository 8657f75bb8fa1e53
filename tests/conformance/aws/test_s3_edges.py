"""The S3 API, asked what no client of it would ask."""

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
import pytest

from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import bodies, xml
from tests.support.server import Server

CREDENTIAL = "AKIAANNANNANNANNANNA/20260101/us-east-1/s3/aws4_request"
SIGNED = {
    "authorization": f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,"
    f"Signature={'0' * 64}"
}


class Wire:
    """Sends whatever it is told to."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __call__(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """The status and what is said."""
        given = {**SIGNED, **(headers or {})}
        answer = self._http.request(method, path, content=content, headers=given)
        assert answer.status_code != 500, answer.text
        return answer.status_code, answer.text


@pytest.fixture(scope="module")
def wire(aws_server: Server) -> Iterator[Wire]:
    with httpx.Client(base_url=aws_server.url, trust_env=False, timeout=60) as http:
        yield Wire(http)


@pytest.mark.parametrize(
    "source", ["/edges/%ff", "%ff/k", "/edges", "", "/", "/edges/k?versionId=1"]
)
def test_a_source_to_copy_that_is_none_is_refused(wire: Wire, source: str) -> None:
    status, told = wire("PUT", "/edges/copy", headers={"x-amz-copy-source": source or "?"})
    assert (status, "<Code>InvalidArgument<" in told) == (400, True)


def test_a_deletion_under_a_condition_deletes_nothing(wire: Wire) -> None:
    wire("PUT", "/edges/kept", b"kept")
    for name in ("if-match", "x-amz-if-match-size", "x-amz-if-match-last-modified-time"):
        assert wire("DELETE", "/edges/kept", headers={name: "1"})[0] in (412, 501)
    for odd in ("VersionId", "ETag", "Size", "LastModifiedTime"):
        one = f"<Object><Key>kept</Key><{odd}>1</{odd}></Object>"
        status, told = wire("POST", "/edges?delete", f"<Delete>{one}</Delete>".encode())
        assert "<Deleted>" not in told, status
    assert wire("GET", "/edges/kept") == (200, "kept")


def test_a_copy_under_a_condition_copies_nothing(wire: Wire) -> None:
    wire("PUT", "/edges/original", b"1")
    wrong = {"match": "1", "none-match": "*", "modified-since": "1", "unmodified-since": "1"}
    for name, value in wrong.items():
        asked = {"x-amz-copy-source": "/edges/original", f"x-amz-copy-source-if-{name}": value}
        assert wire("PUT", "/edges/conditional", headers=asked)[0] in (400, 412, 501)
    assert wire("GET", "/edges/conditional")[0] == 404


@pytest.mark.parametrize(
    "date",
    [f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}", "yesterday"],
)
def test_a_date_that_is_none_is_no_condition_and_of_a_copy_refused(wire: Wire, date: str) -> None:
    wire("PUT", "/edges/dated", b"dated")
    for name in ("if-modified-since", "if-unmodified-since"):
        assert wire("GET", "/edges/dated", headers={name: date}) == (200, "dated")
    source = {"x-amz-copy-source": "/edges/dated", "x-amz-copy-source-if-modified-since": date}
    status, told = wire("PUT", "/edges/copied", headers=source)
    assert (status, "<Code>InvalidArgument<" in told) == (400, True)


def test_a_field_of_the_query_that_comes_twice_is_refused(wire: Wire) -> None:
    status, told = wire("GET", "/edges?list-type=2&prefix=a&prefix=b")
    assert (status, "A field of the query comes twice" in told) == (400, True)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_listing_ends_whatever_is_in_the_keys(wire: Wire, size: int) -> None:
    last = "%F4%8F%BF%BF"  # U+10FFFF, behind which there is nothing
    for key in ("a", f"d/{last}1", f"d/{last}{last}2", "d/x", f"e{last}/1", f"e{last}/{last}", "z"):
        wire("PUT", f"/endless/{key}", b"1")
    keys, folders, marker = list[str](), list[str](), ""
    for _ in range(10):
        told = wire("GET", f"/endless?delimiter=/&max-keys={size}&marker={marker}")[1]
        root = ElementTree.fromstring(told)
        found = {element.tag.rpartition("}")[2]: element for element in root.iter()}
        keys += [e.text or "" for e in root.iter() if e.tag.endswith("}Key")]
        folders += [one[0].text or "" for one in root if one.tag.endswith("}CommonPrefixes")]
        if "NextMarker" not in found:
            break
        marker = quote(found["NextMarker"].text or "")
    assert keys == ["a", "z"]
    assert folders == ["d/", "e\U0010ffff/"]


def test_numbers_are_read_whole(wire: Wire) -> None:
    wire("PUT", "/numbers/k", b"1")
    for given, most in (("0000000000000001", 1), ("1" * 5000, 1000), ("10001", 1000)):
        assert f"<MaxKeys>{most}<" in wire("GET", f"/numbers?max-keys={given}")[1]
    assert wire("GET", "/numbers?max-keys=-1")[0] == 400


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp500"])
def test_no_encoding_hides_an_entity(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    entities = '<!DOCTYPE d [<!ENTITY a "xxxx"><!ENTITY b "&a;&a;">]>'
    body = f"{head}{entities}<Delete><Object><Key>&b;</Key></Object></Delete>".encode(encoding)
    with pytest.raises(Coded) as refused:
        xml.read(body, "Delete")
    assert refused.value.code == "MalformedXML"


def test_a_body_of_no_told_length_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LIMIT_BYTES", 1 << 16)
    asked = 0

    async def receive() -> MutableMapping[str, Any]:  # it never ends
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def read() -> None:
        async for _ in bodies.Body({"headers": []}, receive, None).read():
            pass

    with pytest.raises(Coded) as refused:
        asyncio.run(read())
    assert (refused.value.code, asked) == ("EntityTooLarge", 66)
