"""What the samples come to: medians over the rounds, ratios of like with like, verdicts."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import targets
from benchmarks.plan import MACHINE, Sample

OURS = "modelkeep"


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the rounds."""

    value: float
    unit: str
    rate: bool
    detail: dict[str, float]

    def times(self, theirs: "Figure") -> float:
        """How many times better this one is."""
        ours, base = (self.value, theirs.value) if self.rate else (theirs.value, self.value)
        return ours / base if base else float("nan")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and what was found: both in words."""

    target: str
    reached: bool
    found: str


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement on one database, at one size where that is varied; `ratio` is ours by the
    peer's.
    """

    measurement: str
    database: str
    size: int
    figures: dict[str, Figure]  # by product
    ratios: dict[str, float]  # by the product that ours is compared with
    verdicts: list[Verdict] = field(default_factory=list)


def lines(samples: Sequence[Sample], peer: str = "mlflow") -> list[Line]:
    """In the order of the measurements. Targets that speak of ratios mean those to `peer` or,
    where it takes no part, to the only one that does."""
    machine = limits(samples)
    found: dict[tuple[str, str, int], dict[str, Figure]] = {}
    for sample in samples:
        if sample.server != MACHINE:
            product, _, database = sample.server.rpartition("-")
            of_line = found.setdefault((sample.measurement, database, sample.size), {})
            of_line.setdefault(product, _figure(samples, sample))
    return [_line(*key, figures, machine, peer) for key, figures in found.items()]


def limits(samples: Sequence[Sample]) -> dict[str, Figure]:
    return {s.measurement: _figure(samples, s) for s in samples if s.server == MACHINE}


def _figure(samples: Sequence[Sample], one: Sample) -> Figure:
    same = (one.measurement, one.server, one.size)
    all_of_it = [s for s in samples if (s.measurement, s.server, s.size) == same]
    detail = {
        key: statistics.median(s.detail[key] for s in all_of_it) for key in all_of_it[0].detail
    }
    value = statistics.median(s.value for s in all_of_it)
    return Figure(value, one.unit, one.rate, detail)


def _line(
    measurement: str,
    database: str,
    size: int,
    figures: dict[str, Figure],
    machine: dict[str, Figure],
    peer: str,
) -> Line:
    ours = figures.get(OURS)
    if ours is None:
        return Line(measurement, database, size, figures, {})
    bare = machine.get(measurement.replace("alias: ", "limit: bare HTTP, "))
    if measurement.startswith("alias: ") and bare:
        ours.detail[targets.LIMIT_PCT] = 100 * ours.value / bare.value
    ratios = {product: ours.times(f) for product, f in figures.items() if product != OURS}
    found = {targets.VALUE: ours.value, **ours.detail}
    if peer in ratios or len(ratios) == 1:
        found[targets.RATIO] = ratios.get(peer) or next(iter(ratios.values()))
    verdicts = [
        _verdict(target, found[target.of], ours.unit)
        for target in targets.of(measurement, database, size)
        if target.of in found
    ]
    return Line(measurement, database, size, figures, ratios, verdicts)


def _verdict(target: targets.Target, found: float, unit: str) -> Verdict:
    return Verdict(
        target.told(unit), target.is_reached(found), targets.shown(target.of, found, unit)
    )
