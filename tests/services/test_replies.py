"""Calls with an idempotency key: done once, answered alike, forgotten after a day."""

import pytest

from modelkeep.domain.errors import AlreadyExists, KeyReused
from modelkeep.domain.models import Model
from modelkeep.ports.replies import Claim, Reply
from modelkeep.services import registry, replies
from tests.support.core import ANN, HOUR_MS, Core

CLAIM = Claim("ann", "key", "digest of the call")


def tell(model: Model) -> Reply:
    return Reply(200, model.name)


def create(core: Core, claim: Claim, name: str) -> str:
    """The name that the answer tells."""
    value, reply = core.write(replies.once, claim, tell, registry.create_model, ANN, name)
    return value.name if value else reply.body


def test_a_call_made_again_has_its_first_answer_and_no_second_effect(core: Core) -> None:
    assert create(core, CLAIM, "churn") == "churn"
    assert create(core, CLAIM, "would fail by now: it is no name\x00") == "churn"
    core.restart()
    assert create(core, CLAIM, "churn") == "churn"
    assert core.acts() == ["model:created"]


def test_a_key_is_of_one_call_and_of_one_caller(core: Core) -> None:
    create(core, CLAIM, "churn")
    with pytest.raises(KeyReused, match="'key' was used for another call"):
        create(core, Claim("ann", "key", "another call"), "other")
    assert create(core, Claim("bob", "key", "another call"), "other") == "other"
    assert core.acts() == ["model:created"] * 2


def test_what_raised_is_not_kept(core: Core) -> None:
    core.model("churn")
    for _ in range(2):
        with pytest.raises(AlreadyExists):
            create(core, CLAIM, "churn")
    assert create(core, CLAIM, "other") == "other"  # so the key is still free


def test_a_key_is_free_again_after_a_day_and_its_row_is_swept(core: Core) -> None:
    create(core, CLAIM, "churn")
    core.clock.advance(23 * HOUR_MS)
    create(core, Claim("ann", "later", "digest"), "later")
    assert create(core, CLAIM, "churn") == "churn"
    core.clock.advance(2 * HOUR_MS)
    assert create(core, Claim("ann", "key", "another call"), "other") == "other"
    core.clock.advance(23 * HOUR_MS)
    assert core.write(replies.sweep) is False
    kept = [core.read(replies.known, Claim("ann", key, call)) is not None
            for key, call in (("key", "another call"), ("later", "digest"))]  # fmt: skip
    assert kept == [True, False]


def test_a_sweep_takes_a_bounded_number_of_rows(core: Core) -> None:
    def keep_many(work) -> None:
        for number in range(replies.SWEEP_LIMIT + 1):
            work.replies.keep(Claim("ann", str(number), "call"), Reply(200, ""), work.now_ms)

    core.write(keep_many)
    assert core.write(replies.sweep) is False  # they are of today
    core.clock.advance(25 * HOUR_MS)
    assert [core.write(replies.sweep) for _ in range(2)] == [True, False]
