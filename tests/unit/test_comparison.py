"""Which version is best by a metric, and which way a metric is read."""

import math

import pytest

from modelkeep.domain import policies
from modelkeep.domain.comparison import best, lower_is_better, thresholds, together
from modelkeep.domain.lifecycles import MLFLOW

NAN = math.nan


@pytest.mark.parametrize(
    "metric",
    [
        *("loss", "val_loss", "eval/loss", "valLoss", "log_loss", "logLoss", "RMSE", "testRMSE"),
        *("mean_squared_error", "test.mae", "latency_ms", "p99 latency", "top1_error", "brier"),
    ],
)
def test_less_is_better_of_what_counts_mistakes_or_time(metric: str) -> None:
    assert lower_is_better(metric, {})


@pytest.mark.parametrize(
    "metric",
    [
        *("accuracy", "f1_score", "roc_auc", "r2", "glossary", "closser", "maestro", "score"),
        *("neg_mean_squared_error", "neg_log_loss", "", "1", "准确率"),
    ],
)
def test_more_is_better_of_everything_else(metric: str) -> None:
    assert not lower_is_better(metric, {})


def test_a_threshold_of_the_policy_says_which_way_a_metric_is_read() -> None:
    asked = {
        "None -> Staging": {"required_metrics": ["cost < 3", "loss >= 1", "f1_score"]},
        "Staging -> Production": {"required_metrics": ["drift <= 1", "band > 1", "n == 3"]},
        "Archived -> Production": {"required_metrics": ["band < 2"]},
    }
    policy = policies.compile({"model_registry": {"stage_transitions": asked}}, "")
    known = thresholds(policy.default)
    assert known == {"cost": True, "loss": False, "drift": True}
    assert not lower_is_better("loss", known)
    assert lower_is_better("cost", known)
    assert thresholds(MLFLOW) == {}


@pytest.mark.parametrize(
    ("values", "lower", "winners"),
    [
        ([0.9, 0.8, 0.7], False, [0]),
        ([0.9, 0.8, 0.7], True, [2]),
        ([0.9, 0.7, 0.9], False, [0, 2]),
        ([NAN, 0.1], False, [1]),
        ([NAN, 0.1], True, [1]),
        ([NAN, 0.5, 0.5], False, [1, 2]),
        ([NAN, NAN], False, []),
        ([0.5, 0.5], False, []),
        ([None, 0.5], False, []),
        ([None, 0.5, 0.6], True, [1]),
        ([math.inf, 1.0], False, [0]),
        ([-math.inf, 1.0], True, [0]),
        ([0.0, -0.0], False, []),
        ([], False, []),
    ],
)
def test_nan_is_never_best_and_nothing_is_without_a_contest(
    values: list[float | None], lower: bool, winners: list[int]
) -> None:
    assert list(best(values, lower=lower)) == winners


def test_what_is_missing_somewhere_is_none_there() -> None:
    assert together([{"b": "1"}, {"a": "2", "b": "1"}]) == {"a": [None, "2"], "b": ["1", "1"]}
