"""Tokens: their form, what is refused without a look-up, and what is stored."""

import base64
import hashlib
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelkeep
from modelkeep.domain.credentials import (
    PATTERN,
    SECRET_CHARS,
    Token,
    TokenKind,
    mint,
    presented,
    read,
)
from modelkeep.domain.errors import Unauthenticated


@pytest.mark.parametrize("kind", sorted(set(TokenKind) - {TokenKind.ACCESS}))
def test_a_token_is_read_as_it_was_made(kind: TokenKind) -> None:
    token = mint(kind)
    assert read(token.text) == token
    assert token.text.startswith(f"mk{kind.value}_{token.id}_")
    assert re.fullmatch(PATTERN, token.text)
    assert re.search(PATTERN, f'password = "{token.text}", and so on')


def test_a_secret_has_178_bits_and_no_two_are_alike() -> None:
    assert SECRET_CHARS * math.log2(62) > 178
    made = [mint(TokenKind.PERSONAL) for _ in range(1000)]
    assert len({token.secret for token in made}) == len({token.id for token in made}) == 1000
    assert {c for token in made for c in token.secret} == set(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )


def test_the_form_never_changes() -> None:
    token = Token(TokenKind.PERSONAL, "A" * 12, "b" * 30)
    assert token.text == "mkp_AAAAAAAAAAAA_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0cxdM8"
    assert token.digest == hashlib.sha256(b"b" * 30).hexdigest()


@given(st.integers(0, 53), st.sampled_from("0Az_ -é"))
def test_a_mistyped_token_is_refused(place: int, other: str) -> None:
    text = mint(TokenKind.SERVICE).text
    mistyped = text[:place] + other + text[place + 1 :]
    if mistyped != text:
        with pytest.raises(Unauthenticated):
            read(mistyped)


@given(st.text(max_size=80))
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        read(text)
    assert not text or len(text) < 12 or text not in refused.value.message


def test_a_token_does_not_show_its_secret() -> None:
    token = mint(TokenKind.SESSION)
    assert token.secret not in repr(token) + str(token)


def test_a_header_carries_a_token_in_two_ways() -> None:
    token = mint(TokenKind.PERSONAL)
    encoded = base64.b64encode(f"ann:{token.text}".encode())
    assert presented(b"Basic " + encoded) == ("ann", token)
    assert presented(b"Bearer " + token.text.encode()) == presented(
        b"bearer  " + token.text.encode() + b" "
    )
    assert presented(b"Bearer " + token.text.encode()) == ("", token)


@given(st.binary(max_size=100))
def test_any_other_header_is_refused(header: bytes) -> None:
    for given_header in (header, b"Basic " + header, b"Bearer " + header,
                         b"Basic " + base64.b64encode(header)):  # fmt: skip
        with pytest.raises(Unauthenticated):
            presented(given_header)


def test_what_is_secret_is_compared_in_constant_time() -> None:
    """Wherever a digest of a token is held against another, it is by `compare_digest`."""
    source = Path(modelkeep.__file__).parent
    for name in ("domain/credentials.py", "services/directory.py", "services/accounts.py"):
        text = (source / name).read_text()
        for line in text.splitlines():
            secret = re.search(r"(digest|secret|password|_check\(.*\))\)? *(==|!=)", line)
            assert not secret or "password(account.id) != hashed" in line, (name, line)
    assert "compare_digest" in (source / "domain/credentials.py").read_text()
