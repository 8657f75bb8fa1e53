"""Things that are known by an id that they have everywhere: runs and logged models.

What was not imported is never taken for what was, not even if it looks the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from modelkeep.domain.access import Caller
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.imports import End, Outcome
from modelkeep.ports.work import Work
from modelkeep.services.imports.records import note, settle


class Logged(Protocol):
    """What both have that never changes."""

    @property
    def experiment_id(self) -> int: ...
    @property
    def params(self) -> Mapping[str, str]: ...


Given = TypeVar("Given", bound=Logged)
Found = TypeVar("Found", bound=Logged)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Given, Found]):
    """One kind of them: how it is digested, added, and made what its source says. Whoever brings or
    changes one had a hand in it."""

    name: str
    thing: Thing
    digest: Callable[[Given | Found], str]
    add: Callable[[Work, Caller, Given], None]
    change: Callable[[Work, Found, Given], None]

    def bring(
        self, work: Work, caller: Caller, origin: str, key: str, given: Given, found: Found | None
    ) -> Outcome:
        """`found` is what is here under the key."""
        if found is None:
            self.add(work, caller, given)
            end = End.CREATED
        else:
            end, reason = self._settle(work, key, given, found)
            if end is End.KEPT:
                return Outcome(key, end, reason)
            if end is End.CHANGED:
                self.change(work, found, given)
        if end in (End.CREATED, End.CHANGED):
            work.hands.add(key, Hand(self.thing, caller.actor.name, Deed.IMPORTED), work.now_ms)
        note(work, caller, self.name, key, origin, self.digest(given))
        return Outcome(key, end)

    def _settle(self, work: Work, key: str, given: Given, found: Found) -> tuple[End, str]:
        base = work.imports.find(self.name, key)
        if base is None:
            return End.KEPT, "it is here and was not imported; it was left alone"
        end, reason = settle(base, self.digest(given), self.digest(found))
        if found.experiment_id != given.experiment_id:
            return End.KEPT, f"it is in experiment {found.experiment_id} here"
        if found.params.items() - given.params.items():
            return End.KEPT, "its params differ, and a param never changes"
        return end, reason
