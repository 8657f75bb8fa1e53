"""EventBridge's event patterns: what one may say, and whether an event is what it says.

A pattern mirrors the event: each member names what its values may be, in a list of which one must
hold. Members that it does not name may be anything; of an array in the event one element must hold.
Source: EventBridge's user guide, "Creating Amazon EventBridge event patterns".
"""

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from modelkeep.domain.errors import InvalidPattern

PATTERN_LIMIT = 4096  # characters
DEPTH_LIMIT = 20  # of members within members

_WILD = re.compile(r"(?:[^\\]|\\[*\\])*")  # a backslash stands before a star or another
_PIECE = re.compile(r"\\(.)|(\*)|([^\\*]+)", re.DOTALL)
_MISSING = object()  # what stands where an event has nothing
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Unreadable(ValueError):
    """A text is no pattern, for a `reason`: a sentence without its end."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(text: str) -> dict[str, Any]:
    """A pattern as `matches` takes it, which says something. Raises InvalidPattern."""
    try:
        pattern = read(text)
        if not pattern:
            raise Unreadable("the pattern must be an object or a list that is not empty")
    except Unreadable as error:
        raise InvalidPattern(f"Event pattern is not valid. Reason: {error.reason}.") from None
    return pattern


def read(text: str) -> dict[str, Any]:
    """A pattern as `matches` takes it, or an object without members. Raises Unreadable."""
    if len(text) > PATTERN_LIMIT:
        raise Unreadable(f"it is longer than {PATTERN_LIMIT} characters")
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is not valid JSON") from None
    if pattern != {}:
        _check(pattern, "the pattern", DEPTH_LIMIT)
    return pattern


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event is what a checked pattern says."""
    return all(_member(name, wanted, event) for name, wanted in pattern.items())


# -- what may be said ----------------------------------------------------------------------------


def _check(pattern: Any, path: str, depth: int) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise Unreadable(f"{path} must be an object or a list that is not empty")
    if not depth:
        raise Unreadable(f"it has members within members more than {DEPTH_LIMIT} deep")
    for name, wanted in pattern.items():
        if name == "$or":
            if not isinstance(wanted, list) or len(wanted) < 2:
                raise Unreadable("$or must be a list of two patterns at least")
            for one in wanted:
                _check(one, name, depth - 1)
        elif isinstance(wanted, list):
            if not wanted:
                raise Unreadable(f"{name} must not be an empty list")
            for rule in wanted:
                _check_rule(rule, name)
        else:
            _check(wanted, name, depth - 1)


def _check_rule(rule: Any, name: str) -> None:
    if isinstance(rule, list):
        raise Unreadable(f"{name} has a list within its list")
    if not isinstance(rule, dict):
        return
    if len(rule) != 1:
        raise Unreadable(f"{name} must have one filter in each object")
    ((kind, value),) = rule.items()
    check = _CHECKS.get(kind)
    if check is None:
        raise Unreadable(f"Unrecognized match type {kind[:50]}")
    if not check(value):
        raise Unreadable(f"{name} has a filter {kind} whose value is none for it")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_numeric(value: Any) -> bool:
    """`[">", 0]`, or with a second bound `[">", 0, "<=", 5]`."""
    if not isinstance(value, list) or len(value) not in (2, 4):
        return False
    pairs = zip(value[::2], value[1::2], strict=True)
    return all(isinstance(how, str) and how in _COMPARE and _is_number(n) for how, n in pairs)


def _is_excluding(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and all(
            kind in ("prefix", "suffix", "equals-ignore-case", "wildcard") and _CHECKS[kind](text)
            for kind, text in value.items()
        )
    ones = value if isinstance(value, list) else [value]
    return bool(ones) and all(isinstance(one, str) or _is_number(one) for one in ones)


def _is_wild(value: Any) -> bool:
    """`*` is any text, also none; after a backslash it is itself."""
    is_read = _is_text(value) and _WILD.fullmatch(value) is not None
    return is_read and all(_pieces(value)[1:-1])


def _pieces(wildcard: str) -> list[str]:
    """What stands between the stars."""
    found = [""]
    for escaped, star, plain in _PIECE.findall(wildcard):
        if star:
            found.append("")
        found[-1] += escaped or plain
    return found


def _is_network(value: Any) -> bool:
    if not isinstance(value, str) or "/" not in value:
        return False
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "prefix": _is_text,
    "suffix": _is_text,
    "equals-ignore-case": _is_text,
    "exists": lambda value: isinstance(value, bool),
    "wildcard": _is_wild,
    "cidr": _is_network,
    "numeric": _is_numeric,
    "anything-but": _is_excluding,
}


# -- whether it holds ----------------------------------------------------------------------------


def _member(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(one, event) for one in wanted)
    found = event.get(name, _MISSING)
    if isinstance(wanted, list):
        return any(_holds(rule, found) for rule in wanted)
    if isinstance(found, list):
        return any(isinstance(one, dict) and matches(wanted, one) for one in found)
    # Of what is not there, only that it does not exist can hold.
    return matches(wanted, found if isinstance(found, dict) else {})


def _holds(rule: Any, found: Any) -> bool:
    if isinstance(rule, dict) and "exists" in rule:
        return rule["exists"] is (found is not _MISSING)
    if isinstance(found, list):
        return any(_holds(rule, one) for one in found)
    if found is _MISSING or isinstance(found, dict):
        return False
    if not isinstance(rule, dict):
        return _equal(rule, found)
    ((kind, value),) = rule.items()
    return _FILTERS[kind](value, found)


def _equal(one: Any, other: Any) -> bool:
    """A number is no boolean, although Python says so."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _within(value: Any, found: Any) -> bool:
    return _is_number(found) and all(
        _COMPARE[how](found, n) for how, n in zip(value[::2], value[1::2], strict=True)
    )


def _is_else(value: Any, found: Any) -> bool:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return isinstance(found, str) and not _FILTERS[kind](text, found)
    ones = value if isinstance(value, list) else [value]
    return not any(_equal(one, found) for one in ones)


def _fits(value: str, found: str) -> bool:
    """Whether a text is what a wildcard says: the first that fits of each piece is as good as any
    other, so that it takes no longer than the text is long, for each piece."""
    first, *others = _pieces(value)
    if not others:
        return found == first
    *middle, last = others
    if not found.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        at = found.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return len(found) - len(last) >= at and found.endswith(last)


def _lies_in(value: str, found: str) -> bool:
    try:
        return ipaddress.ip_address(found) in ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False


_FILTERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda value, found: isinstance(found, str) and found.startswith(value),
    "suffix": lambda value, found: isinstance(found, str) and found.endswith(value),
    "equals-ignore-case": lambda value, found: (
        isinstance(found, str) and found.lower() == value.lower()
    ),
    "wildcard": lambda value, found: isinstance(found, str) and _fits(value, found),
    "cidr": lambda value, found: isinstance(found, str) and _lies_in(value, found),
    "numeric": _within,
    "anything-but": _is_else,
}
