"""What was brought last time, and keeping what was brought now."""

from modelkeep.domain.access import Caller
from modelkeep.domain.imports import End, Record, judge
from modelkeep.ports.work import Work


def note(work: Work, caller: Caller, kind: str, key: str | int, origin: str, digest: str) -> None:
    """Keeps that this was brought. Writes nothing where it is on record already."""
    known = work.imports.find(kind, str(key))
    if known is None or (known.digest, known.origin) != (digest, origin):
        record = Record(kind, str(key), origin, digest, caller.actor.name, work.now_ms)
        work.imports.note(record)


def settle(base: Record | None, given: str, found: str) -> tuple[End, str]:
    """What may be done about something that is here, by digests; why not, if nothing may."""
    end = judge(base.digest if base else None, given, found)
    if end is not End.KEPT:
        return end, ""
    if base is None:
        return end, "something else of that name is here and was not imported; it was left alone"
    if base.digest == given:
        return end, "it was changed here since it was imported, and left as it is"
    return end, "it was changed on both sides since it was imported, and left as it is here"


def settle_own(base: Record | None, given: str, found: str) -> tuple[End, str]:
    """As `settle`, of things known by ids: what was not imported is never taken for what was."""
    if base is None:
        return End.KEPT, "it is here and was not imported; it was left alone"
    return settle(base, given, found)


def bind(work: Work, caller: Caller, kind: str, origin: str, name: str, id: int) -> None:
    """Keeps what a name of another server stands for here, whatever it is called by and by."""
    note(work, caller, kind, _named(origin, name), origin, str(id))


def bound(work: Work, kind: str, origin: str, name: str) -> int | None:
    """The id of what that name was brought as."""
    known = work.imports.find(kind, _named(origin, name))
    return int(known.digest) if known else None


def _named(origin: str, name: str) -> str:
    return f"{origin} {name}"


def foreign(base: Record, origin: str) -> str | None:
    """The objection to things that are known by name alone, if they are another server's."""
    if base.origin == origin:
        return None
    return (
        f"what is here of that name was imported from {base.origin}; "
        f"if that is the same server, say so with --as {base.origin}"
    )
