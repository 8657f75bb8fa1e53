"""Brings experiments over. One that came before is known by what its source calls it.

That is its id and its time of creation there, so that an experiment that has another name there
gets it here as well. One that comes for the first time is matched by its name; Default is Default.
One that was here before keeps its own place for artifacts, and its tags if it has any.
"""

from dataclasses import dataclass, field

from modelkeep.domain import imports
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller
from modelkeep.domain.imports import End, Outcome, Record
from modelkeep.domain.locations import artifact_location, is_object_store
from modelkeep.domain.names import check_text
from modelkeep.domain.tracking import ACTIVE, Experiment
from modelkeep.ports.work import Work
from modelkeep.services.imports.given import check_lifecycle, check_time, tag_changes
from modelkeep.services.imports.records import Names, foreign, note, settle

ID_LIMIT = 100  # characters of an id at a source


@dataclass(frozen=True, slots=True)
class GivenExperiment:
    """An experiment as its source has it. Times are milliseconds since the epoch.

    `source_id` is its id there; without one it is known by its name alone.
    """

    name: str
    source_id: str = ""
    lifecycle_stage: str = ACTIVE
    artifact_location: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)


def bring_experiment(work: Work, caller: Caller, origin: str, given: GivenExperiment) -> Outcome:
    """The outcome's key is the experiment's id here.

    REFUSED says that none of its runs may come either. Raises InvalidInput.
    """
    imports.check_origin(origin)
    _check(given)
    names = Names(work, "experiment", origin)
    found = find_experiment(work, origin, given)
    if found is None:
        namesake = work.experiments.named(given.name)
        if namesake is not None:
            reason = "what is here of that name was brought as another experiment; rename one"
            return Outcome("", End.REFUSED, reason)
        experiment_id, end, reason = _add(work, caller, given), End.CREATED, ""
    else:
        experiment_id = found.id
        end, reason = _follow(work, caller, names, found, given)
    _remember(work, caller, names, given, experiment_id)
    if end is not End.KEPT:
        note(work, caller, "experiment", experiment_id, origin, _digest(given))
    return Outcome(str(experiment_id), end, reason)


def find_experiment(work: Work, origin: str, given: GivenExperiment) -> Experiment | None:
    """What it was brought as, whatever both are called by now; else what bears its name here.

    None also for what bears its name and was brought as another experiment.
    """
    names = Names(work, "experiment", origin)
    known = names.identified(_identity(given)) if given.source_id else None
    if known is None:
        known = names.named(given.name, given.source_id)
    if known is not None:
        return work.experiments.get(known)
    found = work.experiments.named(given.name)
    is_another = found is not None and names.gave(given.name, found.id)
    return None if is_another else found


def _identity(given: GivenExperiment) -> str:
    """What it keeps at its source. A server that was set up anew gives its ids again."""
    return f"{given.source_id}@{given.created_ms}"


def _remember(
    work: Work, caller: Caller, names: Names, given: GivenExperiment, experiment_id: int
) -> None:
    if given.source_id:
        names.identify(caller, _identity(given), experiment_id)
    called = work.experiments.named(given.name)
    if called is not None and called.id == experiment_id:
        names.name(caller, given.name, given.source_id, experiment_id)


def _check(given: GivenExperiment) -> None:
    rules.check_experiment_name(given.name)
    check_text(given.source_id, "source_id", ID_LIMIT)
    check_lifecycle(given.lifecycle_stage)
    check_time(given.created_ms, "created_ms")
    check_time(given.updated_ms, "updated_ms")
    for key, value in given.tags.items():
        rules.check_experiment_tag(key, value)


def _follow(
    work: Work, caller: Caller, names: Names, found: Experiment, given: GivenExperiment
) -> tuple[End, str]:
    """Makes it what its source says, its name too, as far as that may be."""
    base = work.imports.find("experiment", str(found.id))
    end, reason = _judge(base, names.origin, given, found)
    if end is End.CHANGED:
        _change(work, found, given)
    if end is End.KEPT or found.name == given.name:
        return end, reason
    if base is None or not names.gave(found.name, found.id):
        return end, "it was renamed here"
    if objection := foreign(base, names.origin):
        return end, objection
    if work.experiments.named(given.name) is not None:
        return end, "that name is taken here"
    work.experiments.rename(found.id, given.name, given.updated_ms)
    names.release(caller, found.name)
    return End.CHANGED, ""


def _judge(
    base: Record | None, origin: str, given: GivenExperiment, found: Experiment
) -> tuple[End, str]:
    digests = _digest(given), _digest(found)
    if base is None and not found.tags and found.lifecycle_stage == given.lifecycle_stage:
        return (End.CHANGED, "") if given.tags else (End.UNCHANGED, "")
    if base and digests[0] != digests[1] and (objection := foreign(base, origin)):
        return End.KEPT, objection
    return settle(base, *digests)


def _digest(experiment: GivenExperiment | Experiment) -> str:
    return imports.digest({"lifecycle": experiment.lifecycle_stage, "tags": experiment.tags})


def _add(work: Work, caller: Caller, given: GivenExperiment) -> int:
    kept = ""
    if is_object_store(given.artifact_location):
        kept = artifact_location(given.artifact_location)
    experiment_id = work.experiments.add(given.name, kept, caller.actor.name, given.created_ms)
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
