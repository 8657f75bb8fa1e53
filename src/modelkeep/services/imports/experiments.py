"""Brings experiments over. They are matched by their names; Default is Default.

One that was here before keeps its own place for artifacts, and its tags if it has any.
"""

from dataclasses import dataclass, field

from modelkeep.domain import imports
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller
from modelkeep.domain.imports import End, Outcome
from modelkeep.domain.locations import artifact_location, is_object_store
from modelkeep.domain.tracking import ACTIVE, Experiment
from modelkeep.ports.work import Work
from modelkeep.services.imports.given import check_lifecycle, check_time, tag_changes
from modelkeep.services.imports.records import bind, bound, foreign, note, settle


@dataclass(frozen=True, slots=True)
class GivenExperiment:
    """An experiment as its source has it. Times are milliseconds since the epoch."""

    name: str
    lifecycle_stage: str = ACTIVE
    artifact_location: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)


def bring_experiment(work: Work, caller: Caller, origin: str, given: GivenExperiment) -> Outcome:
    """The outcome's key is the experiment's id here. Raises InvalidInput."""
    imports.check_origin(origin)
    _check(given)
    found = _found(work, origin, given.name)
    experiment_id = found.id if found else _add(work, given)
    end, reason = _judge(work, origin, given, found) if found else (End.CREATED, "")
    if found and end is End.CHANGED:
        _change(work, found, given)
    bind(work, caller, "experiment-name", origin, given.name, experiment_id)
    if end is not End.KEPT:
        note(work, caller, "experiment", experiment_id, origin, _digest(given))
    return Outcome(str(experiment_id), end, reason)


def _found(work: Work, origin: str, name: str) -> Experiment | None:
    """What the name was brought as, even if it was renamed here; else what bears it here."""
    known = bound(work, "experiment-name", origin, name)
    return work.experiments.named(name) if known is None else work.experiments.get(known)


def _check(given: GivenExperiment) -> None:
    rules.check_experiment_name(given.name)
    check_lifecycle(given.lifecycle_stage)
    check_time(given.created_ms, "created_ms")
    check_time(given.updated_ms, "updated_ms")
    for key, value in given.tags.items():
        rules.check_experiment_tag(key, value)


def _judge(work: Work, origin: str, given: GivenExperiment, found: Experiment) -> tuple[End, str]:
    base = work.imports.find("experiment", str(found.id))
    digests = _digest(given), _digest(found)
    if base is None and not found.tags and found.lifecycle_stage == given.lifecycle_stage:
        return (End.CHANGED, "") if given.tags else (End.UNCHANGED, "")
    if base and digests[0] != digests[1] and (objection := foreign(base, origin)):
        return End.KEPT, objection
    return settle(base, *digests)


def _digest(experiment: GivenExperiment | Experiment) -> str:
    return imports.digest({"lifecycle": experiment.lifecycle_stage, "tags": experiment.tags})


def _add(work: Work, given: GivenExperiment) -> int:
    kept = ""
    if is_object_store(given.artifact_location):
        kept = artifact_location(given.artifact_location)
    experiment_id = work.experiments.add(given.name, kept, given.created_ms)
    work.experiments.set_tags(experiment_id, given.tags)
    _set_lifecycle(work, experiment_id, given)
    return experiment_id


def _change(work: Work, found: Experiment, given: GivenExperiment) -> None:
    gone, new = tag_changes(found.tags, given.tags)
    for key in gone:
        work.experiments.delete_tag(found.id, key)
    work.experiments.set_tags(found.id, new)
    _set_lifecycle(work, found.id, given)


def _set_lifecycle(work: Work, experiment_id: int, given: GivenExperiment) -> None:
    work.experiments.set_lifecycle(experiment_id, given.lifecycle_stage, given.updated_ms)
