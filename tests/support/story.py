"""A story of every kind of event, for the tests of whatever has to know them all."""

import asyncio
from typing import Any

from modelkeep.domain.access import Grant, Role, Verb
from modelkeep.domain.addresses import parse_target
from modelkeep.domain.approvals import DAY_MS, LIFETIME_MS
from modelkeep.domain.credentials import TokenKind, mint, mint_key
from modelkeep.domain.endings import State
from modelkeep.domain.resources import Kind
from modelkeep.domain.rules import State as RuleState
from modelkeep.domain.rules import Target as RuleTarget
from modelkeep.domain.sharing import Place
from modelkeep.domain.stamps import Stamp
from modelkeep.domain.webhooks import Changes, Outcome, Status, topic_of
from modelkeep.services import (
    accounts,
    cards,
    denials,
    deployables,
    emergencies,
    endings,
    holds,
    intake,
    numbering,
    outbox,
    papers,
    promotion,
    registry,
    requests,
    resources,
    rules,
    sharing,
    signing,
    stamping,
    subscriptions,
    sweeping,
    topics,
    uploads,
    webhooks,
)
from modelkeep.services.endings import Wish
from modelkeep.services.imports import models, versions
from modelkeep.services.imports.models import GivenModel
from modelkeep.services.imports.versions import GivenVersion
from modelkeep.services.retention import SYSTEM
from modelkeep.services.signing import Signing
from modelkeep.workers.loads import LoadsWorker
from tests.support.clock import MovedClock
from tests.support.core import ANN, BOB, NOBODY, ROB, TAGS, Core

ELSEWHERE = "http://mlflow.example:5000"
HOME = Place("us-east-1", "000000000000")
SHARED = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},'
    '"Action":"sagemaker:DescribeModelPackage","Resource":"*"}}'
)
POLICY: dict[str, Any] = {
    "stage_transitions": {
        "None -> Staging": {"required_tags": ["tested"], "required_metrics": ["accuracy"]},
        "Staging -> Production": {"approval_required": True},
        "Archived -> Production": {"approval_required": True},
    }
}


def tell(core: Core, clock: MovedClock) -> None:
    """Some seventy events, of every kind, several to a moment."""
    core.model("other", tags={"a": "1", "b": "2"}, description="another")
    core.model("churn", by=NOBODY)
    core.write(registry.describe_model, ANN, "churn", "who leaves")
    core.write(registry.set_model_tag, ANN, "churn", "team", "x")
    core.write(registry.set_model_tag, BOB, "churn", "team", "y")
    core.write(registry.set_model_tag, BOB, "churn", "gone", "z")
    core.write(registry.delete_model_tag, BOB, "churn", "gone")
    clock.advance(1000)
    for _ in range(4):
        core.version(tags=TAGS)
    core.version(metrics={}, tags={})
    core.register("churn", "s3://bucket/model", description="a label", by=NOBODY)
    core.register("other", "models:/churn/1")
    core.write(registry.describe_version, BOB, "churn", 2, "the second")
    core.tag(2, "note", "é " * 50)
    core.tag(2, "note", "")
    core.tag(3, "gone")
    core.write(registry.delete_version_tag, ANN, "churn", 3, "gone")
    core.set_alias("best", 1)
    core.set_alias("best", 2)
    core.write(promotion.set_alias, ROB, "other", "best", 1)
    core.promote(5, "Production", reason="before there was a policy")
    core.promote(4, "Production")
    core.write(registry.rename_model, ANN, "churn", "leavers")
    core.write(registry.rename_model, ANN, "other", "churn")
    core.write(registry.rename_model, ANN, "churn", "other")
    core.write(registry.rename_model, ANN, "leavers", "churn")
    clock.advance(1000)
    core.apply(POLICY)
    core.promote(5, "Staging")
    core.promote(6, "Staging", by=BOB, reason="why not")
    core.promote(1, "Production")
    for number in (1, 2, 3):
        core.promote(number, "Staging", reason=f"number {number}")
        clock.advance(10)
    first = core.promote(1, "Production", reason="better")
    core.approve(first.request_id, by=ANN)
    core.approve(first.request_id)
    second = core.promote(2, "Production")
    core.reject(second.request_id, comment="not yet")
    core.tag(2, "modelkeep.reason", "now it is")
    third = core.promote(2, "Production")
    core.log(str(core.get(2).run_id), accuracy=0.97)
    fourth = core.promote(2, "Production")
    assert third.request_id != fourth.request_id
    clock.advance(1000)
    core.approve(fourth.request_id, comment="good")
    core.roll_back("it drifts")
    core.set_alias("champion", 3)
    core.write(promotion.delete_alias, ROB, "churn", "champion")
    core.promote(3, "None")
    core.write(promotion.delete_alias, ROB, "churn", "best")
    core.promote(3, "Staging")
    waiting = core.promote(3, "Production").request_id
    core.apply({**POLICY, "aliases": {"champion": "Production"}})
    assert waiting
    core.write(registry.delete_version, ANN, "churn", 5)
    again = core.promote(3, "Production")
    core.write(promotion.delete_alias, ROB, "other", "best")
    core.write(registry.delete_model, BOB, "other")
    core.model("third")
    core.roll_back("further back")
    assert again.request_id
    tell_of_webhooks(core)


def tell_of_webhooks(core: Core) -> None:
    topics = (topic_of("MODEL_VERSION", "CREATED"), topic_of("MODEL_VERSION_STAGE", "CHANGED"))
    target = parse_target("https://hooks.example.com/", allow_private=False)
    wanted = Changes(name="hook", topics=topics, description="deploys")
    ids = [webhooks.new_id() for _ in range(3)]
    for webhook_id in ids:
        core.write(webhooks.create, ANN, wanted, target, "sealed", webhook_id)
    other = Changes(topics=topics[:1], description="", secret="")
    core.write(webhooks.change, BOB, ids[0], other, None, None)
    core.write(webhooks.delete, BOB, ids[1])
    core.write(lambda work: webhooks.disable(work, NOBODY, webhooks.get(work, ids[2]), "gone"))
    core.write(webhooks.change, ANN, ids[2], Changes(status=Status.ACTIVE), None, None)
    core.register("churn", "s3://bucket/another")
    ((claim, *_), _) = core.write(outbox.dispatch, "lease", 9)
    core.write(outbox.settle, claim, Outcome(status=200))
    core.write(webhooks.replay, BOB, claim.delivery_id)


def tell_of_topics(core: Core) -> None:
    arns = [f"arn:aws:sns:us-east-1:000000000000:topic-{i}" for i in range(2)]
    for arn in arns:
        core.write(topics.create, ANN, arn)
    target = parse_target("https://hooks.example.com/sns", allow_private=False)
    for arn in arns:
        core.write(subscriptions.subscribe, BOB, arn, target.url, "https://modelkeep.example.com")
    wanted = {"FilterPolicy": '{"team": ["risk"]}'}
    letters = "email:ann@example.org"
    made = core.write(
        subscriptions.subscribe, BOB, arns[0], letters, "https://m.example.com", wanted
    )
    core.write(subscriptions.amend, ANN, made.subscription, {"FilterPolicyScope": "MessageBody"})
    core.write(subscriptions.unsubscribe, ANN, made.subscription)
    core.write(topics.change, BOB, arns[0], {"DisplayName": "Grüße"})
    core.write(stamping.keep, ANN, Stamp("1" * 32, "sealed", "a certificate", 1), None)
    names = [f"arn:aws:events:us-east-1:000000000000:rule/rule-{i}" for i in range(2)]
    for name in names:
        pattern = '{"source": ["aws.sagemaker"]}'
        core.write(rules.put, ANN, name, pattern, RuleState.ENABLED, "of packages")
    core.write(rules.aim, ANN, names[0], [RuleTarget(0, "a", arns[0], '"é"')])
    core.write(rules.switch, BOB, names[0], RuleState.DISABLED)
    core.write(rules.delete, BOB, names[1])
    core.write(topics.delete, ANN, arns[1])


def tell_the_rest(core: Core, clock: MovedClock) -> None:
    """What `tell`, which is told anew for many a test, leaves out. On a core with nothing in it."""
    tell_of_people(core)
    tell_of_reviews(core, clock)
    tell_of_endings(core, clock)
    tell_of_topics(core)
    tell_of_resources(core)
    tell_of_arrivals(core)
    core.write(models.bring_model, ANN, ELSEWHERE, GivenModel("old"))
    core.write(versions.bring_version, ANN, ELSEWHERE, GivenVersion("old", 3, "s3://bucket/3"))
    tell_of_a_fork(core)


def tell_of_people(core: Core) -> None:
    core.write(accounts.add_user, ANN, "sam", "a hash")
    core.write(accounts.add_service, ANN, "ci", "sam")
    core.write(accounts.set_password, ANN, "sam", "another hash")
    for name in ("sam", "ci"):
        token = mint(TokenKind.PERSONAL)
        core.write(accounts.add_token, ANN, name, token, "notebook", DAY_MS)
        core.write(accounts.add_grant, ANN, name, Grant(Role.VIEWER))
    core.write(accounts.revoke, ANN, "ci", token.id)
    number = "123456789012"
    core.write(accounts.add_token, ANN, "ci", mint_key(), "job", DAY_MS, "sealed", number)
    core.write(accounts.remove_grant, ANN, "ci", Grant(Role.VIEWER))
    core.write(accounts.disable, ANN, "sam")
    core.write(accounts.enable, ANN, "sam")
    core.write(accounts.delete, ANN, "ci")


def tell_of_reviews(core: Core, clock: MovedClock) -> None:
    core.model("churn")
    for _ in range(3):
        core.version(tags=TAGS)
    core.write(papers.attach, ANN, "churn", "1", "card", "text/plain", "what it is for")
    core.write(numbering.raise_number, ANN, "churn", "3", to="9.0.0")
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    first = core.promote(1, "Production", epoch=0).request_id
    second = core.promote(2, "Production").request_id
    core.approve(second)
    core.approve(first)  # of another epoch: void
    third = core.promote(3, "Production").request_id
    core.write(requests.comment, BOB, third, "is it?")
    core.write(requests.withdraw, ROB, third, "it is not")
    core.promote(3, "Production")
    clock.advance(LIFETIME_MS - 1)
    core.write(requests.lapse, SYSTEM)
    clock.advance(1)
    core.write(requests.lapse, SYSTEM)
    core.write(emergencies.break_glass, ROB, "churn", 1, "Production", "fire")
    clock.advance(DAY_MS)
    core.write(emergencies.mark_overdue, SYSTEM)
    core.write(emergencies.review, BOB, 1, "it was", accepts=True)


def tell_of_endings(core: Core, clock: MovedClock) -> None:
    old = core.version()
    for state in (State.DEPRECATED, State.BLOCKED, State.ACTIVE, State.DEPRECATED):
        core.write(endings.change, ROB, Wish("churn", old.number, state, "old data"))
    core.app.loads.note(BOB, core.get(old.number))
    asyncio.run(LoadsWorker(core.app).turn())
    core.write(endings.change, ROB, Wish("churn", old.number, State.RETIRED, "older data"))
    core.write(holds.place, ANN, "churn", old.number, "a complaint")
    core.write(holds.release, ANN, "churn", old.number, "it was settled")
    core.write(denials.record, BOB, Verb.APPROVE, "churn")
    core.put(uploads.path_in("upload-0001", "weights"), "never registered")
    clock.advance(7 * DAY_MS)
    core.write(sweeping.sweep, SYSTEM, "upload-0001", 7)


def tell_of_resources(core: Core) -> None:
    said, tags = {"Content": "{}"}, {"team": "risk", "gone": "soon"}
    core.write(cards.create, ANN, "card", said, "Draft", tags)
    core.write(cards.update, BOB, "card", '{"model_overview": {}}', None)
    core.write(cards.update, BOB, "card", None, "Approved")
    core.write(resources.add_tags, ANN, Kind.CARD, "card", {"team": "fraud"})
    core.write(resources.remove_tags, ANN, Kind.CARD, "card", ["gone"])
    core.write(cards.create, NOBODY, "other", said, "Draft", {})
    core.write(resources.delete, ANN, Kind.CARD, "other")
    core.write(cards.create, NOBODY, "other", said, "Draft", {})
    for version in ("2008-10-17", "2012-10-17"):
        core.write(sharing.put, ANN, "churn", SHARED.replace("2012-10-17", version), HOME)
    core.model("lent")
    core.write(sharing.put, ANN, "lent", SHARED, HOME)
    core.write(sharing.delete, BOB, "lent")
    core.write(deployables.create, ANN, "serving", {"PrimaryContainer": {}}, [], {})


def tell_of_arrivals(core: Core) -> None:
    for key in ("whole", "broken"):
        run_id = core.run()
        core.write(intake.land, BOB, f"0/{run_id}/artifacts/model/weights", key, 1 << 20)
        core.register("churn", f"runs:/{run_id}/model")
    whole, broken = core.write(intake.arrivals, 2)
    core.write(intake.settle, whole, "0" * 64, core.clock.now_ms())
    core.write(intake.refuse_arrival, broken, "it is gone")


def tell_of_a_fork(core: Core) -> None:
    asyncio.run(Signing(core.app, "log.example/1").turn())
    core.close()
    (core.settings.data_dir / "journal.key").unlink()
    core.restart()
    asyncio.run(signing.fork(core.app, ANN, "the key was lost"))
