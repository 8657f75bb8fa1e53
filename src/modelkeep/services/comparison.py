"""Versions side by side: how they stand by each metric, and what is known of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from modelkeep.domain import comparison
from modelkeep.domain.errors import InvalidInput, LimitExceeded
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import listings, policies
from modelkeep.services.catalog import latest_per_stage, resolve
from modelkeep.services.evidence import gather

NEWEST = 5  # versions, when none are named, beside the one in production
LIMIT = 50


@dataclass(frozen=True, slots=True)
class Race:
    """One metric over the versions: its values, in their order, and the indexes of the best."""

    metric: str
    lower_is_better: bool
    values: list[float | None]
    best: Collection[int]


@dataclass(frozen=True, slots=True)
class Compared:
    """Versions, oldest first, with what is known of each and how they stand by each metric."""

    versions: list[Version]
    evidence: list[Evidence]
    metrics: list[Race]


def compare(
    work: Work,
    model: str,
    which: Sequence[str],
    lower: Collection[str] = (),
    higher: Collection[str] = (),
) -> Compared:
    """Compares the versions named or, if none are, the newest five and the one in production.

    `lower` and `higher` name metrics of which less, or more, is better whatever else says so (see
    `domain.comparison`). Raises NotFound; InvalidInput for a metric named in both; LimitExceeded
    for more than 50 versions.
    """
    both = sorted(set(lower) & set(higher))
    if both:
        raise InvalidInput(f"Metric '{both[0]}' is given as better lower and as better higher.")
    versions = _chosen(work, model, which)
    evidence = [gather(work, version) for version in versions]
    wants = {
        **comparison.thresholds(policies.lifecycle_of(work, model)),
        **dict.fromkeys(lower, True),
        **dict.fromkeys(higher, False),
    }
    return Compared(versions, evidence, _races(evidence, wants))


def _chosen(work: Work, model: str, which: Sequence[str]) -> list[Version]:
    if len(which) > LIMIT:
        raise LimitExceeded(f"At most {LIMIT} versions are compared at once.")
    if which:
        found = [resolve(work, model, one) for one in which]
    else:
        production = policies.lifecycle_of(work, model).production
        found = [v for v in latest_per_stage(work, model) if v.stage == production]
        found += listings.versions(work, model, None, NEWEST)
    return sorted({v.id: v for v in found}.values(), key=lambda version: version.number)


def _races(evidence: Sequence[Evidence], wants: dict[str, bool]) -> list[Race]:
    races = []
    for metric in sorted({name for known in evidence for name in known.metrics}):
        lower = comparison.lower_is_better(metric, wants)
        values = [known.metrics.get(metric) for known in evidence]
        races.append(Race(metric, lower, values, comparison.best(values, lower=lower)))
    return races
