"""Tokens: believed as they were made, for what they were made, and no longer."""

import base64
import json

import pytest

from modelkeep.domain.errors import Forbidden
from modelkeep.domain.tokens import Signer

SIGNER = Signer(b"k" * 32)
TOKEN = SIGNER.sign("download", 1000, "a/b", 7)


def test_the_claims_come_back_until_the_token_expires() -> None:
    assert SIGNER.read("download", TOKEN, 999) == ["a/b", 7]
    with pytest.raises(Forbidden, match="expired"):
        SIGNER.read("download", TOKEN, 1000)


def test_a_token_is_for_one_purpose_and_of_one_key() -> None:
    for signer, purpose in ((SIGNER, "upload"), (Signer(b"l" * 32), "download")):
        with pytest.raises(Forbidden, match="not made by this server"):
            signer.read(purpose, TOKEN, 0)


def test_no_change_to_a_token_is_believed() -> None:
    claims, _, tag = TOKEN.partition(".")
    later = base64.urlsafe_b64encode(json.dumps([10**12, "a/b", 7]).encode()).decode()
    forged = [
        later.rstrip("=") + "." + tag,
        claims,
        f"{claims}.",
        f".{tag}",
        "",
        "é.é",
        TOKEN + "=",
    ]
    forged += [TOKEN[:i] + ("A" if TOKEN[i] != "A" else "B") + TOKEN[i + 1 :] for i in range(20)]
    for token in forged:
        with pytest.raises(Forbidden):
            SIGNER.read("download", token, 0)
