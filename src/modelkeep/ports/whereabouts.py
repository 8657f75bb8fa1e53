"""Which store the registry's large files lie in."""

from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.stores import SCHEME


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`where` names the store to people, as `Blobs.where` does. `mark` is the id that lies in it;
    while `is_marked` is false, nobody has been able to put it there yet."""

    where: str
    mark: str
    is_marked: bool = False

    def is_named(self, where: str) -> bool:
        """Whether that may be another name of the same store: a folder can be moved, and an S3
        store can be reached by other endpoints, which are no part of a name."""
        if SCHEME in (self.where[: len(SCHEME)], where[: len(SCHEME)]):
            return self.where == where
        return True


class Stores(Protocol):
    """The one store that the registry has."""

    def get(self) -> Whereabouts | None: ...
    def put(self, store: Whereabouts) -> None: ...
