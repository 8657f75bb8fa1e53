"""Webhooks and the outbox: what is announced to whom, in which order, and how often."""

import json
from typing import Any

import pytest

from modelkeep.domain.addresses import parse_target
from modelkeep.domain.errors import Conflict, IntegrityFailure, InvalidInput, NotFound
from modelkeep.domain.webhooks import (
    MLFLOW_TOPICS,
    OWN_TOPICS,
    Changes,
    Outcome,
    Progress,
    Status,
    Webhook,
    topic_of,
)
from modelkeep.ports.webhooks import Claim, Delivery
from modelkeep.services import outbox, registry, webhooks
from modelkeep.services.imports import models, slots, versions
from modelkeep.services.imports.models import GivenModel
from modelkeep.services.imports.versions import GivenVersion
from modelkeep.storage.vault import AesVault
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, ROB, TAGS, Core

URL = "https://hooks.example.com/a"
POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Staging": {"required_tags": ["tested"]},
        "Staging -> Production": {"approval_required": True},
        "Archived -> Production": {"approval_required": True},
    }
}


def subscribe(core: Core, *topics: str, sealed: str | None = None, **facts: Any) -> Webhook:
    wanted = Changes(
        name="hook", topics=tuple(topic_of(*topic.split("/")) for topic in topics), **facts
    )
    target = parse_target(URL, allow_private=False)
    return core.write(webhooks.create, ANN, wanted, target, sealed, webhooks.new_id())


def change(core: Core, hook: Webhook, **facts: Any) -> Webhook:
    wanted = Changes(**facts)
    return core.write(webhooks.change, ANN, hook.webhook_id, wanted, None, None)


def dispatch(core: Core, lease: str = "worker", room: int = 100) -> list[Claim]:
    claims, is_behind = core.write(outbox.dispatch, lease, room)
    assert not is_behind
    return claims


def settle(core: Core, claim: Claim, **outcome: Any) -> None:
    core.write(outbox.settle, claim, Outcome(**outcome))


def deliver_all(core: Core) -> list[dict[str, Any]]:
    """Everything that there is to deliver, delivered; the bodies in order."""
    bodies: list[dict[str, Any]] = []
    while claims := dispatch(core):
        for claim in claims:
            bodies.append(json.loads(claim.body))
            settle(core, claim, status=200)
    return bodies


def told(core: Core) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{b['entity']}/{b['action']}", b["data"]) for b in deliver_all(core)]


def history(core: Core, hook: Webhook) -> list[Delivery]:
    return core.read(webhooks.history, hook.webhook_id)


def now(core: Core, hook: Webhook) -> Webhook:
    return core.read(webhooks.get, hook.webhook_id)


# -- webhooks ----------------------------------------------------------------------------------


def test_a_webhook_is_made_changed_listed_and_deleted(core: Core) -> None:
    first = subscribe(core, "MODEL_VERSION/CREATED", "MODEL_VERSION/CREATED", sealed="sealed")
    second = subscribe(core, "MODEL_VERSION_STAGE/CHANGED", status=Status.DISABLED)
    assert [str(topic) for topic in first.topics] == ["MODEL_VERSION/CREATED"]
    assert [w.webhook_id for w in core.read(webhooks.listing)] == [
        second.webhook_id,
        first.webhook_id,
    ]
    changed = change(core, first, name="other", description="why", secret="")
    assert (changed.name, changed.description, changed.sealed) == ("other", "why", None)
    assert changed.updated_ms > first.updated_ms  # although the clock stood still
    assert changed.topics == first.topics
    core.write(webhooks.delete, ANN, first.webhook_id)
    with pytest.raises(NotFound, match=f"Webhook with ID {first.webhook_id} not found"):
        now(core, first)
    assert core.acts() == [
        *("webhook:created", "webhook:created", "webhook:changed", "webhook:deleted")
    ]


def test_what_no_webhook_may_be_is_refused_and_leaves_nothing(core: Core) -> None:
    with pytest.raises(InvalidInput, match="non-empty list"):
        subscribe(core)
    target = parse_target(URL, allow_private=False)
    wanted = Changes(name="not a name", topics=(topic_of("PROMPT", "CREATED"),))
    with pytest.raises(InvalidInput, match="Webhook name"):
        core.write(webhooks.create, ANN, wanted, target, None, webhooks.new_id())
    with pytest.raises(NotFound):
        core.write(webhooks.delete, ANN, "nonexistent")
    assert core.read(webhooks.listing) == []
    assert core.acts() == []


def test_neither_the_journal_nor_the_tables_tell_a_secret(core: Core) -> None:
    vault = AesVault("", core.settings.data_dir / "secrets.key")
    hook = subscribe(core, "MODEL_VERSION/CREATED", sealed=vault.seal("swordfish", "me"))
    change(core, hook, secret="swordfish2")
    everything = json.dumps(core.export()) + json.dumps(core.leaves())
    assert "swordfish" not in everything
    assert "swordfish" not in repr(now(core, hook))
    assert "swordfish" not in repr(Changes(secret="swordfish"))


# -- secrets -----------------------------------------------------------------------------------


def test_a_sealed_secret_opens_after_a_restart_for_its_owner_alone(core: Core) -> None:
    file = core.settings.data_dir / "secrets.key"
    sealed = AesVault("", file).seal("swordfish", "owner")
    assert "swordfish" not in sealed
    assert sealed != AesVault("", file).seal("swordfish", "owner")
    assert file.stat().st_mode & 0o777 == 0o600
    assert AesVault("", file).open(sealed, "owner") == "swordfish"
    with pytest.raises(IntegrityFailure, match="cannot be opened"):
        AesVault("", file).open(sealed, "somebody else")
    with pytest.raises(IntegrityFailure, match="cannot be opened"):
        AesVault("A" * 43 + "=", file).open(sealed, "owner")
    for damaged in (sealed[:-8], sealed + "x", "v1:", "", "v1:é"):
        with pytest.raises(IntegrityFailure):
            AesVault("", file).open(damaged, "owner")


def test_a_key_of_the_operator_leaves_no_file(core: Core) -> None:
    file = core.settings.data_dir / "given.key"
    key = "A" * 43 + "="
    assert AesVault(key, file).open(AesVault(key, file).seal("s", "o"), "o") == "s"
    assert not file.exists()


# -- announcing --------------------------------------------------------------------------------


def test_mlflows_topics_have_mlflows_payloads(core: Core) -> None:
    core.model("before")
    topics = ("REGISTERED_MODEL/CREATED", "MODEL_VERSION/CREATED", "MODEL_VERSION_TAG/SET")
    topics += ("MODEL_VERSION_TAG/DELETED", "MODEL_VERSION_ALIAS/CREATED")
    subscribe(core, *topics, "MODEL_VERSION_ALIAS/DELETED", "PROMPT/CREATED")
    core.model("churn", tags={"a": "1", "ü": "é"}, description="who leaves")
    core.model("bare")
    core.register("churn", "s3://b/m", run_id="r1", tags={"t": "x"}, description="d")
    core.register("churn", "s3://b/m")
    core.tag(1, "k", "v")
    core.write(registry.delete_version_tag, ANN, "churn", 1, "k")
    core.set_alias("best", 2)
    core.write(registry.set_model_tag, ANN, "churn", "not", "announced")
    version = {"name": "churn", "version": "1"}
    assert told(core) == [
        (
            "registered_model/created",
            {"name": "churn", "tags": {"a": "1", "ü": "é"}, "description": "who leaves"},
        ),
        ("registered_model/created", {"name": "bare", "tags": {}, "description": ""}),
        (
            "model_version/created",
            {**version, "source": "s3://b/m", "run_id": "r1", "tags": {"t": "x"}}
            | {"description": "d"},
        ),
        (
            "model_version/created",
            {"name": "churn", "version": "2", "source": "s3://b/m", "run_id": None, "tags": {}}
            | {"description": None},
        ),
        ("model_version_tag/set", {**version, "key": "k", "value": "v"}),
        ("model_version_tag/deleted", {**version, "key": "k"}),
        ("model_version_alias/created", {"name": "churn", "alias": "best", "version": "2"}),
    ]


def test_a_prompt_is_announced_as_one(core: Core) -> None:
    hook = subscribe(
        core,
        *("PROMPT/CREATED", "PROMPT_VERSION/CREATED", "PROMPT_TAG/SET", "PROMPT_VERSION_TAG/SET"),
        *("PROMPT_ALIAS/CREATED", "PROMPT_ALIAS/DELETED", "PROMPT/DELETED", "PROMPT/RENAMED"),
        *("REGISTERED_MODEL/CREATED", "MODEL_VERSION/CREATED", "MODEL_VERSION_TAG/SET"),
    )
    mark = {"mlflow.prompt.is_prompt": "True", "_mlflow_prompt_type": "text"}
    core.model("churn", tags={**mark, "a": "b"})
    tags = {**mark, "mlflow.prompt.text": "Hello {{name}}!", "c": "d"}
    core.register("churn", "dummy-source", tags=tags)
    core.write(registry.set_model_tag, ANN, "churn", "team", "x")
    core.tag(1, "k", "v")
    core.set_alias("best", 1)
    core.write(registry.rename_model, ANN, "churn", "greeting")
    core.write(registry.delete_model, ANN, "greeting")
    assert told(core) == [
        ("prompt/created", {"name": "churn", "tags": {"a": "b"}, "description": ""}),
        (
            "prompt_version/created",
            {"name": "churn", "version": "1", "description": None, "template": "Hello {{name}}!"}
            | {"tags": {"c": "d"}},
        ),
        ("prompt_tag/set", {"name": "churn", "key": "team", "value": "x"}),
        ("prompt_version_tag/set", {"name": "churn", "version": "1", "key": "k", "value": "v"}),
        ("prompt_alias/created", {"name": "churn", "alias": "best", "version": "1"}),
        ("prompt/renamed", {"name": "greeting", "previous_name": "churn", "actor": "ann"}),
        ("prompt_alias/deleted", {"name": "greeting", "alias": "best"}),
        ("prompt/deleted", {"name": "greeting", "actor": "ann"}),
    ]
    assert len(history(core, hook)) == 8


def test_stages_approvals_and_rollbacks_are_announced(core: Core) -> None:
    core.model()
    for _ in range(2):
        core.version(tags=TAGS)
    core.register("churn", "s3://b/m")
    core.apply(POLICY)
    subscribe(
        core,
        *("MODEL_VERSION_STAGE/CHANGED", "MODEL_VERSION_STAGE/REFUSED"),
        *("MODEL_VERSION_STAGE/ROLLED_BACK", "APPROVAL_REQUEST/OPENED"),
        *("APPROVAL_REQUEST/APPROVED", "APPROVAL_REQUEST/REJECTED", "APPROVAL_REQUEST/VOIDED"),
        *("APPROVAL_VOTE/CAST", "APPROVAL_VOTE/DENIED"),
    )
    core.promote(3, "Staging", reason="why not")
    assert [topic for topic, _ in told(core)] == ["model_version_stage/refused"]
    core.promote(1, "Staging", reason="tested")
    ((topic, data),) = told(core)
    assert topic == "model_version_stage/changed"
    assert data == {
        "name": "churn",
        "version": "1",
        "from_stage": "None",
        "to_stage": "Staging",
        "epoch": 1,
        "digest": core.get(1).manifest,
        "request": None,
        "emergency": None,
        "reason": "tested",
        "actor": "rob",
    }
    asked = core.promote(1, "Production")
    core.approve(asked.request_id, by=ANN)  # an author
    core.approve(asked.request_id, comment="looked at it")
    found = told(core)
    assert [topic for topic, _ in found] == [
        "approval_request/opened",
        "approval_vote/denied",
        "approval_vote/cast",
        "model_version_stage/changed",
        "approval_request/approved",
    ]
    assert found[0][1]["requested_by"] == "rob"
    assert found[2][1] == {
        "request": asked.request_id,
        "name": "churn",
        "version": "1",
        "verdict": "approve",
        "comment": "looked at it",
        "actor": "bob",
    }
    assert found[3][1]["request"] == asked.request_id
    core.promote(2, "Staging")
    second = core.promote(2, "Production")
    core.approve(second.request_id)
    told(core)
    core.roll_back("it drifts")
    found = told(core)
    assert [topic for topic, _ in found] == [
        "model_version_stage/rolled_back",
        "model_version_stage/changed",
        "model_version_stage/changed",
    ]
    rolled = found[0][1]
    assert (rolled["version"], rolled["left_version"], rolled["stage"]) == ("1", "2", "Production")
    moves = {d["version"]: (d["from_stage"], d["to_stage"]) for _, d in found[1:]}
    assert moves == {"1": ("Archived", "Production"), "2": ("Production", "Archived")}
    third = core.promote(2, "Production", by=BOB)
    core.reject(third.request_id, by=ROB, comment="not yet")
    fourth = core.promote(2, "Production", by=BOB, reason="again")
    assert [topic for topic, _ in told(core)] == [
        *("approval_request/opened", "approval_vote/cast", "approval_request/rejected"),
        "approval_request/opened",
    ]
    core.apply({"stage_transitions": {}})  # speaks of no model, and yet of its request
    ((topic, data),) = told(core)
    assert (topic, data["request"]) == ("approval_request/voided", fourth.request_id)


def test_updates_renames_and_deletes_are_announced(core: Core) -> None:
    subscribe(
        core,
        *("REGISTERED_MODEL/UPDATED", "REGISTERED_MODEL/RENAMED", "REGISTERED_MODEL/DELETED"),
        *("MODEL_VERSION/UPDATED", "MODEL_VERSION/DELETED", "MODEL_VERSION_ALIAS/DELETED"),
        *("REGISTERED_MODEL_TAG/SET", "REGISTERED_MODEL_TAG/DELETED"),
    )
    core.model()
    core.version()
    core.set_alias("best", 1)
    core.write(registry.describe_model, BOB, "churn", "who leaves")
    core.write(registry.describe_version, BOB, "churn", 1, "the first")
    core.write(registry.set_model_tag, BOB, "churn", "a", "b")
    core.write(registry.delete_model_tag, BOB, "churn", "a")
    core.write(registry.rename_model, BOB, "churn", "leave")
    core.write(registry.delete_model, BOB, "leave")
    assert told(core) == [
        (
            "registered_model/updated",
            {"name": "churn", "description": "who leaves", "actor": "bob"},
        ),
        (
            "model_version/updated",
            {"name": "churn", "version": "1", "description": "the first", "actor": "bob"},
        ),
        ("registered_model_tag/set", {"name": "churn", "key": "a", "value": "b"}),
        ("registered_model_tag/deleted", {"name": "churn", "key": "a"}),
        (
            "registered_model/renamed",
            {"name": "leave", "previous_name": "churn", "actor": "bob"},
        ),
        ("model_version/deleted", {"name": "leave", "version": "1", "actor": "bob"}),
        ("model_version_alias/deleted", {"name": "leave", "alias": "best"}),
        ("registered_model/deleted", {"name": "leave", "actor": "bob"}),
    ]


def test_nobody_hears_of_what_was_before_the_webhook(core: Core) -> None:
    core.model("one")
    first = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("two")
    second = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("three")
    deliver_all(core)
    names = [
        [json.loads(delivery.body)["data"]["name"] for delivery in history(core, hook)]
        for hook in (first, second)
    ]
    assert names == [["three", "two"], ["three"]]


def test_nobody_hears_of_what_was_while_the_webhook_was_disabled(core: Core) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    change(core, hook, status=Status.DISABLED)
    core.model("meanwhile")
    assert not core.read(outbox.is_waiting)
    change(core, hook, status=Status.ACTIVE)
    core.model("after")
    assert [data["name"] for _, data in told(core)] == ["after"]


def test_each_event_is_queued_once_however_often_it_is_announced(core: Core) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("one")
    for _ in range(3):
        core.write(lambda work: work.webhooks.move_cursor(0))
        dispatch(core)
    assert len(history(core, hook)) == 1


def test_a_long_journal_is_announced_in_parts(core: Core) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    for i in range(outbox.LEAVES_LIMIT + 5):
        core.model(f"m{i}")
    _, is_behind = core.write(outbox.dispatch, "worker", 0)
    assert is_behind
    _, is_behind = core.write(outbox.dispatch, "worker", 0)
    assert not is_behind
    found = core.read(webhooks.history, hook.webhook_id, None, 1000)
    assert len(found) == outbox.LEAVES_LIMIT + 5


def test_an_entry_that_cannot_be_read_silences_no_other(core: Core) -> None:
    subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("one")
    core.model("two")
    good = core.read(lambda work: work.journal.entries(1, 1))[0].body
    spoil = "UPDATE journal_leaves SET body = ? WHERE idx = 1"
    core.write(lambda work: work.db.run(spoil, b'{"act": "model:created"}'))
    assert [data["name"] for _, data in told(core)] == ["two"]
    core.write(lambda work: work.db.run(spoil, good))


# -- attempting --------------------------------------------------------------------------------


def test_events_of_a_model_go_out_one_after_another_and_others_beside_them(core: Core) -> None:
    subscribe(core, "REGISTERED_MODEL/CREATED", "REGISTERED_MODEL/UPDATED")
    core.model("a")
    core.write(registry.describe_model, ANN, "a", "1")
    core.model("b")
    first = dispatch(core)
    assert [json.loads(c.body)["data"]["name"] for c in first] == ["a", "b"]
    assert dispatch(core) == []
    settle(core, first[0], status=200)
    (second,) = dispatch(core)
    assert json.loads(second.body)["action"] == "updated"


def test_a_failure_keeps_its_models_place_while_it_is_tried_quickly(
    core: Core, clock: MovedClock
) -> None:
    subscribe(core, "REGISTERED_MODEL/CREATED", "REGISTERED_MODEL/UPDATED")
    core.model("a")
    core.write(registry.describe_model, ANN, "a", "1")
    for wait_ms in (1000, 2000, 5000):
        (claim,) = dispatch(core)
        settle(core, claim, status=500)
        assert dispatch(core) == []
        clock.advance(wait_ms)
    (claim,) = dispatch(core)
    assert (claim.attempts, json.loads(claim.body)["action"]) == (3, "created")
    settle(core, claim, error="no answer")
    (second,) = dispatch(core)  # five minutes are too long for the others to wait
    assert json.loads(second.body)["action"] == "updated"
    settle(core, second, status=200)
    clock.advance(300_000)
    (again,) = dispatch(core)
    assert again.delivery_id == claim.delivery_id
    assert again.body == claim.body


def test_a_lease_keeps_others_away_until_it_runs_out(core: Core, clock: MovedClock) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("a")
    (mine,) = dispatch(core, "first replica")
    assert dispatch(core, "second replica") == []
    assert not core.read(outbox.is_waiting)
    clock.advance(outbox.LEASE_MS)
    (theirs,) = dispatch(core, "second replica")
    assert theirs.delivery_id == mine.delivery_id
    settle(core, mine, status=500)  # too late: it is no longer the first one's to settle
    assert history(core, hook)[0].attempts == 0
    settle(core, theirs, status=200)
    assert history(core, hook)[0].progress is Progress.DELIVERED


def test_a_worker_that_ends_gives_back_what_it_had_leased(core: Core) -> None:
    subscribe(core, "REGISTERED_MODEL/CREATED")
    for name in ("a", "b"):
        core.model(name)
    (one,) = dispatch(core, "first replica", room=1)
    (two,) = dispatch(core, "second replica", room=1)
    core.write(outbox.release, "first replica")
    assert [c.delivery_id for c in dispatch(core, "third")] == [one.delivery_id]
    core.write(outbox.release, None)
    assert {c.delivery_id for c in dispatch(core)} == {one.delivery_id, two.delivery_id}


def test_a_slow_receiver_takes_only_its_share(core: Core) -> None:
    slow = subscribe(core, "REGISTERED_MODEL/CREATED")
    other = subscribe(core, "REGISTERED_MODEL/CREATED")
    for i in range(20):
        core.model(f"m{i}")
    claims = dispatch(core, room=100)
    counts = {h: sum(c.webhook_id == h.webhook_id for c in claims) for h in (slow, other)}
    assert counts == {slow: outbox.PER_WEBHOOK, other: outbox.PER_WEBHOOK}
    assert len(dispatch(core, "another", room=100)) == 0


def exhaust(core: Core, clock: MovedClock, **outcome: Any) -> None:
    """Fails every attempt until nothing is attempted any more."""
    while claims := dispatch(core):
        for claim in claims:
            settle(core, claim, **outcome)
        clock.advance(86_400_000)


def test_a_receiver_that_never_answers_is_disabled_and_can_be_enabled(
    core: Core, clock: MovedClock
) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    for i in range(4):
        core.model(f"m{i}")
    exhaust(core, clock, status=500)
    assert now(core, hook).status is Status.ACTIVE
    core.model("fifth")
    for _ in range(11):
        (claim,) = dispatch(core)
        settle(core, claim, error="no answer")
        clock.advance(86_400_000)
    core.model("late")
    for claim in dispatch(core):
        settle(core, claim, status=500)
    stopped = now(core, hook)
    assert stopped.status is Status.DISABLED
    assert stopped.disabled_reason == (
        "5 deliveries in a row failed for good, the last one: the receiver answered 500"
    )
    assert core.acts()[-1] == "webhook:disabled"
    assert core.leaves()[-1]["texts"]["reason"] == stopped.disabled_reason
    progress = [delivery.progress for delivery in history(core, hook)]
    assert progress.count(Progress.FAILED) == 5  # what was left waits for better times
    assert {d.attempts for d in history(core, hook) if d.progress is Progress.FAILED} == {12}
    assert not core.read(outbox.is_waiting)
    revived = change(core, hook, status=Status.ACTIVE)
    assert (revived.failures, revived.disabled_reason) == (0, "")
    assert [body["data"]["name"] for body in deliver_all(core)] == ["late"]


def test_a_delivery_that_succeeds_forgives_the_failures_before_it(
    core: Core, clock: MovedClock
) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    for round_ in range(2):
        for i in range(4):
            core.model(f"m{round_}{i}")
        exhaust(core, clock, error="no answer")
        assert now(core, hook).failures == 4
        core.model(f"good{round_}")
        deliver_all(core)
        assert now(core, hook).failures == 0
    assert now(core, hook).status is Status.ACTIVE


def test_a_receiver_that_is_gone_is_disabled_at_once(core: Core) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("a")
    core.model("b")
    first, second = dispatch(core)
    settle(core, first, status=410)
    settle(core, second, status=410)
    assert now(core, hook).status is Status.DISABLED
    assert now(core, hook).disabled_reason == "The receiver answered 410: it is gone for good."
    assert core.acts().count("webhook:disabled") == 1


def test_a_deleted_webhook_gets_nothing_any_more(core: Core) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED", sealed="sealed")
    core.model("a")
    (claim,) = dispatch(core)
    core.model("b")
    core.write(webhooks.delete, ANN, hook.webhook_id)
    settle(core, claim, status=200)
    assert dispatch(core) == []
    row = core.read(lambda work: work.db.one("SELECT sealed FROM webhooks"))
    assert row == (None,)


def test_replay_sends_the_same_again(core: Core, clock: MovedClock) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    core.model("a")
    (claim,) = dispatch(core)
    with pytest.raises(Conflict, match="is under way"):
        core.write(webhooks.replay, BOB, claim.delivery_id)
    settle(core, claim, status=200, body="thanks " * 1000)
    clock.advance(1000)
    core.write(webhooks.replay, BOB, claim.delivery_id)
    (again,) = dispatch(core)
    assert (again.delivery_id, again.body) == (claim.delivery_id, claim.body)
    settle(core, again, status=200, body="thanks")
    (delivery,) = history(core, hook)
    assert (delivery.replays, delivery.attempts, delivery.response_body) == (1, 1, "thanks")
    assert core.acts()[-1] == "webhook:replayed"
    change(core, hook, status=Status.DISABLED)
    with pytest.raises(Conflict, match="enable it first"):
        core.write(webhooks.replay, BOB, claim.delivery_id)
    core.write(webhooks.delete, BOB, hook.webhook_id)
    with pytest.raises(Conflict, match="was deleted"):
        core.write(webhooks.replay, BOB, claim.delivery_id)
    with pytest.raises(NotFound):
        core.write(webhooks.replay, BOB, "nonexistent")


def test_the_history_goes_back_page_by_page_and_is_pruned(core: Core, clock: MovedClock) -> None:
    hook = subscribe(core, "REGISTERED_MODEL/CREATED")
    for i in range(5):
        core.model(f"m{i}")
    deliver_all(core)
    newest = history(core, hook)
    page = core.read(webhooks.history, hook.webhook_id, newest[1].delivery_id, 2)
    assert [d.id for d in page] == [newest[2].id, newest[3].id]
    assert core.write(outbox.prune) == 0
    assert core.write(lambda work: work.deliveries.prune(hook.id, 0, 3, 100)) == 2
    clock.advance(outbox.KEEP_MS + 1)
    core.model("waits")
    dispatch(core)
    assert core.write(outbox.prune) == 3
    assert [d.progress for d in history(core, hook)] == [Progress.QUEUED]


# -- imports -------------------------------------------------------------------------------------


def test_an_import_is_no_news_but_what_it_leaves_to_be_approved_is(core: Core) -> None:
    topics = {**MLFLOW_TOPICS, **OWN_TOPICS}.items()
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    subscribe(core, *(f"{entity}/{action}" for entity, actions in topics for action in actions))
    origin = "http://mlflow.example.com"
    for name, tags in (("churn", {"k": "v"}), ("leavers", {"l": "w"})):
        given = GivenModel(name, renamed=True, created_ms=5, description=name, tags=tags)
        core.write(models.bring_model, ANN, origin, given)
    for text in ("one", "two"):
        given_version = GivenVersion("leavers", 1, "s3://b/1", description=text, tags={text: "x"})
        core.write(versions.bring_version, ANN, origin, given_version)
    core.write(slots.point, ANN, origin, "leavers", "best", 1)
    core.write(slots.place, ANN, origin, "leavers", 1, "Staging")
    core.write(slots.place, ANN, origin, "leavers", 1, "Archived")
    core.write(slots.point, ANN, origin, "leavers", "best", None)
    acts = core.acts()
    assert {"model:renamed", "model:tag:set", "version:described", "model:alias:set"} <= set(acts)
    assert told(core) == []
    core.write(versions.bring_version, ANN, origin, GivenVersion("leavers", 2, "s3://b/2"))
    core.write(slots.place, ANN, origin, "leavers", 2, "Production")
    assert [topic for topic, _ in told(core)] == ["approval_request/opened"]
    core.approve(1)
    assert "model_version_stage/changed" in [topic for topic, _ in told(core)]
