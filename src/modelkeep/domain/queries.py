"""Questions to documents: conditions on what lies at a path, joined by "and" and "or".

A path leads through objects by their keys, and through lists to each of what they hold. Where it
leads to several values, a condition holds if it holds for one of them; one that denies (NOT_EQUALS,
NOT_EXISTS) holds if what it denies is true of none, and so of what is not there.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Path = tuple[str, ...]
Value = str | float | bool | datetime | tuple[str, ...] | None


class Relation(StrEnum):
    """What a condition asks of a value, in the words of SageMaker's Search."""

    EQUALS = "Equals"
    NOT_EQUALS = "NotEquals"
    GREATER = "GreaterThan"
    GREATER_OR_EQUAL = "GreaterThanOrEqualTo"
    LESS = "LessThan"
    LESS_OR_EQUAL = "LessThanOrEqualTo"
    CONTAINS = "Contains"
    EXISTS = "Exists"
    NOT_EXISTS = "NotExists"
    IN = "In"


_HOLDS: Mapping[Relation, Callable[[Any, Any], bool]] = {
    Relation.EQUALS: operator.eq,
    Relation.NOT_EQUALS: operator.eq,  # of none
    Relation.GREATER: operator.gt,
    Relation.GREATER_OR_EQUAL: operator.ge,
    Relation.LESS: operator.lt,
    Relation.LESS_OR_EQUAL: operator.le,
    Relation.CONTAINS: operator.contains,
    Relation.IN: lambda found, wanted: found in wanted,
    Relation.EXISTS: lambda _found, _wanted: True,
    Relation.NOT_EXISTS: lambda _found, _wanted: True,  # of none
}
_DENYING = (Relation.NOT_EQUALS, Relation.NOT_EXISTS)


@dataclass(frozen=True, slots=True)
class Condition:
    """`value` is of the kind that the path leads to; of IN several, of EXISTS none."""

    path: Path
    relation: Relation
    value: Value = None

    def holds(self, document: Any) -> bool:
        found = any(self._is_of(value) for value in at(document, self.path))
        return found is not (self.relation in _DENYING)

    def _is_of(self, found: Any) -> bool:
        try:
            return _HOLDS[self.relation](found, self.value)
        except TypeError:  # the document has a value of another kind than it should
            return False


@dataclass(frozen=True, slots=True)
class Within:
    """Conditions that all hold of one and the same thing in the list that a path leads to."""

    path: Path
    conditions: tuple[Condition, ...]

    def holds(self, document: Any) -> bool:
        return any(all(c.holds(one) for c in self.conditions) for one in at(document, self.path))


@dataclass(frozen=True, slots=True)
class Query:
    """All parts hold, or one of them; without parts, everything does."""

    parts: "tuple[Condition | Within | Query, ...]" = ()
    is_any: bool = False

    def holds(self, document: Any) -> bool:
        if not self.parts:
            return True
        found = (part.holds(document) for part in self.parts)
        return any(found) if self.is_any else all(found)

    def required(self) -> Iterator[Condition]:
        """Conditions without which it does not hold."""
        if self.is_any and len(self.parts) > 1:
            return
        for part in self.parts:
            if isinstance(part, Condition):
                yield part
            elif isinstance(part, Query):
                yield from part.required()


def at(document: Any, path: Path) -> Iterator[Any]:
    """What a path leads to."""
    if document is None:
        return
    if isinstance(document, list | tuple):
        for one in document:
            yield from at(one, path)
    elif not path:
        yield document
    elif isinstance(document, Mapping):
        yield from at(document.get(path[0]), path[1:])
