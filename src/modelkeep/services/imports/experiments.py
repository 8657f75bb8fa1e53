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
from modelkeep.services.imports.records import foreign, note, settle


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
    _check_experiment(given)
    found = work.experiments.named(given.name)
    if found is None:
        experiment_id, outcome = _add_experiment(work, given), End.CREATED
    else:
        experiment_id, (outcome, reason) = found.id, _judge_experiment(work, origin, given, found)
        if outcome is End.KEPT:
            return Outcome(str(found.id), outcome, reason)
        if outcome is End.CHANGED:
            gone, new = tag_changes(found.tags, given.tags)
            for key in gone:
                work.experiments.delete_tag(found.id, key)
            work.experiments.set_tags(found.id, new)
            _set_lifecycle(work, found.id, given)
    note(work, caller, "experiment", experiment_id, origin, _experiment_digest(given))
    return Outcome(str(experiment_id), outcome)


def _check_experiment(given: GivenExperiment) -> None:
    rules.check_experiment_name(given.name)
    check_lifecycle(given.lifecycle_stage)
    check_time(given.created_ms, "created_ms")
    check_time(given.updated_ms, "updated_ms")
    for key, value in given.tags.items():
        rules.check_experiment_tag(key, value)


def _judge_experiment(
    work: Work, origin: str, given: GivenExperiment, found: Experiment
) -> tuple[End, str]:
    base = work.imports.find("experiment", str(found.id))
    digests = _experiment_digest(given), _experiment_digest(found)
    if base is None and not found.tags and found.lifecycle_stage == given.lifecycle_stage:
        return (End.CHANGED, "") if given.tags else (End.UNCHANGED, "")
    if base and digests[0] != digests[1] and (objection := foreign(base, origin)):
        return End.KEPT, objection
    return settle(base, *digests)


def _experiment_digest(experiment: GivenExperiment | Experiment) -> str:
    return imports.digest({"lifecycle": experiment.lifecycle_stage, "tags": experiment.tags})


def _add_experiment(work: Work, given: GivenExperiment) -> int:
    kept = ""
    if is_object_store(given.artifact_location):
        kept = artifact_location(given.artifact_location)
    experiment_id = work.experiments.add(given.name, kept, given.created_ms)
    work.experiments.set_tags(experiment_id, given.tags)
    _set_lifecycle(work, experiment_id, given)
    return experiment_id


def _set_lifecycle(work: Work, experiment_id: int, given: GivenExperiment) -> None:
    work.experiments.set_lifecycle(experiment_id, given.lifecycle_stage, given.updated_ms)
