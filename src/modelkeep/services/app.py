"""The application as its edges see it: hand in a use case, get its value.

    await app.read(registry.get_model, "churn", point=True)
    await app.search(registry.search_models, where, order, 100)
    await app.write(registry.create_model, caller, "churn")

`write` answers only after the batch that the use case ran in is durable. All raise what the use
case raised (`domain.errors`), and `write` raises Unavailable when nothing could be stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from modelkeep.domain.tokens import Signer
from modelkeep.ports.blobs import Blobs, Parts
from modelkeep.ports.checkpoints import Notary, Witness
from modelkeep.ports.clock import Clock
from modelkeep.ports.mail import Mailer
from modelkeep.ports.stamps import Stamper
from modelkeep.ports.stores import Direct, Outside
from modelkeep.ports.webhooks import Sender, Vault
from modelkeep.ports.work import About
from modelkeep.services.loads import Counter

T = TypeVar("T")


class Runner(Protocol):
    """Runs use cases, each in a unit of work."""

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


class Reader(Runner, Protocol):
    """Runs use cases that only read."""

    async def recall(self, use_case: Callable[..., About[Any]], *args: str | int) -> Any: ...

    async def search(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class App:
    """Everything the edges need: reads, writes, the bytes, the time, the way out, keys, counts."""

    reader: Reader
    writer: Runner
    blobs: Blobs
    parts: Parts
    direct: Direct | None  # None where clients cannot reach the store by themselves
    outside: Outside | None  # None where nothing is taken in from elsewhere
    artifact_root: str  # where clients put new experiments' files; "" is a folder of ours
    signer: Signer
    clock: Clock
    sender: Sender
    mailer: Mailer | None  # None where there is no mail server
    vault: Vault
    stamper: Stamper
    closed: frozenset[str]  # the server's own folders, which nobody may say that artifacts lie in
    notary: Notary
    witnesses: tuple[Witness, ...]
    loads: Counter

    async def read(
        self, use_case: Callable[..., T], *args: Any, point: bool = False, **kwargs: Any
    ) -> T:
        """`point` promises that the use case costs a few look-ups by key and nothing more."""
        return await self.reader.submit(use_case, *args, point=point, **kwargs)

    async def recall(self, use_case: Callable[..., About[T]], *args: str | int) -> T:
        """A point read of a value that hangs on nothing but one model and what it holds, and on no
        time: it may be remembered until the model changes."""
        return await self.reader.recall(use_case, *args)

    async def search(self, use_case: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """A read that may have to look at every row; then it waits its turn, and none for it.

        Raises LimitExceeded when it takes longer than the settings allow.
        """
        return await self.reader.search(use_case, *args, **kwargs)

    async def write(self, use_case: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await self.writer.submit(use_case, *args, **kwargs)
