"""The gate `regression`: the version is not worse than the one that it would displace.

An item is a metric's name (not worse at all) or a mapping: `metric`, and at most one of `margin`
(how much worse it may be, in the metric's own unit) and `margin_pct` (in percent of the
occupant's value); `better` (`lower` or `higher`) where the metric's name does not say it.

A metric that either side lacks, or that is NaN or infinite on either side, fails: "not worse" is
true of NaN in every comparison that is written the wrong way round. Where nothing is displaced,
there is nothing to be worse than.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from modelkeep.domain import documents, names
from modelkeep.domain.directions import sounds_lower
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Occupant
from modelkeep.domain.gates.base import Case, Gate, Need, Outcome, Verdict, judged

_KEYS = ("metric", "margin", "margin_pct", "better")
_BETTER = ("higher", "lower")


@dataclass(frozen=True, slots=True)
class Limit:
    """A metric, how much worse it may be, and which way worse is. `margin` is never negative."""

    metric: str
    margin: float = 0.0
    is_pct: bool = False
    lower: bool = False

    def __str__(self) -> str:
        if not self.margin:
            return f"{self.metric} not worse"
        return f"{self.metric} at most {self.margin:g}{' %' if self.is_pct else ''} worse"

    def objection(self, mine: Mapping[str, float], there: Occupant) -> str | None:
        """What is wrong, if anything is."""
        for whose, metrics in (("its", mine), (f"version {there.number}'s", there.metrics)):
            value = metrics.get(self.metric)
            if value is None or not math.isfinite(value):
                is_what = "missing" if value is None else "not a finite number"
                return f"{whose} metric {self.metric} is {is_what}"
        mine_is, theirs = mine[self.metric], there.metrics[self.metric]
        allowed = abs(theirs) * self.margin / 100 if self.is_pct else self.margin
        bound = theirs + allowed if self.lower else theirs - allowed
        if mine_is > bound if self.lower else mine_is < bound:
            return (
                f"{self.metric} is {mine_is!r}, and {theirs!r} in version {there.number}; "
                f"required {'<=' if self.lower else '>='} {bound!r}"
            )
        return None


@dataclass(frozen=True, slots=True)
class RegressionGate:
    """No limit is broken against the occupant of the target."""

    name: ClassVar[str] = "regression"
    limits: tuple[Limit, ...]

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.OCCUPANT})

    def asks(self) -> str:
        return f"against the occupant: {', '.join(map(str, self.limits)) or 'nothing'}"

    def judge(self, case: Case) -> Verdict:
        there = case.evidence.occupant
        if there is None:
            return Verdict(self.name, Outcome.PASSED, "no other version is there to compare with")
        objections = (limit.objection(case.evidence.metrics, there) for limit in self.limits)
        good = f"not worse than version {there.number}"
        return judged(self.name, filter(None, objections), good)


def read(value: object, path: str) -> Gate:
    """The gate of a `no_regression` list."""
    return RegressionGate(tuple(_limits(value, path)))


def _limits(value: object, path: str) -> Iterator[Limit]:
    for here, item in documents.parts(value, path):
        if isinstance(item, str):
            yield _limit({"metric": item}, here)
        else:
            yield _limit(documents.mapping(item, here, _KEYS), here)


def _limit(part: dict[str, Any], path: str) -> Limit:
    if "metric" not in part:
        raise InvalidInput(f"{path}: the key 'metric' is required and not there.")
    if "margin" in part and "margin_pct" in part:
        raise InvalidInput(f"{path}: has both margin and margin_pct; keep one.")
    where = at(path, "metric")
    metric = documents.text(part["metric"], where)
    metric = documents.checked(lambda key: names.check_key(key, "metric"), metric, where)
    key = "margin_pct" if "margin_pct" in part else "margin"
    margin = documents.number(part.get(key, 0), at(path, key), 0)
    better = part.get("better", "lower" if sounds_lower(metric) else "higher")
    if better not in _BETTER:
        raise InvalidInput(f"{at(path, 'better')}: must be one of {', '.join(_BETTER)}.")
    return Limit(metric, margin, key == "margin_pct", better == "lower")
