"""Finds living models and versions, and names them as the journal does."""

from collections.abc import Iterable
from typing import Any

from modelkeep.domain import names, semver
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.models import LATEST, Version
from modelkeep.domain.semver import Bump
from modelkeep.ports.work import Work
from modelkeep.services.policies import lifecycle_of

NUMBER_DIGITS = 18


def model_id_of(work: Work, name: str) -> int:
    """Raises NotFound in MLflow's words."""
    model_id = work.models.find(name)
    if model_id is None:
        raise no_model(name)
    return model_id


def no_model(name: str) -> NotFound:
    """That no model is called this, in MLflow's words."""
    return NotFound(f"Registered Model with name={name} not found")


def locate(work: Work, model: str, number: int) -> Version:
    """A living version. Raises NotFound in MLflow's words."""
    version = work.versions.find(model, number)
    if version is None:
        raise NotFound(f"Model Version (name={model}, version={number}) not found")
    return version


def latest(work: Work, model: str) -> Version:
    """The highest number that is not retired. Raises NotFound in MLflow's words."""
    newest = latest_per_stage(work, model)
    if not newest:
        raise NotFound(f"Latest version not found for model {model}.")
    return max(newest, key=lambda version: version.number)


def latest_per_stage(work: Work, model: str) -> list[Version]:
    """The highest number in each stage that has one, retired ones aside.

    Raises NotFound for a missing model.
    """
    model_id = model_id_of(work, model)
    return work.versions.latest_per_stage([model_id])[model_id]


def stage_meant(work: Work, model: str, text: str, newest: Iterable[Version]) -> str:
    """A stage's own spelling, given in any case: of one that holds something now, or may.

    `newest` are the model's. Raises InvalidInput in MLflow's words for any other. The policy is
    looked at only for a stage that holds nothing: clients ask for those that do, time and again.
    """
    held = next((v.stage for v in newest if v.stage.lower() == text.lower()), None)
    return held or lifecycle_of(work, model).stage_named(text)


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


def by_semver(work: Work, model: str, which: str) -> Version | None:
    """The newest living version that a semantic version or a range of them asks for; a range never
    asks for a retired one.

    `1.4.0`, `v1.4.0`, `~1.4`, `^1.2`. None if nobody has it, or the text is none of these. Raises
    NotFound for a missing model; InvalidInput for a number that lacks a part.
    """
    asked = semver.wanted(which)
    if asked is None:
        return None
    is_exact = asked[1] == asked[0].after(Bump.PATCH)
    return work.versions.newest_from(model_id_of(work, model), *asked, retired=is_exact)


def resolve(work: Work, model: str, which: int | str) -> Version:
    """The living version that a person means: `3`, `1.4.0`, `~1.4`, `@champion`, `Production` or
    `latest`.

    A plain number is MLflow's. Of a stage that holds several it is the newest, of a range the
    highest. Raises NotFound; InvalidInput for a text that can name no version.
    """
    if isinstance(which, int):
        return locate(work, model, which)
    if which.isascii() and which.isdecimal() and len(which) <= NUMBER_DIGITS:
        return locate(work, model, int(which))
    if which.lower() == LATEST:
        return latest(work, model)
    version = None
    if len(which) > 1 and which.startswith("@"):
        version = by_alias(work, model, which[1:])
    elif semver.wanted(which):
        version = by_semver(work, model, which)
    else:
        newest = latest_per_stage(work, model)
        stage = _stage_named(work, model, which, newest)
        version = next((one for one in newest if one.stage == stage), None)
    if version is None:
        raise NotFound(f"Model {model} has no version {which}.")
    return version


def _stage_named(work: Work, model: str, which: str, newest: Iterable[Version]) -> str:
    try:
        return stage_meant(work, model, which, newest)
    except InvalidInput:
        raise InvalidInput(
            f"'{which[:100]}' names no version; write a number (3), an alias (@champion), a stage "
            f"({', '.join(lifecycle_of(work, model).stages)}) or latest."
        ) from None


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
