"""What point reads found, remembered until its model changes: where one process alone writes.

Serving code asks for the same aliases again and again, and most of what such an answer costs is
the database. (Where others write as well, `following` asks them what has changed.)

No read may be older than one that somebody has had before it. So the writer, before it commits,
makes everybody forget the models that are about to change; until the commit is over nothing new
is remembered, nor is what was looked up at a moment that a commit has been under way since.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from modelkeep.ports.work import About

Args = tuple[str | int, ...]

LIMIT = 16_384  # values; those of aliases are about 600 bytes each


class Values:
    """Values by key, each of which hangs on one model; the oldest go when there are too many."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._values: dict[Any, tuple[Any, int]] = {}  # with the model that it hangs on
        self._keys: dict[int, set[Any]] = {}  # of each model

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Any) -> Any:
        """The value; None if it is not known."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def keep(self, use_case: Any, args: Args, found: About[Any]) -> None:
        if not self._limit:
            return
        for key in ((use_case, args), *((use_case, other) for other in found.also)):
            while len(self._values) >= self._limit:
                self._drop(next(iter(self._values)))
            self._values[key] = found.value, found.model_id
            self._keys.setdefault(found.model_id, set()).add(key)

    def forget(self, models: Collection[int | None]) -> None:
        """All that hangs on these models; None stands for all of them."""
        if None in models:
            self._values.clear()
            self._keys.clear()
        for model_id in models:
            for key in tuple(self._keys.get(model_id or 0, ())):
                self._drop(key)

    def _drop(self, key: Any) -> None:
        _, model_id = self._values.pop(key)
        keys = self._keys[model_id]
        keys.discard(key)
        if not keys:
            del self._keys[model_id]


class Recent:
    """`limit` is how many values; 0 keeps none."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._values = Values(limit)
        self._lock = threading.Lock()
        self._moment = 0  # odd while a commit is under way

    def get(self, key: Any) -> Any:
        """The value; None if it is not known, or not any more."""
        return self._values.get(key)

    @property
    def moment(self) -> int:
        """To be taken before a value is looked up, for `keep`."""
        return self._moment

    def keep(self, use_case: Any, args: Args, found: About[Any], moment: int) -> None:
        """Remembers what was looked up since a moment, if nothing was changed meanwhile."""
        with self._lock:
            if moment == self._moment and not moment & 1:
                self._values.keep(use_case, args, found)

    @contextmanager
    def changing(self, models: Collection[int | None]) -> Iterator[None]:
        """While a commit that changes these models is under way; None stands for all of them."""
        with self._lock:
            self._moment += 1
            self._values.forget(models)
        try:
            yield
        finally:
            with self._lock:
                self._moment += 1
