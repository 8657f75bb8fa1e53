"""The gate `metrics`: the run's metrics are there, are finite, and are good enough.

A requirement is a metric's name (`f1_score`: present and finite) or a comparison
(`accuracy >= 0.90`). Without the check for NaN every comparison with it is false, and a test for
"not worse" would let it through; here a metric that is missing, NaN or infinite fails.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from modelkeep.domain import documents, names
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.gates.base import Case, Gate, Verdict, judged

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_SIGN = re.compile(r"[<>=!]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A metric and, with `sign`, the bound it is held against; `written` is the bound as text."""

    metric: str
    sign: str = ""
    written: str = ""

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.written}".rstrip()

    def objection(self, value: float | None) -> str | None:
        """What is wrong with the metric's value (None: not on the run), if anything is."""
        if value is None:
            return f"metric {self.metric} is not on the run"
        if math.isnan(value):
            return f"metric {self.metric} is NaN"
        if math.isinf(value):
            return f"metric {self.metric} is {'Infinity' if value > 0 else '-Infinity'}"
        if self.sign and not _COMPARE[self.sign](value, float(self.written)):
            return f"{self.metric} is {value!r}, required {self.sign} {self.written}"
        return None


@dataclass(frozen=True, slots=True)
class MetricsGate:
    """Every requirement holds of the run's metrics."""

    name: ClassVar[str] = "metrics"
    requirements: tuple[Requirement, ...]

    def asks(self) -> str:
        return ", ".join(map(str, self.requirements)) or "nothing"

    def judge(self, case: Case) -> Verdict:
        metrics = case.evidence.metrics
        objections = (r.objection(metrics.get(r.metric)) for r in self.requirements)
        values = ", ".join(f"{r.metric} is {metrics.get(r.metric)!r}" for r in self.requirements)
        return judged(self.name, filter(None, objections), values or "none are required")


def parse(item: str, path: str) -> Requirement:
    """A requirement from `name` or `name OP number`; InvalidInput with `path` for any other text.

    OP is >= > <= < == or !=; the number is a finite decimal, as in 0.90, 5 or 1e-3.
    """
    sign = _SIGN.search(item)
    if sign is None:
        return Requirement(_metric(item.strip(), path))
    written = item[sign.end() :].strip()
    if sign.group() not in _COMPARE or not _NUMBER.fullmatch(written):
        raise InvalidInput(
            f"{path}: '{item:.80}' is neither a metric's name nor 'name OP number', "
            f"where OP is one of {' '.join(_COMPARE)}."
        )
    if not math.isfinite(float(written)):
        raise InvalidInput(f"{path}: the number in '{item:.80}' must be finite.")
    return Requirement(_metric(item[: sign.start()].strip(), path), sign.group(), written)


def _metric(name: str, path: str) -> str:
    return documents.checked(lambda key: names.check_key(key, "metric"), name, path)


def read(value: object, path: str) -> Gate:
    """The gate of a `required_metrics` list."""
    return MetricsGate(tuple(parse(item, here) for here, item in documents.items(value, path)))
