"""Registering a version: what a client says of it, and the freezing of the bytes it names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelkeep.domain import names
from modelkeep.domain.access import Caller, person
from modelkeep.domain.emergencies import TAG as EMERGENCY_TAG
from modelkeep.domain.errors import Conflict
from modelkeep.domain.events import Event, tag_texts
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.models import PENDING, READY, Version, is_prompt
from modelkeep.ports.registry import NewVersion, Place
from modelkeep.ports.work import Work
from modelkeep.services import intake, numbering, registrations, sources
from modelkeep.services.catalog import no_model

ID_LIMIT = 500  # characters of the run, link or logged model that a label is said to come from
_UNHELD = "It is not verified: it loads {}, which is not this server's to freeze."


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
    tags: Mapping[str, str] = field(default_factory=dict)
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
    draft = _checked(draft)
    place = work.versions.place(draft.model)
    if place is None:
        raise no_model(draft.model)
    origin = _origin(work, draft, is_imported=imported is not None)
    digest = origin.manifest.digest if origin.manifest else None
    candidate = numbering.Candidate(place.before, digest, origin.manifest, draft.tags)
    given = numbering.assign(work, candidate, imported=imported is not None)
    draft = replace(draft, tags={**draft.tags, **given.tags})
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
        status=PENDING if _waits(work, draft, origin, imported) else READY,
        location=origin.location,
    )
    created_ms = imported.created_ms if imported else work.now_ms
    work.versions.add(new, created_ms)
    _arrange(work, draft, new, origin)
    laid = _lay_hands(work, caller, new, origin.hands)
    if new.logged_model_id and imported is None:
        registrations.note(work, new.logged_model_id, draft.model, new.number)
    _record_created(work, caller, draft, new, digest, imported, laid)
    return _as_registered(draft, new, digest, created_ms)


def _checked(draft: Draft) -> Draft:
    """Raises InvalidInput for what no version may say of itself."""
    names.check_text(draft.description, "description", names.DESCRIPTION_LIMIT)
    names.check_text(draft.run_link or "", "run_link", ID_LIMIT)
    names.check_text(draft.run_id or "", "run_id", ID_LIMIT)
    names.check_text(draft.logged_model_id or "", "model_id", ID_LIMIT)
    tags = {key: value for key, value in draft.tags.items() if key != EMERGENCY_TAG}
    names.check_tags(tags)
    return replace(draft, tags=tags)


def _origin(work: Work, draft: Draft, *, is_imported: bool) -> sources.Origin:
    """What the source names, whose manifest is left out where not all that is loaded is frozen."""
    if is_prompt(draft.tags):
        origin = sources.of_prompt(draft.source, draft.run_id)
    elif draft.is_label:
        origin = sources.of_label(draft.source)
    elif draft.together:
        origin = sources.of_objects(work, draft.together)
    else:
        if not is_imported:
            sources.check_there(work, draft.source)
        origin = sources.resolve(work, draft.source, draft.run_id, draft.logged_model_id)
    return replace(origin, manifest=None, pending=()) if draft.unheld else origin


def _waits(work: Work, draft: Draft, origin: sources.Origin, imported: Elsewhere | None) -> bool:
    """Whether a worker has yet to fetch or hash what it is made of."""
    if origin.pending:
        return True
    if origin.manifest or imported or draft.is_label or draft.unheld:
        return False
    return intake.takes(work, origin.location or origin.source or draft.source)


def _arrange(work: Work, draft: Draft, new: NewVersion, origin: sources.Origin) -> None:
    """Keeps what stands beside a version: its tags, and what its bytes wait for."""
    work.intakes.expect(new.id, origin.pending)
    if draft.is_label or draft.unheld:
        work.intakes.pass_over(new.id, work.now_ms)
    if draft.unheld:
        work.versions.set_status(new.id, READY, _UNHELD.format(draft.unheld), work.now_ms)
    if draft.tags:
        work.versions.set_tags(new.id, draft.tags)


def _as_registered(draft: Draft, new: NewVersion, digest: str | None, created_ms: int) -> Version:
    """A version as a look-up would find it now."""
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
        tags=dict(draft.tags),
        status=new.status,
    )


def _take_number(work: Work, place: Place, imported: Elsewhere | None) -> int:
    if imported is None:
        if place.number > 1 and place.is_single:
            raise Conflict("The model is a package without a group: it has its one version.")
        work.models.take_number(place.model_id, place.number, work.now_ms)
        return place.number
    work.models.reserve(place.model_id, imported.number)
    return imported.number


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


def _record_created(
    work: Work,
    caller: Caller,
    draft: Draft,
    new: NewVersion,
    digest: str | None,
    imported: Elsewhere | None,
    laid: Sequence[Hand],
) -> None:
    texts = tag_texts(draft.tags) | (
        {"description": draft.description} if draft.description else {}
    )
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
            "tags": list(draft.tags),
            "semver": str(new.semver),
            "semver_fixed": new.semver_fixed,
            **({"status": new.status} if new.status != READY else {}),
            **({"hands": [hand.deed.value for hand in laid]} if laid else {}),
        },
        why=whence(imported),
        texts=texts,
    )
    work.record(caller, event, model_id=new.model_id)


def whence(imported: Elsewhere | None) -> dict[str, Any]:
    """The grounds of an imported thing, for the journal."""
    if imported is None:
        return {}
    original = {"source": imported.source} if imported.source else {}
    return {"imported": {"from": imported.origin, "created_ms": imported.created_ms, **original}}
