"""Points of metrics: what is kept of them, whoever logs them at once, and what is drawn of them."""

import math
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.tracking import Dataset, DatasetUse, Metric, sample_places
from modelkeep.services import experiments, histories, registry, tracking
from modelkeep.storage.sql.metrics import ROWS_A_STATEMENT
from tests.support.core import ANN, Core

Point = tuple[str, int, int, float, bool]  # key, step, time, value or 0, whether it is NaN


def point_of(metric: Metric) -> Point:
    return (metric.key, *metric.recency)


def latest_by_hand(points: Iterable[Point]) -> dict[str, Point]:
    """The rule once more, point by point."""
    latest: dict[str, Point] = {}
    for point in points:
        known = latest.get(point[0])
        if known is None or point[1:] > known[1:]:
            latest[point[0]] = point
    return latest


def some_batches(seed: int) -> list[list[Metric]]:
    """Batches of all sizes with few keys, steps and times, so that many points meet."""
    dice = random.Random(seed)
    strange = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, -1.5)
    return [
        [
            Metric(
                key=f"m{dice.randrange(4)}",
                value=dice.choice((*strange, dice.random())),
                at_ms=dice.randrange(5),
                step=dice.randrange(-3, 40),
            )
            for _ in range(dice.choice((1, 2, 60, ROWS_A_STATEMENT, 250)))
        ]
        for _ in range(12)
    ]


def history_of(core: Core, run_id: str, key: str) -> list[Metric]:
    return core.read(tracking.metric_history, run_id, key, 100_000).items


def test_latest_and_history_are_right_whoever_logs_at_once(core: Core) -> None:
    """Eight clients on two runs, each repeating some of what another sends."""
    runs = [core.run({}), core.run({})]
    seeds = [1, 2, 3, 4, 1, 2, 5, 6]
    owner = [runs[client % 2] for client in range(len(seeds))]

    def log_all(client: int) -> None:
        for batch in some_batches(seeds[client]):
            core.write(tracking.log_batch, ANN, owner[client], batch)

    with ThreadPoolExecutor(len(seeds)) as threads:
        list(threads.map(log_all, range(len(seeds))))

    for run_id in runs:
        sent = {
            point_of(metric)
            for client, seed in enumerate(seeds)
            if owner[client] == run_id
            for batch in some_batches(seed)
            for metric in batch
        }
        found = core.read(tracking.get_run, run_id).latest
        assert {m.key: point_of(m) for m in found} == latest_by_hand(sent)
        for key in {point[0] for point in sent}:
            kept = [point_of(metric) for metric in history_of(core, run_id, key)]
            assert len(kept) == len(set(kept))
            assert set(kept) == {point for point in sent if point[0] == key}


def test_the_latest_point_does_not_depend_on_which_came_first(core: Core) -> None:
    points = [Metric("m", value, 7, 1) for value in (math.nan, 0.0, -1.0)]
    for order in (points, points[::-1]):
        run_id = core.run({})
        for point in order:
            core.write(tracking.log_batch, ANN, run_id, [point])
        assert math.isnan(core.read(tracking.get_run, run_id).metrics["m"])


def test_a_batch_of_many_statements_is_still_all_or_nothing(core: Core) -> None:
    run_id = core.run({})
    good = [Metric("m", float(step), 1, step) for step in range(3 * ROWS_A_STATEMENT + 1)]
    with pytest.raises(InvalidInput, match="64 bits"):
        core.write(tracking.log_batch, ANN, run_id, [*good, Metric("n", 1.0, 1, 2**63)])
    assert history_of(core, run_id, "m") == []
    core.write(tracking.log_batch, ANN, run_id, good)
    assert [metric.step for metric in history_of(core, run_id, "m")] == list(range(len(good)))


@pytest.mark.parametrize(
    ("total", "size", "places"),
    [
        (0, 5, []),
        (3, 5, [1, 2, 3]),
        (5, 5, [1, 2, 3, 4, 5]),
        (7, 1, [7]),
        (7, 2, [1, 7]),
        (7, 3, [1, 4, 7]),
        (10, 4, [1, 4, 7, 10]),
    ],
)
def test_a_sample_is_spread_evenly_from_the_first_to_the_last(
    total: int, size: int, places: Sequence[int]
) -> None:
    assert list(sample_places(total, size)) == list(places)


def test_a_sample_never_holds_more_than_was_asked_for() -> None:
    for total in range(60):
        for size in range(1, 12):
            places = sample_places(total, size)
            assert len(set(places)) == len(places) == min(total, size)
            assert not total or places[-1] == total


def test_histories_of_runs_are_sampled_by_step(core: Core) -> None:
    steep, flat = core.run({}), core.run({})
    core.write(
        tracking.log_batch, ANN, steep, [Metric("loss", float(s), 100 - s, s) for s in range(50)]
    )
    core.write(tracking.log_batch, ANN, flat, [Metric("loss", float(v), v, 0) for v in range(300)])

    def sample(size: int, steps: tuple[int, int] | None = None) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        runs = [flat, steep, "no run"]
        for m in core.read(histories.samples_of_runs, runs, "loss", size, steps):
            assert m.run_id is not None
            found.setdefault(m.run_id, []).append(m.value)
        return found

    assert sample(3) == {flat: [0, 100, 299], steep: [0, 17, 49]}
    assert sample(1) == {flat: [299], steep: [49]}
    assert sample(100, (10, 12)) == {steep: [10, 11, 12]}
    assert core.read(histories.samples_of_runs, [steep], "acc", 3, None) == []


def test_histories_of_runs_come_by_run_and_time(core: Core) -> None:
    first, second = sorted((core.run({}), core.run({})))
    for run_id, shift in ((second, 10), (first, 0)):
        points = [Metric("m", float(shift + v), 5 - v, v) for v in range(3)]
        core.write(tracking.log_batch, ANN, run_id, points)
    found = core.read(histories.of_runs, [second, first, "no run"], "m", 5)
    assert [(m.run_id, m.value) for m in found] == [
        *((first, 2.0), (first, 1.0), (first, 0.0)),
        *((second, 12.0), (second, 11.0)),
    ]


def test_what_runs_of_experiments_read_is_told_once(core: Core) -> None:
    other = core.write(experiments.create_experiment, ANN, "other")
    here = [core.run({}), core.run({})]
    there = core.write(tracking.create_run, ANN, other).run_id
    iris = Dataset("iris", "d1", tags={"mlflow.data.context": "train"})
    for run_id in (*here, there):
        core.write(tracking.log_inputs, ANN, run_id, [iris, Dataset("wine", "d2")], [])
    uses = [DatasetUse(0, "iris", "d1", "train"), DatasetUse(0, "wine", "d2", "")]
    assert core.read(experiments.search_datasets, [0]) == uses
    assert len(core.read(experiments.search_datasets, [0, other])) == 4
    many = [Dataset(f"name {i}", "d") for i in range(1010)]
    core.write(tracking.log_inputs, ANN, here[0], many, [])
    assert len(core.read(experiments.search_datasets, [0])) == 1000


def test_a_run_may_read_thousands_of_data_sets(core: Core) -> None:
    run_id = core.run({})
    many = [Dataset(f"name {i}", "d") for i in range(1010)]
    core.write(tracking.log_inputs, ANN, run_id, many, [])
    assert len(core.read(tracking.get_run, run_id).datasets) == 1010
    with pytest.raises(InvalidInput, match="at most 10000 inputs"):
        core.write(tracking.log_inputs, ANN, run_id, many * 10, [])


def test_a_logged_model_tells_which_versions_came_of_it(core: Core) -> None:
    model_id = core.write(tracking.create_logged_model, ANN, 0, name="m").model_id
    core.model("churn")
    core.model("fraud")
    for name in ("fraud", "churn", "churn"):
        core.register(name, f"models:/{model_id}")

    def registrations() -> tuple[tuple[str, int], ...]:
        return core.read(tracking.get_logged_model, model_id).registrations

    assert registrations() == (("churn", 1), ("churn", 2), ("fraud", 1))
    core.write(registry.delete_version, ANN, "churn", 1)
    core.write(registry.delete_model, ANN, "fraud")
    assert registrations() == (("churn", 2),)
