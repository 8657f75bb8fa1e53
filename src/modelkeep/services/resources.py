"""Resources of SageMaker's clients: making, revising, deleting and tagging them.

Whoever may do something to a model of that name and those tags may do it to a resource.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import AlreadyExists, NotFound
from modelkeep.domain.events import Event, tag_texts
from modelkeep.domain.resources import Kind, Resource, Saying
from modelkeep.domain.search import Page, Position
from modelkeep.domain.tags import check_addition
from modelkeep.ports.resources import Sought
from modelkeep.ports.work import Work


def get(work: Work, kind: Kind, name: str, revision: int | None = None) -> Resource:
    """Raises NotFound."""
    found = work.resources.get(kind, name, revision)
    if found is None:
        raise NotFound(f"There is no {kind} {name}.")
    return found


def listed(
    work: Work, kind: Kind, wanted: Sought, limit: int, after: Position | None
) -> Page[Resource]:
    return work.resources.listed(kind, wanted, limit, after)


def revisions(
    work: Work, kind: Kind, name: str, wanted: Sought, limit: int, after: Position | None
) -> Page[Resource]:
    """Raises NotFound."""
    return work.resources.revisions(get(work, kind, name).id, wanted, limit, after)


def create(
    work: Work,
    caller: Caller,
    kind: Kind,
    name: str,
    said: Saying,
    tags: Mapping[str, str],
    why: Mapping[str, Any] = {},
) -> Resource:
    """`why` are the grounds, for the journal. Raises AlreadyExists, InvalidInput for tags that may
    not be."""
    if work.resources.is_taken(kind, name):
        raise AlreadyExists(f"There is a {kind} {name} already.")
    check_addition({}, tags)
    resource_id = work.resources.add(kind, name, caller.actor.name, work.now_ms)
    work.resources.say(resource_id, 1, said, caller.actor.name, work.now_ms)
    for key, value in tags.items():
        work.resources.set_tag(resource_id, key, value)
    event = Event(
        "resource:created",
        {"resource": resource_id, "kind": kind.value, "name": name},
        after={**_facts(1, said), "tags": list(tags)},
        why=dict(why),
        texts=tag_texts(tags),
    )
    work.record(caller, event)
    return get(work, kind, name)


def revise(work: Work, caller: Caller, known: Resource, said: Saying) -> Resource:
    """Says something else, as the next revision."""
    revision = known.revision + 1
    work.resources.say(known.id, revision, said, caller.actor.name, work.now_ms)
    _record(work, caller, known, "resource:revised", after=_facts(revision, said))
    return get(work, known.kind, known.name)


def delete(work: Work, caller: Caller, kind: Kind, name: str) -> None:
    """Deletes it from view; its name is free. Raises NotFound."""
    known = get(work, kind, name)
    work.resources.delete(known.id, work.now_ms)
    _record(work, caller, known, "resource:deleted", after={"deleted": True})


# -- tags ----------------------------------------------------------------------------------------


def tags_of(work: Work, kind: Kind, name: str) -> Mapping[str, str]:
    """Raises NotFound."""
    return get(work, kind, name).tags


def add_tags(
    work: Work, caller: Caller, kind: Kind, name: str, tags: Mapping[str, str]
) -> Mapping[str, str]:
    """Sets tags, and answers with all that there are then. Raises NotFound, InvalidInput."""
    known = get(work, kind, name)
    check_addition(known.tags, tags)
    changed = {key: value for key, value in tags.items() if known.tags.get(key) != value}
    for key, value in changed.items():
        work.resources.set_tag(known.id, key, value)
    if changed:
        after, texts = {"tags": list(changed)}, tag_texts(changed)
        _record(work, caller, known, "resource:tag:set", after=after, texts=texts)
    return {**known.tags, **tags}


def remove_tags(work: Work, caller: Caller, kind: Kind, name: str, keys: Iterable[str]) -> None:
    """Harmless for keys that it does not have. Raises NotFound."""
    known = get(work, kind, name)
    gone = [key for key in keys if work.resources.delete_tag(known.id, key)]
    if gone:
        _record(work, caller, known, "resource:tag:deleted", after={"untagged": gone})


# -- within --------------------------------------------------------------------------------------


def _facts(revision: int, said: Saying) -> dict[str, str | int]:
    return {"revision": revision, "status": said.status, "sha256": said.sha256}


def _record(work: Work, caller: Caller, known: Resource, action: str, **facts: dict) -> None:
    thing = {"resource": known.id, "kind": known.kind.value, "name": known.name}
    work.record(caller, Event(action, thing, **facts))
