"""The writer: what fails leaves nothing, what waits commits together, nobody waits for ever."""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest

from modelkeep.domain.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NotFound,
    Unavailable,
)
from modelkeep.services import artifacts, creation, policies, promotion, registry
from modelkeep.services.promotion import End, Order
from modelkeep.storage.sql import writer as writing
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, HOUR_MS, ROB, Core

on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)

WAIT_S = 60.0  # far longer than anything here takes; a caller who waits it out hangs

Job = tuple[Any, ...]


class Held:
    """Keeps the writer busy with a use case until it is let go."""

    def __init__(self) -> None:
        self._begun, self._free = threading.Event(), threading.Event()

    def __call__(self, work: Any) -> None:
        self._begun.set()
        assert self._free.wait(WAIT_S)

    def wait_until_begun(self) -> None:
        assert self._begun.wait(WAIT_S)

    def let_go(self) -> None:
        self._free.set()


def in_one_batch(core: Core, *jobs: Job) -> list[Any]:
    """Runs use cases in a batch of their own; what each returned or raised."""
    before = core.writer.tally.commits
    found = at_once(core, *jobs)
    assert core.writer.tally.commits - before <= 2
    return found


def at_once(core: Core, *jobs: Job) -> list[Any]:
    """Runs use cases that all wait at once; what each returned or raised."""

    async def story() -> list[Any]:
        held = Held()
        holding = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        waiting = [asyncio.create_task(core.writer.submit(*job)) for job in jobs]
        asyncio.get_running_loop().call_soon(held.let_go)  # after the tasks have asked
        await holding
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(story())


def by_many_threads(count: int, act: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(act, range(count), timeout=WAIT_S))


def models(core: Core) -> list[str]:
    return [m.name for m, _ in core.read(registry.search_models, [], [], 1000).items]


def create(name: str) -> Job:
    return registry.create_model, ANN, name


def fail_after(name: str, error: Exception) -> Job:
    def use_case(work: Any) -> None:
        registry.create_model(work, ANN, name)
        raise error

    return (use_case,)


# -- what fails --------------------------------------------------------------------------------


def test_a_use_case_that_fails_leaves_nothing_and_harms_no_neighbour(core: Core) -> None:
    core.model("taken")
    broken = ZeroDivisionError("a bug")
    found = in_one_batch(
        core,
        create("a"),
        fail_after("b", InvalidInput("no")),
        create("c"),
        create("taken"),
        fail_after("d", broken),
        create("e"),
        (registry.delete_model, ANN, "nope"),
        create("f"),
    )
    kinds = [type(value) for value in found]
    assert [kinds[i] for i in (1, 3, 4, 6)] == [
        *(InvalidInput, AlreadyExists, ZeroDivisionError, NotFound)
    ]
    assert models(core) == ["a", "c", "e", "f", "taken"]
    assert [leaf["obj"]["name"] for leaf in core.leaves()] == ["taken", "a", "c", "e", "f"]


def test_a_statement_that_the_database_refuses_harms_no_neighbour(core: Core) -> None:
    def doubled(work: Any) -> None:
        registry.create_model(work, ANN, "b")
        work.db.run("INSERT INTO models SELECT * FROM models")

    found = in_one_batch(core, create("a"), (doubled,), create("c"))
    assert "UNIQUE" in str(found[1]).upper()
    assert models(core) == ["a", "c"]
    assert core.acts() == ["model:created"] * 2


def test_numbers_have_no_gap_where_a_neighbour_failed_after_it_took_one(core: Core) -> None:
    core.model("churn")
    draft = creation.Draft("churn", "s3://b/x", tags={"git": "1"})

    def fails(work: Any) -> None:
        creation.create_version(work, ANN, draft)
        raise InvalidInput("no")

    register = creation.create_version, ANN, draft
    found = in_one_batch(core, register, (fails,), register, (registry.delete_model, ANN, "nope"))
    assert [getattr(value, "number", type(value)) for value in found] == [
        *(1, InvalidInput, 2, NotFound)
    ]
    assert [(v.number, v.id, str(v.semver), v.tags) for v in (found[0], found[2])] == [
        (v.number, v.id, str(v.semver), {"git": "1"})
        for v in (core.read(registry.get_version, "churn", number) for number in (1, 2))
    ]
    assert [leaf["post"].get("semver") for leaf in core.leaves()] == [None, "1.0.0", "2.0.0"]
    assert core.verify().is_intact


def test_a_policy_whose_use_case_failed_is_not_remembered(core: Core) -> None:
    short = {"model_registry": {"naming_convention": {"pattern": "^[a-c]$"}}}

    def fails(work: Any) -> None:
        policies.apply(work, ROB, short, "the policy")
        with pytest.raises(InvalidInput, match="long"):
            policies.check_model_name(work, "long")
        raise InvalidInput("no")

    applied = policies.apply, ROB, short, "the policy"
    found = in_one_batch(core, create("one"), (fails,), create("two"), applied, create("three"))
    assert [getattr(value, "name", type(value)) for value in (*found[:3], found[4])] == [
        *("one", InvalidInput, "two", InvalidInput)
    ]
    assert models(core) == ["one", "two"]


def test_a_neighbour_sees_what_those_before_it_did(core: Core) -> None:
    found = in_one_batch(
        core,
        create("a"),
        (registry.rename_model, ANN, "a", "b"),
        (creation.create_version, ANN, creation.Draft("b", "s3://b/x")),
        (promotion.request, ROB, Order("b", 1, "Production")),
        create("a"),
    )
    assert [getattr(value, "name", None) for value in found] == ["a", None, None, None, "a"]
    assert found[3].end is End.MOVED


def breaks_the_commit(core: Core) -> Job:
    """A use case that succeeds, and whose commit the database then really refuses."""

    def on_sqlite(work: Any) -> None:
        registry.create_model(work, ANN, "doomed")
        work.db.run("PRAGMA defer_foreign_keys = ON")
        work.db.run("INSERT INTO model_tags VALUES (1, 987654, 'k', 'v')")

    def on_postgres(work: Any) -> None:
        registry.create_model(work, ANN, "doomed")
        work.db.run(
            "CREATE TEMPORARY TABLE once (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
            " ON COMMIT DROP"
        )
        work.db.run("INSERT INTO once VALUES (1), (1)")

    return (on_postgres if core.settings.database_url else on_sqlite,)


def test_a_commit_that_fails_is_told_to_everyone_and_leaves_nothing(core: Core) -> None:
    core.model("before")
    doomed = breaks_the_commit(core)
    found = in_one_batch(core, create("a"), doomed, create("before"), create("b"))
    assert [type(value) for value in found] == [Unavailable] * 4
    assert all("nothing of it remains" in value.message for value in found)
    assert models(core) == ["before"]
    assert core.acts() == ["model:created"]
    for _ in range(2):
        with pytest.raises(Unavailable):
            core.write(*doomed)
    assert in_one_batch(core, create("a"), create("b"))[1].name == "b"
    assert models(core) == ["a", "b", "before"]
    assert core.acts() == ["model:created"] * 3


def cut_off(core: Core, pid: int) -> None:
    with psycopg.connect(core.settings.database_url, autocommit=True) as db:
        assert db.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,)).fetchone() == (True,)


@on_postgresql
def test_a_connection_that_dies_within_a_batch_takes_all_of_it(core: Core) -> None:
    def dies(work: Any) -> None:
        (pid,) = work.db.one("SELECT pg_backend_pid()")
        cut_off(core, pid)
        registry.create_model(work, ANN, "late")

    found = in_one_batch(core, create("a"), (dies,), create("b"))
    assert [type(value) for value in found] == [Unavailable] * 3
    assert models(core) == []
    core.model("a")
    assert core.acts() == ["model:created"]


@on_postgresql
def test_a_connection_that_died_while_idle_costs_nobody_anything(core: Core) -> None:
    if not core.settings.database_url:
        pytest.skip("SQLite has no connection that could be cut")
    core.model("a")

    def pid_of(work: Any) -> int:
        return work.db.one("SELECT pg_backend_pid()")[0]

    for pid in (core.write(pid_of), core.read(pid_of)):
        cut_off(core, pid)
    core.model("b")
    assert models(core) == ["a", "b"]


@on_postgresql
def test_a_connection_outlives_any_number_of_statements(core: Core) -> None:
    """Those that come up twice are prepared, and not more of them than it can hold."""

    def ask(work: Any) -> None:
        for number in range(700):
            for _ in range(3):
                assert work.db.one(f"SELECT {number} + ?", number) == (2 * number,)

    core.read(ask)
    core.model("a")
    assert models(core) == ["a"]


@on_postgresql
def test_what_was_left_for_later_and_fails_is_its_own_use_cases_failure(core: Core) -> None:
    def fails_late(work: Any) -> None:
        registry.create_model(work, ANN, "b")
        work.db.later("INSERT INTO models SELECT * FROM models")

    found = in_one_batch(core, create("a"), (fails_late,), create("c"))
    assert "unique" in str(found[1])
    assert models(core) == ["a", "c"]
    assert core.acts() == ["model:created"] * 2


@on_postgresql
def test_what_was_left_for_later_and_the_database_has_no_room_for_harms_no_neighbour(
    core: Core,
) -> None:
    """It says so in answer to the commit, of which nothing was stored then, for certain."""

    def fails_late(work: Any) -> None:
        registry.create_model(work, ANN, "b")
        work.db.later("DO $$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$")

    found = in_one_batch(core, create("a"), create("c"), (fails_late,))
    assert isinstance(found[2], Unavailable)
    assert models(core) == ["a", "c"]
    assert core.acts() == ["model:created"] * 2


@on_postgresql
def test_a_read_whose_connection_dies_is_to_be_tried_again(core: Core) -> None:
    def dies(work: Any) -> None:
        cut_off(core, work.db.one("SELECT pg_backend_pid()")[0])
        work.models.all()

    for _ in range(2):
        with pytest.raises(Unavailable):
            core.read(dies)
    assert models(core) == []


@on_postgresql
def test_what_waits_behind_a_lost_connection_is_stored_over_another(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(work: Any) -> None:
        cut_off(core, work.db.one("SELECT pg_backend_pid()")[0])
        registry.create_model(work, ANN, "a")

    monkeypatch.setattr(writing, "BATCH_LIMIT", 1)
    found = at_once(core, (dies,), create("b"), create("c"))
    assert isinstance(found[0], Unavailable)
    assert models(core) == ["b", "c"]


# -- what commits together ---------------------------------------------------------------------


def test_those_who_wait_share_one_commit(core: Core) -> None:
    before = core.writer.tally.commits
    in_one_batch(core, *(create(f"m{n}") for n in range(100)))
    assert core.writer.tally.commits - before == 2  # the one that held the writer, and the rest
    assert core.writer.tally.largest_batch == 100


def upload(path: str, content: bytes) -> Job:
    return artifacts.put_small, ANN, path, hashlib.sha256(content).hexdigest(), content


def test_small_files_that_come_together_are_all_kept(core: Core) -> None:
    run_id = core.run()
    paths = [f"{f}/{n}" for f in ("a", "a/b", f"0/{run_id}/artifacts", "/".join("d" * 500))
             for n in range(30)]  # fmt: skip
    jobs = [upload(path, path.encode()) for path in paths]
    assert in_one_batch(core, *jobs, upload("a/0", b"new")) == [None] * 121
    for path in paths[1:]:
        assert core.read(artifacts.fetch, path).small == path.encode()
    assert core.read(artifacts.fetch, "a/0").small == b"new"


def test_a_small_file_that_may_not_be_leaves_nothing_and_harms_none_beside_it(core: Core) -> None:
    core.put("taken/x", "x")
    found = in_one_batch(
        core,
        upload("a", b"1"),
        upload("a/b", b"2"),
        upload("taken", b"3"),
        upload("modelkeep/versions/1/x", b"4"),
        upload("c", b"5"),
    )
    assert [type(value) for value in found] == [type(None), InvalidInput, InvalidInput, Forbidden,
                                                type(None)]  # fmt: skip
    assert str(found[1]) == "'a' is a file; 'a/b' cannot lie in it."
    assert str(found[2]) == "'taken' is a folder; it cannot be a file as well."
    assert [core.read(artifacts.fetch, path).small for path in ("a", "c")] == [b"1", b"5"]
    kept = core.read(lambda work: work.db.all("SELECT content FROM small_blobs ORDER BY content"))
    assert kept == [(b"1",), (b"5",)]


def test_a_batch_has_a_limit(core: Core) -> None:
    before = core.writer.tally.commits

    async def story() -> None:
        held = Held()
        holding = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        jobs = [core.writer.submit(lambda work: None) for _ in range(writing.BATCH_LIMIT * 2)]
        waiting = [asyncio.create_task(job) for job in jobs]
        asyncio.get_running_loop().call_soon(held.let_go)
        await asyncio.gather(holding, *waiting)

    asyncio.run(story())
    assert core.writer.tally.commits - before == 3
    assert core.writer.tally.largest_batch == writing.BATCH_LIMIT


def test_under_load_there_are_fewer_commits_than_changes(core: Core) -> None:
    def act(thread: int) -> None:
        for number in range(10):
            core.model(f"m-{thread}-{number}")

    before = core.writer.tally.jobs, core.writer.tally.commits
    by_many_threads(16, act)
    jobs, commits = core.writer.tally.jobs - before[0], core.writer.tally.commits - before[1]
    assert jobs == 160
    assert commits < jobs
    assert len(core.leaves()) == 160


def test_of_many_who_race_for_a_single_stage_one_holds_it(core: Core) -> None:
    core.model("churn")
    for _ in range(16):
        core.version()
    core.apply({"stage_transitions": {"None -> Production": {}}})
    results = by_many_threads(16, lambda n: core.promote(n + 1, "Production"))
    assert sorted(result.epoch for result in results) == list(range(1, 17))
    assert Counter(core.stages().values()) == {"Production": 1, "Archived": 15}
    last = max(results, key=lambda result: result.epoch).version.number
    assert core.in_stage("Production") == [last]
    assert core.alias("champion") == last


def test_of_many_who_name_one_epoch_one_wins(core: Core) -> None:
    core.model("churn")
    for _ in range(12):
        core.version()

    def act(thread: int) -> str:
        try:
            return core.promote(thread + 1, "Production", epoch=0).end.value
        except Exception as error:  # noqa: BLE001 - which one is what the test is about
            return type(error).__name__

    assert Counter(by_many_threads(12, act)) == {"moved": 1, "StaleRevision": 11}
    assert len(core.in_stage("Production")) == 1


@pytest.fixture
def two(core: Core, clock: MovedClock) -> Iterator[tuple[Core, Core]]:
    """Two cores on one PostgreSQL database."""
    other = Core(core.settings.data_dir, core.settings.database_url, clock)
    yield core, other
    other.close()


@on_postgresql
def test_two_writers_never_deadlock_and_make_one_gapless_journal(two: tuple[Core, Core]) -> None:
    two[0].model("churn")
    for _ in range(16):
        two[0].version()
    ways = ("None -> Production", "Archived -> Production")
    two[0].apply({"stage_transitions": {way: {} for way in ways}})
    before = len(two[0].leaves())

    def act(thread: int) -> None:
        mine = two[thread % 2]
        for number in range(5):
            # In opposite orders, which is how locks on rows would meet head-on.
            steps = [
                partial(mine.model, f"m-{thread}-{number}"),
                partial(mine.promote, thread + 1, "Production"),
                partial(mine.set_alias, f"a{number}", thread + 1),
            ]
            for step in steps if thread % 4 < 2 else reversed(steps):
                step()

    by_many_threads(16, act)
    for core in two:
        leaves = core.leaves()
        assert [leaf["index"] for leaf in leaves] == list(range(len(leaves)))
        assert [leaf["t"] for leaf in leaves] == sorted(leaf["t"] for leaf in leaves)
        report = core.verify()
        assert report.is_intact, report.problems
    created = Counter(two[0].acts(before))["model:created"]
    assert created == 16 * 5
    epochs = [
        slot["epoch"]
        for leaf in two[1].leaves()
        for slot in leaf["post"].get("slots", ())
        if slot["slot"] == "stage:Production"
    ]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(two[1].in_stage("Production")) == 1


@on_postgresql
def test_what_one_writer_was_answered_the_other_reads(two: tuple[Core, Core]) -> None:
    one, other = two
    for number in range(10):
        one.model(f"m{number}")
        assert other.read(registry.get_model, f"m{number}").name == f"m{number}"
        one, other = other, one


@on_postgresql
def test_a_policy_of_one_writer_binds_the_very_next_change_of_the_other(
    two: tuple[Core, Core],
) -> None:
    one, other = two
    for number in range(6):
        one.model(f"a{number}")  # both know by now which policy is in force
        other.model(f"b{number}")
        one.apply({"naming_convention": {"pattern": f"^[ab][0-9]$|^only-{number}$"}})
        with pytest.raises(InvalidInput, match="only"):
            other.model(f"only-{number + 1}")
        other.model(f"only-{number}")
        one, other = other, one


# -- time --------------------------------------------------------------------------------------


def test_times_never_run_backwards_when_the_clock_does(core: Core, clock: MovedClock) -> None:
    for step_ms in (0, HOUR_MS, -2 * HOUR_MS, 1, -1, HOUR_MS // 2, -(10**9)):
        clock.advance(step_ms)
        core.model(f"m{clock.now_ms()}-{len(core.leaves())}")
    core.restart()
    core.model("after")
    times = [entry["at_ms"] for entry in core.export() if entry["kind"] == "entry"]
    assert times == sorted(times)
    assert times[-1] == NOON_MS + HOUR_MS
    created = core.read(registry.get_model, "after").created_ms
    assert created == NOON_MS + HOUR_MS
    clock.advance(10**9 + 2 * HOUR_MS)
    core.model("ahead")
    assert core.read(registry.get_model, "ahead").created_ms == clock.now_ms()


def test_all_of_a_batch_happens_in_one_moment(core: Core) -> None:
    in_one_batch(core, *(create(f"m{n}") for n in range(5)))
    assert len({leaf["t"] for leaf in core.leaves()}) == 1


# -- waiting -----------------------------------------------------------------------------------


def test_past_the_limit_callers_are_turned_away_and_the_others_served(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of them ask while a batch does nothing, which PostgreSQL does not look at for long.
    monkeypatch.setattr(writing, "QUEUE_LIMIT", 300)

    async def story() -> list[Any]:
        held = Held()
        holding = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        jobs = [core.writer.submit(lambda work: 1) for _ in range(writing.QUEUE_LIMIT + 5)]
        waiting = [asyncio.create_task(job) for job in jobs]
        asyncio.get_running_loop().call_soon(held.let_go)
        await holding
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(story())
    assert found[: writing.QUEUE_LIMIT] == [1] * writing.QUEUE_LIMIT
    turned_away = found[writing.QUEUE_LIMIT :]
    assert [type(value) for value in turned_away] == [Unavailable] * 5
    assert "try again" in turned_away[0].message
    core.model("a")


def test_closing_finishes_what_waits_and_turns_the_rest_away(core: Core) -> None:
    held = Held()
    with ThreadPoolExecutor(12) as pool:
        holding = pool.submit(core.writer.run, held)
        held.wait_until_begun()

        async def story() -> list[Any]:
            jobs = [core.writer.submit(*create(f"m{n}")) for n in range(8)]
            waiting = [asyncio.create_task(job) for job in jobs]
            for _ in range(5):  # turns of the loop, after which they have gone over
                await asyncio.sleep(0)
            started.set()
            return await asyncio.gather(*waiting, return_exceptions=True)

        started = threading.Event()
        asked = pool.submit(asyncio.run, story())
        assert started.wait(WAIT_S)
        closing = pool.submit(core.writer.close)
        held.let_go()
        closing.result(WAIT_S)
        holding.result(WAIT_S)
        assert [value.name for value in asked.result(WAIT_S)] == [f"m{n}" for n in range(8)]
    with pytest.raises(Unavailable, match="stopping"):
        core.model("late")
    assert len(models(core)) == 8
    core.writer.close()  # harmless


def test_nobody_who_asks_while_it_closes_waits_for_ever(core: Core) -> None:
    done: list[str] = []

    def act(thread: int) -> None:
        for number in range(1000):
            try:
                core.model(f"m-{thread}-{number}")
            except Unavailable:
                return
            done.append(f"m-{thread}-{number}")
            if thread == number == 3:
                core.writer.close()

    by_many_threads(8, act)
    assert sorted(models(core)) == sorted(done)[:1000]


def test_a_caller_whose_event_loop_is_gone_stops_nobody(core: Core) -> None:
    held = Held()

    async def story() -> None:
        asking = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        asking.cancel()

    asyncio.run(story())  # its loop is closed while the writer is still busy for it
    held.let_go()
    core.model("after")
    assert models(core) == ["after"]


def test_a_caller_who_gave_up_changes_nothing_for_the_others(core: Core) -> None:
    async def story() -> list[Any]:
        held = Held()
        holding = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        waiting = [asyncio.create_task(core.writer.submit(*create(n))) for n in ("a", "b", "c")]
        asyncio.get_running_loop().call_soon(waiting[1].cancel)
        asyncio.get_running_loop().call_soon(held.let_go)
        await holding
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(story())
    assert [getattr(value, "name", None) for value in found] == ["a", None, "c"]
    assert models(core) == ["a", "b", "c"]  # it had asked, and it was done


# -- crossing over -------------------------------------------------------------------------------


def test_what_a_loop_asks_for_in_one_go_is_one_commit(core: Core) -> None:
    async def story() -> None:
        await asyncio.gather(*(core.writer.submit(*create(f"m{n}")) for n in range(20)))

    before = core.writer.tally.commits
    asyncio.run(story())
    assert core.writer.tally.commits == before + 1


def test_what_comes_while_the_writer_is_at_work_goes_over_together(core: Core) -> None:
    async def story() -> None:
        held = Held()
        holding = asyncio.create_task(core.writer.submit(held))
        await asyncio.to_thread(held.wait_until_begun)
        later: list[asyncio.Task[Any]] = []
        for n in range(20):  # each in a turn of its own
            later.append(asyncio.create_task(core.writer.submit(*create(f"m{n}"))))
            await asyncio.sleep(0)
        held.let_go()
        await asyncio.gather(holding, *later)

    before = core.writer.tally.commits
    asyncio.run(story())
    assert core.writer.tally.commits == before + 2


def test_who_comes_a_moment_after_the_others_goes_over_with_them(core: Core) -> None:
    async def ask(n: int, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await core.writer.submit(*create(f"m{n}"))

    async def story() -> None:
        await asyncio.gather(*(ask(n, 0) for n in range(8)))
        await asyncio.gather(*(ask(n, 3 if n == 15 else 0) for n in range(8, 16)))

    before = core.writer.tally.commits
    asyncio.run(story())
    assert core.writer.tally.commits == before + 2


def test_several_loops_are_each_told_what_became_of_theirs(core: Core) -> None:
    async def story(who: int) -> list[str]:
        names = [f"m{who}-{n}" for n in range(10)]
        made = [await core.writer.submit(*create(name)) for name in names]
        assert [model.name for model in made] == names
        return names

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda who: asyncio.run(story(who)), range(4)))
    assert set(models(core)) == {name for names in asked for name in names}
