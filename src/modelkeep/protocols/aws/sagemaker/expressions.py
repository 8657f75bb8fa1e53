"""Search's expressions: what a caller wrote, held against the shape of what is searched.

A property is named by its path in that shape, `Tags.KEY` and the keys of a map included; what the
shape does not have is an `Unknown property name`. Its kind says which operators it takes.
Source: the guide's page on Search, and the service's model (SearchExpression, Filter).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.queries import Condition, Path, Query, Relation, Value, Within
from modelkeep.protocols.aws.models import Shape

DEPTH_LIMIT = 10  # expressions within one another
CONDITIONS_LIMIT = 100  # of all of them together
ELEMENTS_LIMIT = 20  # filters, nested filters and expressions in one
CONTAINS_LIMIT = 1

TAGS = "Tags"
_NUMBERS = ("integer", "long", "float", "double")
_ORDERED = (Relation.GREATER, Relation.GREATER_OR_EQUAL, Relation.LESS, Relation.LESS_OR_EQUAL)
_EXISTENCE = (Relation.EXISTS, Relation.NOT_EXISTS)


@dataclass(frozen=True, slots=True)
class Property:
    """Where a property lies, and its kind: text, number, boolean, time, or thing."""

    path: Path
    kind: str


def property_of(shape: Shape, name: str) -> Property:
    """Raises InvalidInput for one that a shape does not have."""
    first, _, rest = name.partition(".")
    if first == TAGS:
        return Property((TAGS, rest), "text") if rest else Property((TAGS,), "thing")
    path: list[str] = []
    left = name
    while left:
        while shape.kind == "list":
            shape = shape.element
        if shape.kind == "map":
            path.append(left)
            return Property(tuple(path), _kind(shape.value))
        word, dot, left = left.partition(".")
        if shape.kind != "structure" or word not in shape.members or (dot and not left):
            raise InvalidInput(f"Unknown property name: {name}")
        path.append(word)
        shape = shape.members[word]
    return Property(tuple(path), _kind(shape))


def _kind(shape: Shape) -> str:
    if shape.kind in _NUMBERS:
        return "number"
    if shape.kind in ("list", "map", "structure"):
        return "thing"
    return {"boolean": "boolean", "timestamp": "time"}.get(shape.kind, "text")


def query_of(shape: Shape, expression: Mapping[str, Any]) -> Query:
    """Raises InvalidInput for what cannot be asked."""
    return _Reader(shape).query(expression, 1)


@dataclass(slots=True)
class _Reader:
    """Reads one search's expression, and counts what it has."""

    shape: Shape
    conditions: int = field(default=0)
    contains: int = field(default=0)

    def query(self, given: Mapping[str, Any], depth: int) -> Query:
        if depth > DEPTH_LIMIT:
            raise InvalidInput(
                f"SearchExpression has more than {DEPTH_LIMIT} SubExpressions within one another."
            )
        filters, nested, within = (
            given.get(name, ()) for name in ("Filters", "NestedFilters", "SubExpressions")
        )
        if len(filters) + len(nested) + len(within) > ELEMENTS_LIMIT:
            raise InvalidInput(f"A SearchExpression has at most {ELEMENTS_LIMIT} elements.")
        parts = (
            *(self.condition(one) for one in filters),
            *(self.nested(one) for one in nested),
            *(self.query(one, depth + 1) for one in within),
        )
        return Query(parts, is_any=given.get("Operator") == "Or")

    def nested(self, given: Mapping[str, Any]) -> Within:
        name: str = given["NestedPropertyName"]
        outer = property_of(self.shape, name)
        conditions = []
        for one in given["Filters"]:
            if not one["Name"].startswith(f"{name}."):
                raise InvalidInput(
                    f"The filters within {name} are on its own properties, such as {name}.X; "
                    f"{one['Name']} is not."
                )
            read = self.condition(one)
            conditions.append(Condition(read.path[len(outer.path) :], read.relation, read.value))
        return Within(outer.path, tuple(conditions))

    def condition(self, given: Mapping[str, Any]) -> Condition:
        asked = property_of(self.shape, given["Name"])
        relation = Relation(given.get("Operator", Relation.EQUALS.value))
        self.conditions += 1
        self.contains += relation is Relation.CONTAINS
        if self.conditions > CONDITIONS_LIMIT:
            raise InvalidInput(f"SearchExpression has more than {CONDITIONS_LIMIT} filters.")
        if self.contains > CONTAINS_LIMIT:
            raise InvalidInput(f"'CONTAINS' operator usage limit of {CONTAINS_LIMIT} exceeded.")
        return Condition(asked.path, relation, _value(asked.kind, relation, given))


def _value(kind: str, relation: Relation, given: Mapping[str, Any]) -> Value:
    """What a property is compared with, in its own kind. Raises InvalidInput."""
    name, text = given["Name"], given.get("Value")
    if relation in _EXISTENCE:
        if text is not None:
            raise InvalidInput(f"The operator {relation} on {name} takes no value.")
        return None
    if text is None:
        raise InvalidInput(f"The operator {relation} on {name} needs a value.")
    is_fit = {Relation.CONTAINS: ("text",), Relation.IN: ("text",)}.get(
        relation, ("text", "number", "time")
    )
    if relation in _ORDERED:
        is_fit = ("number", "time")
    elif relation in (Relation.EQUALS, Relation.NOT_EQUALS):
        is_fit = (*is_fit, "boolean")
    if kind not in is_fit:
        raise InvalidInput(f"The operator {relation} cannot be used on {name}, which is a {kind}.")
    if relation is Relation.IN:
        return tuple(one.strip() for one in text.split(","))
    return _READ[kind](name, text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is not a number, which {name} is compared with.") from None


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidInput(f"'{text}' is not true or false, which {name} is compared with.")
    return text.lower() == "true"


def _time(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"'{text}' is not a time as in 2025-01-31T12:00:00Z, which {name} is compared with."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_READ = {"text": lambda _name, text: text, "number": _number, "boolean": _boolean, "time": _time}
