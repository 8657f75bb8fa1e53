"""The journal: the append-only log of every change, refusal and vote."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from modelkeep.domain.merkle import Subtree


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf as it is stored: index from 0, hashed body, its hash and the root after it.

    `texts` maps a field to (salt, text); one that was erased is absent. `model_id` is the model
    under whose history it is told. `request` is the id of the call that asked for it, or empty.
    """

    index: int
    at_ms: int
    model_id: int | None
    body: bytes
    hash: bytes
    root: bytes
    texts: dict[str, tuple[str, str]]
    request: str

    def is_of_call(self, other: "Entry") -> bool:
        """Of an entry beside another one: whether one call made both, so that nobody could read
        what was between them. What no call asked for is each by itself."""
        return bool(self.request) and (self.request, self.at_ms) == (other.request, other.at_ms)


class Journal(Protocol):
    def size(self) -> int: ...
    def state(self) -> tuple[int, bytes]:
        """(size, peaks of the tree as `merkle.Frontier.encode` gives them)."""
        ...

    def next_index(self) -> int:
        """Of a writing use case: the index that the next leaf it records will have."""
        ...

    def erase(self, index: int, field: str) -> None:
        """Forgets a text of a leaf: it still verifies, and still proves that there was one."""
        ...

    def entries(self, start: int, limit: int) -> list[Entry]: ...
    def of_model(self, model_id: int, before: int | None, limit: int) -> list[Entry]:
        """Newest first."""
        ...

    def of_request(self, request: str, limit: int) -> list[Entry]:
        """Newest first; none for the empty id."""
        ...

    def subtrees(self, wanted: Collection[Subtree]) -> dict[Subtree, bytes]:
        """The hashes of perfect subtrees, of which a few tiles are read.

        Raises IntegrityFailure when entries of theirs are missing.
        """
        ...

    def tile(self, level: int, number: int) -> list[bytes]:
        """Up to 256 hashes of subtrees of 256**level leaves (C2SP tlog-tiles), as many as are."""
        ...

    def tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the tables say now of everything that the journal also says, row by row."""
        ...
