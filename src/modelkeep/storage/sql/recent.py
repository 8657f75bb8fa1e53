"""What point reads found, remembered until its model changes.

Serving code asks for the same aliases again and again, and most of what such an answer costs is
the database. Only where this process is the only one that writes does it know when what it
remembers ceases to be so; elsewhere nothing is kept.

No read may be older than one that somebody has had before it. So the writer, before it commits,
makes everybody forget the models that are about to change; until the commit is over nothing new
is remembered, nor is what was looked up at a moment that a commit has been under way since.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

LIMIT = 16_384  # values; those of aliases are about 600 bytes each


class Recent:
    """Values by key. `limit` is how many; 0 keeps none."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._values: dict[Any, tuple[Any, int]] = {}  # with the model that it hangs on
        self._keys: dict[int, set[Any]] = {}  # of each model
        self._lock = threading.Lock()
        self._moment = 0  # odd while a commit is under way

    def get(self, key: Any) -> Any:
        """The value; None if it is not known, or not any more."""
        found = self._values.get(key)
        return None if found is None else found[0]

    @property
    def moment(self) -> int:
        """To be taken before a value is looked up, for `keep`."""
        return self._moment

    def keep(self, key: Any, value: Any, model_id: int, moment: int) -> None:
        """Remembers what was looked up since a moment, if nothing was changed meanwhile."""
        with self._lock:
            if moment & 1 or moment != self._moment or not self._limit:
                return
            while len(self._values) >= self._limit:
                self._forget(next(iter(self._values)))
            self._values[key] = value, model_id
            self._keys.setdefault(model_id, set()).add(key)

    @contextmanager
    def changing(self, models: Collection[int | None]) -> Iterator[None]:
        """While a commit that changes these models is under way; None stands for all of them."""
        with self._lock:
            self._moment += 1
            if None in models:
                self._values.clear()
                self._keys.clear()
            for model_id in models:
                for key in tuple(self._keys.get(model_id or 0, ())):
                    self._forget(key)
        try:
            yield
        finally:
            with self._lock:
                self._moment += 1

    def _forget(self, key: Any) -> None:
        _, model_id = self._values.pop(key)
        keys = self._keys[model_id]
        keys.discard(key)
        if not keys:
            del self._keys[model_id]
