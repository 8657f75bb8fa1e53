"""What is read of many runs at once, on both databases."""

import math

from modelkeep.domain.tracking import CONTEXT_TAG, Dataset, DatasetSummary, Metric
from modelkeep.services import experiments, tracking
from tests.support.core import ANN, Core

ALL_STEPS = (-(2**63), 2**63 - 1)


def new_run(core: Core, *points: tuple[int, float], experiment: int = 0) -> str:
    """A run with points (step, value) of the metric `loss`."""
    run_id = core.write(tracking.create_run, ANN, experiment).run_id
    metrics = [Metric("loss", value, 100 - step, step) for step, value in points]
    if metrics:
        core.write(tracking.log_batch, run_id, metrics)
    return run_id


def sampled(core: Core, run_id: str, limit: int, steps: tuple[int, int] = ALL_STEPS) -> list[int]:
    found = core.read(tracking.sampled_histories, [run_id], "loss", steps, limit)
    assert {point.run_id for point in found} <= {run_id}
    return [point.step for point in found]


def test_a_sample_is_spread_evenly_and_has_both_ends(core: Core) -> None:
    run_id = new_run(core, *((step, 1.0) for step in range(12)))
    assert sampled(core, run_id, 4) == [0, 3, 6, 11]
    assert sampled(core, run_id, 5) == [0, 3, 6, 8, 11]
    assert sampled(core, run_id, 2) == [0, 11]
    assert sampled(core, run_id, 1) == [11]
    assert sampled(core, run_id, 2500) == list(range(12))
    assert sampled(core, run_id, 3, steps=(2, 8)) == [2, 5, 8]
    assert sampled(core, run_id, 9, steps=(20, 30)) == []


def test_many_points_of_one_step_are_no_more_than_were_asked_for(core: Core) -> None:
    run_id = new_run(core, *((0, float(n)) for n in range(40)), (0, math.nan), (1, 7.0))
    assert sampled(core, run_id, 5) == [0, 0, 0, 0, 1]


def test_a_sample_has_as_many_points_as_were_asked_for_and_none_twice(core: Core) -> None:
    for points in (0, 1, 2, 17):
        run_id = new_run(core, *((step, 0.5) for step in range(points)))
        for limit in range(1, 20):
            found = sampled(core, run_id, limit)
            assert len(found) == min(points, limit)
            assert found == sorted(set(found))
            assert not points or found[-1] == points - 1


def test_a_run_that_is_not_there_leaves_the_samples_of_the_others(core: Core) -> None:
    assert sampled(core, "none", 5) == []
    run_id = new_run(core, (0, 1.0))
    found = core.read(tracking.sampled_histories, ["none", run_id], "loss", ALL_STEPS, 5)
    assert [point.run_id for point in found] == [run_id]


def test_histories_follow_one_another_by_run_up_to_a_limit(core: Core) -> None:
    runs = sorted(new_run(core, (0, 3.0), (1, 2.0), (2, 1.0)) for _ in range(2))
    found = core.read(tracking.metric_histories, [*reversed(runs), runs[0], "none"], "loss", 5)
    assert [(point.run_id, point.at_ms) for point in found] == [
        *((runs[0], at) for at in (98, 99, 100)),
        *((runs[1], at) for at in (98, 99)),
    ]


def test_data_sets_are_told_once_for_each_experiment_and_context(core: Core) -> None:
    other = core.write(experiments.create_experiment, "other")
    train, plain = Dataset("iris", "1", tags={CONTEXT_TAG: "train"}), Dataset("wine", "2")
    for experiment, dataset in ((0, train), (0, train), (0, plain), (other, train)):
        run_id = new_run(core, experiment=experiment)
        core.write(tracking.log_inputs, run_id, [dataset], [])
    found = core.read(experiments.search_datasets, [0, 77], 10)
    assert found == [DatasetSummary(0, "iris", "1", "train"), DatasetSummary(0, "wine", "2", "")]
    assert len(core.read(experiments.search_datasets, [0, other], 10)) == 3
    assert len(core.read(experiments.search_datasets, [0, other], 2)) == 2
