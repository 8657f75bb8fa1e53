"""Runs and logged models: creating them, logging to them, reading them.

None of it is journalled: points of metrics come by the hundred thousand, and what a decision
rests on is frozen when a promotion is asked for. A write that is refused changes nothing of what
it carried. Every change raises Forbidden for a run or logged model that is somebody else's
(`services.hands`).
"""

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from modelkeep.domain import tracking as rules
from modelkeep.domain.access import Caller, Verb
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.hands import Deed, Thing
from modelkeep.domain.locations import beneath
from modelkeep.domain.names import check_text
from modelkeep.domain.nicknames import nickname
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.tracking import (
    ACTIVE,
    DELETED,
    MODEL_HISTORY_TAG,
    RUN_NAME_TAG,
    Dataset,
    LoggedModel,
    Metric,
    ModelOutput,
    Run,
)
from modelkeep.ports.tracking import DatasetFilter, MetricOrder, NewLoggedModel, NewRun
from modelkeep.ports.work import Work
from modelkeep.services import hands, registrations
from modelkeep.services.experiments import active_experiment

Pairs = Sequence[tuple[str, str]]

_HISTORY_FIELDS = ("run_id", "utc_time_created", "artifact_path", "model_uuid")
_HISTORY_NEEDS = {"artifact_path", "flavors", "utc_time_created", "run_id"}


# -- runs --------------------------------------------------------------------------------------


def create_run(
    work: Work,
    caller: Caller,
    experiment_id: int,
    *,
    name: str = "",
    user_id: str = "",
    start_ms: int | None = None,
    tags: Mapping[str, str] = {},
) -> Run:
    """A running run; without a name it gets a random one. Raises NotFound, InvalidInput."""
    kept = {key: rules.fitting_tag(key, value) for key, value in tags.items()}
    check_text(user_id, "user_id", rules.USER_ID_LIMIT)
    experiment = active_experiment(work, experiment_id)
    name = _agreed_name(name, tags.get(RUN_NAME_TAG, "")) or nickname(secrets.randbits(64))
    name = rules.fitting_tag(RUN_NAME_TAG, name)
    run_id = uuid.uuid4().hex
    new = NewRun(
        run_id=run_id,
        experiment_id=experiment_id,
        name=name,
        user_id=user_id,
        author=caller.actor.name,
        start_ms=work.now_ms if start_ms is None else start_ms,
        artifact_uri=beneath(experiment.artifact_location, run_id, "artifacts"),
    )
    work.runs.set_tags(work.runs.add(new), {**kept, RUN_NAME_TAG: name})
    hands.lay(work, caller, Thing.RUN, run_id, new.author, Deed.LOGGED)
    return get_run(work, run_id)


def get_run(work: Work, run_id: str) -> Run:
    """With all that was logged to it; deleted ones too. Raises NotFound."""
    return _found(work.runs.get(run_id), run_id)


def search_runs(
    work: Work,
    experiment_ids: Sequence[int],
    stages: Sequence[str],
    where: Sequence[Comparison],
    order: Sequence[Order],
    limit: int,
    after: Position | None = None,
) -> Page[Run]:
    return work.runs.search(experiment_ids, stages, where, order, limit, after)


def update_run(
    work: Work,
    caller: Caller,
    run_id: str,
    *,
    name: str = "",
    status: str | None = None,
    end_ms: int | None = None,
) -> Run:
    """Changes what is given. A status says nothing of the end, as in MLflow.

    Returns the run without what was logged to it. Raises NotFound, InvalidInput.
    """
    run = _open_run(work, caller, run_id)
    if name:
        name = rules.fitting_tag(RUN_NAME_TAG, name)
        work.runs.set_tags(run.id, {RUN_NAME_TAG: name})
    work.runs.update(
        run.id,
        name=name or run.name,
        status=run.status if status is None else status,
        end_ms=run.end_ms if end_ms is None else end_ms,
    )
    return _found(work.runs.find(run_id), run_id)


def delete_run(work: Work, caller: Caller, run_id: str) -> None:
    """Deletes a run from view; harmless for a deleted one. Raises NotFound."""
    _turn_run(work, caller, run_id, DELETED)


def restore_run(work: Work, caller: Caller, run_id: str) -> None:
    """Harmless for an active run. Raises NotFound."""
    _turn_run(work, caller, run_id, ACTIVE)


def log_batch(
    work: Work,
    caller: Caller,
    run_id: str,
    metrics: Sequence[Metric] = (),
    params: Pairs = (),
    tags: Pairs = (),
    *,
    listed: bool = True,
) -> None:
    """Logs all of it, or nothing. Raises NotFound, InvalidInput.

    At most 1,000 metrics, 100 params, 100 tags, 1,000 together. What is logged twice is there
    once; a param that would change is refused; of a tag given twice the last counts.
    `listed`: whether the caller gave lists, whose places messages name.
    """
    rules.check_batch(len(metrics), len(params), len(tags))
    rules.check_metrics(metrics, listed=listed)
    fitting = rules.unique(
        [
            (key, rules.fitting_param(key, value, rules.place_in("params", index, listed)))
            for index, (key, value) in enumerate(params)
        ]
    )
    kept = {
        key: rules.fitting_tag(key, value, rules.place_in("tags", index, listed))
        for index, (key, value) in enumerate(tags)
    }
    run = _open_run(work, caller, run_id)
    known = work.runs.params(run.id, list(fitting)) if fitting else {}
    work.runs.add_params(run.id, rules.new_params(known, fitting, f"run ID='{run_id}'"))
    _log_metrics(work, caller, run, metrics)
    _set_tags(work, run, kept)


def log_inputs(
    work: Work, caller: Caller, run_id: str, datasets: Sequence[Dataset], model_ids: Sequence[str]
) -> None:
    """What a run read: data sets, and logged models, which nobody has to have here.

    Raises NotFound, InvalidInput.
    """
    rules.check_count("inputs", rules.INPUTS_LIMIT, len(datasets) + len(model_ids))
    for dataset in datasets:
        rules.check_dataset(dataset)
    for model_id in model_ids:
        check_text(model_id, "model_id", rules.MODEL_ID_LIMIT)
    run = _open_run(work, caller, run_id)
    work.runs.add_datasets(run.id, datasets)
    work.runs.add_model_inputs(run.id, model_ids)


def log_outputs(work: Work, caller: Caller, run_id: str, outputs: Sequence[ModelOutput]) -> None:
    """The logged models that a run made, here or elsewhere. Raises NotFound, InvalidInput."""
    rules.check_count("outputs", rules.INPUTS_LIMIT, len(outputs))
    for output in outputs:
        check_text(output.model_id, "model_id", rules.MODEL_ID_LIMIT)
    run = _open_run(work, caller, run_id)
    work.runs.add_model_outputs(run.id, outputs)


def log_model(work: Work, caller: Caller, run_id: str, model_json: str) -> None:
    """Notes that a 2.x client logged a model, in the run's tag `mlflow.log-model.history`.

    Raises NotFound, InvalidInput.
    """
    entry = _history_entry(model_json)
    run = _open_run(work, caller, run_id)
    known = _json(work.runs.tag(run.id, MODEL_HISTORY_TAG) or "[]")
    if not isinstance(known, list):
        raise InvalidInput(f"The tag '{MODEL_HISTORY_TAG}' of run {run_id} is not a JSON list.")
    work.runs.set_tags(run.id, {MODEL_HISTORY_TAG: json.dumps([*known, entry])})


def delete_tag(work: Work, caller: Caller, run_id: str, key: str) -> None:
    """Raises NotFound when there is no such tag."""
    run = _open_run(work, caller, run_id)
    if not work.runs.delete_tag(run.id, key):
        raise NotFound(f"No tag with name: {key} in run with id {run_id}")


def metric_history(
    work: Work, run_id: str, key: str, limit: int, after: Position | None = None
) -> Page[Metric]:
    """A page by time, step and value; deleted runs' too.

    Points that are logged later come up where they belong: none of the others is shown twice or
    left out. Raises NotFound, and InvalidInput for a position in another order.
    """
    return work.runs.history(_found(work.runs.find(run_id), run_id).id, key, limit, after)


def _found(run: Run | None, run_id: str) -> Run:
    if run is None:
        raise NotFound(f"Run with id={run_id} not found")
    return run


def _open_run(work: Work, caller: Caller, run_id: str) -> Run:
    """An active run, which the caller changes now. Raises NotFound, InvalidInput, Forbidden."""
    run = _found(work.runs.find(run_id), run_id)
    if run.lifecycle_stage != ACTIVE:
        raise InvalidInput(
            f"The run {run_id} must be in the 'active' state. "
            f"Current state is {run.lifecycle_stage}."
        )
    hands.on_run(work, caller, run)
    return run


def _turn_run(work: Work, caller: Caller, run_id: str, stage: str) -> None:
    run = _found(work.runs.find(run_id), run_id)
    hands.on_run(work, caller, run)
    work.runs.set_lifecycle(run.id, stage, work.now_ms)


def _agreed_name(name: str, tag: str) -> str:
    if name and tag and name != tag:
        raise InvalidInput(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
            f"different values (run_name='{name}', mlflow.runName='{tag}')."
        )
    return name or tag


def _log_metrics(work: Work, caller: Caller, run: Run, metrics: Sequence[Metric]) -> None:
    for model_id in dict.fromkeys(m.model_id for m in metrics if m.model_id is not None):
        _open_model(work, caller, model_id)
    if metrics:
        work.runs.log_metrics(run.id, metrics)
        work.logged_models.log_metrics(run.run_id, metrics)


def _set_tags(work: Work, run: Run, tags: Mapping[str, str]) -> None:
    name = tags.get(RUN_NAME_TAG)
    if name:
        work.runs.update(run.id, name=name, status=run.status, end_ms=run.end_ms)
    # A run cannot lose its name: an empty one changes neither the name nor the tag.
    work.runs.set_tags(run.id, {k: v for k, v in tags.items() if k != RUN_NAME_TAG or v})


def _history_entry(model_json: str) -> dict[str, Any]:
    model = _json(model_json)
    if not isinstance(model, dict):
        raise InvalidInput(f"Malformed model info. \n {model_json} \n is not a valid JSON.")
    missing = sorted(_HISTORY_NEEDS - model.keys())
    if missing:
        raise InvalidInput(f"Model json is missing mandatory fields: {missing}")
    flavors = model["flavors"]
    if not isinstance(flavors, dict):
        raise InvalidInput("The flavors of a model's json are not an object.")
    entry = {name: value for name, value in model.items() if name in _HISTORY_FIELDS}
    return {**entry, "flavors": {name: _without_config(of) for name, of in flavors.items()}}


def _without_config(flavor: Any) -> Any:
    """A flavor without its `config`, which may be long and is in the model's own files."""
    if not isinstance(flavor, dict):
        return flavor
    return {name: value for name, value in flavor.items() if name != "config"}


def _json(text: str) -> Any:
    """The value of a JSON text; None if it is none, or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# -- logged models -----------------------------------------------------------------------------


def create_logged_model(
    work: Work,
    caller: Caller,
    experiment_id: int,
    *,
    name: str = "",
    model_type: str | None = None,
    source_run_id: str | None = None,
    params: Pairs = (),
    tags: Mapping[str, str] = {},
) -> LoggedModel:
    """A pending one; without a name it gets a random one. Raises NotFound, InvalidInput.

    `source_run_id` is what the client says: no run has to be there.
    """
    given = _checked_params(params)
    _check_model_tags(tags)
    check_text(model_type or "", "model_type", rules.MODEL_TYPE_LIMIT)
    check_text(source_run_id or "", "source_run_id", rules.RUN_ID_LIMIT)
    name = rules.check_logged_model_name(name or nickname(secrets.randbits(64)))
    experiment = active_experiment(work, experiment_id)
    _check_source_run(work, caller, source_run_id)
    model_id = f"m-{uuid.uuid4().hex}"
    new = NewLoggedModel(
        model_id=model_id,
        experiment_id=experiment_id,
        name=name,
        model_type=model_type,
        source_run_id=source_run_id,
        author=caller.actor.name,
        artifact_uri=beneath(experiment.artifact_location, "models", model_id, "artifacts"),
    )
    work.logged_models.add(new, work.now_ms)
    work.logged_models.add_params(model_id, given)
    work.logged_models.set_tags(model_id, tags)
    hands.lay(work, caller, Thing.LOGGED_MODEL, model_id, new.author, Deed.LOGGED)
    return get_logged_model(work, model_id)


def get_logged_model(work: Work, model_id: str, *, deleted: bool = False) -> LoggedModel:
    """With its tags, params and points; `deleted` finds deleted ones too. Raises NotFound."""
    found = _found_model(work.logged_models.get(model_id, deleted=deleted), model_id)
    return registrations.shown(work, [found])[0]


def search_logged_models(
    work: Work,
    experiment_ids: Sequence[int],
    where: Sequence[Comparison],
    datasets: Sequence[DatasetFilter],
    order: Sequence[MetricOrder],
    limit: int,
    after: Position | None = None,
) -> Page[LoggedModel]:
    found = work.logged_models.search(experiment_ids, where, datasets, order, limit, after)
    return Page(registrations.shown(work, found.items), found.end)


def finish_logged_model(work: Work, caller: Caller, model_id: str, status: str) -> LoggedModel:
    """Sets one of `MODEL_STATUSES`. Raises NotFound."""
    _open_model(work, caller, model_id)
    work.logged_models.set_status(model_id, status, work.now_ms)
    return get_logged_model(work, model_id)


def delete_logged_model(work: Work, caller: Caller, model_id: str) -> None:
    """Deletes a logged model from view. Raises NotFound."""
    _open_model(work, caller, model_id)
    work.logged_models.delete(model_id, work.now_ms)


def log_logged_model_params(work: Work, caller: Caller, model_id: str, params: Pairs) -> None:
    """Raises NotFound; InvalidInput for a param that would change."""
    given = _checked_params(params)
    _open_model(work, caller, model_id)
    known = work.logged_models.params(model_id, list(given))
    new = rules.new_params(known, given, f"logged model ID='{model_id}'")
    work.logged_models.add_params(model_id, new)


def set_logged_model_tags(
    work: Work, caller: Caller, model_id: str, tags: Mapping[str, str]
) -> LoggedModel:
    """Raises NotFound, InvalidInput, Forbidden.

    MLflow's clients say of a logged model which versions they have made of it, whosever it is. That
    is kept here anyway (`registrations.note`), so that it is no hand in it, and from whoever may
    not change it, it changes nothing.
    """
    _check_model_tags(tags)
    model = _living_model(work, model_id)
    if tags.keys() != {registrations.VERSIONS_TAG}:
        hands.on_logged_model(work, caller, model)
    elif not (hands.is_own(caller, model.author) or caller.access.may(Verb.WRITE)):
        return get_logged_model(work, model_id)
    work.logged_models.set_tags(model_id, tags)
    return get_logged_model(work, model_id)


def delete_logged_model_tag(work: Work, caller: Caller, model_id: str, key: str) -> None:
    """Raises NotFound when there is no such tag."""
    _open_model(work, caller, model_id)
    if not work.logged_models.delete_tag(model_id, key):
        raise NotFound(f"No tag with key {key!r} found for model with ID {model_id!r}.")


def _found_model(model: LoggedModel | None, model_id: str) -> LoggedModel:
    if model is None:
        raise NotFound(f"Logged model with ID '{model_id}' not found.")
    return model


def _living_model(work: Work, model_id: str) -> LoggedModel:
    return _found_model(work.logged_models.find(model_id), model_id)


def _open_model(work: Work, caller: Caller, model_id: str) -> LoggedModel:
    """A logged model, which the caller changes now. Raises NotFound, Forbidden."""
    model = _living_model(work, model_id)
    hands.on_logged_model(work, caller, model)
    return model


def _check_source_run(work: Work, caller: Caller, run_id: str | None) -> None:
    """A logged model is judged by the metrics of the run that it names. Raises Forbidden."""
    run = work.runs.find(run_id) if run_id else None
    if run is not None:
        hands.check(caller, f"Run {run_id}", [run.author])


def _checked_params(params: Pairs) -> dict[str, str]:
    rules.check_count("params", rules.BATCH_LIMIT, len(params))
    for key, value in params:
        rules.check_logged_model_param(key, value)
    return rules.unique(params)


def _check_model_tags(tags: Mapping[str, str]) -> None:
    rules.check_count("tags", rules.BATCH_LIMIT, len(tags))
    for key, value in tags.items():
        rules.check_logged_model_tag(key, value)
