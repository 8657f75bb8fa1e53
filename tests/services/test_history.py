"""The past: what was where at any moment, whatever happened to the names since."""

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import seeds
from benchmarks.peers import modelkeep_rows
from benchmarks.seeds import BIG, Crowd
from modelkeep.domain.errors import NotFound
from modelkeep.services import history, promotion, registry
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.work import SqlWork
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, HOUR_MS, ROB, Core
from tests.support.postgres import Postgres

OPEN = {"stage_transitions": {"None -> Production": {}, "Archived -> Production": {}}}


def forget_the_third(core: Core) -> None:
    core.write(promotion.delete_alias, ANN, "churn", "best")  # or the version would be kept
    core.write(registry.delete_version, ANN, "churn", 3)


def test_a_moment_holds_what_every_slot_held(core: Core, clock: MovedClock) -> None:
    core.model("churn")
    for _ in range(3):
        core.version()
    core.apply(OPEN)
    moments = [clock.now_ms()]
    for step in (
        lambda: core.promote(1, "Production"),
        lambda: core.promote(2, "Production"),
        lambda: core.promote(3, "Staging"),
        lambda: core.set_alias("best", 3),
        core.roll_back,
        lambda: forget_the_third(core),
    ):
        clock.advance(HOUR_MS)
        step()
        moments.append(clock.now_ms())
    held = [
        {},
        {"stage:Production": [1], "alias:champion": [1]},
        {"stage:Production": [2], "alias:champion": [2], "stage:Archived": [1]},
        {
            "stage:Production": [2],
            "alias:champion": [2],
            "stage:Archived": [1],
            "stage:Staging": [3],
        },
    ]
    held.append({**held[-1], "alias:best": [3]})
    back = {"stage:Production": [1], "alias:champion": [1], "stage:Archived": [2]}
    held.append({**held[-1], **back})
    held.append(back)
    for restarted in (False, True):
        for moment, expected in zip(moments, held, strict=True):
            assert core.at(moment) == expected
            assert core.at(moment + HOUR_MS - 1) == expected
        assert core.at(0) == {}
        assert core.at(moments[-1] + 10**12) == back
        if not restarted:
            core.restart()


def test_what_was_there_and_gone_in_one_moment_was_never_there(core: Core) -> None:
    core.model("churn")
    core.version()
    for stage in ("Staging", "Production", "Archived", "Staging"):
        core.promote(1, stage)
    core.set_alias("a", 1)
    core.write(registry.delete_version, ANN, "churn", 1)
    assert core.at(NOON_MS) == {}


def test_a_past_name_is_found_at_its_time_and_the_present_one_then_too(
    core: Core, clock: MovedClock
) -> None:
    core.model("churn")
    core.version()
    core.promote(1, "Production")
    clock.advance(HOUR_MS)
    core.write(registry.rename_model, ANN, "churn", "leavers")
    clock.advance(HOUR_MS)
    for name in ("churn", "leavers"):
        then = core.read(history.at, name, NOON_MS)
        assert (then.name_then, [stay.number for stay in then.stays]) == ("churn", [1])
        now = core.read(history.at, name, clock.now_ms())
        assert (now.name_then, [stay.number for stay in now.stays]) == ("leavers", [1])
    assert core.read(history.at, "churn", 0).stays == []


def test_a_name_means_whoever_bore_it_then(core: Core, clock: MovedClock) -> None:
    def one_that_holds(number: int) -> None:
        core.model("churn")
        for _ in range(number):
            core.version()
        core.promote(number, "Production")

    one_that_holds(1)
    clock.advance(HOUR_MS)
    core.write(registry.rename_model, ANN, "churn", "first")
    one_that_holds(2)  # of the same name, from the same moment on
    clock.advance(HOUR_MS)
    core.write(registry.delete_model, ANN, "churn")
    clock.advance(HOUR_MS)
    one_that_holds(3)
    clock.advance(HOUR_MS)
    core.write(registry.delete_model, ANN, "churn")
    core.restart()

    def held(hours: float) -> list[int]:
        return core.at(NOON_MS + int(hours * HOUR_MS)).get("stage:Production", [])

    assert [held(0), held(0.9), held(1), held(1.9)] == [[1], [1], [2], [2]]
    # Between the second and the third nobody bore it: the last that did is meant.
    assert [held(3), held(3.9), held(4), held(9)] == [[3], [3], [], []]
    assert core.at(NOON_MS, "first") == {"stage:Production": [1]}


def test_names_that_change_hands_in_one_moment_are_told_apart(
    core: Core, clock: MovedClock
) -> None:
    for name, number in (("a", 1), ("b", 2)):
        core.model(name)
        for _ in range(number):
            core.register(name, "s3://b/x")
        core.write(registry.set_version_tag, ANN, name, number, "k", "v")
    ids = {name: core.read(registry.get_model, name).id for name in ("a", "b")}
    clock.advance(HOUR_MS)
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        core.write(registry.rename_model, ANN, old, new)
    clock.advance(HOUR_MS)
    for old, new in (("a", "x"), ("x", "y"), ("y", "a"), ("a", "x"), ("x", "z")):
        core.write(registry.rename_model, ANN, old, new)
    for old, new in (("b", "m"), ("m", "n"), ("n", "0")):
        core.write(registry.rename_model, ANN, old, new)
    clock.advance(HOUR_MS)

    def meant(name: str, hours: int) -> tuple[int, str]:
        return core.read(lambda work: work.models.named_at(name, NOON_MS + hours * HOUR_MS))

    assert [meant(n, 0) for n in ("a", "b")] == [(ids["a"], "a"), (ids["b"], "b")]
    assert [meant(n, 1) for n in ("a", "b")] == [(ids["b"], "a"), (ids["a"], "b")]
    assert [meant(n, 2) for n in ("z", "0")] == [(ids["b"], "z"), (ids["a"], "0")]
    assert meant("z", 1) == (ids["b"], "a")
    clock.advance(HOUR_MS)
    core.write(registry.rename_model, ANN, "z", "last")
    core.write(registry.rename_model, ANN, "0", "lost")
    assert meant("lost", 2) == (ids["a"], "0")
    assert meant("last", 2) == (ids["b"], "z")
    assert meant("last", 1) == (ids["b"], "a")


def test_a_name_that_nobody_ever_bore_is_not_found(core: Core) -> None:
    core.model("churn")
    for use_case, *args in ((history.at, "nope", NOON_MS), (history.of_model, "nope")):
        with pytest.raises(NotFound, match=r"No model was ever named nope\."):
            core.read(use_case, *args)


def test_a_models_history_is_told_newest_first_and_under_each_of_its_names(core: Core) -> None:
    core.model("other")
    core.model("churn")
    core.version()
    core.promote(1, "Staging", reason="better")
    core.write(registry.rename_model, ANN, "churn", "leavers")
    core.write(registry.delete_model, ROB, "leavers")
    told = ["model:deleted", "version:deleted", "model:renamed", "version:stage:changed"]
    told += ["version:created", "model:created"]
    for name in ("churn", "leavers"):
        entries = core.read(history.of_model, name)
        assert [entry["act"] for entry in entries] == told
        assert entries[3]["texts"] == {"actor": "rob", "reason": "better"}
    first = core.read(history.of_model, "churn", None, 2)
    rest = core.read(history.of_model, "churn", first[-1]["index"], 100)
    assert [entry["act"] for entry in (*first, *rest)] == told


def test_the_journal_is_told_in_pages(core: Core) -> None:
    for number in range(5):
        core.model(f"m{number}")
    assert [leaf["index"] for leaf in core.read(history.entries, 1, 3)] == [1, 2, 3]
    assert core.read(history.entries, 5, 3) == []


@pytest.mark.postgresql
def test_a_page_of_a_large_model_reads_its_own_entries_alone(
    postgres: Postgres, tmp_path: Path
) -> None:
    """PostgreSQL, if it planned by the values, would walk back through everybody's: a fifth of
    them are of the large model, all before those of others."""
    url, count = postgres.create_database(), 50
    dialect = dialect_for(url, tmp_path)
    schema.ensure(dialect)
    seeds.into(url, modelkeep_rows.of_crowd(Crowd(1_000)))
    with closing(dialect.connect(read_only=True)) as db:
        work = SqlWork(db, dialect)
        model = work.models.get(BIG)
        assert model is not None
        dialect.begin_read(db)

        found = work.journal.of_model(model.id, None, count)

        rows_read = db.one(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'journal_leaves'"
        )
        db.run("ROLLBACK")
    postgres.drop_database(url)
    assert [entry.index for entry in found] == list(range(199, 199 - count, -1))
    assert rows_read == (count,)
