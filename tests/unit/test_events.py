"""Leaves of the journal: canonical, without personal text, and the same for ever."""

import json
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain import events
from modelkeep.domain.access import Actor
from modelkeep.domain.errors import LimitExceeded, ModelkeepError
from modelkeep.domain.events import LEAF_LIMIT_BYTES, Event, commitment, encode, instant, ulid

ANN = Actor("ann")
AT_MS = 1_794_830_400_123

keys = st.text(st.characters(max_codepoint=127), max_size=6)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
atoms = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words
facts = st.dictionaries(
    keys,
    st.recursive(
        atoms,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
happened = st.builds(
    Event,
    st.just("model:renamed"),
    object=facts,
    before=facts,
    after=facts,
    why=facts,
    texts=st.dictionaries(st.sampled_from(["reason", "comment", "tag.0", "tag.10"]), words),
)


def leaf_of(event: Event, actor: Actor = ANN, **facts: Any) -> events.Leaf:
    settled = {"at_ms": AT_MS, "project": "default", "request_id": "r"}
    return encode(event, actor=actor, **{**settled, **facts})


@given(happened, words, words)
def test_a_leaf_is_the_canonical_json_of_what_it_says(
    event: Event, project: str, request_id: str
) -> None:
    body = leaf_of(event, project=project, request_id=request_id).body
    assert body == rfc8785.dumps(msgspec.json.decode(body))
    said = json.loads(body)
    for field, value in (
        *(("obj", event.object), ("pre", event.before), ("post", event.after)),
        *(("why", event.why), ("act", event.action), ("project", project), ("req", request_id)),
    ):
        assert said[field] == value


@pytest.mark.parametrize("character", [*map(chr, range(0x20)), "\x7f", "\x80", "\u2028", "\ufffe"])
def test_characters_that_json_libraries_spell_differently_are_spelt_canonically(
    character: str,
) -> None:
    body = leaf_of(Event("model:renamed", {"name": f'"{character}\\/'})).body
    assert body == rfc8785.dumps(json.loads(body))


GOLDEN = (
    b'{"act":"version:stage:changed","actor":{"kind":"user","verified":false},'
    b'"id":"01M7J3MYKV0000000000000000","obj":{"manifest":null,"model":1,"name":"churn \xc3\xa9",'
    b'"version":2},"post":{"slots":[{"epoch":42,"slot":"stage:Production"}]},'
    b'"pre":{"slots":[{"epoch":41,"slot":"stage:Production"}]},"project":"default","req":"r-1",'
    b'"t":"2026-11-16T12:00:00.123Z","texts":{"actor":"hmac-sha256:'
    b"78352bae17eb6789b087bccad1370630a54d2ac28874e5be281538683767823c"
    b'"},"v":1,"why":{"policy":"sha256:aa"}}'
)


def test_the_bytes_of_a_known_leaf_never_change(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is random is fixed here, because a promise about bytes must be held against bytes.
    monkeypatch.setattr(secrets, "token_hex", lambda size: "00" * size)
    monkeypatch.setattr(secrets, "randbits", lambda bits: 0)
    event = Event(
        "version:stage:changed",
        object={"model": 1, "name": "churn é", "version": 2, "manifest": None},
        before={"slots": [{"slot": "stage:Production", "epoch": 41}]},
        after={"slots": [{"slot": "stage:Production", "epoch": 42}]},
        why={"policy": "sha256:aa"},
    )
    leaf = leaf_of(event, request_id="r-1")
    assert leaf.body == GOLDEN
    assert leaf.texts == {"actor": ("00" * 16, "ann")}


def test_a_commitment_is_an_hmac_that_openssl_would_compute() -> None:
    # printf 'because é' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…0f
    salt = bytes(range(16)).hex()
    assert commitment(salt, "because é") == (
        "hmac-sha256:be3ccbc307db160beea64df256d5370057cb8686ea26b8694660a0ad261b8e33"
    )


@given(st.dictionaries(st.sampled_from(["reason", "comment"]), words, min_size=1))
def test_a_text_stands_beside_its_leaf_and_only_its_commitment_within(texts: dict) -> None:
    leaf = leaf_of(Event("model:described", {"model": 1}, texts=texts))
    assert {name: text for name, (_, text) in leaf.texts.items()} == {**texts, "actor": "ann"}
    committed = json.loads(leaf.body)["texts"]
    assert committed == {name: commitment(salt, text) for name, (salt, text) in leaf.texts.items()}
    bare = leaf_of(Event("model:described", {"model": 1}, texts={}))  # may hold such a word itself
    for text in texts.values():
        if len(text) > 6 and text.encode() not in bare.body:
            assert text.encode() not in leaf.body


def test_the_same_text_is_committed_to_differently_each_time() -> None:
    event = Event("model:described", {}, texts={"reason": "same", "comment": "same"})
    commitments = [json.loads(leaf_of(event).body)["texts"] for _ in range(2)]
    assert len({value for texts in commitments for value in texts.values()}) == 6


def test_an_anonymous_caller_leaves_no_name() -> None:
    for name in ("", "anonymous", "ANONYMOUS", " anonymous ", "\u200banonymous"):
        leaf = leaf_of(Event("model:created", {}), Actor(name))
        assert leaf.texts == {}
        assert json.loads(leaf.body)["actor"] == {"kind": "anonymous", "verified": False}


def test_an_actor_cannot_be_given_away_by_a_text_of_that_name() -> None:
    leaf = leaf_of(Event("model:created", {}, texts={"actor": "somebody else"}))
    assert leaf.texts["actor"][1] == "ann"


def test_a_leaf_has_a_limit() -> None:
    room = LEAF_LIMIT_BYTES - len(leaf_of(Event("model:renamed", {"name": ""})).body)
    assert len(leaf_of(Event("model:renamed", {"name": "x" * room})).body) == LEAF_LIMIT_BYTES
    with pytest.raises(LimitExceeded, match=f"{LEAF_LIMIT_BYTES + 1} bytes"):
        leaf_of(Event("model:renamed", {"name": "x" * (room + 1)}))
    long = leaf_of(Event("model:described", {}, texts={"description": "x" * 100_000}))
    assert len(long.body) < 1000  # a text of any length is committed to, not carried


@given(st.text(), st.text())
def test_no_text_breaks_the_pen(name: str, text: str) -> None:
    with suppress(ModelkeepError):
        leaf_of(Event("model:described", {"name": name}, texts={"reason": text}), Actor(name))


@given(st.integers(0, 4_102_444_800_000))
def test_an_instant_says_its_milliseconds(ms: int) -> None:
    assert instant(ms).endswith("Z")
    found = datetime.fromisoformat(instant(ms))
    assert (found.tzinfo, round(found.timestamp() * 1000)) == (UTC, ms)
    assert len(instant(ms)) == 24


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1))
def test_ids_sort_by_time(one_ms: int, other_ms: int) -> None:
    one, other = ulid(one_ms), ulid(other_ms)
    assert len(one) == 26
    if one_ms != other_ms:
        assert (one < other) == (one_ms < other_ms)
