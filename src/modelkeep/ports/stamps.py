"""Signing topics' messages."""

from typing import Protocol

from modelkeep.domain.stamps import Stamp


class Stamper(Protocol):
    """Makes stamps and signs with them; both take a processor's time."""

    def make(self, now_ms: int) -> Stamp: ...
    def sign(self, stamp: Stamp, text: str, version: int) -> str:
        """The signature in base64, by SHA-1 (version 1) or SHA-256 (2). Raises IntegrityFailure
        for a key that cannot be opened."""
        ...
