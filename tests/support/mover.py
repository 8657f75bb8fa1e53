"""Changes that go up, one after another, for those who watch that no read goes back."""

import threading
from typing import Self

from modelkeep.services import registry
from tests.support.core import ANN, Core

WAIT_S = 60.0


class Mover:
    """Sets the tag `n` of the first version of `churn` to 1, 2, …, in a thread of its own. The next
    begins when the one before is acknowledged and somebody has read since.
    """

    def __init__(self, core: Core, last: int) -> None:
        self.acknowledged = 0
        self.last, self._core = last, core
        self._over, self._was_read = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._move)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def was_read(self) -> None:
        self._was_read.set()

    def _move(self) -> None:
        try:
            for number in range(1, self.last + 1):
                self._core.write(registry.set_version_tag, ANN, "churn", 1, "n", str(number))
                self.acknowledged = number
                self._was_read.clear()
                assert self._was_read.wait(WAIT_S), "nobody reads any more"
        finally:
            self._over.set()
