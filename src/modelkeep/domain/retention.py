"""Which versions a lifecycle has archived after their time, and which it has deleted from view.

* A version is due to be *archived* when it has stood in a stage as long as its
  `archive_after_days`.
* A version is due to be *retired*, deleted from view, when it stands in one of the stages of its
  `version_policy` and either is older than the newest `max_versions` of its model or has stood
  there for `retention_days`. Where it came before it has no stage, its time begins with it.
* What is in use is kept, whatever is due: see `kept`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from modelkeep.domain.gates.tags import says_no
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Version

DAY_MS = 86_400_000
GRACE_MS = DAY_MS  # from a policy's beginning, for people to see what it will do
HOLD_TAG = "modelkeep.hold"  # on a version: keeps it until the tag goes, or says no


class Fate(StrEnum):
    """What is due to be done with a version."""

    ARCHIVE = "archive"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a living version (by id and number) stands, since when in milliseconds."""

    version_id: int
    number: int
    stage: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Due:
    """What is due, by which `rule` of the policy, with its `limit`."""

    fate: Fate
    rule: str
    limit: int
    why: str


def stages(cycle: Lifecycle) -> tuple[str, ...]:
    """The stages in which anything can ever be due."""
    limits = (cycle.retention.max_versions, cycle.retention.retention_days)
    retiring = cycle.retention.stages if any(limits) else ()
    return tuple(dict.fromkeys((*cycle.archive_after_days, *retiring)))


def latest_due_ms(cycle: Lifecycle, now_ms: int) -> int:
    """Whatever stands where it is since later than this is due by no count of days."""
    days = [*cycle.archive_after_days.values()]
    if cycle.retention.retention_days:
        days.append(cycle.retention.retention_days)
    return max(now_ms - min(days) * DAY_MS, 0) if days else -1


def due(cycle: Lifecycle, standing: Standing, oldest_kept: int, now_ms: int) -> Due | None:
    """What is due for a version; `oldest_kept` is the lowest number of the newest that may stay."""
    keeping, stage = cycle.retention, standing.stage
    days_there = (now_ms - standing.since_ms) // DAY_MS
    if stage in keeping.stages:
        most, days = keeping.max_versions, keeping.retention_days
        if most and standing.number < oldest_kept:
            return Due(Fate.RETIRE, "max_versions", most, f"it is not among the newest {most}")
        if days and days_there >= days:
            told = f"it has been in {stage} for {days_there} days of {days}"
            return Due(Fate.RETIRE, "retention_days", days, told)
    days = cycle.archive_after_days.get(stage)
    if days and days_there >= days:
        told = f"it has been in {stage} for {days_there} days of {days}"
        return Due(Fate.ARCHIVE, "archive_after_days", days, told)
    return None


def kept(
    cycle: Lifecycle,
    version: Version,
    targets: Mapping[int, str],
    request_id: int | None,
    holder: str | None = None,
) -> str | None:
    """Why a version stays although it is due; None if nothing keeps it.

    `targets` are the versions that a rollback would return to, by id, and of which stage;
    `request_id` is of a request about it that waits; `holder` has put a hold on it.
    """
    if holder is not None:
        return f"a hold of {holder} keeps it"
    if version.stage == cycle.production or cycle.admits_one(version.stage):
        return f"it holds {version.stage}"
    if version.aliases:
        return f"alias {version.aliases[0]} points to it"
    if version.id in targets:
        return f"a rollback of {targets[version.id]} would return to it"
    if request_id is not None:
        return f"request {request_id} waits for an approval"
    if HOLD_TAG in version.tags and not says_no(version.tags[HOLD_TAG]):
        return f"its tag {HOLD_TAG} says so"
    return None
