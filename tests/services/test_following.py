"""What is remembered where others write: never older than what anybody was told, anywhere."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelkeep.domain.errors import Unavailable
from modelkeep.ports.work import About
from modelkeep.services import registry
from modelkeep.storage.sql import following
from modelkeep.storage.sql.following import Following
from tests.support.clock import MovedClock
from tests.support.core import ANN, Core
from tests.support.mover import Mover
from tests.support.postgres import Postgres

pytestmark = pytest.mark.postgresql

WAIT_S = 60.0


@pytest.fixture
def replicas(tmp_path: Path, clock: MovedClock, postgres: Postgres) -> Iterator[tuple[Core, Core]]:
    """Two of one database, in which an alias names the first of two versions."""
    url = postgres.create_database()
    both = tuple(Core(tmp_path / "data", url, clock) for _ in range(2))
    here, there = both
    here.write(registry.create_model, ANN, "churn")
    for _ in range(2):
        here.register("churn", "s3://bucket/churn")
    here.set_alias("champion", 1)
    yield here, there
    for core in both:
        core.close()
    postgres.drop_database(url)


def champion(work: Any, name: str) -> About[int | None]:
    version = registry.version_by_alias(work, name, "champion")
    return About(version.number if version else None, registry.get_model(work, name).id)


def asked(core: Core) -> int | None:
    return core.ask(core.app.recall(champion, "churn"))


def remembered(core: Core) -> int:
    return core.running.reader.tally.remembered


def test_what_another_replica_changes_is_seen_at_once(replicas: tuple[Core, Core]) -> None:
    here, there = replicas
    for number in (2, 1, 2):
        asked(here)
        there.set_alias("champion", number)
        assert asked(here) == number
        assert asked(there) == number


def test_what_nobody_changed_is_not_looked_up_again(replicas: tuple[Core, Core]) -> None:
    here, there = replicas
    asked(here)
    before = remembered(here)
    there.write(registry.create_model, ANN, "another")
    assert [asked(here) for _ in range(5)] == [1] * 5
    assert remembered(here) == before + 5


def test_a_journal_that_ran_far_ahead_makes_everybody_forget(
    replicas: tuple[Core, Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FAR", 30)
    here, there = replicas
    there.write(registry.create_model, ANN, "another")
    asked(here)
    there.ask(describe_often(there, "another", 31))
    before = remembered(here)
    assert asked(here) == 1
    assert remembered(here) == before
    assert asked(here) == 1
    assert remembered(here) == before + 1


async def describe_often(core: Core, name: str, times: int) -> None:
    texts = (f"text {n}" for n in range(times))
    await asyncio.gather(
        *(core.writer.submit(registry.describe_model, ANN, name, text) for text in texts)
    )


def test_what_is_read_in_two_trips_is_of_one_moment(replicas: tuple[Core, Core]) -> None:
    here, there = replicas
    left = [2, 1]

    def twice(work: Any, name: str) -> About[tuple[int | None, int | None]]:
        first = champion(work, name)
        if left:
            there.set_alias("champion", left.pop(0))
        return About((first.value, champion(work, name).value), first.model_id)

    for _ in range(3):
        first, second = here.ask(here.app.recall(twice, "churn"))
        assert first == second
    assert not left


def test_one_that_needs_more_trips_is_left_to_who_can_wait_for_them(
    replicas: tuple[Core, Core],
) -> None:
    here, _ = replicas

    def twice(work: Any, name: str) -> About[tuple[int | None, int | None]]:
        first = champion(work, name)
        return About((first.value, champion(work, name).value), first.model_id)

    async def told(use_case: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        here.running.reader.recollect(answer.set_result, use_case, ("churn",))
        return await answer

    async def story() -> None:
        await here.app.recall(champion, "churn")  # so that there is a connection
        assert [await told(by_alias), await told(twice), await told(twice)] == [1, None, None]
        assert await here.app.recall(twice, "churn") == (1, 1)
        assert await told(twice) == (1, 1)  # remembered now

    here.ask(story())


def by_alias(work: Any, name: str) -> About[int]:
    version = registry.version_by_alias(work, name, "champion")
    assert version
    return About(version.number, version.model_id)


def test_what_was_looked_up_before_a_change_is_not_kept_after_it() -> None:
    """Even if what had changed was gone through while the look-up was under way."""

    async def story() -> None:
        sizes, changed, gate = [5], [{1}], asyncio.Event()

        async def run(kind: object, read: Any) -> Any:
            if kind is None:
                return sizes[0], changed.pop() if changed else set[int | None]()
            found = read(work)
            if kind is slow:
                await gate.wait()
            return found

        work = _Work(sizes)
        following = Following(run, lambda *_: False)
        assert await following.recall(quick, ("other",)) == ("other", False)
        looking = asyncio.create_task(following.recall(slow, ("churn",)))
        await asyncio.sleep(0)
        sizes[0] = 6
        assert await following.recall(quick, ("other",)) == ("other", True)
        gate.set()
        assert await looking == ("churn", False)
        assert await following.recall(slow, ("churn",)) == ("churn", False)
        assert await following.recall(slow, ("churn",)) == ("churn", True)

    asyncio.run(story())


class _Work:
    """Of which nothing is asked but the journal's size."""

    def __init__(self, sizes: list[int]) -> None:
        self.journal, self._sizes = self, sizes

    def size_ahead(self) -> Any:
        return lambda: self._sizes[0]


def slow(work: Any, name: str) -> About[str]:
    return About(name, 1)


def quick(work: Any, name: str) -> About[str]:
    return About(name, 2)


def test_no_replica_goes_back_while_the_other_moves_an_alias(
    replicas: tuple[Core, Core],
) -> None:
    """Of several readers at once. Each move is acknowledged before the next begins."""
    here, there = replicas

    def tagged(work: Any, name: str) -> About[int]:
        version = registry.get_version(work, name, 1)
        return About(int(version.tags.get("n", "0")), version.model_id)

    async def watch(mover: Mover) -> int:
        reads = 0
        while not mover.is_over:
            promised = mover.acknowledged
            seen = await here.app.recall(tagged, "churn")
            assert seen >= promised
            reads += 1
            mover.was_read()
        return reads

    async def watch_all(mover: Mover) -> list[int]:
        return await asyncio.gather(*(watch(mover) for _ in range(8)))

    with Mover(there, 149) as mover:
        assert sum(here.ask(watch_all(mover))) >= mover.last
    assert remembered(here) > 0


async def some_turns() -> None:
    """Of the loop: more than a task takes to come to where it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_those_who_ask_together_share_a_question_that_none_of_them_came_too_late_for() -> None:
    """And those who come while it is asked wait for the next."""

    async def story() -> None:
        questions, gates = [0], [asyncio.Event(), asyncio.Event()]

        async def run(kind: object, read: Any) -> Any:
            if kind is champion:
                return About("value", 1), 0
            questions[0] += 1
            await gates[questions[0] - 1].wait()
            return 0, set[int | None]()

        following = Following(run, lambda *_: False)
        await following.recall(champion, ("churn",))
        first = [asyncio.create_task(following.recall(champion, ("churn",))) for _ in range(10)]
        await some_turns()
        later = [asyncio.create_task(following.recall(champion, ("churn",))) for _ in range(10)]
        await some_turns()
        later.pop().cancel()  # who does not wait any more keeps nobody from an answer
        gates[0].set()
        assert await asyncio.gather(*first) == [("value", True)] * 10
        assert questions == [2]
        assert not any(one.done() for one in later)
        gates[1].set()
        assert await asyncio.gather(*later) == [("value", True)] * 9

    asyncio.run(story())


def test_a_question_that_fails_is_told_to_all_who_asked_and_asked_again() -> None:
    async def story() -> None:
        fails = [True]

        async def run(kind: object, read: Any) -> Any:
            if kind is champion:
                return About("value", 1), 0
            if fails[0]:
                raise Unavailable("The database does not answer.")
            return 0, set[int | None]()

        following = Following(run, lambda *_: False)
        await following.recall(champion, ("churn",))
        told = await asyncio.gather(
            *(following.recall(champion, ("churn",)) for _ in range(5)), return_exceptions=True
        )
        assert all(isinstance(one, Unavailable) for one in told)
        fails[0] = False
        assert await following.recall(champion, ("churn",)) == ("value", True)

    asyncio.run(story())


def test_connections_that_end_while_they_are_idle_keep_nobody_busy(
    replicas: tuple[Core, Core],
) -> None:
    here, _ = replicas

    async def story() -> float:
        calls = (here.app.read(registry.get_model, "churn", point=True) for _ in range(20))
        await asyncio.gather(*calls)
        with psycopg.connect(here.settings.database_url, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await asyncio.sleep(0.2)  # the loop hears of it
        began_s, busy_s = time.monotonic(), time.thread_time()
        await asyncio.sleep(0.5)
        return (time.thread_time() - busy_s) / (time.monotonic() - began_s)

    assert here.ask(story()) < 0.3
    assert asked(here) == 1
