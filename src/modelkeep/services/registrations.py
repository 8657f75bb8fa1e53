"""Which versions were made of a logged model: kept in a tag of it, as MLflow's clients read it, and
told to those alone who may see them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelkeep.domain.tracking import TAG_VALUE_LIMIT, LoggedModel
from modelkeep.ports.work import Work

VERSIONS_TAG = "mlflow.modelVersions"


def note(work: Work, logged_model_id: str, name: str, number: int) -> None:
    """Adds a version to those of a logged model.

    A list that somebody else's tag is not, or that has grown too long for a tag, stays as it is.
    """
    logged = work.logged_models.get(logged_model_id)
    known = _listed(logged) if logged else None
    if known is None:
        return
    value = json.dumps([*known, {"name": name, "version": number}])
    if len(value) <= TAG_VALUE_LIMIT:
        work.logged_models.set_tags(logged_model_id, {VERSIONS_TAG: value})


def shown(work: Work, models: Sequence[LoggedModel]) -> list[LoggedModel]:
    """The logged models, without a word of versions of models that whoever asks may not see."""
    names = {name for model in models for name, _ in model.registrations}
    names |= {_name(one) for model in models for one in _listed(model) or ()}
    hidden = work.models.hidden(names)
    return [_without(model, hidden) for model in models] if hidden else list(models)


def _without(model: LoggedModel, hidden: frozenset[str]) -> LoggedModel:
    listed = _listed(model) or []
    left = [one for one in listed if _name(one) not in hidden]
    tags = dict(model.tags)
    if left != listed:
        tags[VERSIONS_TAG] = json.dumps(left)
    if not left and listed:
        del tags[VERSIONS_TAG]  # as before there was any
    registrations = tuple(pair for pair in model.registrations if pair[0] not in hidden)
    return replace(model, tags=tags, registrations=registrations)


def _listed(model: LoggedModel) -> list[Any] | None:
    """The list in the tag, empty without one; None for a tag that holds something else."""
    try:
        known = json.loads(model.tags.get(VERSIONS_TAG) or "[]")
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, list) else None


def _name(listed: Any) -> str:
    return str(listed.get("name", "")) if isinstance(listed, dict) else ""
