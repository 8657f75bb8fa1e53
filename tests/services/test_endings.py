"""Deprecating, blocking and retiring versions: what it takes, what it bars, and what it leaves."""

import asyncio
from random import Random
from typing import Any

import pytest

from modelkeep.domain.endings import State
from modelkeep.domain.errors import (
    Blocked,
    Conflict,
    InvalidInput,
    ModelkeepError,
    NotFound,
    StaleRevision,
    TransitionNotAllowed,
)
from modelkeep.domain.events import instant
from modelkeep.domain.loads import DAY_MS
from modelkeep.domain.models import Version
from modelkeep.services import (
    artifacts,
    checks,
    emergencies,
    endings,
    grants,
    policies,
    registry,
    rehearsal,
)
from modelkeep.services.endings import Wish
from modelkeep.services.promotion import End, Result
from modelkeep.workers.housekeeping import Housekeeping
from tests.support.clock import MovedClock
from tests.support.core import BOB, ROB, Core

ACTIVE, DEPRECATED, BLOCKED, RETIRED = State
GUARDED: dict[str, Any] = {"stage_transitions": {"None -> Production": {"approval_required": True}}}


def with_versions(core: Core, count: int) -> list[Version]:
    core.model()
    return [core.version() for _ in range(count)]


def end(core: Core, number: int, state: State, reason: str = "old data", **facts: Any) -> Any:
    return core.write(endings.change, ROB, Wish("churn", number, state, reason, **facts))


def turn(core: Core) -> None:
    asyncio.run(Housekeeping(core.app, 7).turn(with_models=False))


def address(core: Core, which: int | str) -> str:
    return core.read(registry.download_address, "churn", which)[0]


# -- states ------------------------------------------------------------------------------------


def test_a_version_is_deprecated_blocked_reinstated_and_retired_each_step_in_the_journal(
    core: Core, clock: MovedClock
) -> None:
    version, _ = with_versions(core, 2)
    start = len(core.leaves())
    steps = [
        (DEPRECATED, {"replacement": 2}), (BLOCKED, {}), (ACTIVE, {}), (DEPRECATED, {}),
        (RETIRED, {"replacement": 2}),
    ]  # fmt: skip
    for state, facts in steps:
        clock.advance(1000)
        version = end(core, 1, state, f"why {state}", **facts)
        assert (version.ending.state, version.ending.reason) == (state, f"why {state}")
        assert (version.ending.by, version.ending.since_ms) == ("rob", clock.now_ms())
    assert version.ending.replacement == 2
    assert core.acts(start) == [
        "version:deprecated", "version:blocked", "version:reinstated", "version:deprecated",
        "version:retired",
    ]  # fmt: skip
    assert core.leaves()[-1]["pre"] == {"state": "deprecated"}
    core.restart()
    assert core.get(1).ending == version.ending


def test_a_step_needs_a_reason_and_a_way_that_leads_there(core: Core) -> None:
    with_versions(core, 1)
    for blank in ("", " \u200b\n"):
        with pytest.raises(InvalidInput, match="needs a reason"):
            end(core, 1, BLOCKED, blank)
    with pytest.raises(InvalidInput, match="'reason' exceeds the maximum length of 4000"):
        end(core, 1, BLOCKED, "x" * 4001)
    with pytest.raises(TransitionNotAllowed, match="cannot become active: it is active already"):
        end(core, 1, ACTIVE)
    end(core, 1, RETIRED)
    with pytest.raises(TransitionNotAllowed, match="retired, which is for good"):
        end(core, 1, ACTIVE)
    with pytest.raises(NotFound):
        end(core, 2, BLOCKED)


def test_a_state_that_was_read_before_it_changed_changes_nothing(core: Core) -> None:
    with_versions(core, 1)
    end(core, 1, DEPRECATED, was=ACTIVE)
    with pytest.raises(StaleRevision, match="churn/1 is deprecated, not active"):
        end(core, 1, BLOCKED, was=ACTIVE)
    assert core.get(1).ending.state is DEPRECATED


def test_a_replacement_is_another_version_of_the_model_that_can_be_loaded(core: Core) -> None:
    with_versions(core, 2)
    for wrong in (1, 3):
        with pytest.raises(InvalidInput, match=f"another version of churn, and {wrong} is none"):
            end(core, 1, DEPRECATED, replacement=wrong)
    end(core, 2, BLOCKED)
    with pytest.raises(InvalidInput, match="'replacement' cannot be 2: churn/2 is blocked"):
        end(core, 1, DEPRECATED, replacement=2)
    with pytest.raises(InvalidInput, match="'replacement' is of a version"):
        end(core, 2, ACTIVE, replacement=1)


def test_a_prompt_whose_text_is_in_tags_cannot_be_ended(core: Core) -> None:
    core.model("hello", tags={"mlflow.prompt.is_prompt": "true"})
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "hi"}
    core.register("hello", "prompt-template", tags=tags)
    with pytest.raises(InvalidInput, match="hello is a prompt"):
        core.write(endings.change, ROB, Wish("hello", 1, BLOCKED, "rude"))


# -- who holds -----------------------------------------------------------------------------------


def test_what_production_or_an_alias_holds_is_deprecated_but_not_blocked_or_retired(
    core: Core,
) -> None:
    with_versions(core, 2)
    core.promote(1, "Production")
    core.set_alias("best", 2)
    for number, holder in ((1, "it is in Production"), (2, "alias best points to it")):
        assert end(core, number, DEPRECATED).ending.state is DEPRECATED
        for state in (BLOCKED, RETIRED):
            refused = end(core, number, state)
            assert isinstance(refused, Result)
            assert refused.end is End.REFUSED
            assert f"churn/{number} may not be {state}" in refused.message
            assert holder in refused.message
            assert core.acts()[-1] == "version:stage:refused"
        assert core.get(number).ending.state is DEPRECATED


def test_a_stage_that_guards_nothing_may_keep_what_is_blocked(core: Core) -> None:
    with_versions(core, 2)
    core.promote(1, "Staging")
    assert end(core, 1, BLOCKED).ending.is_over
    end(core, 1, ACTIVE)
    core.apply({"stage_transitions": {"None -> Staging": {"required_tags": ["tested"]}}})
    assert "it is in Staging" in end(core, 1, BLOCKED).message


def test_what_is_blocked_or_retired_comes_by_no_way_into_a_stage_or_alias(core: Core) -> None:
    with_versions(core, 2)
    core.promote(1, "Staging")
    for state in (BLOCKED, RETIRED):
        end(core, 1, state, "unsafe", replacement=2)
        for stage in ("Production", "Staging"):
            moved = core.promote(1, stage)
            assert moved.end is (End.UNCHANGED if stage == "Staging" else End.REFUSED)
        pointed = core.set_alias("champion", 1)
        assert pointed.end is End.REFUSED
        said = f"churn/1 is {state}: unsafe. Use models:/churn/2 instead."
        assert said in pointed.message
        decision = core.read(checks.check, ROB, "churn", "1", "Production", "").decision
        assert said in decision.explain()
    assert core.alias("champion") is None
    assert core.promote(1, "Archived").end is End.MOVED  # out of the way it may go


def test_the_glass_cannot_be_broken_for_what_is_blocked(core: Core) -> None:
    with_versions(core, 1)
    core.apply(GUARDED)
    end(core, 1, BLOCKED)
    forced = core.write(emergencies.break_glass, BOB, "churn", 1, "Production", "now!")
    assert forced.end is End.REFUSED
    assert core.stages() == {1: "None"}


def test_what_waits_for_an_approval_is_void_once_it_is_blocked(core: Core) -> None:
    with_versions(core, 1)
    core.apply(GUARDED)
    waiting = core.promote(1, "Production")
    assert waiting.end is End.WAITING
    end(core, 1, BLOCKED)
    assert core.leaves()[-1]["post"]["requests"] == [{"id": waiting.request_id, "status": "void"}]
    assert core.approve(waiting.request_id).end in (End.VOID, End.REFUSED)
    assert core.stages() == {1: "None"}


def test_a_refusal_by_its_state_is_none_that_another_policy_would_change(core: Core) -> None:
    with_versions(core, 1)
    end(core, 1, BLOCKED)
    assert core.promote(1, "Production").end is End.REFUSED
    other = {"model_registry": {"stage_transitions": {"None -> Staging": {}}}}
    assert core.read(rehearsal.rehearse, other, "", 0) == []


# -- rollbacks -----------------------------------------------------------------------------------


def test_a_rollback_passes_over_what_is_blocked(core: Core) -> None:
    with_versions(core, 3)
    for number in (1, 2, 3):
        core.promote(number, "Production", archive_existing=True)
    end(core, 2, BLOCKED, "unsafe")
    with pytest.raises(Conflict, match="churn/2 is blocked: unsafe"):
        core.roll_back(to=2)
    assert core.roll_back().version.number == 1
    core.promote(3, "Production", archive_existing=True)
    end(core, 1, RETIRED)
    with pytest.raises(Conflict, match="blocked, retired or deleted; there is nothing to return"):
        core.roll_back()


# -- resolving -----------------------------------------------------------------------------------


def test_ranges_stages_and_latest_pass_over_what_is_retired_but_not_over_what_is_blocked(
    core: Core,
) -> None:
    with_versions(core, 3)
    newest = str(core.get(3).semver)
    for which in ("latest", "^1", newest, "None", "3"):
        if which != "^1":
            assert core.read(registry.get_version, "churn", which).number == 3
    end(core, 3, BLOCKED, "unsafe")
    assert core.read(registry.get_version, "churn", "latest").number == 3
    with pytest.raises(Blocked, match="churn/3 is blocked: unsafe"):
        address(core, "latest")
    end(core, 3, RETIRED)
    assert core.read(registry.get_version, "churn", "latest").number == 2
    assert core.read(registry.get_version, "churn", "None").number == 2
    assert [v.number for v in core.read(registry.latest_versions, "churn", [])] == [2]
    assert core.read(registry.get_version, "churn", newest).number == 3
    with pytest.raises(NotFound):
        core.read(registry.get_version, "churn", f"~{newest}")
    assert core.get(3).ending.state is RETIRED


# -- loads ---------------------------------------------------------------------------------------


def test_no_way_to_the_bytes_of_a_blocked_version_is_left_open(core: Core) -> None:
    (version,) = with_versions(core, 1)
    where = address(core, 1).removeprefix("mlflow-artifacts:/")
    frozen, own = f"{where}/weights", f"0/{version.run_id}/artifacts/model/weights"
    signer = core.app.signer
    grant, _, _ = core.read(grants.to_download, signer, frozen, 300)
    ways: list[tuple[Any, ...]] = [
        (registry.download_address, "churn", 1),
        (artifacts.fetch, frozen),
        (artifacts.fetch_in_version, "churn", 1, "weights"),
        (artifacts.fetch_named, "churn", "1", "weights"),
        (grants.to_download, signer, frozen, 300),
        (grants.download, signer, grant),
    ]
    end(core, 1, DEPRECATED)
    for way in ways:
        core.read(*way)
    for state in (BLOCKED, RETIRED):
        end(core, 1, state, "unsafe")
        for way in ways:
            with pytest.raises(Blocked, match=f"churn/1 is {state}: unsafe"):
                core.read(*way)
        for source in ("models:/churn/1", f"mlflow-artifacts:/{where}"):
            with pytest.raises(Blocked):
                core.register("churn", source)
    assert core.read(artifacts.fetch, own).file.path == own  # of the run, not of the version


def test_a_label_that_was_copied_is_blocked_with_its_original(core: Core) -> None:
    core.model()
    core.register("churn", "s3://bucket/model")
    core.register("churn", "models:/churn/1")
    assert address(core, 2) == "s3://bucket/model"
    end(core, 1, BLOCKED)
    with pytest.raises(Blocked, match="churn/1"):
        address(core, 2)


# -- the date ------------------------------------------------------------------------------------


def test_a_deprecated_version_is_blocked_when_its_date_has_come(
    core: Core, clock: MovedClock
) -> None:
    with_versions(core, 2)
    end(core, 1, DEPRECATED, replacement=2, blocks_ms=clock.now_ms() + DAY_MS)
    turn(core)
    assert core.get(1).ending.state is DEPRECATED
    clock.advance(DAY_MS)
    turn(core)
    ending = core.get(1).ending
    assert (ending.state, ending.reason, ending.by) == (BLOCKED, "old data", "modelkeep")
    assert (ending.replacement, ending.blocks_ms) == (2, None)
    turn(core)
    assert core.acts().count("version:blocked") == 1


def test_the_date_waits_for_whoever_holds_the_version_and_for_nobody_else(
    core: Core, clock: MovedClock
) -> None:
    with_versions(core, endings.BATCH + 2)
    core.set_alias("best", 1)
    for number in range(1, endings.BATCH + 2):
        end(core, number, DEPRECATED, blocks_ms=clock.now_ms() + 1)
    clock.advance(1)
    turn(core)
    states = {n: core.get(n).ending.state for n in range(1, endings.BATCH + 3)}
    assert states[1] is DEPRECATED
    assert states[endings.BATCH + 2] is ACTIVE
    assert {states[n] for n in range(2, endings.BATCH + 2)} == {BLOCKED}
    core.set_alias("best", endings.BATCH + 2)
    turn(core)
    assert core.get(1).ending.state is BLOCKED


def test_a_date_is_to_come_and_of_a_deprecated_version(core: Core, clock: MovedClock) -> None:
    with_versions(core, 1)
    now = clock.now_ms()
    with pytest.raises(InvalidInput, match=f"time to come, and {instant(now)} is past"):
        end(core, 1, DEPRECATED, blocks_ms=now)
    with pytest.raises(InvalidInput, match="'blocks' is the date"):
        end(core, 1, BLOCKED, blocks_ms=now + 1)


# -- whatever happens ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_is_over_ever_holds_an_alias_production_or_a_guarded_stage(
    core: Core, clock: MovedClock, seed: int
) -> None:
    chance = Random(seed)
    with_versions(core, 4)
    asked = chance.choice([{}, {"approval_required": True}, {"required_tags": ["tested"]}])
    if seed % 2:
        core.apply({"stage_transitions": {"None -> Production": asked, "None -> Staging": {}}})
    done = dict.fromkeys(State, 0)
    for _ in range(120):
        number = chance.randint(1, 4)
        clock.advance(1000)
        try:
            done_now = _random_step(core, chance, clock, number)
        except ModelkeepError:
            continue
        if isinstance(done_now, Version):
            done[done_now.ending.state] += 1
        _check_held(core)
    assert all(done[state] for state in (ACTIVE, DEPRECATED, BLOCKED))


def _random_step(core: Core, chance: Random, clock: MovedClock, number: int) -> Any:
    match chance.randrange(10):
        case 0 | 1 | 2:
            return core.promote(number, chance.choice(["Production", "Staging", "Archived"]))
        case 3:
            return core.set_alias(chance.choice(["champion", "best"]), number)
        case 4:
            return core.roll_back()
        case 5:
            return core.approve(chance.randint(1, 5))
        case 6:
            core.tag(number, "tested")
            return turn(core)
        case _:
            weights = (6, 4, 4, 1 if number == 4 else 0)
            (state,) = chance.choices(list(State), weights)
            later = clock.now_ms() + 5000 if state is DEPRECATED else None
            return end(core, number, state, blocks_ms=later)


def _check_held(core: Core) -> None:
    cycle = core.read(policies.lifecycle_of, "churn")
    for number in range(1, 5):
        version = core.get(number)
        if version.ending.is_over:
            assert not version.aliases
            assert version.stage != "Production"
            assert not cycle.holds(version.stage)
