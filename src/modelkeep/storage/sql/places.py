"""Where the next versions of models come, as far as a writer knows it by heart.

It asks once, and then counts along: nobody else adds versions while it knows what it knows
(`memory`). What changes a model's name, numbers or end by another way makes it ask again.
"""

from collections.abc import Callable
from dataclasses import replace

from modelkeep.ports.registry import NewVersion, Numbered, Place

LIMIT = 10_000  # models, of some 300 bytes each


class Places:
    """By the names of the models."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._names: dict[int, str] = {}
        self._next_id = 0  # of the next version, whichever model's

    def find(self, name: str, look: Callable[[str], Place | None]) -> Place | None:
        """The place in a model of that name, which is looked for first if it is not known."""
        known = self._places.get(name)
        if known is not None:
            return replace(known, version_id=self._next_id)
        place = look(name)
        if place is not None:
            if len(self._places) >= LIMIT:
                self.forget()
            self._places[name], self._names[place.model_id] = place, name
            self._next_id = place.version_id
        return place

    def taken(self, new: NewVersion) -> None:
        """A version was added; the one after it has the next number."""
        self._next_id = new.id + 1
        name = self._names.get(new.model_id)
        if name is None:
            return
        place = self._places[name]
        before = place.before
        is_higher = before is None or before.semver < new.semver
        # Of a tree, a place has the digest, which is not known here.
        if new.number == place.number and new.manifest_id is None and is_higher:
            highest = Numbered(new.id, new.semver, None)
            self._places[name] = replace(place, number=place.number + 1, before=highest)
        else:
            self.drop(new.model_id)

    def drop(self, model_id: int) -> None:
        """What is known of a model holds no longer."""
        name = self._names.pop(model_id, None)
        if name is not None:
            del self._places[name]

    def forget(self) -> None:
        self._names.clear()
        self._places.clear()
