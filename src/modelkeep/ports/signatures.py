"""Signatures under which something was changed."""

from typing import Protocol


class Signatures(Protocol):
    def first_seen(self, signature: str, now_ms: int, until_ms: int) -> int:
        """When a signature was seen first: now, unless it is known. It is kept until `until_ms`."""
        ...

    def sweep(self, before_ms: int, limit: int) -> int:
        """Forgets those that were kept until before then, at most so many; how many they were."""
        ...
