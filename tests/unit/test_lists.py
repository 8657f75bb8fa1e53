"""Lists of files, as packages name them for a manifest."""

import json

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.lists import LIMIT, listed_in

AB = ("s3://b/p/a", "s3://b/p/q/b")


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ('[{"prefix": "s3://b/p/"}, "a", "q/b"]', AB),
        ('\ufeff \n[{"prefix": "s3://b/p"}, "/a", "/q/b"]', AB),
        ('[{"prefix": "s3://b"}, "/x"]', ("s3://b/x",)),
        ("s3://b/p/a\ns3://b/p/q/b\n", AB),
        ("key,location\r\na,s3://b/p/a\r\nb, s3://b/p/q/b \r\n", AB),
        ('"s3://b/with, comma",s3://b/x\n\n', ("s3://b/with, comma", "s3://b/x")),
        ("s3://b/x", ("s3://b/x",)),
    ],
)
def test_what_is_listed_is_each_whole_address(text: str, listed: tuple[str, ...]) -> None:
    assert listed_in(text.encode()) == listed


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "lists no address"),
        (b"a,b\n", "lists no address"),
        (b"[]", "is not a prefix"),
        (b'[{"prefix": "s3://b/"}]', "is not a prefix and what follows it"),
        (b'[{"prefix": "b/"}, "a"]', "is not a prefix"),
        (b'[{"prefix": "s3://"}, "b/a"]', "is not a prefix"),
        (b'[{"prefix": "s3://b/", "more": 1}, "a"]', "unknown field `more`"),
        (b'["a", "b"]', "the first is no prefix"),
        (b'[{"prefix": "s3://b/"}, "a", {"prefix": "s3://c/"}]', "more than one prefix"),
        (b'[{"prefix": "s3://b/"}, 1]', "is not a prefix"),
        (b'[{"prefix": "s3://b/"}, "a"', "is not a prefix"),
        (b"[" * 100_000, "is not a prefix"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"s3://b/a\nb,c\n", "has a line without an address"),
        (b'"s3://b/a', "is no CSV"),
        (b"s3://b/" + b"a" * 200_000, "is no CSV"),
        (json.dumps([{"prefix": "s3://b/"}, *["a"] * (LIMIT + 1)]).encode(), "lists more than"),
        (b"s3://b/a\n" * (LIMIT + 1), "lists more than"),
    ],
)
def test_what_is_no_such_list_is_told_why(content: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        listed_in(content)


def test_a_list_may_be_as_long_as_it_may_be() -> None:
    assert len(listed_in(b"s3://b/a\n" * LIMIT)) == LIMIT
