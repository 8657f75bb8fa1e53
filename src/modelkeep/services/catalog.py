"""Finds living models and versions, and names them as the journal does."""

from typing import Any

from modelkeep.domain import names
from modelkeep.domain.errors import NotFound
from modelkeep.domain.models import LATEST, Version
from modelkeep.ports.work import Work


def model_id_of(work: Work, name: str) -> int:
    """Raises NotFound in MLflow's words."""
    model_id = work.models.find(name)
    if model_id is None:
        raise NotFound(f"Registered Model with name={name} not found")
    return model_id


def locate(work: Work, model: str, number: int) -> Version:
    """A living version. Raises NotFound in MLflow's words."""
    model_id = work.models.find(model)
    version = work.versions.get(model_id, number) if model_id else None
    if version is None:
        raise NotFound(f"Model Version (name={model}, version={number}) not found")
    return version


def latest(work: Work, model: str) -> Version:
    """The living version with the highest number. Raises NotFound in MLflow's words."""
    newest = latest_per_stage(work, model)
    if not newest:
        raise NotFound(f"Latest version not found for model {model}.")
    return max(newest, key=lambda version: version.number)


def latest_per_stage(work: Work, model: str) -> list[Version]:
    """The highest number in each stage that has one. Raises NotFound for a missing model."""
    model_id = model_id_of(work, model)
    return work.versions.latest_per_stage([model_id])[model_id]


def by_alias(work: Work, model: str, alias: str) -> Version | None:
    """The version that an alias points to, None if to nothing; `latest` is the highest number.

    Raises NotFound for a missing model, InvalidInput for what is no alias.
    """
    if alias.lower() == LATEST:
        return latest(work, model)
    version = work.versions.by_alias(model, alias)
    if version is None:
        names.check_alias_shape(alias)
        model_id_of(work, model)
    return version


def again(work: Work, version: Version) -> Version:
    """The version as it is now."""
    fresh = work.versions.by_id(version.id)
    assert fresh is not None
    return fresh


def subject(version: Version) -> dict[str, Any]:
    """A version as the journal names it: by ids and by what it is made of."""
    return {
        "model": version.model_id,
        "name": version.model_name,
        "version": version.number,
        "manifest": version.manifest,
    }
