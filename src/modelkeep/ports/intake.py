"""Bytes that nobody here has hashed yet, and the versions that wait for them.

Two kinds of work, each leased by its due time to one worker at a time: an *arrival* is an object
that a client put into our store by itself; an *intake* takes a version's files in from another
store. A version's *pending files* are its tree as far as it is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.manifests import File
from modelkeep.domain.stores import Place


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object to be hashed, and the path that it was uploaded to."""

    id: int
    path: str
    key: str
    size_bytes: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Intake:
    """A version whose files are to be taken in from an address. `attempts` counts those begun
    before this one."""

    version_id: int
    address: str
    attempts: int


class Intakes(Protocol):
    @property
    def places(self) -> tuple[Place, ...]:
        """Where new versions' files are taken in from, by this server or another of its kind."""
        ...

    # -- arrivals --------------------------------------------------------------------------

    def land(self, path: str, key: str, size_bytes: int, at_ms: int) -> int | None:
        """The id of a new arrival, due at once; None if that object arrived before."""
        ...

    def is_open(self, arrival_id: int) -> bool:
        """Whether an arrival has not ended."""
        ...

    def lease_arrivals(self, now_ms: int, until_ms: int, limit: int) -> list[Arrival]:
        """Arrivals that are due, for one worker until then."""
        ...

    def put_off_arrival(self, arrival_id: int, due_ms: int) -> None: ...
    def end_arrival(self, arrival_id: int, at_ms: int) -> None: ...
    def has_landed(self, key: str) -> bool: ...
    def prune(self, before_ms: int) -> None:
        """Forgets the arrivals that ended before a moment."""
        ...

    def known_keys(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the keys that are to be hashed still."""
        ...

    # -- intakes ---------------------------------------------------------------------------

    def find(self, low: str, high: str, limit: int) -> list[int]:
        """Living versions without bytes or an intake, whose files lie at addresses between."""
        ...

    def open(self, version_id: int, at_ms: int) -> None: ...
    def pass_over(self, version_id: int, at_ms: int) -> None:
        """Takes nothing in for a version, wherever its source lies."""
        ...

    def is_due(self, now_ms: int) -> bool:
        """Whether an arrival or an intake is."""
        ...

    def backlog(self) -> int:
        """How many arrivals and intakes have not ended, due or not."""
        ...

    def lease_intake(self, now_ms: int, until_ms: int) -> Intake | None: ...
    def put_off_intake(self, version_id: int, due_ms: int | None, note: str) -> None:
        """When it is tried next; with None, never."""
        ...

    # -- the trees of versions that wait ---------------------------------------------------

    def expect(self, version_id: int, files: Sequence[File], etag: str = "") -> None:
        """Adds to a version's tree, or replaces what is there under the same paths."""
        ...

    def expected(self, version_id: int) -> list[tuple[File, str]]:
        """A version's tree so far, by path, with the ETags that its files were taken in by."""
        ...

    def waiting_for(self, mark: str) -> list[int]:
        """The versions in whose trees a file is called so (`arrivals.mark`)."""
        ...

    def resolve(self, mark: str, sha256: str) -> None:
        """Gives the files that are called so in trees their digest."""
        ...

    def forget(self, version_id: int) -> None:
        """Drops a version's tree: it is frozen, or will never be."""
        ...
