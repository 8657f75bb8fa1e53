"""What the writer knows from one batch to the next, as long as nobody can have changed it.

Whatever changes it adds an entry to the journal, and while a batch runs nobody else adds any. So
where a batch begins with as many entries as the one before it left, what was known still holds
(docs/decisions/0031).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from modelkeep.storage.sql.places import Places

T = TypeVar("T")


class Memory:
    """Of one connection that writes. It is forgotten when a use case fails, and goes with the
    connection when a batch does."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self.places = Places()
        self._size = 0  # of the journal, as of which they hold

    def begin(self, size: int) -> None:
        """A batch begins, with so many entries in the journal."""
        if size != self._size:
            self.forget()

    def end(self, size: int) -> None:
        """A batch was stored, and left so many entries."""
        self._size = size

    def recall(self, key: str, look: Callable[[], T]) -> T:
        """What is known by a key, which is looked up first if nothing is."""
        if key not in self._values:
            self._values[key] = look()
        return self._values[key]

    def forget(self) -> None:
        self._values.clear()
        self.places.forget()
