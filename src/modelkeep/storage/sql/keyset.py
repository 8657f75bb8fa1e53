"""Pages that begin where the last one ended, and not after a number of rows.

A page ends at a *position*: the values by which its last row was sorted. The next page is what
sorts behind them, so it costs what the first one costs, and a row that nobody changed is neither
shown twice nor lost when others come, go or move in between. The last term of an order must be
unique.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Page, Position
from modelkeep.storage.sql.connection import Row
from modelkeep.storage.sql.search import Fragment


@dataclass(frozen=True, slots=True)
class Term:
    """One key of an order. `kind` is the type of its values, none of which is NULL, or else the
    term before it says so (`nulls_last`). No value is NaN.
    """

    sql: str
    ascending: bool = True
    kind: type[str] | type[int] | type[float] = int
    nullable: bool = False

    @property
    def ordered(self) -> str:
        return f"{self.sql} {'ASC' if self.ascending else 'DESC'}"

    @property
    def beyond(self) -> str:
        """The operator that holds of what comes later."""
        return ">" if self.ascending else "<"

    @property
    def unindexed(self) -> "Term":
        """The same values, in words that match no index: a planner is not tempted to walk it."""
        if self.kind is str:
            return self
        return Term(f"+{self.sql}", self.ascending, self.kind, self.nullable)

    def takes(self, value: object) -> bool:
        """Whether it can be a value of this term."""
        if value is None:
            return self.nullable
        if isinstance(value, bool):
            return False
        if self.kind is int:
            return isinstance(value, int) and -(2**63) <= value < 2**63
        return isinstance(value, (int, float) if self.kind is float else str)


def nulls_last(term: Term) -> tuple[Term, Term]:
    """The terms that sort what is NULL last, as neither database does by itself."""
    is_null = Term(f"CASE WHEN {term.sql} IS NULL THEN 1 ELSE 0 END")
    return is_null, Term(term.sql, term.ascending, term.kind, nullable=True)


def order_by(terms: Sequence[Term]) -> str:
    return "ORDER BY " + ", ".join(term.ordered for term in terms)


def check(terms: Sequence[Term], position: Position | None) -> None:
    """Raises InvalidInput for a position in another order than this one."""
    if position is None:
        return
    fits = len(position) == len(terms)
    if not fits or not all(map(Term.takes, terms, position)):
        raise InvalidInput("Invalid page token, it is of another search")


def behind(terms: Sequence[Term], position: Position) -> Fragment:
    """That a row comes later than the position.

    Written so that an index on the first term can be entered there: `a >= ? AND (a > ? OR …)`.
    """
    term, value = terms[0], position[0]
    if len(terms) == 1:
        return Fragment(f"{term.sql} {term.beyond} ?", (value,))
    rest = behind(terms[1:], position[1:])
    if value is None:  # the last of all
        return Fragment(f"({term.sql} IS NULL AND {rest.sql})", rest.params)
    sql = f"({term.sql} {term.beyond}= ? AND ({term.sql} {term.beyond} ? OR {rest.sql}))"
    return Fragment(sql, (value, value, *rest.params))


def segments(
    terms: Sequence[Term], position: Position | None
) -> Iterator[tuple[list[Fragment], Sequence[Term]]]:
    """What comes later than a position, in parts that follow one another.

    Each is a range of its own: the conditions that some first terms are as in the position and
    the next one is beyond it, and the terms by which the part is still to be sorted.
    """
    if position is None:
        yield [], terms
        return
    for length in reversed(range(len(terms))):
        term = terms[length]
        same = [
            Fragment(f"{t.sql} = ?", (v,))
            for t, v in zip(terms[:length], position[:length], strict=True)
        ]
        beyond = Fragment(f"{term.sql} {term.beyond} ?", (position[length],))
        yield [*same, beyond], terms[length:]


def page(rows: Sequence[Row], limit: int, terms: Sequence[Term]) -> Page[Row]:
    """The first `limit` of rows that end with the values of the terms, without these values."""
    width = len(terms)
    shown = [row[:-width] for row in rows[:limit]]
    return Page(shown, tuple(rows[limit - 1][-width:]) if len(rows) > limit else None)
