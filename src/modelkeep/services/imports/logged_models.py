"""Brings logged models over, each under its own id, with what was measured of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from modelkeep.domain import imports
from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.imports import Outcome
from modelkeep.domain.names import check_text
from modelkeep.domain.tracking import MODEL_STATUSES, MODEL_TYPE_LIMIT, LoggedModel, Metric
from modelkeep.ports.tracking import NewLoggedModel
from modelkeep.ports.work import Work
from modelkeep.services.experiments import get_experiment
from modelkeep.services.imports.given import (
    artifact_root,
    author_of,
    check_model_id,
    check_time,
    tag_changes,
)
from modelkeep.services.imports.own import Kind

_USER_TAG = "mlflow.user"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class GivenLoggedModel:
    """A logged model as its source has it. `experiment_id` is ours; times in milliseconds."""

    model_id: str
    experiment_id: int
    name: str
    status: str
    created_ms: int
    updated_ms: int
    model_type: str | None = None
    source_run_id: str | None = None
    artifact_uri: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def bring_logged_models(
    work: Work, caller: Caller, origin: str, given: Sequence[GivenLoggedModel]
) -> list[Outcome]:
    """All of them, or none if one may not be. Raises NotFound, InvalidInput."""
    imports.check_origin(origin)
    for model in given:
        _check(model)
        get_experiment(work, model.experiment_id)
    return [_bring(work, caller, origin, model) for model in given]


def _bring(work: Work, caller: Caller, origin: str, given: GivenLoggedModel) -> Outcome:
    found = work.logged_models.get(given.model_id, deleted=True)
    return _LOGGED_MODELS.bring(work, caller, origin, given.model_id, given, found)


def _check(given: GivenLoggedModel) -> None:
    check_model_id(given.model_id)
    rules.check_logged_model_name(given.name)
    check_text(given.model_type or "", "model_type", MODEL_TYPE_LIMIT)
    if given.status not in MODEL_STATUSES:
        raise InvalidInput(f"'status' must be one of {', '.join(MODEL_STATUSES)}.")
    if given.source_run_id is not None and not _RUN_ID.fullmatch(given.source_run_id):
        raise InvalidInput("'source_run_id' must be 32 hex digits.")
    check_time(given.created_ms, "created_ms")
    check_time(given.updated_ms, "updated_ms")
    for key, value in given.params.items():
        rules.check_logged_model_param(key, value)
    for key, value in given.tags.items():
        rules.check_logged_model_tag(key, value)


def _digest(model: GivenLoggedModel | LoggedModel) -> str:
    return imports.digest(
        {
            "experiment": model.experiment_id,
            "name": model.name,
            "type": model.model_type,
            "run": model.source_run_id,
            "status": model.status,
            "deleted": isinstance(model, LoggedModel) and model.deleted,
            "params": model.params,
            "tags": model.tags,
        }
    )


def _add(work: Work, caller: Caller, given: GivenLoggedModel) -> None:
    rows, model_id = work.logged_models, given.model_id
    rows.add(
        NewLoggedModel(
            model_id=model_id,
            experiment_id=given.experiment_id,
            name=given.name,
            model_type=given.model_type,
            source_run_id=given.source_run_id,
            author=author_of(given.tags.get(_USER_TAG, ""), caller),
            artifact_uri=artifact_root(given.artifact_uri, given.experiment_id, "models", model_id),
        ),
        given.created_ms,
    )
    rows.add_params(model_id, given.params)
    rows.set_tags(model_id, given.tags)
    rows.set_status(model_id, given.status, given.updated_ms)


def _change(work: Work, found: LoggedModel, given: GivenLoggedModel) -> None:
    rows = work.logged_models
    new = {key: value for key, value in given.params.items() if key not in found.params}
    rows.add_params(given.model_id, new)
    gone, changed = tag_changes(found.tags, given.tags)
    for key in gone:
        rows.delete_tag(given.model_id, key)
    rows.set_tags(given.model_id, changed)
    rows.set_status(given.model_id, given.status, given.updated_ms)


_LOGGED_MODELS: Kind[GivenLoggedModel, LoggedModel] = Kind(
    "logged-model", Thing.LOGGED_MODEL, _digest, _add, _change
)


def bring_model_points(work: Work, caller: Caller, run_id: str, given: Sequence[Metric]) -> None:
    """Adds points that were measured in a run to the imported logged models that they name.

    At most `POINTS_LIMIT`. A point that is there already stays one. Raises NotFound, InvalidInput;
    Conflict for a logged model of this server's own.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise InvalidInput("'run_id' must be 32 hex digits.")
    models = {point.model_id for point in given if point.model_id is not None}
    for model_id in sorted(models):
        if work.logged_models.find(model_id) is None:
            raise NotFound(f"Logged model with ID '{model_id}' not found.")
        if work.imports.find("logged-model", model_id) is None:
            raise Conflict(f"Logged model {model_id} is this server's own.")
        hand = Hand(Thing.LOGGED_MODEL, caller.actor.name, Deed.IMPORTED)
        work.hands.add(model_id, hand, work.now_ms)
    rules.check_metrics(given)
    work.logged_models.log_metrics(run_id, given)
