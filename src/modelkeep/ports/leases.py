"""Who does a task that one process alone should do."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` is a process's own random name."""

    holder: str
    until_ms: int


class Leases(Protocol):
    """The newest lease of each task."""

    def get(self, task: str) -> Lease | None: ...
    def put(self, task: str, lease: Lease) -> None: ...
