"""Experiments: creating, reading, changing and deleting them. Not journalled (see `tracking`)."""

from collections.abc import Collection, Mapping, Sequence

from modelkeep.domain import locations
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller, Verb
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NotFound
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import ACTIVE, DELETED, DatasetUse, Experiment
from modelkeep.ports.work import Work
from modelkeep.services import hands

FIRST_ID = 0  # of the experiment that every database begins with


def create_experiment(
    work: Work,
    caller: Caller,
    name: str,
    artifact_location: str = "",
    tags: Mapping[str, str] = {},
    closed: Collection[str] = (),
    root: str = "",
) -> int:
    """The new id; `closed` as in `locations.artifact_location`. Without a location it gets a
    folder of its own under `root`, or with none, of ours.

    Raises InvalidInput; AlreadyExists even if the one of that name is deleted.
    """
    rules.check_experiment_name(name)
    for key, value in tags.items():
        rules.check_experiment_tag(key, value)
    given = artifact_location
    location = locations.artifact_location(given, closed) if given else ""
    _refuse_taken(work, name)
    experiment_id = work.experiments.add(name, location, caller.actor.name, work.now_ms, root)
    work.experiments.set_tags(experiment_id, tags)
    return experiment_id


def place_default(work: Work, root: str) -> None:
    """Has the first experiment's artifacts lie under a root too, while it has no run."""
    first = get_experiment(work, FIRST_ID)
    is_used = work.runs.search([FIRST_ID], [ACTIVE, DELETED], [], [], 1, None).items
    if first.artifact_location == f"{locations.PROXIED}{FIRST_ID}" and not is_used:
        work.experiments.locate(FIRST_ID, root, work.now_ms)


def get_experiment(work: Work, experiment_id: int) -> Experiment:
    """Deleted ones too. Raises NotFound."""
    experiment = work.experiments.get(experiment_id)
    if experiment is None:
        raise NotFound(f"No Experiment with id={experiment_id} exists")
    return experiment


def get_experiment_by_name(work: Work, name: str) -> Experiment:
    """Deleted ones too. Raises NotFound."""
    experiment = work.experiments.named(name)
    if experiment is None:
        raise NotFound(f"Could not find experiment with name '{name}'")
    return experiment


def search_experiments(
    work: Work,
    stages: Sequence[str],
    where: Sequence[Comparison],
    order: Sequence[Order],
    limit: int,
    after: Position | None = None,
) -> Page[Experiment]:
    return work.experiments.search(stages, where, order, limit, after)


def search_datasets(work: Work, experiment_ids: Sequence[int]) -> list[DatasetUse]:
    """What the runs of some experiments read: at most 1,000 uses, each of them once."""
    return work.runs.dataset_uses(experiment_ids, rules.DATASET_USES_LIMIT)


def rename_experiment(work: Work, caller: Caller, experiment_id: int, name: str) -> None:
    """Raises NotFound, InvalidInput, AlreadyExists, Forbidden."""
    rules.check_experiment_name(name)
    experiment = get_experiment(work, experiment_id)
    if experiment.lifecycle_stage != ACTIVE:
        raise InvalidInput("Cannot rename a non-active experiment.")
    _check(caller, experiment)
    if name != experiment.name:
        _refuse_taken(work, name)
    work.experiments.rename(experiment_id, name, work.now_ms)


def delete_experiment(work: Work, caller: Caller, experiment_id: int) -> None:
    """Deletes an active experiment and its runs from view. Raises NotFound; Forbidden where it, or
    any run in it, is somebody else's."""
    _turn_experiment(work, caller, experiment_id, ACTIVE, DELETED)


def restore_experiment(work: Work, caller: Caller, experiment_id: int) -> None:
    """Brings back a deleted experiment and, as MLflow does, every run in it. Raises as
    `delete_experiment`."""
    _turn_experiment(work, caller, experiment_id, DELETED, ACTIVE)


def set_experiment_tag(
    work: Work, caller: Caller, experiment_id: int, key: str, value: str
) -> None:
    rules.check_experiment_tag(key, value)
    _check(caller, active_experiment(work, experiment_id))
    work.experiments.set_tags(experiment_id, {key: value})


def delete_experiment_tag(work: Work, caller: Caller, experiment_id: int, key: str) -> None:
    """Raises NotFound when there is no such tag."""
    _check(caller, active_experiment(work, experiment_id))
    if not work.experiments.delete_tag(experiment_id, key):
        raise NotFound(f"No tag with name: {key} in experiment with id {experiment_id}")


def _turn_experiment(
    work: Work, caller: Caller, experiment_id: int, source: str, target: str
) -> None:
    experiment = get_experiment(work, experiment_id)
    if experiment.lifecycle_stage != source:
        raise NotFound(f"No Experiment with id={experiment_id} exists")
    _check(caller, experiment)
    if not caller.access.may(Verb.WRITE):
        hands.check(caller, "A run in this experiment", work.runs.authors(experiment_id))
    work.experiments.set_lifecycle(experiment_id, target, work.now_ms)
    work.runs.set_lifecycle_in(experiment_id, target, work.now_ms)


def _check(caller: Caller, experiment: Experiment) -> None:
    hands.check(caller, f"Experiment {experiment.id}", [experiment.author])


def active_experiment(work: Work, experiment_id: int) -> Experiment:
    """One that may be written to. Raises NotFound; InvalidInput for a deleted one."""
    experiment = get_experiment(work, experiment_id)
    if experiment.lifecycle_stage != ACTIVE:
        raise InvalidInput(
            f"The experiment {experiment_id} must be in the 'active' state. "
            f"Current state is {experiment.lifecycle_stage}."
        )
    return experiment


def _refuse_taken(work: Work, name: str) -> None:
    if work.experiments.named(name) is not None:
        raise AlreadyExists(f"Experiment(name={name}) already exists.")
