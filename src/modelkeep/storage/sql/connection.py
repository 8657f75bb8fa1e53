"""What a connection to a database can do, and what goes wrong with one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from modelkeep.domain.errors import InvalidInput, Unavailable

Row = tuple[Any, ...]


class Batch(NamedTuple):
    """What goes into one commit: whose it is, by a name that nobody else has, and its number among
    those of that writer."""

    writer: str
    number: int


LOCK_WAIT_S = 5.0  # how long a batch waits for another writer before it gives up
GONE_S = 3  # after which PostgreSQL ends the session of a replica that does nothing in its batch


class OutOfTime(Exception):
    """A statement was stopped, because its transaction is to be quick or has a deadline."""


class Db(Protocol):
    """A connection: statements in, rows out. Not for use by two threads at once.

    Raises InvalidInput for a value that the database cannot hold: NUL in a text, half a surrogate
    pair, an integer of more than 64 bits. Whatever looks such a thing up made a mistake.
    Raises Unavailable when the database cannot be reached, or has no room.
    """

    @property
    def is_spoilt(self) -> bool:
        """Whether, in this batch, one failed that nobody waited for, and others were skipped."""
        ...

    @property
    def changes(self) -> int:
        """A number that grows with whatever may have changed a row."""
        ...

    def all(self, sql: str, *params: Any) -> list[Row]: ...
    def one(self, sql: str, *params: Any) -> Row | None: ...
    def run(self, sql: str, *params: Any) -> int:
        """The number of rows that the statement touched."""
        ...

    def ahead(self, sql: str, *params: Any) -> Callable[[], list[Row]]:
        """As `all`, for which nobody waits before the next statement: who calls what it returns."""
        ...

    def later(self, sql: str, *params: Any) -> None:
        """As `run`, for which nobody waits. If it fails, the next statement or `settle` raises."""
        ...

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """As `later`, for each of the rows."""
        ...

    def touched(self, sql: str, rows: Iterable[Row]) -> int:
        """As `run` for each of the rows, of which all but the last are left for later: the number
        of rows that the statements touched together."""
        ...

    def settle(self) -> None:
        """Returns once everything has been done that was left for later."""
        ...

    def leave(self, sql: str) -> None:
        """As `later`, for the last statement of a transaction: it is not held back."""
        ...

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        """What says of the column before it that it is one of some values, and its parameters.

        One parameter on PostgreSQL, whose driver takes longer to count a hundred of them than the
        server does to answer; and the statement is the same for every number of values.
        """
        ...

    def gathered(self, key: str, value: str) -> str:
        """SQL of a group's keys and values: the text of one JSON object.

        A row for each of them costs either driver more than what is in it.
        """
        ...

    def close(self) -> None: ...


def away(why: str) -> Unavailable:
    return Unavailable(f"The database does not answer: {why.strip()}.")


def unheld() -> InvalidInput:
    return InvalidInput(
        "The request holds a value that cannot be stored or looked up: a NUL character, half a "
        "surrogate pair, or a number of more than 64 bits."
    )
