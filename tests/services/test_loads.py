"""Who loads versions: what is counted as a load, when it is written down, and who hears of it."""

import asyncio
import json
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller, Kind
from modelkeep.domain.endings import State
from modelkeep.domain.errors import InvalidInput, NotFound, Unavailable
from modelkeep.domain.loads import DAY_MS, OTHERS
from modelkeep.domain.models import Version
from modelkeep.services import endings, loads, outbox
from modelkeep.services.endings import Wish
from modelkeep.services.loads import LOADERS_LIMIT, Counter
from modelkeep.workers.housekeeping import Housekeeping
from modelkeep.workers.loads import LoadsWorker
from tests.services.test_webhooks import subscribe
from tests.support.clock import MovedClock
from tests.support.core import ROB, Core

MLFLOW = "mlflow-python-client/3.17.2 (like python-requests/2)"
EVE = Caller(Actor("eve", True), client=MLFLOW, address="10.0.0.7")
SOMEBODY = Caller(Actor(), client="curl/8", address="10.0.0.9")


def versions(core: Core, count: int = 1) -> list[Version]:
    core.model()
    return [core.version() for _ in range(count)]


def write(core: Core) -> None:
    asyncio.run(LoadsWorker(core.app).turn())


def usage(core: Core, number: int | None = None, days: int = 30) -> list[tuple[int, str, int, int]]:
    found = core.read(loads.usage, "churn", number, days)
    return [(u.number, u.loader.name or u.loader.address, u.count, u.days) for u in found]


def deprecate(core: Core, number: int, **facts: Any) -> Version:
    return core.write(endings.change, ROB, Wish("churn", number, State.DEPRECATED, "old", **facts))


def test_loads_are_counted_by_version_person_and_day_and_seen_once_written(
    core: Core, clock: MovedClock
) -> None:
    one, two = versions(core, 2)
    for _ in range(3):
        core.app.loads.note(EVE, one)
    core.app.loads.note(SOMEBODY, one)
    assert usage(core) == []
    write(core)
    clock.advance(DAY_MS)
    core.app.loads.note(EVE, one)
    clock.advance(1000)
    core.app.loads.note(EVE, two)
    write(core)
    assert usage(core) == [(2, "eve", 1, 1), (1, "eve", 4, 2), (1, "10.0.0.9", 1, 1)]
    assert usage(core, 2) == [(2, "eve", 1, 1)]
    clock.advance(DAY_MS)
    assert usage(core, days=1) == [(2, "eve", 1, 1), (1, "eve", 1, 1)]
    (eve, *_) = core.read(loads.usage, "churn", 1, 30)
    assert (eve.loader.client, eve.loader.address) == ("mlflow-python-client/3.17.2", "")
    assert (eve.loader.verified, eve.loader.kind) == (True, "user")


def test_the_files_of_one_download_are_one_load(core: Core, clock: MovedClock) -> None:
    (version,) = versions(core)
    core.app.loads.note(EVE, version)
    for _ in range(5):
        clock.advance(30_000)
        core.app.loads.note(EVE, version, by_file=True)
        write(core)
    assert usage(core) == [(1, "eve", 1, 1)]
    clock.advance(60_000)
    core.app.loads.note(EVE, version, by_file=True)
    core.app.loads.note(SOMEBODY, version, by_file=True)
    write(core)
    assert {row[1:3] for row in usage(core)} == {("eve", 2), ("10.0.0.9", 1)}


def test_what_cannot_be_written_is_counted_all_the_same(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    (version,) = versions(core)
    core.app.loads.note(EVE, version)

    def full(*_: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(loads, "keep", full)
        write(core)
    core.app.loads.note(EVE, version)
    write(core)
    assert usage(core) == [(1, "eve", 2, 1)]


def test_too_many_loaders_to_be_told_apart_are_counted_together(core: Core) -> None:
    (version,) = versions(core)
    counter = Counter(core.clock)
    for number in range(LOADERS_LIMIT + 50):
        counter.note(Caller(Actor(f"user{number}")), version)
    found = {load.loader: load.count for load in counter.take()}
    assert len(found) == LOADERS_LIMIT + 1
    assert found[OTHERS] == 50


def test_of_those_who_were_told_apart_yesterday_none_counts_today(
    core: Core, clock: MovedClock
) -> None:
    (version,) = versions(core)
    counter = Counter(clock)
    for number in range(LOADERS_LIMIT):
        counter.note(Caller(Actor(f"user{number}")), version)
    clock.advance(DAY_MS)
    assert len(counter.take()) == LOADERS_LIMIT
    counter.note(EVE, version)
    assert [load.loader.name for load in counter.take()] == ["eve"]


def test_old_counts_are_forgotten(core: Core, clock: MovedClock) -> None:
    (version,) = versions(core)
    for _ in range(3):
        core.app.loads.note(EVE, version)
        write(core)
        clock.advance(DAY_MS)
    clock.advance((loads.KEPT_DAYS - 2) * DAY_MS)
    asyncio.run(Housekeeping(core.app, 7).turn())
    assert usage(core, days=loads.KEPT_DAYS) == [(1, "eve", 2, 2)]


def test_loads_are_asked_for_by_days_that_are_kept_and_of_what_is_there(core: Core) -> None:
    versions(core)
    for days in (0, loads.KEPT_DAYS + 1):
        with pytest.raises(InvalidInput, match="'days' must be 1 to 400"):
            usage(core, days=days)
    with pytest.raises(NotFound):
        usage(core, 2)


def test_the_first_load_of_a_deprecated_version_is_news_once_a_person_and_day(
    core: Core, clock: MovedClock
) -> None:
    (version, _) = versions(core, 2)
    subscribe(core, "MODEL_VERSION/LOADED")
    core.app.loads.note(EVE, version)
    write(core)
    version = deprecate(core, 1, replacement=2)
    start = len(core.leaves())
    for _ in range(2):
        for client in (MLFLOW, "curl/8"):
            core.app.loads.note(Caller(EVE.actor, client=client), version)
        core.app.loads.note(SOMEBODY, version)
        write(core)
        core.restart()
    assert core.acts(start) == ["version:loaded"] * 2
    clock.advance(DAY_MS)
    core.app.loads.note(EVE, version)
    write(core)
    assert core.acts(start) == ["version:loaded"] * 3
    claims, _ = core.write(outbox.dispatch, "worker", 100)
    first = json.loads(claims[0].body)
    assert (first["entity"], first["action"]) == ("model_version", "loaded")
    assert first["data"] == {
        "name": "churn",
        "version": "1",
        "state": "deprecated",
        "replacement": "2",
        "verified": True,
        "client": "mlflow-python-client/3.17.2",
        "address": "",
        "actor": "eve",
    }


def test_a_webhook_hears_who_loaded_what_is_deprecated_blocked_or_retired(
    core: Core, clock: MovedClock
) -> None:
    (version, _) = versions(core, 2)
    states = ("DEPRECATED", "BLOCKED", "REINSTATED", "RETIRED")
    subscribe(core, *(f"MODEL_VERSION/{state}" for state in states))
    core.app.loads.note(EVE, version)
    core.app.loads.note(Caller(Actor("robot", True, Kind.SERVICE)), version)
    write(core)
    deprecate(core, 1, replacement=2, blocks_ms=clock.now_ms() + 1)
    for state in (State.BLOCKED, State.ACTIVE, State.RETIRED):
        core.write(endings.change, ROB, Wish("churn", 1, state, f"why {state}"))
    bodies = []
    while claims := core.write(outbox.dispatch, "worker", 100)[0]:
        bodies += [json.loads(claim.body) for claim in claims]
        for claim in claims:
            core.write(outbox.settle, claim, outbox.Outcome(status=200))
    assert [body["action"].upper() for body in bodies] == list(states)
    data = bodies[0]["data"]
    assert {reader["name"] for reader in data.pop("loaded_by")} == {"eve", "robot"}
    assert data == {
        "name": "churn",
        "version": "1",
        "from_state": "active",
        "replacement": "2",
        "blocks": "2026-11-16T12:00:00.001Z",
        "reason": "old",
        "actor": "rob",
    }
