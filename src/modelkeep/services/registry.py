"""Models and versions: creating, reading, changing and deleting them.

Moving a version into a stage or under an alias is not here: `promotion` does that for everyone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modelkeep.domain import names
from modelkeep.domain.access import Caller, person
from modelkeep.domain.emergencies import TAG as EMERGENCY_TAG
from modelkeep.domain.errors import AlreadyExists, Conflict, InvalidInput
from modelkeep.domain.events import Event
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.models import PENDING, READY, Model, Version, is_prompt
from modelkeep.domain.packages import SINGLE, SINGLE_TAG
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.semver import TAG as SEMVER_TAG
from modelkeep.ports.registry import NewVersion, Place
from modelkeep.ports.work import Work
from modelkeep.services import custody, guests, intake, numbering, policies, registrations, sources
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
from modelkeep.services.steps import Result

DESCRIPTION_LIMIT = 100_000  # characters
TAG_VALUE_LIMIT = 100_000
_UNHELD = "It is not verified: it loads {}, which is not this server's to freeze."
ID_LIMIT = 500  # of the run or logged model that a label is said to come from


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where an imported thing comes from, and what it was there.

    `origin` is the server's address; `number` the version's there, free here; `source` what it was
    registered from there; `author` who registered it, "" if nobody knows.
    """

    origin: str
    created_ms: int
    number: int = 0
    source: str = ""
    author: str = ""


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
    names.check_text(description, "description", DESCRIPTION_LIMIT)
    _check_tags(tags)
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
        why=_whence(imported),
        texts=_texts(tags) | ({"description": description} if description else {}),
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
    names.check_text(description, "description", DESCRIPTION_LIMIT)
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
    _check_tags({key: value})
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
        texts=_texts({key: value}),
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


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client says of a version that it registers; where it `is_label`, the source means
    nothing of ours. `together` are the addresses of the objects that it is made of, where it is
    not its source's alone; `unheld` is one that it loads and that cannot be frozen."""

    model: str
    source: str
    run_id: str | None = None
    logged_model_id: str | None = None
    run_link: str | None = None
    description: str = ""
    tags: Mapping[str, str] | None = None
    is_label: bool = False
    together: tuple[str, ...] = ()
    unheld: str = ""


def create_version(
    work: Work, caller: Caller, draft: Draft, imported: Elsewhere | None = None
) -> Version:
    """Registers a version and freezes the bytes that its source names.

    An imported one keeps its number, its author and the time at which it was created. The mark of
    an emergency, which a copy's tags may have, is not the copy's, and left out.

    Raises NotFound for a missing model, run or logged model; InvalidInput for a source that must
    not be; LimitExceeded for a tree of more than 20,000 files; Conflict for a second version of a
    model that has but one.
    """
    tags = {key: value for key, value in (draft.tags or {}).items() if key != EMERGENCY_TAG}
    draft = replace(draft, tags=tags)
    names.check_text(draft.description, "description", DESCRIPTION_LIMIT)
    names.check_text(draft.run_link or "", "run_link", 500)
    names.check_text(draft.run_id or "", "run_id", ID_LIMIT)
    names.check_text(draft.logged_model_id or "", "model_id", ID_LIMIT)
    _check_tags(tags)
    place = work.versions.place(draft.model)
    if place is None:
        raise no_model(draft.model)
    if is_prompt(tags):
        origin = sources.of_prompt(draft.source, draft.run_id)
    elif draft.is_label:
        origin = sources.of_label(draft.source)
    elif draft.together:
        origin = sources.of_objects(work, draft.together)
    else:
        if imported is None:
            sources.check_there(work, draft.source)
        origin = sources.resolve(work, draft.source, draft.run_id, draft.logged_model_id)
    if draft.unheld:
        origin = replace(origin, manifest=None, pending=())
    created_ms = imported.created_ms if imported else work.now_ms
    digest = origin.manifest.digest if origin.manifest else None
    is_settled = bool(digest or imported or draft.is_label or draft.unheld)
    address = origin.location or origin.source or draft.source
    waits = bool(origin.pending) or (not is_settled and intake.takes(work, address))
    candidate = numbering.Candidate(place.before, digest, origin.manifest, tags)
    given = numbering.assign(work, candidate, imported=imported is not None)
    if given.tags:
        tags = {**tags, **given.tags}
        draft = replace(draft, tags=tags)
    new = NewVersion(
        id=place.version_id,
        model_id=place.model_id,
        number=_take_number(work, place, imported),
        source=origin.source or draft.source,
        run_id=origin.run_id,
        logged_model_id=origin.logged_model_id,
        run_link=draft.run_link,
        description=draft.description,
        manifest_id=work.artifacts.freeze(origin.manifest) if origin.manifest else None,
        author=(imported.author if imported else "") or caller.actor.name,
        semver=given.semver,
        semver_fixed=given.fixed,
        status=PENDING if waits else READY,
        location=origin.location,
    )
    work.versions.add(new, created_ms)
    work.intakes.expect(new.id, origin.pending)
    if draft.is_label or draft.unheld:
        work.intakes.pass_over(new.id, work.now_ms)
    if draft.unheld:
        work.versions.set_status(new.id, READY, _UNHELD.format(draft.unheld), work.now_ms)
    if tags:
        work.versions.set_tags(new.id, tags)
    laid = _lay_hands(work, caller, new, origin.hands)
    if new.logged_model_id and imported is None:
        registrations.note(work, new.logged_model_id, draft.model, new.number)
    _record_created(work, caller, draft, new, digest, imported, laid)
    return Version(
        id=new.id,
        model_id=new.model_id,
        model_name=draft.model,
        number=new.number,
        source=new.source,
        run_id=new.run_id,
        logged_model_id=new.logged_model_id,
        run_link=new.run_link,
        description=new.description,
        stage="None",
        manifest=digest,
        author=new.author,
        created_ms=created_ms,
        updated_ms=created_ms,
        semver=new.semver,
        semver_fixed=new.semver_fixed,
        tags=dict(tags),
        status=new.status,
    )


def _lay_hands(work: Work, caller: Caller, new: NewVersion, found: Iterable[Hand]) -> list[Hand]:
    """Keeps whose hands are in a version besides its author's; those hands, each once."""
    lender = caller.actor.lent_by
    lent = [Hand(Thing.VERSION, lender, Deed.LENT)] if lender else []
    laid: dict[str, Hand] = {person(new.author): Hand(Thing.VERSION, new.author, Deed.FILES)}
    for hand in (*found, *lent):
        laid.setdefault(person(hand.name), hand)
    others = list(laid.values())[1:]
    for hand in others:
        work.hands.add(str(new.id), hand, work.now_ms)
    return others


def _take_number(work: Work, place: Place, imported: Elsewhere | None) -> int:
    if imported is None:
        if place.number > 1 and place.is_single:
            raise Conflict("The model is a package without a group: it has its one version.")
        work.models.take_number(place.model_id, place.number, work.now_ms)
        return place.number
    work.models.reserve(place.model_id, imported.number)
    return imported.number


def _whence(imported: Elsewhere | None) -> dict[str, Any]:
    """The grounds of an imported thing, for the journal."""
    if imported is None:
        return {}
    original = {"source": imported.source} if imported.source else {}
    return {"imported": {"from": imported.origin, "created_ms": imported.created_ms, **original}}


def _record_created(
    work: Work,
    caller: Caller,
    draft: Draft,
    new: NewVersion,
    digest: str | None,
    imported: Elsewhere | None,
    laid: Sequence[Hand],
) -> None:
    tags = draft.tags or {}
    texts = _texts(tags) | ({"description": draft.description} if draft.description else {})
    texts |= {f"hand.{place}": hand.name for place, hand in enumerate(laid)}
    if imported and imported.author:
        texts["author"] = imported.author
    event = Event(
        "version:imported" if imported else "version:created",
        object={
            "model": new.model_id,
            "name": draft.model,
            "version": new.number,
            "manifest": digest,
        },
        after={
            "id": new.id,
            "source": new.source,
            "run": new.run_id,
            "logged_model": new.logged_model_id,
            "tags": list(tags),
            "semver": str(new.semver),
            "semver_fixed": new.semver_fixed,
            **({"status": new.status} if new.status != READY else {}),
            **({"hands": [hand.deed.value for hand in laid]} if laid else {}),
        },
        why=_whence(imported),
        texts=texts,
    )
    work.record(caller, event, model_id=new.model_id)


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
    names.check_text(description, "description", DESCRIPTION_LIMIT)
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
    _check_tags({key: value})
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
        texts=_texts({key: value}),
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


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        names.check_key(key, "tag")
        names.check_text(value, "value", TAG_VALUE_LIMIT)


def _refuse_mark(key: str) -> None:
    if key == EMERGENCY_TAG:
        raise InvalidInput(f"The tag '{key}' says that a review is owed; only that ends it.")


def _refuse_kind(keys: Iterable[str]) -> None:
    if SINGLE_TAG in keys:
        raise InvalidInput(f"The tag '{SINGLE_TAG}' says what a model is; that does not change.")


def _texts(tags: Mapping[str, str]) -> dict[str, str]:
    """Tag values as texts of an event, in the order of its list of keys.

    They're numbered because a leaf's own keys are ASCII, and a tag's key may be any text.
    """
    return {f"tag.{index}": value for index, value in enumerate(tags.values())}


def _record_model(
    work: Work, caller: Caller, action: str, model_id: int, name: str, **facts: dict
) -> None:
    event = Event(action, object={"model": model_id, "name": name}, **facts)
    work.record(caller, event, model_id=model_id)


def _record_version(
    work: Work, caller: Caller, action: str, version: Version, **facts: dict
) -> None:
    work.record(caller, Event(action, object=subject(version), **facts), model_id=version.model_id)
