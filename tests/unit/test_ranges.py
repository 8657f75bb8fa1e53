"""Which bytes a request asks for (RFC 9110, sections 13 and 14), and under which address."""

from typing import Any

import pytest

from modelkeep.protocols.addresses import address_of
from modelkeep.protocols.ranges import is_known, part_of

ETAG = '"abc"'


def request(method: str = "GET", **headers: str) -> dict[str, Any]:
    pairs = [(k.replace("_", "-").lower().encode(), v.encode()) for k, v in headers.items()]
    return {"method": method, "headers": pairs, "scheme": "http", "http_version": "1.1"}


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=5-", 5, 10),
        ("bytes=5-99999", 5, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
        ("Bytes= 1-2 ", 1, 3),
    ],
)
def test_one_range_is_a_part(asked: str, start: int, stop: int) -> None:
    part = part_of(request(Range=asked), ETAG, 10)
    assert part is not None
    assert part.is_satisfiable
    assert (part.start, part.stop) == (start, stop)
    assert part.content_range == f"bytes {start}-{stop - 1}/10"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=11-12", "bytes=-0"])
def test_a_range_without_a_byte_is_not_satisfiable(asked: str) -> None:
    part = part_of(request(Range=asked), ETAG, 10)
    assert part is not None
    assert not part.is_satisfiable
    assert part.content_range == "bytes */10"


def test_nothing_of_an_empty_file_is_satisfiable() -> None:
    for asked in ("bytes=0-", "bytes=-1", "bytes=0-0"):
        part = part_of(request(Range=asked), ETAG, 0)
        assert part is not None
        assert not part.is_satisfiable


@pytest.mark.parametrize(
    "asked",
    ["", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=١-٢"],
)
def test_whatever_is_no_single_range_means_the_whole(asked: str) -> None:
    assert part_of(request(Range=asked), ETAG, 10) is None


def test_a_range_holds_for_the_bytes_that_the_client_has_the_rest_of() -> None:
    assert part_of(request(Range="bytes=0-1", If_Range=ETAG), ETAG, 10) is not None
    for other in ('"other"', f"W/{ETAG}", "Sat, 21 Nov 2026 12:00:00 GMT"):
        assert part_of(request(Range="bytes=0-1", If_Range=other), ETAG, 10) is None
    assert part_of(request("HEAD", Range="bytes=0-1"), ETAG, 10) is None


def test_bytes_that_the_client_has_are_known() -> None:
    for given in (ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"):
        assert is_known(request(If_None_Match=given), ETAG)
    for given in ("", '"x"', "abc"):
        assert not is_known(request(If_None_Match=given), ETAG)


# -- addresses ---------------------------------------------------------------------------------


def test_a_straight_request_names_the_address_itself() -> None:
    assert address_of(request(Host="localhost:5000"), "") == "http://localhost:5000"


def test_a_proxy_must_say_what_it_was_asked_for() -> None:
    told = {"Host": "10.0.0.1:5000", "X_Forwarded_Host": "ml.example.org"}
    assert address_of(request(**told), "") == "http://ml.example.org"
    told |= {"X_Forwarded_Proto": "https", "X_Forwarded_Prefix": "/team/mlflow/"}
    assert address_of(request(**told), "") == "https://ml.example.org/team/mlflow"
    for sign in ("Via", "Forwarded", "X_Forwarded_For", "X_Forwarded_Proto"):
        assert address_of(request(Host="h", **{sign: "https"}), "") is None
    assert address_of(request(Host="h") | {"http_version": "1.0"}, "") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("X_Forwarded_Host", "a/b"),
        ("X_Forwarded_Host", "a@b"),
        ("X_Forwarded_Host", "a, b"),
        ("X_Forwarded_Proto", "javascript"),
        ("X_Forwarded_Prefix", "//evil.example"),
        ("X_Forwarded_Prefix", "/a?b"),
        ("X_Forwarded_Prefix", "a"),
    ],
)
def test_what_is_no_address_is_not_made_one(field: str, value: str) -> None:
    told = {"X_Forwarded_Host": "h"} | {field: value}
    assert address_of(request(Host="h", **told), "") is None


def test_the_setting_wins() -> None:
    found = address_of(request(Host="h", X_Forwarded_Host="i"), "https://ml.example.org/x/")
    assert found == "https://ml.example.org/x"
