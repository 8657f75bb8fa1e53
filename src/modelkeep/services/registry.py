"""Models and their versions: reading, changing and deleting them.

A version is registered in `creation`, and moved into a stage or under an alias by `promotion`.
"""

from collections.abc import Iterable, Mapping, Sequence

from modelkeep.domain import names
from modelkeep.domain.access import Caller
from modelkeep.domain.emergencies import TAG as EMERGENCY_TAG
from modelkeep.domain.errors import AlreadyExists, InvalidInput
from modelkeep.domain.events import Event, tag_texts
from modelkeep.domain.models import Model, Version, is_prompt
from modelkeep.domain.packages import SINGLE, SINGLE_TAG
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.semver import TAG as SEMVER_TAG
from modelkeep.ports.work import Work
from modelkeep.services import custody, guests, numbering, policies, sources
from modelkeep.services.catalog import (
    by_alias,
    by_semver,
    latest_per_stage,
    locate,
    model_id_of,
    no_model,
    resolve,
    stage_meant,
    subject,
)
from modelkeep.services.creation import Elsewhere, whence
from modelkeep.services.steps import Result

# -- models ------------------------------------------------------------------------------------


def create_model(
    work: Work,
    caller: Caller,
    name: str,
    description: str = "",
    tags: Mapping[str, str] = {},
    imported: Elsewhere | None = None,
    *,
    single: bool = False,
) -> Model:
    """`single`: it is to have one version, and is a package without a group.

    Raises InvalidInput for a name that may not be, AlreadyExists in MLflow's words.
    """
    names.check_model_name(name)
    names.check_text(description, "description", names.DESCRIPTION_LIMIT)
    names.check_tags(tags)
    if imported is None:
        _refuse_kind(tags)
    if single:
        tags = {**tags, SINGLE_TAG: SINGLE}
    policies.check_model_name(work, name)
    known = work.models.get(name)
    if known is not None:
        raise _name_is_taken(known, tags)
    if work.models.is_taken(name):
        raise AlreadyExists(f"Registered Model (name={name}) already exists.")
    model_id = work.models.add(name, description, work.now_ms)
    for key, value in tags.items():
        work.models.set_tag(model_id, key, value)
    if imported:
        work.models.backdate(model_id, imported.created_ms)
    event = Event(
        "model:imported" if imported else "model:created",
        object={"model": model_id, "name": name},
        after={"name": name, "tags": list(tags)},
        why=whence(imported),
        texts=tag_texts(tags) | ({"description": description} if description else {}),
    )
    work.record(caller, event, model_id=model_id)
    return get_model(work, name)


def _name_is_taken(known: Model, tags: Mapping[str, str]) -> AlreadyExists:
    """In MLflow's words, for which a prompt is no model although it has its name among them."""
    old, new = (
        "Prompt" if is_prompt(given) else "Registered Model" for given in (known.tags, tags)
    )
    if old == new:
        return AlreadyExists(f"{new} (name={known.name}) already exists.")
    return AlreadyExists(
        f"Tried to create a {new.lower()} with name '{known.name}', but the name is already taken "
        f"by a {old.lower()}. A model and a prompt cannot have the same name."
    )


def get_model(work: Work, name: str) -> Model:
    """With tags and aliases. Raises NotFound in MLflow's words."""
    model = work.models.get(name)
    if model is None:
        raise no_model(name)
    return model


def get_model_with_latest(work: Work, name: str) -> tuple[Model, list[Version]]:
    """A model and its newest version in each stage."""
    model = get_model(work, name)
    return model, work.versions.latest_per_stage([model.id])[model.id]


def latest_versions(
    work: Work, name: str, stages: Sequence[str], numbers: Sequence[str] = ()
) -> list[Version]:
    """The newest version in each of the stages, in any case, and of each semantic version or range
    of them; of neither, in every stage that has one.

    Raises NotFound for a missing model, InvalidInput for a stage that it does not have.
    """
    newest = latest_per_stage(work, name)
    if not (stages or numbers):
        return newest
    wanted = {stage_meant(work, name, stage, newest) for stage in stages}
    numbered = (by_semver(work, name, which) for which in numbers)
    return [
        *(version for version in newest if version.stage in wanted),
        *(version for version in numbered if version),
    ]


def rename_model(work: Work, caller: Caller, name: str, new_name: str) -> Result | None:
    """Gives a model another name.

    The result is a refusal, recorded, when that would bring it another lifecycle past what either
    guards (see `custody`); None when it is done. Raises NotFound, InvalidInput, AlreadyExists.
    """
    names.check_model_name(new_name)
    model_id = model_id_of(work, name)
    if new_name == name:
        return None
    policies.check_model_name(work, new_name)
    if work.models.is_taken(new_name):
        raise AlreadyExists(f"Registered Model (name={new_name}) already exists.")
    refusal = custody.refuse_renaming(work, caller, model_id, name, new_name)
    if refusal is not None:
        return refusal
    closed = custody.close_overtaken(work, model_id, name, new_name)
    work.models.rename(model_id, new_name, work.now_ms)
    _record_model(
        work,
        caller,
        "model:renamed",
        model_id,
        name,
        before={"name": name},
        after={"name": new_name} | ({"requests": closed} if closed else {}),
    )
    return None


def describe_model(work: Work, caller: Caller, name: str, description: str) -> Model:
    names.check_text(description, "description", names.DESCRIPTION_LIMIT)
    model_id = model_id_of(work, name)
    work.models.describe(model_id, description, work.now_ms)
    _record_model(
        work, caller, "model:described", model_id, name, texts={"description": description}
    )
    return get_model(work, name)


def delete_model(work: Work, caller: Caller, name: str) -> Result | None:
    """Deletes a model and its versions from view; their past can still be read.

    The result is a refusal, recorded, when the policy has one of them stay (see `custody`), and
    then nothing is deleted; None when it is done. Raises NotFound.
    """
    model_id = model_id_of(work, name)
    versions = [work.versions.by_id(version_id) for version_id in work.versions.of_model(model_id)]
    living = [version for version in versions if version is not None]
    refusal = custody.refuse_deletion(work, caller, living)
    if refusal is not None:
        return refusal
    for version in living:
        custody.delete(work, caller, version)
    work.models.delete(model_id, work.now_ms)
    _record_model(work, caller, "model:deleted", model_id, name, after={"deleted": True})
    return None


def set_model_tag(work: Work, caller: Caller, name: str, key: str, value: str) -> None:
    names.check_tags({key: value})
    _refuse_kind([key])
    model_id = model_id_of(work, name)
    guests.check_tag(work, caller, name, key)
    work.models.set_tag(model_id, key, value)
    _record_model(
        work,
        caller,
        "model:tag:set",
        model_id,
        name,
        after={"tags": [key]},
        texts=tag_texts({key: value}),
    )


def delete_model_tag(work: Work, caller: Caller, name: str, key: str) -> None:
    """Harmless when there is no such tag."""
    _refuse_kind([key])
    model_id = model_id_of(work, name)
    guests.check_tag(work, caller, name, key)
    if work.models.delete_tag(model_id, key):
        _record_model(work, caller, "model:tag:deleted", model_id, name, after={"untagged": [key]})


def search_models(
    work: Work,
    where: Sequence[Comparison],
    order: Sequence[Order],
    limit: int,
    after: Position | None = None,
) -> Page[tuple[Model, list[Version]]]:
    """A page of models, each with its newest version in each stage."""
    found = work.models.search(where, order, limit, after)
    newest = work.versions.latest_per_stage([model.id for model in found.items])
    return Page([(model, newest[model.id]) for model in found.items], found.end)


# -- versions ----------------------------------------------------------------------------------


def get_version(work: Work, name: str, which: int | str) -> Version:
    """Raises NotFound in MLflow's words."""
    return resolve(work, name, which)


def download_address(work: Work, name: str, which: int | str) -> tuple[str, Version]:
    """Where a client downloads a version, and the version. Raises NotFound, Blocked."""
    version = resolve(work, name, which)
    return sources.address(work, version), version


def version_by_alias(work: Work, name: str, alias: str) -> Version | None:
    """None when the alias points to nothing; the highest number for `latest`.

    Raises NotFound for a missing model, InvalidInput for what is no alias.
    """
    return by_alias(work, name, alias)


def describe_version(
    work: Work, caller: Caller, name: str, number: int, description: str
) -> Version:
    names.check_text(description, "description", names.DESCRIPTION_LIMIT)
    version = locate(work, name, number)
    work.versions.describe(version.id, description, work.now_ms)
    _record_version(work, caller, "version:described", version, texts={"description": description})
    return locate(work, name, number)


def set_version_tag(
    work: Work, caller: Caller, name: str, number: int, key: str, value: str
) -> None:
    """A tag that asks for a semantic version gives it, where that is honest (see `numbering`).

    Raises NotFound, InvalidInput; Conflict for a number that is settled, where they're enforced.
    """
    names.check_tags({key: value})
    _refuse_mark(key)
    version = locate(work, name, number)
    number_asked = numbering.by_tag(work, version, value) if key == SEMVER_TAG else None
    work.versions.set_tags(version.id, {key: value})
    before, after = {}, {}
    if number_asked:
        work.versions.renumber(version.id, number_asked)
        before, after = {"semver": str(version.semver)}, {"semver": str(number_asked)}
    _record_version(
        work,
        caller,
        "version:tag:set",
        version,
        before=before,
        after={"tags": [key], **after},
        texts=tag_texts({key: value}),
    )


def delete_version_tag(work: Work, caller: Caller, name: str, number: int, key: str) -> None:
    """Harmless when there is no such tag."""
    _refuse_mark(key)
    version = locate(work, name, number)
    if work.versions.delete_tag(version.id, key):
        _record_version(work, caller, "version:tag:deleted", version, after={"untagged": [key]})


def delete_version(work: Work, caller: Caller, name: str, number: int) -> Result | None:
    """Deletes a version from view; its number is never used again.

    The result is a refusal, recorded, when the policy has it stay (see `custody`); None when it is
    done. Raises NotFound.
    """
    version = locate(work, name, number)
    refusal = custody.refuse_deletion(work, caller, [version])
    if refusal is None:
        custody.delete(work, caller, version)
    return refusal


def search_versions(
    work: Work,
    where: Sequence[Comparison],
    order: Sequence[Order],
    limit: int,
    after: Position | None = None,
) -> Page[Version]:
    return work.versions.search(where, order, limit, after)


# -- within ------------------------------------------------------------------------------------


def _refuse_mark(key: str) -> None:
    if key == EMERGENCY_TAG:
        raise InvalidInput(f"The tag '{key}' says that a review is owed; only that ends it.")


def _refuse_kind(keys: Iterable[str]) -> None:
    if SINGLE_TAG in keys:
        raise InvalidInput(f"The tag '{SINGLE_TAG}' says what a model is; that does not change.")


def _record_model(
    work: Work, caller: Caller, action: str, model_id: int, name: str, **facts: dict
) -> None:
    event = Event(action, object={"model": model_id, "name": name}, **facts)
    work.record(caller, event, model_id=model_id)


def _record_version(
    work: Work, caller: Caller, action: str, version: Version, **facts: dict
) -> None:
    work.record(caller, Event(action, object=subject(version), **facts), model_id=version.model_id)
