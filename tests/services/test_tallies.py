"""What the core counts of itself."""

import asyncio

import pytest

from modelkeep.domain.errors import AlreadyExists
from modelkeep.services import census, registry
from modelkeep.services.signing import Signing
from modelkeep.storage.sql import dialects
from tests.support.core import ANN, BOB, GOOD, TAGS, Core


def test_decisions_and_promotions_are_counted(core: Core) -> None:
    gates = {"required_tags": list(TAGS), "approvals": 1}
    core.apply({"stage_transitions": {"None -> Production": gates}})
    core.model()
    core.version(metrics=GOOD, by=ANN)
    core.promote(1, "Production")
    for tag in TAGS:
        core.tag(1, tag)
    core.approve(core.promote(1, "Production").request_id, BOB)
    tally = core.writer.tally
    assert tally.decisions["refused"] == 1
    assert tally.decisions["waiting"] == 1
    assert tally.verdicts["failed"] >= 1
    assert tally.events["version:stage:changed"] == 1


def test_what_a_batch_failed_with_is_in_no_count_of_events(core: Core) -> None:
    core.model()
    with pytest.raises(AlreadyExists):
        core.model()
    assert core.writer.tally.events == {"model:created": 1}
    assert core.writer.tally.changes.total == core.writer.tally.jobs


def test_reads_are_counted_by_what_they_cost(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "QUICK_MS", 60_000)  # however busy the machine is
    core.model()
    before = core.running.reader.tally.points

    async def read() -> None:
        await core.app.read(registry.get_model, "churn", point=True)
        await core.app.search(registry.search_models, [], [], 10)

    asyncio.run(read())
    tally = core.running.reader.tally
    assert tally.points == before + 1
    assert (tally.searches, tally.long_searches, tally.out_of_time) == (1, 0, 0)
    assert (tally.searching, tally.running) == (0, 0)


def test_a_census_knows_how_long_the_journal_is_and_what_is_signed(core: Core) -> None:
    core.model()
    assert core.read(census.count).signed is None
    asyncio.run(Signing(core.app, "a/b").turn())
    core.model("other")
    found = core.read(census.count)
    assert found.signed is not None
    assert (found.entries, found.signed.size) == (2, 1)
    assert (found.deliveries, found.intake) == (0, 0)
