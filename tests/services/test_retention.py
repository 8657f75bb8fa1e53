"""What time does to versions: the plan, the doing, and the worker that does it by itself."""

import asyncio
from typing import Any

import pytest

from modelkeep.domain.errors import NotFound
from modelkeep.domain.retention import DAY_MS
from modelkeep.services import promotion, registry, retention
from modelkeep.services.promotion import Order
from modelkeep.services.retention import Item
from modelkeep.workers.housekeeping import Housekeeping
from tests.support.clock import MovedClock
from tests.support.core import ANN, ROB, Core

POLICY: dict[str, Any] = {
    "version_policy": {"max_versions": 3, "retention_days": 100, "archive_stages": ["Archived"]},
    "stages": [{"name": "Staging", "archive_after_days": 10}, "Production"],
    "stage_transitions": {"None -> Production": {}},
}


def with_versions(core: Core, count: int) -> None:
    """They are labels, which costs less than bytes."""
    core.model()
    for number in range(1, count + 1):
        core.register("churn", f"s3://bucket/{number}")


def told(items: list[Item]) -> dict[int, str]:
    return {item.version.number: item.kept or item.due.fate.value for item in items}


def planned(core: Core) -> dict[int, str]:
    return told(core.read(retention.plan, "churn").items)


def tend(core: Core) -> dict[int, str]:
    numbers = core.read(retention.going, "churn")
    return told(core.write(retention.tend, ROB, "churn", numbers))


def test_a_stable_version_is_archived_after_its_days(core: Core, clock: MovedClock) -> None:
    with_versions(core, 3)
    core.apply(POLICY)
    core.promote(1, "Staging")
    clock.advance(5 * DAY_MS)
    core.promote(2, "Staging")
    clock.advance(5 * DAY_MS)
    assert planned(core) == tend(core) == {1: "archive"}
    assert core.stages() == {1: "Archived", 2: "Staging", 3: "None"}
    leaf = core.leaves()[-1]
    assert leaf["act"] == "version:stage:changed"
    assert leaf["why"]["retention"] == {"rule": "archive_after_days", "limit": 10}
    assert tend(core) == {}


def test_old_versions_are_deleted_from_view(core: Core, clock: MovedClock) -> None:
    with_versions(core, 5)
    core.apply(POLICY)
    for number in (1, 2, 5):
        core.promote(number, "Archived")
    assert planned(core) == {1: "retire", 2: "retire"}
    assert tend(core) == {1: "retire", 2: "retire"}
    assert core.acts()[-2:] == ["version:deleted"] * 2
    clock.advance(100 * DAY_MS)
    assert tend(core) == {5: "retire"}
    assert core.stages() == {3: "None", 4: "None"}
    assert core.leaves()[-1]["why"]["retention"] == {"rule": "retention_days", "limit": 100}


def test_time_is_counted_from_when_a_version_came_where_it_is(
    core: Core, clock: MovedClock
) -> None:
    with_versions(core, 2)
    core.apply({"version_policy": {"retention_days": 10, "archive_stages": ["None", "Archived"]}})
    clock.advance(9 * DAY_MS)
    core.promote(1, "Archived")
    core.promote(2, "Archived")
    core.promote(2, "None")
    clock.advance(9 * DAY_MS)
    assert planned(core) == {}
    clock.advance(1 * DAY_MS)
    assert planned(core) == {1: "retire", 2: "retire"}


def test_what_is_in_use_is_kept_and_said_to_be(core: Core, clock: MovedClock) -> None:
    with_versions(core, 7)
    waits = {"Archived -> Production": {"approval_required": True}, "None -> Production": {}}
    core.apply({"version_policy": {"max_versions": 1}, "stage_transitions": waits})
    core.promote(1, "Production")
    core.promote(2, "Production")
    for number in (3, 4, 5, 6):
        core.promote(number, "Archived")
    core.set_alias("best", 3)
    core.tag(4, "modelkeep.hold", "case 12")
    core.promote(5, "Production")
    assert planned(core) == {
        1: "a rollback of Production would return to it",
        3: "alias best points to it",
        4: "its tag modelkeep.hold says so",
        5: "request 1 waits for an approval",
        6: "retire",
    }
    assert tend(core) == {6: "retire"}
    clock.advance(8 * DAY_MS)  # by then the request has expired
    assert tend(core) == {5: "retire"}


def test_what_came_into_use_since_it_was_planned_is_kept(core: Core) -> None:
    with_versions(core, 6)
    core.apply(POLICY)
    for number in (1, 2):
        core.promote(number, "Archived")
    numbers = core.read(retention.going, "churn")
    core.set_alias("best", 1)
    core.write(registry.delete_version, ANN, "churn", 2)
    assert core.write(retention.tend, ROB, "churn", [*numbers, 3, 99]) == []
    with pytest.raises(NotFound):
        core.write(retention.tend, ROB, "gone", [1])


def test_much_that_is_due_is_done_in_small_steps(core: Core) -> None:
    with_versions(core, 50)
    core.apply({"version_policy": {"max_versions": 1}})
    core.write(archive_all, range(1, 46))
    numbers = core.read(retention.going, "churn")
    assert numbers == list(range(1, 1 + retention.BATCH))
    assert core.read(retention.going, "churn", 40) == [41, 42, 43, 44, 45]


def archive_all(work: Any, numbers: Any) -> None:
    for number in numbers:
        promotion.request(work, ROB, Order("churn", number, "Archived"))


def test_without_a_policy_nothing_is_ever_due(core: Core, clock: MovedClock) -> None:
    with_versions(core, 3)
    core.promote(1, "Archived")
    clock.advance(10_000 * DAY_MS)
    assert planned(core) == {}
    assert core.read(retention.plans) == core.read(retention.tended) == []


def test_plans_are_of_the_models_that_have_something_due(core: Core) -> None:
    with_versions(core, 5)
    core.model("idle")
    core.apply(POLICY)
    core.promote(1, "Archived")
    (plan,) = core.read(retention.plans)
    assert (plan.model, plan.lifecycle, plan.is_whole) == ("churn", "default", True)


# -- the worker --------------------------------------------------------------------------------


def test_the_worker_tends_every_model_from_a_day_after_the_policy_on(
    core: Core, clock: MovedClock
) -> None:
    with_versions(core, 30)
    core.apply(POLICY)
    core.write(archive_all, range(1, 26))
    worker = Housekeeping(core.app, 7)
    clock.advance(DAY_MS - 1)
    asyncio.run(worker.turn())
    assert len(core.stages()) == 30
    clock.advance(1)
    asyncio.run(worker.turn())
    assert sorted(core.stages()) == [26, 27, 28, 29, 30]
    actor = core.leaves()[-1]["actor"]
    assert (core.leaves()[-1]["texts"]["actor"], actor["verified"]) == ("modelkeep", True)
    size = len(core.leaves())
    asyncio.run(worker.turn())
    assert len(core.leaves()) == size


def test_the_worker_starts_and_ends_without_waiting_for_its_hour(core: Core) -> None:
    worker = Housekeeping(core.app, 7)
    worker.close()
    worker = Housekeeping(core.app, 7)
    worker.start()
    worker.close()
