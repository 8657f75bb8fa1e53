"""Holds: a version that must be kept, for a court or an audit, until somebody releases it.

Neither it nor its model can be deleted, by a person or by time, and its bytes stay. A hold moves
nothing: a held version can be promoted, archived and displaced like any other.
"""

from modelkeep.domain import names
from modelkeep.domain.access import Caller, is_blank
from modelkeep.domain.errors import AlreadyExists, Forbidden, InvalidInput, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.models import Version
from modelkeep.ports.holds import Hold
from modelkeep.ports.work import Work
from modelkeep.services.catalog import resolve, subject

TEXT_LIMIT = 4000  # characters
LIST_LIMIT = 500


def place(
    work: Work, caller: Caller, model: str, which: int | str, reason: str
) -> tuple[Version, Hold]:
    """Raises NotFound, InvalidInput without a reason, Forbidden for an anonymous caller,
    AlreadyExists for a version that is held.
    """
    version = resolve(work, model, which)
    _check(caller, reason)
    if held := work.holds.of_version(version.id):
        raise AlreadyExists(f"{model}/{version.number} is held by {held.placed_by} already.")
    hold_id = work.holds.add(version.id, reason, caller.actor.name, work.now_ms)
    _record(work, caller, version, "version:hold:placed", hold_id, reason)
    return version, _of(work, version)


def release(
    work: Work, caller: Caller, model: str, which: int | str, reason: str
) -> tuple[Version, Hold]:
    """The hold that there was. Raises as `place` does; NotFound for a version that is not held."""
    version = resolve(work, model, which)
    _check(caller, reason)
    hold = _of(work, version)
    work.holds.release(hold.id, reason, caller.actor.name, work.now_ms)
    _record(work, caller, version, "version:hold:released", hold.id, reason)
    return version, hold


def listing(work: Work) -> list[tuple[Version, Hold]]:
    """Those of the models that the caller may see, newest first; at most 500 are looked at."""
    seen = ((work.versions.by_id(h.version_id), h) for h in work.holds.listing(LIST_LIMIT))
    return [(version, hold) for version, hold in seen if version]


def _of(work: Work, version: Version) -> Hold:
    if hold := work.holds.of_version(version.id):
        return hold
    raise NotFound(f"{version.model_name}/{version.number} is not held.")


def _check(caller: Caller, reason: str) -> None:
    names.check_text(reason, "reason", TEXT_LIMIT)
    if is_blank(reason):
        raise InvalidInput("A hold needs a reason, and so does its release.")
    if caller.actor.is_anonymous:
        raise Forbidden("Nobody places or releases a hold anonymously; say who you are.")


def _record(
    work: Work, caller: Caller, version: Version, action: str, hold_id: int, reason: str
) -> None:
    event = Event(action, subject(version), after={"hold": hold_id}, texts={"reason": reason})
    work.record(caller, event, model_id=version.model_id)
