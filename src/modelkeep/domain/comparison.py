"""Which of several versions is the best by a metric, and in what they differ.

Whether less of a metric is better is said by the first of these that speaks:

1. whoever asks, by the metric's name;
2. the policy in force: a threshold `<` or `<=` wants less, `>` or `>=` more (one of each: neither);
3. the metric's name (`directions`), for which more is better unless it says else.

NaN is never the best, and nothing is where all are the same or only one was measured.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from modelkeep.domain.directions import sounds_lower
from modelkeep.domain.gates.metrics import MetricsGate, Requirement
from modelkeep.domain.lifecycles import Lifecycle


def lower_is_better(metric: str, thresholds: Mapping[str, bool]) -> bool:
    """By rules 2 and 3; `thresholds` are the policy's (see `thresholds`)."""
    if metric in thresholds:
        return thresholds[metric]
    return sounds_lower(metric)


def thresholds(cycle: Lifecycle) -> dict[str, bool]:
    """Metric -> whether a lifecycle's thresholds want less of it, where they agree on that."""
    wanted: dict[str, set[bool]] = {}
    for requirement in _requirements(cycle):
        if requirement.sign.startswith(("<", ">")):
            wanted.setdefault(requirement.metric, set()).add(requirement.sign.startswith("<"))
    return {metric: wants.pop() for metric, wants in wanted.items() if len(wants) == 1}


def _requirements(cycle: Lifecycle) -> Iterable[Requirement]:
    for rule in cycle.rules.values():
        for gate in rule.gates:
            if isinstance(gate, MetricsGate):
                yield from gate.requirements


def best(values: Sequence[float | None], *, lower: bool) -> Collection[int]:
    """The indexes of the best of the values; None stands for one that was not measured."""
    measured = [value for value in values if value is not None]
    numbers = [value for value in measured if not math.isnan(value)]
    all_same = len(set(numbers)) == 1 and len(numbers) == len(measured)
    if len(measured) < 2 or not numbers or all_same:
        return ()
    winner = min(numbers) if lower else max(numbers)
    return [index for index, value in enumerate(values) if value == winner]


def together(mappings: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """Key -> its value in each of the mappings, by key."""
    keys = sorted({key for mapping in mappings for key in mapping})
    return {key: [mapping.get(key) for mapping in mappings] for key in keys}
