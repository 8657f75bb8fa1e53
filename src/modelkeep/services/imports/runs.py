"""Brings runs over, each under its own id: it is the same run.

Their artifacts come under ours, unless they lie in an object store, whose address is kept as a
label. The logged models that a run names may come later, or never have been kept at the source.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelkeep.domain import imports
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.hands import Thing
from modelkeep.domain.imports import Outcome
from modelkeep.domain.names import check_text
from modelkeep.domain.tracking import (
    ACTIVE,
    DELETED,
    RUN_NAME_TAG,
    USER_ID_LIMIT,
    Dataset,
    ModelOutput,
    Run,
)
from modelkeep.ports.tracking import NewRun
from modelkeep.ports.work import Work
from modelkeep.services.experiments import get_experiment
from modelkeep.services.imports.given import (
    artifact_root,
    author_of,
    check_lifecycle,
    check_model_id,
    check_time,
    tag_changes,
)
from modelkeep.services.imports.own import Kind

_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class GivenRun:
    """A run as its source has it, without its metrics. `experiment_id` is ours."""

    run_id: str
    experiment_id: int
    name: str
    user_id: str
    status: str
    start_ms: int
    end_ms: int | None = None
    lifecycle_stage: str = ACTIVE
    artifact_uri: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[Dataset] = field(default_factory=list)
    model_inputs: list[str] = field(default_factory=list)
    model_outputs: list[ModelOutput] = field(default_factory=list)


def bring_runs(work: Work, caller: Caller, origin: str, given: Sequence[GivenRun]) -> list[Outcome]:
    """All of them, or none if one may not be. Raises NotFound, InvalidInput."""
    imports.check_origin(origin)
    for run in given:
        _check_run(run)
        get_experiment(work, run.experiment_id)
    return [
        _RUNS.bring(work, caller, origin, run.run_id, run, work.runs.get(run.run_id))
        for run in given
    ]


def _check_run(given: GivenRun) -> None:
    if not _RUN_ID.fullmatch(given.run_id):
        raise InvalidInput(f"'run_id' must be 32 hex digits, not '{given.run_id[:100]}'.")
    if given.status not in rules.RUN_STATUSES:
        raise InvalidInput(f"'status' must be one of {', '.join(rules.RUN_STATUSES)}.")
    check_lifecycle(given.lifecycle_stage)
    check_text(given.user_id, "user_id", USER_ID_LIMIT)
    check_time(given.start_ms, "start_ms")
    check_time(given.end_ms or 0, "end_ms")
    for key, value in {**given.tags, RUN_NAME_TAG: given.name}.items():
        rules.check_run_tag(key, value)
    for key, value in given.params.items():
        rules.check_param(key, value)
    for dataset in given.datasets:
        rules.check_dataset(dataset)
    for model_id in (*given.model_inputs, *(o.model_id for o in given.model_outputs)):
        check_model_id(model_id)


def _run_digest(run: GivenRun | Run) -> str:
    return imports.digest(
        {
            "experiment": run.experiment_id,
            "name": run.name,
            "user": run.user_id,
            "status": run.status,
            "times": [run.start_ms, run.end_ms],
            "lifecycle": run.lifecycle_stage,
            "params": run.params,
            "tags": {key: value for key, value in run.tags.items() if key != RUN_NAME_TAG},
            "datasets": sorted([d.name, d.digest] for d in run.datasets),
            "inputs": sorted(run.model_inputs),
            "outputs": sorted([o.model_id, o.step] for o in run.model_outputs),
        }
    )


def _add_run(work: Work, caller: Caller, given: GivenRun) -> None:
    row = work.runs.add(
        NewRun(
            run_id=given.run_id,
            experiment_id=given.experiment_id,
            name=given.name,
            user_id=given.user_id,
            author=author_of(given.user_id, caller),
            start_ms=given.start_ms,
            artifact_uri=artifact_root(given.artifact_uri, given.experiment_id, given.run_id),
        )
    )
    work.runs.update(row, name=given.name, status=given.status, end_ms=given.end_ms)
    if given.lifecycle_stage == DELETED:
        work.runs.set_lifecycle(row, DELETED, work.now_ms)
    work.runs.add_params(row, given.params)
    work.runs.set_tags(row, _tags(given))
    _link(work, row, given)


def _change_run(work: Work, found: Run, given: GivenRun) -> None:
    work.runs.update(found.id, name=given.name, status=given.status, end_ms=given.end_ms)
    if found.lifecycle_stage != given.lifecycle_stage:
        work.runs.set_lifecycle(found.id, given.lifecycle_stage, work.now_ms)
    new = {key: value for key, value in given.params.items() if key not in found.params}
    work.runs.add_params(found.id, new)
    gone, changed = tag_changes(found.tags, _tags(given))
    for key in gone:
        work.runs.delete_tag(found.id, key)
    work.runs.set_tags(found.id, changed)
    _link(work, found.id, given)


def _tags(given: GivenRun) -> dict[str, str]:
    return {**given.tags, RUN_NAME_TAG: given.name} if given.name else given.tags


def _link(work: Work, row: int, given: GivenRun) -> None:
    work.runs.add_datasets(row, given.datasets)
    work.runs.add_model_inputs(row, given.model_inputs)
    work.runs.add_model_outputs(row, given.model_outputs)


_RUNS: Kind[GivenRun, Run] = Kind("run", Thing.RUN, _run_digest, _add_run, _change_run)
