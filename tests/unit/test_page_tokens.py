"""Tokens of pages: texts that mean a position in one search, and nothing in any other."""

import base64
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order
from modelkeep.protocols.cursors import page_position, position_token

SEARCH = ((Comparison("tag", "k", "=", "v"),), (Order("attribute", "name", ascending=True),))
KEYS = st.none() | st.text() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@settings(deadline=None)
@given(st.lists(KEYS, min_size=1).map(tuple))
def test_a_token_stands_for_its_position(position: tuple[str | int | float | None, ...]) -> None:
    token = position_token(position, SEARCH)
    assert token.isascii()
    assert page_position(token, SEARCH) == position


def test_a_token_keeps_the_kinds_of_numbers() -> None:
    position = (1, 1.0, -0.0, math.inf, 0.1 + 0.2, 5e-324)
    found = page_position(position_token(position, SEARCH), SEARCH)
    assert repr(found) == repr(position)


def test_the_first_page_needs_no_token_and_the_last_has_none() -> None:
    assert page_position("", SEARCH) is None
    assert position_token(None, SEARCH) == ""


def test_a_token_of_another_search_is_refused() -> None:
    token = position_token((1, "a"), SEARCH)
    conditions, order = SEARCH
    for other in (
        ((Comparison("tag", "k", "=", "w"),), order),
        (conditions, (Order("attribute", "name", ascending=False),)),
        ((), order),
        (conditions, ()),
        ([1], conditions, order),
    ):
        with pytest.raises(InvalidInput, match="it is of another search"):
            page_position(token, other)


def _encoded(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize("token", ["evilhax", "%%", "=", "a", "\x00", "é", "AAAA\n"])
def test_what_is_no_base64_is_refused_as_mlflow_does(token: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token, could not base64-decode"):
        page_position(token, SEARCH)


@pytest.mark.parametrize(
    "content",
    [
        *({"offset": 100}, {}, [], 7, None, "x", {"after": [1]}, {"of": "0" * 16, "after": [1]}),
        {"after": {"x": 1}, "of": []},
    ],
)
def test_what_is_no_token_of_ours_is_refused(content: object) -> None:
    with pytest.raises(InvalidInput, match="Invalid page token"):
        page_position(_encoded(content), SEARCH)
    for raw in (b"\xff\xfe", b"[" * 100_000, b"9" * 5_000, b""):
        if token := base64.b64encode(raw).decode():
            with pytest.raises(InvalidInput, match="Invalid page token"):
                page_position(token, SEARCH)
