"""What the journal has said of itself, signed: the rows, and what signs and what cosigns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.notes import Checkpoint, PublicKey
from modelkeep.domain.receipts import Submission


@dataclass(frozen=True, slots=True)
class Origin:
    """A name under which the journal signs, and with which key. Each fork begins another."""

    number: int  # from 1; the greatest is the one that signs
    name: str
    vkey: str
    opened_ms: int


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint's note, cosignatures included, and when it was last signed."""

    origin: int
    size: int
    note: str
    at_ms: int


class Checkpoints(Protocol):
    def origins(self) -> list[Origin]:
        """Oldest first."""
        ...

    def add_origin(self, origin: Origin) -> None: ...
    def newest(self, origin: int) -> Signed | None: ...
    def put(self, signed: Signed) -> None:
        """Keeps a checkpoint, in place of one of its size."""
        ...

    def thin(self, origin: int, start_ms: int, end_ms: int) -> None:
        """Of those signed in a time, keeps the newest alone."""
        ...

    def all(self) -> Iterator[Signed]:
        """In the order of their sizes."""
        ...


class Notary(Protocol):
    """Holds the journal's key, and remembers, outside of the database, what it signed last.

    A database that was restored from a copy has forgotten its newest checkpoints; this has not.
    """

    def key(self, name: str) -> PublicKey:
        """The public key, under a name."""
        ...

    def sign(self, checkpoint: Checkpoint) -> str:
        """The note of a checkpoint, with its line for the origin's name."""
        ...

    def remember(self, note: str) -> None:
        """Durable when it returns."""
        ...

    def remembered(self) -> str | None:
        """The note that was remembered last."""
        ...

    def forget(self, note: str) -> None:
        """Forgets a note, if it is still the one that was remembered last."""
        ...

    def object(self, origin: str, why: str) -> None:
        """From now on, until the process ends, there is this to say against signing for it."""
        ...

    def objection(self, origin: str) -> str: ...
    def check(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """See `domain.notes.Check`."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answered: 200 with lines of cosignatures, 409 with the size that it knows
    or, where the sizes are the same, without; 0 when it is not to be had, and why."""

    status: int
    body: str


class Witness(Protocol):
    """Somebody else, who cosigns checkpoints that continue those which it has seen."""

    @property
    def key(self) -> PublicKey: ...
    async def submit(self, submission: Submission) -> Reply: ...
