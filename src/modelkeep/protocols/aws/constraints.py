"""The rules that a model has for an operation's parameters, refused in AWS's wording.

botocore's own validator knows required members, kinds and least lengths; the services know the rest
of the model as well: greatest lengths, ranges, patterns, enumerations. SDKs and people's scripts
match on the sentences ("Member must have length less than or equal to 63").
Source: answers of the services, as quoted by users; botocore's models for the rules.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import re2

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.aws.models import Shape

SHOWN_LIMIT = 300  # characters of a value that is told of
TOLD_LIMIT = 20  # violations that are told of; there may be as many as entries in a list


class Violation(InvalidInput):
    """Parameters that break a rule of the model."""


def check(shape: Shape | None, params: dict[str, Any]) -> None:
    """Raises Violation, with one sentence for each rule that is broken, the first twenty."""
    if shape is None:
        return
    found = [
        problem for _, problem in zip(range(TOLD_LIMIT), _problems(shape, params, ""), strict=False)
    ]
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise Violation(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for rule in broken(shape, value):
        yield f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {rule}"
    if shape.kind == "structure":
        yield from _in_structure(shape, value, path)
    elif shape.kind == "list":
        for place, one in enumerate(value, start=1):
            yield from _problems(shape.element, one, f"{path}.{place}.member")
    elif shape.kind == "map":
        yield from _in_map(shape, value, path)


def _in_structure(shape: Shape, value: Any, path: str) -> Iterator[str]:
    before = f"{path}." if path else ""
    for name in shape.required:
        if name not in value:
            rule = "Member must not be null"
            yield f"Value null at '{before}{_lower(name)}' failed to satisfy constraint: {rule}"
    for name, member in shape.members.items():
        if name in value:
            yield from _problems(member, value[name], before + _lower(name))


def _in_map(shape: Shape, value: Any, path: str) -> Iterator[str]:
    sides = (("keys", shape.key, value), ("value", shape.value, value.values()))
    for side, member, ones in sides:
        for one in ones:
            rules = ", ".join(broken(member, one))
            if rules:
                said = f"Map {side} must satisfy constraint: [{rules}]"
                yield f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {said}"
                break
    if shape.value.kind in ("structure", "list", "map"):
        for key, one in value.items():
            yield from _problems(shape.value, one, f"{path}.{key}.member")


def broken(shape: Shape, value: Any) -> Iterator[str]:
    """The rules of its own shape that a value breaks, in AWS's words."""
    kind, rules = shape.kind, shape.rules
    if kind in ("string", "blob", "list", "map"):
        yield from _bounds("length", len(value), rules)
    elif kind in ("integer", "long", "float", "double"):
        yield from _bounds("value", value, rules)
    if shape.kind == "string":
        if shape.choices and value not in shape.choices:
            yield f"Member must satisfy enum value set: [{', '.join(shape.choices)}]"
        if (pattern := rules.get("pattern")) and not matcher(pattern)(value):
            yield f"Member must satisfy regular expression pattern: {pattern}"


def _bounds(what: str, found: float, rules: Mapping[str, Any]) -> Iterator[str]:
    if "max" in rules and found > rules["max"]:
        yield f"Member must have {what} less than or equal to {rules['max']}"
    if "min" in rules and found < rules["min"]:
        yield f"Member must have {what} greater than or equal to {rules['min']}"


@cache
def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether the whole of a text matches one of the models' patterns.

    RE2 takes time linear in the text and knows Unicode's classes. The few patterns that look around
    are Python's: their texts are short, since a length is checked as well. What neither reads (as
    Java does) says yes to everything.
    """
    try:
        return _with(re2.compile(pattern, _quiet()))
    except re2.error:
        pass
    try:
        return _with(re.compile(pattern))
    except re.error:
        return lambda _: True


def _with(compiled: Any) -> Callable[[str], bool]:
    return lambda text: compiled.fullmatch(text) is not None


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _lower(name: str) -> str:
    """A member as AWS's sentences spell it."""
    return name[:1].lower() + name[1:]


def _shown(value: Any) -> str:
    return f"'{_text(value)[:SHOWN_LIMIT]}'"


def _text(value: Any) -> str:
    """As AWS's services write it: a list in brackets, a structure with `=`."""
    if isinstance(value, list):
        items: list[Any] = value
        return f"[{', '.join(map(_text, items))}]"
    if isinstance(value, dict):
        members: dict[Any, Any] = value
        return f"{{{', '.join(f'{key}={_text(one)}' for key, one in members.items())}}}"
    return str(value)
