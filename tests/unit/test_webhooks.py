"""Webhooks: what may be subscribed to, how a delivery is signed, when it is tried again."""

import pytest

from modelkeep.domain import webhooks
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.examples import example
from modelkeep.domain.webhooks import (
    MLFLOW_TOPICS,
    OWN_TOPICS,
    Outcome,
    Progress,
    Waiting,
    choose,
    headers,
    judge,
    topic_of,
)


def test_every_topic_has_an_example_and_belongs_to_mlflow_or_to_us() -> None:
    for table, is_mlflows in ((MLFLOW_TOPICS, True), (OWN_TOPICS, False)):
        for entity, actions in table.items():
            for action in actions:
                topic = topic_of(entity.lower(), action)
                assert topic.is_mlflows is is_mlflows
                assert example(topic)


def test_an_unknown_topic_is_refused_in_mlflows_words() -> None:
    with pytest.raises(InvalidInput, match="'foo' is not a valid WebhookEntity"):
        topic_of("FOO", "CREATED")
    with pytest.raises(InvalidInput, match="'entity_unspecified' is not a valid WebhookEntity"):
        topic_of("", "CREATED")
    with pytest.raises(InvalidInput, match="Invalid action 'set' for entity 'model_version'"):
        topic_of("MODEL_VERSION", "SET")


@pytest.mark.parametrize("name", ["a", "A1", "my.web-hook_1", "a" * 63])
def test_a_name_that_mlflow_takes_is_taken(name: str) -> None:
    webhooks.check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a/b", "ä", "a" * 64, "a\n"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="It must start and end with a letter or digit"):
        webhooks.check_name(name)


def test_both_signatures_are_those_that_openssl_makes() -> None:
    # printf %s 'msg_….1614265330.{"test": 2432232314}' |
    #   openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
    standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    call = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    found = headers(*call, standard)
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["x-mlflow-signature"] == "v1,TcxlhK9b6UD6iVI1ZU2tTqp8PEVfYRseNNfa6b+LcUg="
    plain = headers(*call, "test-secret-key")
    assert plain["x-mlflow-signature"] == "v1,vdzJ6uIdkoY1d8Qd1ByYJMsBRclUpVon4n+trB/Mjpw="
    assert plain["webhook-signature"] == plain["x-mlflow-signature"]


def test_without_a_secret_nothing_is_signed() -> None:
    found = headers("id", 1, "{}", None)
    assert not any("signature" in name for name in found)
    assert found["webhook-id"] == found["x-mlflow-delivery-id"] == "id"
    assert found["webhook-timestamp"] == found["x-mlflow-timestamp"] == "1"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_no base64", "whsec_abc", "x" * 513, "a\x00b"])
def test_a_secret_that_cannot_sign_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="secret"):
        webhooks.check_secret(secret)


def test_the_id_of_a_delivery_is_always_the_same_and_no_other_has_it() -> None:
    hooks = ("0b0e9c9e-5b7c-4a39-8a9c-3f1c0d7c7f10", "0b0e9c9e-5b7c-4a39-8a9c-3f1c0d7c7f11")
    ids = [
        webhooks.delivery_id(h, leaf, part) for h in hooks for leaf in (1, 12) for part in (0, 1)
    ]
    assert len(set(ids)) == 8
    assert ids == [
        webhooks.delivery_id(h, leaf, part) for h in hooks for leaf in (1, 12) for part in (0, 1)
    ]


# -- attempts ----------------------------------------------------------------------------------


def test_a_failure_is_tried_again_quickly_then_ever_more_seldom_then_not_at_all() -> None:
    failure = Outcome(status=500)
    found = [judge(attempts, failure) for attempts in range(1, 13)]
    assert [wait for _, wait in found[:-1]] == list(webhooks.DELAYS_S)
    assert [progress for progress, _ in found[:4]] == [Progress.QUEUED] * 3 + [Progress.RETRYING]
    assert found[-1] == (Progress.FAILED, 0)
    assert sum(webhooks.DELAYS_S) > 3 * 24 * 3600


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    assert judge(1, Outcome(status=status)) == (Progress.DELIVERED, 0)


@pytest.mark.parametrize("status", [100, 301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int) -> None:
    assert judge(1, Outcome(status=status)) == (Progress.QUEUED, 1)
    assert judge(1, Outcome(error="no answer")) == (Progress.QUEUED, 1)


def test_gone_is_gone() -> None:
    assert judge(1, Outcome(status=410)) == (Progress.FAILED, 0)


@pytest.mark.parametrize(
    ("asked", "waited"), [(0, 1), (2, 2), (3600, 3600), (10**9, 86_400), (-5, 1), (None, 1)]
)
def test_retry_after_is_heeded_within_bounds(asked: float | None, waited: float) -> None:
    progress, wait = judge(1, Outcome(status=429, retry_after_s=asked))
    assert wait == waited
    # A model's later events don't wait for hours.
    assert (progress is Progress.QUEUED) == (waited <= 10)


def test_retry_after_never_hastens_an_attempt() -> None:
    assert judge(4, Outcome(status=429, retry_after_s=1)) == (Progress.RETRYING, 300)


def test_each_model_is_served_in_order_and_no_model_waits_for_another() -> None:
    queue = [
        Waiting(1, lane=1, next_ms=0, leased_until_ms=0),
        Waiting(2, lane=1, next_ms=0, leased_until_ms=0),
        Waiting(3, lane=2, next_ms=900, leased_until_ms=0),  # failed; due later
        Waiting(4, lane=2, next_ms=0, leased_until_ms=0),
        Waiting(5, lane=3, next_ms=0, leased_until_ms=900),  # under way
        Waiting(6, lane=3, next_ms=0, leased_until_ms=0),
        Waiting(7, lane=4, next_ms=0, leased_until_ms=400),  # its worker died
        Waiting(8, lane=0, next_ms=500, leased_until_ms=0),
    ]
    assert choose(queue, 500, room=9) == [1, 7, 8]
    assert choose(queue, 500, room=2) == [1, 7]
    assert choose(queue, 500, room=0) == []
    assert choose(queue, 900, room=9) == [1, 3, 5, 7, 8]
