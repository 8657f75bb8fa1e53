"""The application as its edges see it: hand in a use case, get its value.

    await app.read(registry.get_model, "churn", point=True)
    await app.write(registry.create_model, caller, "churn")

`write` answers only after the batch that the use case ran in is durable. Both raise what the use
case raised (`domain.errors`), and `write` raises Unavailable when nothing could be stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from modelkeep.domain.tokens import Signer
from modelkeep.ports.blobs import Blobs, Parts

T = TypeVar("T")


class Runner(Protocol):
    """Runs use cases, each in a unit of work."""

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class App:
    """Everything the edges need: reads, writes, the bytes, and the key of its addresses."""

    reader: Runner
    writer: Runner
    blobs: Blobs
    parts: Parts
    signer: Signer

    async def read(
        self, use_case: Callable[..., T], *args: Any, point: bool = False, **kwargs: Any
    ) -> T:
        """`point` promises that the use case costs a few look-ups by key and nothing more."""
        return await self.reader.submit(use_case, *args, point=point, **kwargs)

    async def write(self, use_case: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await self.writer.submit(use_case, *args, **kwargs)
