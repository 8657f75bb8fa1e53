"""Plain JSON documents: one digest for each, and how their parts are read.

A document that a person wrote is first made plain (`plain`), then read part by part. Whatever is
not as it should be is InvalidInput with the path of the offending part
(`model_registry.single[0]`), so that the sentence can be acted on without the source at hand.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from modelkeep.domain.canonical import canonical
from modelkeep.domain.errors import InvalidInput

T = TypeVar("T")

DEPTH_LIMIT = 32
WEIGHT_LIMIT = 512 * 1024  # characters of all texts, plus one for each value
LIST_LIMIT = 200  # items of one list that is enforced
TEXT_LIMIT = 1000  # characters of one text that is enforced

_SAFE_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond it JSON numbers lose digits
_CURLY_QUOTES = {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"}


def canonical_digest(value: Any) -> str:
    """`sha256:<hex>` over the RFC 8785 form of a JSON value; InvalidInput if it has none."""
    try:
        encoded = canonical(value)
    except ValueError as error:
        raise InvalidInput(f"This has no canonical JSON form: {error}.") from error
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


def plain(document: object) -> Any:
    """A copy of `document` in which everything is JSON; a date becomes its ISO text.

    InvalidInput for what JSON cannot say (other types, keys that are no text, NaN, infinity,
    integers beyond 2**53), for typographic quotation marks in any key or value, for nesting
    deeper than 32 and for more than 512 Ki characters once references are written out: a few
    hundred bytes of YAML aliases can stand for gigabytes, or for a list that contains itself.
    """
    return _copy(document, "", 1, _Allowance())


@dataclass(slots=True)
class _Allowance:
    left: int = WEIGHT_LIMIT

    def spend(self, weight: int) -> None:
        self.left -= weight
        if self.left < 0:
            raise InvalidInput(
                f"The document holds more than {WEIGHT_LIMIT} characters and values once its "
                "references are written out."
            )


def _copy(value: object, path: str, depth: int, allowance: _Allowance) -> Any:
    allowance.spend(1)
    if depth > DEPTH_LIMIT:
        raise InvalidInput(f"{_shown(path)}: nested deeper than {DEPTH_LIMIT} levels.")
    if isinstance(value, dict):
        copied: dict[str, Any] = {}
        for key, part in value.items():
            name = _copy_key(key, path, allowance)
            copied[name] = _copy(part, at(path, name), depth + 1, allowance)
        return copied
    if isinstance(value, list | tuple):
        return [_copy(v, f"{path}[{i}]", depth + 1, allowance) for i, v in enumerate(value)]
    return _copy_scalar(value, path, allowance)


def _copy_key(key: object, path: str, allowance: _Allowance) -> str:
    if not isinstance(key, str):
        raise InvalidInput(
            f"{_shown(path)}: the key {key!r:.80} is {kind(key)}, not text; put it in quotes."
        )
    allowance.spend(len(key))
    return _sound(key, at(path, key))


def _copy_scalar(value: object, path: str, allowance: _Allowance) -> Any:
    if isinstance(value, str):
        allowance.spend(len(value))
        return _sound(value, path)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and abs(value) <= _SAFE_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int | float):
        raise InvalidInput(f"{_shown(path)}: must be finite and at most {_SAFE_INTEGER} in size.")
    raise InvalidInput(f"{_shown(path)}: cannot be {kind(value)}.")


def _sound(text: str, path: str) -> str:
    for mark, straight in _CURLY_QUOTES.items():
        if mark in text:
            raise InvalidInput(
                f"{_shown(path)}: has the typographic quotation mark {mark} "
                f"(U+{ord(mark):04X}); straighten it to {straight}"
            )
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidInput(f"{_shown(path)}: has half of a surrogate pair, which is no text.")
    return text


def at(path: str, key: str) -> str:
    """The path of `key` within `path`; the whole document is the empty path.

    Long keys are cut: every value below builds on it, and many below one long key add up.
    """
    return f"{path}.{key:.100}" if path else key[:100]


def _shown(path: str) -> str:
    return path[:300] or "the document"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (dict, "a mapping"),
    (list, "a list"),
    (bytes, "binary"),
)


def kind(value: object) -> str:
    """What a person would call the type of `value`."""
    if value is None:
        return "empty"
    named = (name for known, name in _KINDS if isinstance(value, known))
    return next(named, f"a {type(value).__name__}")


def _wrong(path: str, wanted: str, value: object) -> InvalidInput:
    return InvalidInput(f"{_shown(path)}: must be {wanted}, and is {kind(value)}.")


def mapping(value: object, path: str, allowed: Collection[str] | None = None) -> dict[str, Any]:
    """A mapping with no key outside `allowed` (None: any)."""
    if not isinstance(value, dict):
        raise _wrong(path, "a mapping", value)
    for key in value:
        if allowed is not None and key not in allowed:
            raise InvalidInput(
                f"{_shown(path)}: unknown key '{key:.80}'. "
                f"The keys allowed here are {', '.join(sorted(allowed))}."
            )
    return value


def text(value: object, path: str) -> str:
    """A text of 1 to 1,000 characters, not blank."""
    if not isinstance(value, str):
        raise _wrong(path, "text", value)
    if not value.strip():
        raise InvalidInput(f"{_shown(path)}: must not be blank.")
    if len(value) > TEXT_LIMIT:
        raise InvalidInput(
            f"{_shown(path)}: is {len(value)} characters long; the limit is {TEXT_LIMIT}."
        )
    return value


def parts(value: object, path: str) -> Iterator[tuple[str, Any]]:
    """The items of a list of at most 200, each as (its path, the item)."""
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    if len(value) > LIST_LIMIT:
        raise InvalidInput(f"{_shown(path)}: has {len(value)} items; the limit is {LIST_LIMIT}.")
    for index, item in enumerate(value):
        yield f"{path}[{index}]", item


def items(value: object, path: str) -> Iterator[tuple[str, str]]:
    """The texts of a list of at most 200, each as (its path, the text)."""
    return ((here, text(item, here)) for here, item in parts(value, path))


def checked(check: Callable[[str], T], value: str, path: str) -> T:
    """What `check` makes of `value`; what it objects to is said with the path before it."""
    try:
        return check(value)
    except InvalidInput as error:
        raise InvalidInput(f"{_shown(path)}: {error.message}") from error


def truth(value: object, path: str) -> bool:
    """A real boolean: neither "yes" nor 1 will do."""
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def whole(value: object, path: str, low: int, high: int = _SAFE_INTEGER) -> int:
    """A whole number from `low` to `high`, both included."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(path, "a whole number", value)
    if not low <= value <= high:
        raise InvalidInput(f"{_shown(path)}: is {value}; it must be from {low} to {high}.")
    return value


def number(value: object, path: str, low: float, high: float = _SAFE_INTEGER) -> float:
    """A number from `low` to `high`, both included."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(path, "a number", value)
    if not low <= value <= high:
        raise InvalidInput(f"{_shown(path)}: is {value}; it must be from {low} to {high}.")
    return float(value)
