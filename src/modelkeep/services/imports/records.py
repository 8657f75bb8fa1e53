"""What was brought last time, and keeping what was brought now."""

from dataclasses import dataclass, replace

from modelkeep.domain.access import Caller
from modelkeep.domain.imports import End, Record, judge
from modelkeep.ports.work import Work

_SHARED = "shared"  # an identity that two things have


def importing(caller: Caller, origin: str) -> Caller:
    """The caller as one whose doings are another server's past: the journal says so."""
    return replace(caller, origin=origin)


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


# -- what is known by a name, which may change ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of one kind of thing, and their identities, at one server stand for here.

    An identity is what a thing keeps there when its name changes. A name is kept with a mark that
    tells the thing from any other that bears its name later; an empty mark tells nothing.
    """

    work: Work
    kind: str
    origin: str

    def identified(self, identity: str) -> int | None:
        """The id of what was brought with that identity, if only one thing was."""
        known = self._find("id", identity)
        return int(known) if known.isdigit() else None

    def named(self, name: str, mark: str) -> int | None:
        """The id of what was brought by that name, unless it was another thing."""
        id, _, was = self._find("name", name).partition(" ")
        return int(id) if id and (not was or was == mark) else None

    def gave(self, name: str, id: int) -> bool:
        """Whether a thing that has a name here has it from there."""
        return self._find("name", name).partition(" ")[0] == str(id)

    def identify(self, caller: Caller, identity: str, id: int) -> None:
        """Keeps what an identity stands for: nothing any more, if two things have it."""
        is_its_own = self._find("id", identity) in ("", str(id))
        self._note(caller, "id", identity, str(id) if is_its_own else _SHARED)

    def name(self, caller: Caller, name: str, mark: str, id: int) -> None:
        """Keeps what a name stands for, whatever it is called here by and by."""
        self._note(caller, "name", name, f"{id} {mark}".rstrip())

    def release(self, caller: Caller, name: str) -> None:
        """The name stands for nothing any more: its source has given it up."""
        self._note(caller, "name", name, "")

    def _find(self, what: str, key: str) -> str:
        known = self.work.imports.find(f"{self.kind}-{what}", f"{self.origin} {key}")
        return known.digest if known else ""

    def _note(self, caller: Caller, what: str, key: str, value: str) -> None:
        kind = f"{self.kind}-{what}"
        note(self.work, caller, kind, f"{self.origin} {key}", self.origin, value)


def foreign(base: Record, origin: str) -> str | None:
    """The objection to things that are known by name alone, if they are another server's."""
    if base.origin == origin:
        return None
    return (
        f"what is here of that name was imported from {base.origin}; "
        f"if that is the same server, say so with --as {base.origin}"
    )
