"""What point reads remember: never older than what anybody was told before."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from modelkeep.domain.models import FAILED, PENDING, Version
from modelkeep.ports.work import About, Work
from modelkeep.protocols.mlflow import registry as wire
from modelkeep.services import creation, intake, numbering, promotion, registry
from modelkeep.storage.sql.recent import Recent
from tests.support.core import ANN, ROB, Core
from tests.support.mover import Mover

WAIT_S = 60.0


def champion(work: Work, name: str, alias: str) -> About[Version | None]:
    return About(registry.version_by_alias(work, name, alias), registry.get_model(work, name).id)


def recalled(core: Core, name: str = "churn", alias: str = "champion") -> Any:
    return core.ask(core.app.recall(champion, name, alias))


def looked_up(core: Core, name: str = "churn", alias: str = "champion") -> Any:
    return core.ask(core.app.read(champion, name, alias)).value


@pytest.fixture
def labelled(core: Core) -> Core:
    core.write(registry.create_model, ANN, "churn")
    for _ in range(3):
        core.write(creation.create_version, ANN, creation.Draft("churn", "s3://bucket/churn"))
    core.set_alias("champion", 1)
    return core


CHANGES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (registry.set_version_tag, (ANN, "churn", 1, "colour", "blue")),
    (registry.delete_version_tag, (ANN, "churn", 1, "colour")),
    (registry.describe_version, (ANN, "churn", 1, "the first")),
    (promotion.request, (ROB, promotion.Order("churn", 1, "Staging"))),
    (promotion.set_alias, (ROB, "churn", "second", 1)),
    (promotion.delete_alias, (ROB, "churn", "second")),
    (promotion.set_alias, (ROB, "churn", "champion", 2)),
    (promotion.request, (ROB, promotion.Order("churn", 2, "Production"))),
    (promotion.delete_alias, (ROB, "churn", "champion")),
]


def test_every_change_of_a_version_is_seen_at_once(labelled: Core) -> None:
    for use_case, args in CHANGES:
        recalled(labelled)
        labelled.write(use_case, *args)
        assert recalled(labelled) == looked_up(labelled), use_case.__name__


@pytest.mark.parametrize(
    ("use_case", "facts", "status"),
    [(intake.settle, ("0" * 64, 0), "READY"), (intake.refuse_arrival, ("it is gone",), FAILED)],
)
def test_what_came_of_a_version_that_waited_is_seen_at_once(
    core: Core, use_case: Callable[..., None], facts: tuple[Any, ...], status: str
) -> None:
    core.model()
    run_id = core.run()
    core.write(intake.land, ANN, f"0/{run_id}/artifacts/model/weights", "key", 1 << 20)
    core.register("churn", f"runs:/{run_id}/model")
    core.set_alias("champion", 1)
    by_number = wire.get_version, wire.VersionKey(name="churn", version="1")
    by_alias = wire.get_alias, wire.AliasKey(name="churn", alias="champion")
    assert {status_told(core, *asked) for asked in (by_number, by_alias)} == {PENDING}
    (arrival,) = core.write(intake.arrivals, 1)
    core.write(use_case, arrival, *facts)
    assert {status_told(core, *asked) for asked in (by_number, by_alias)} == {status}


def status_told(core: Core, call: Callable[..., Any], request: Any) -> str:
    answer = core.ask(call(core.app, ANN, request))
    return json.loads(bytes(answer))["model_version"]["status"]


def test_a_raised_number_and_a_new_name_are_seen_at_once(labelled: Core) -> None:
    labelled.set_alias("champion", 3)
    recalled(labelled)
    labelled.write(numbering.raise_number, ANN, "churn", "3", to="9.0.0")
    assert recalled(labelled).semver == (9, 0, 0)
    labelled.write(registry.rename_model, ANN, "churn", "attrition")
    assert recalled(labelled, "attrition").model_name == "attrition"
    with pytest.raises(Exception, match="churn not found"):
        recalled(labelled)


def test_no_reader_goes_back_while_an_alias_is_moved_to_and_fro(labelled: Core) -> None:
    """Each move sets the tag to a higher number, and is acknowledged before the next begins."""

    async def watch(mover: Mover) -> int:
        reads, last = 0, 0
        while not mover.is_over:
            promised = mover.acknowledged
            version = await labelled.app.recall(champion, "churn", "champion")
            seen = int(version.tags.get("n", "0")) if version else -1
            assert seen >= max(promised, last)
            last, reads = seen, reads + 1
            mover.was_read()
            await asyncio.sleep(0)
        return reads

    with Mover(labelled, 299) as mover:
        assert labelled.ask(watch(mover)) >= mover.last


def keep(recent: Recent, name: str, value: str, model_id: int, moment: int) -> None:
    recent.keep(champion, (name,), About(value, model_id), moment)


def kept(recent: Recent, name: str) -> Any:
    return recent.get((champion, (name,)))


def test_what_was_looked_up_beside_a_commit_is_not_remembered() -> None:
    recent = Recent()
    before = recent.moment
    with recent.changing({1}):
        during = recent.moment
        keep(recent, "k", "old", 2, before)
        keep(recent, "k", "old", 2, during)
    keep(recent, "k", "old", 2, during)
    assert kept(recent, "k") is None
    keep(recent, "k", "new", 2, recent.moment)
    assert kept(recent, "k") == "new"


def test_a_commit_forgets_its_models_before_and_others_never() -> None:
    recent = Recent()
    for model_id in (1, 2):
        keep(recent, f"of {model_id}", "value", model_id, recent.moment)
    with recent.changing({1}):
        assert kept(recent, "of 1") is None
        assert kept(recent, "of 2") == "value"
    with recent.changing({None}):
        assert kept(recent, "of 2") is None


def test_only_so_many_values_are_kept_the_oldest_go_first() -> None:
    recent = Recent(limit=2)
    for name in ("a", "b", "c"):
        keep(recent, name, "value", 1, recent.moment)
    assert [kept(recent, name) for name in ("a", "b", "c")] == [None, "value", "value"]


def test_what_one_alias_was_asked_for_is_known_of_the_versions_others_until_they_part(
    labelled: Core,
) -> None:
    tally = labelled.running.reader.tally
    for alias in ("second", "third"):
        labelled.set_alias(alias, 1)
    assert {number_told(labelled, alias) for alias in ("champion", "second", "third")} == {"1"}
    assert tally.remembered == 2
    labelled.set_alias("second", 2)
    told = {alias: number_told(labelled, alias) for alias in ("champion", "third", "second")}
    assert told == {"champion": "1", "third": "1", "second": "2"}
    assert tally.remembered == 3


def number_told(core: Core, alias: str) -> str:
    answer = core.ask(wire.get_alias(core.app, ANN, wire.AliasKey(name="churn", alias=alias)))
    return json.loads(bytes(answer))["model_version"]["version"]
