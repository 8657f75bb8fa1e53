"""Canonical JSON (RFC 8785): one text, and so one digest, for one value."""

import json
import math
from typing import Any

_SAFE_INTEGER = 2**53 - 1  # section 3.2.2.3: beyond it JSON numbers lose digits


def canonical(value: Any) -> bytes:
    """The canonical form. ValueError for what has none: NaN, infinity, integers beyond 2**53,
    half a surrogate pair, keys that are no text, and whatever is not JSON."""
    return _written(value).encode()


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError(f"{value} is beyond 2**53")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=_by_utf16)
        return "{" + ",".join(f"{_written(name)}:{_written(value[name])}" for name in names) + "}"
    raise ValueError(f"a {type(value).__name__} is not JSON")


def _by_utf16(name: object) -> bytes:
    if not isinstance(name, str):
        raise ValueError(f"the key {name!r:.80} is not a text")
    return name.encode("utf-16-be")


def _number(value: float) -> str:
    """As ECMAScript writes it: the digits are those of Python's `repr`, their layout is not."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    sign, (mantissa, _, exponent) = "-" * (value < 0), repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
