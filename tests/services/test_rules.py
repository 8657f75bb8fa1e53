"""Rules over the outbox: which events leave for which receivers, and that the journal knows."""

import json
from typing import Any

import pytest

from modelkeep.domain.addresses import parse_target
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.notifications import CONFIRM_MS
from modelkeep.domain.rules import TARGETS_LIMIT, State, Target
from modelkeep.domain.webhooks import Outcome, Status
from modelkeep.services import outbox, rules, subscriptions, topics, webhooks
from tests.support.clock import MovedClock
from tests.support.core import ANN, TAGS, Core

TOPIC = "arn:aws:sns:eu-central-1:123456789012:approvals"
RULE = "arn:aws:events:eu-central-1:123456789012:rule/approvals"
POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Staging": {"required_tags": ["tested"]},
        "Staging -> Production": {"approval_required": True},
    }
}
TARGET = parse_target("https://hooks.example.com/sns", allow_private=False)


def sent(core: Core) -> list[dict[str, Any]]:
    """Everything that there is to send, sent; the bodies in order."""
    bodies: list[dict[str, Any]] = []
    while claims := core.write(outbox.dispatch, "lease", 100)[0]:
        for claim in claims:
            bodies.append(json.loads(claim.body))
            core.write(outbox.settle, claim, Outcome(status=200))
    return bodies


def listening(core: Core, pattern: dict[str, Any], places: int = 1) -> None:
    """A confirmed subscription, and a rule that sends it what matches."""
    core.write(topics.create, ANN, TOPIC)
    core.write(subscriptions.subscribe, ANN, TOPIC, TARGET.url, "https://modelkeep.example.com")
    (asked,) = sent(core)
    core.write(subscriptions.confirm, ANN, TOPIC, asked["Token"])
    core.write(rules.put, ANN, RULE, json.dumps(pattern), State.ENABLED, "")
    core.write(rules.aim, ANN, RULE, [Target(0, str(i), TOPIC) for i in range(places)])


def test_an_approval_by_votes_is_told_once_with_the_rules_account(core: Core) -> None:
    core.model()
    core.version(tags=TAGS)
    core.apply(POLICY)
    listening(core, {"detail": {"UpdatedModelPackageFields": ["ModelApprovalStatus"]}})
    core.promote(1, "Staging")
    asked = core.promote(1, "Production")
    core.approve(asked.request_id)
    (message,) = sent(core)
    event = json.loads(message["Message"])
    assert (event["account"], event["region"]) == ("123456789012", "eu-central-1")
    detail = event["detail"]
    assert detail["ModelApprovalStatus"] == "Approved"
    assert detail["PreviousValues"] == {
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "Approved"},
    }
    assert core.verify().is_intact


def test_a_rejected_request_and_a_rollback_are_told_as_rejections(core: Core) -> None:
    core.model()
    for _ in range(3):
        core.version(tags=TAGS)
    core.apply(POLICY)
    listening(core, {"detail": {"ModelApprovalStatus": ["Rejected"]}})
    for number in (1, 2, 3):
        core.promote(number, "Staging")
        asked = core.promote(number, "Production")
        if number == 3:
            core.reject(asked.request_id)
        else:
            core.approve(asked.request_id)
    core.roll_back("it drifts")
    told = [json.loads(message["Message"])["detail"] for message in sent(core)]
    assert [detail["ModelPackageVersion"] for detail in told] == [3, 2]


def test_each_target_of_a_rule_gets_an_event_once_under_an_id_of_its_own(core: Core) -> None:
    core.model()
    listening(core, {"source": ["aws.sagemaker"]}, places=2)
    core.version()
    first, second = sent(core)
    assert first["Message"] == second["Message"]
    assert first["MessageId"] != second["MessageId"]
    core.write(lambda work: work.webhooks.move_cursor(0))  # as if the cursor had been lost
    assert sent(core) == []


def test_a_subscriber_that_filters_by_the_event_gets_those_alone_that_it_wants(
    core: Core,
) -> None:
    core.model()
    listening(core, {"source": ["aws.sagemaker"]})
    (subscription,) = core.read(subscriptions.listing)
    wanted = {
        "FilterPolicy": '{"detail": {"ModelPackageVersion": [2]}}',
        "FilterPolicyScope": "MessageBody",
    }
    core.write(subscriptions.amend, ANN, subscription.subscription, wanted)
    for _ in range(3):
        core.version()
    (message,) = sent(core)
    assert json.loads(message["Message"])["detail"]["ModelPackageVersion"] == 2
    assert core.verify().is_intact


def test_a_token_confirms_for_three_days_and_then_a_new_one_does(
    core: Core, clock: MovedClock
) -> None:
    core.write(topics.create, ANN, TOPIC)
    core.write(subscriptions.subscribe, ANN, TOPIC, TARGET.url, "https://modelkeep.example.com")
    (old,) = sent(core)
    clock.advance(CONFIRM_MS + 1)
    with pytest.raises(InvalidInput, match="three days"):
        core.write(subscriptions.confirm, ANN, TOPIC, old["Token"])
    core.write(subscriptions.subscribe, ANN, TOPIC, TARGET.url, "https://modelkeep.example.com")
    (new,) = sent(core)
    with pytest.raises(InvalidInput):
        core.write(subscriptions.confirm, ANN, TOPIC, old["Token"])
    assert core.write(subscriptions.confirm, ANN, TOPIC, new["Token"]).status is Status.ACTIVE
    assert len(core.read(subscriptions.listing)) == 1
    assert core.verify().is_intact


def test_a_subscription_goes_with_its_topic_and_is_no_webhook_to_change(core: Core) -> None:
    listening(core, {"source": ["aws.sagemaker"]})
    (subscription,) = core.read(subscriptions.listing)
    with pytest.raises(NotFound):
        core.read(webhooks.get, subscription.webhook_id)
    assert core.read(webhooks.listing) == []
    core.write(topics.delete, ANN, TOPIC)
    assert core.read(subscriptions.listing) == []
    with pytest.raises(NotFound):
        core.write(topics.publish, TOPIC, "m", None)


def test_a_rule_has_at_most_five_targets(core: Core) -> None:
    with pytest.raises(LimitExceeded, match="at most 5"):
        listening(core, {"source": ["aws.sagemaker"]}, places=TARGETS_LIMIT + 1)
    assert core.read(rules.get, RULE).targets == ()
