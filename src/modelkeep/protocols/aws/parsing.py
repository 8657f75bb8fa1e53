"""What a caller sent, as the model of its operation says: JSON 1.0 and 1.1, and the query protocol.

A member that the model does not know is dropped and a null is an absent member, as AWS does with
both. Times become aware datetimes, blobs bytes. A value of another kind than the model's is refused
here (`SerializationException`), one of the right kind that breaks a rule in `constraints`.
Source: Smithy's AWS JSON 1.0/1.1 and AWS query protocols.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.aws.models import Shape

FIELDS_LIMIT = 5000  # of a form
DEPTH_LIMIT = 20  # of the names of a form's fields: members within members
VALUES_LIMIT = 20_000  # of a JSON body, each of which is looked at

_PLACE = re.compile("[1-9][0-9]{0,5}")

_KINDS = {
    "string": "a string",
    "character": "a string",
    "integer": "an integer",
    "long": "an integer",
    "float": "a number",
    "double": "a number",
    "boolean": "a boolean",
    "timestamp": "a time",
    "blob": "base64 of bytes",
    "structure": "an object",
    "map": "an object",
    "list": "a list",
}


class Malformed(InvalidInput):
    """The body cannot be read as what the operation takes."""


def from_json(shape: Shape | None, body: bytes) -> dict[str, Any]:
    """The parameters of a JSON body. Raises Malformed."""
    if not body:
        return {}
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The request's body is not valid JSON.") from None
    if not isinstance(given, dict):
        raise Malformed("The request's body is not a JSON object.")
    if shape is None:
        return {}
    check_count(given, VALUES_LIMIT, "The request's body")
    try:
        return _of_json(shape, given, "")
    except RecursionError:  # shapes within themselves have no end of their own
        raise Malformed("The request's body has too many objects within one another.") from None


def check_count(given: Any, limit: int, what: str) -> None:
    """Raises Malformed for more values than that: nobody should wait for whoever sent them."""
    left, count = [given], 1
    while left:
        one = left.pop()
        ones = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(ones)
        if count > limit:
            raise Malformed(f"{what} has over {limit} values.")
        left.extend(ones)


def _of_json(shape: Shape, value: Any, path: str) -> Any:
    try:
        return _READ[shape.kind](shape, value, path)
    except (TypeError, ValueError, OverflowError, OSError, binascii.Error):  # OSError of a time
        kind = _KINDS[shape.kind]
        raise Malformed(f"The value at {path or 'the top'} is not {kind}.") from None


def _structure(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    found = {}
    for name, member in shape.members.items():
        given = value.get(member.place_name or name)
        if given is not None:
            found[name] = _of_json(member, given, f"{path}.{name}" if path else name)
    return found


def _list(shape: Shape, value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return [_of_json(shape.element, given, f"{path}[{at}]") for at, given in enumerate(value)]


def _map(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return {key: _of_json(shape.value, given, f"{path}.{key}") for key, given in value.items()}


def _string(_shape: Shape, value: Any, _path: str) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(_shape: Shape, value: Any, _path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise TypeError
    return int(value)


def _number(_shape: Shape, value: Any, _path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _boolean(_shape: Shape, value: Any, _path: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _time(_shape: Shape, value: Any, _path: str) -> datetime:
    """Seconds since 1970, or ISO 8601."""
    if isinstance(value, str):
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.fromtimestamp(_number(_shape, value, _path), UTC)


def _blob(_shape: Shape, value: Any, _path: str) -> bytes:
    return base64.b64decode(value, validate=True)


_READ: Mapping[str, Any] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "timestamp": _time,
    "blob": _blob,
}


# -- the query protocol --------------------------------------------------------------------------


def form(body: bytes) -> dict[str, str]:
    """The fields of a form; of one that comes twice, the last. Raises Malformed."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FIELDS_LIMIT,
        )
    except ValueError:
        raise Malformed(
            f"The request's body is not a valid form, or has over {FIELDS_LIMIT} fields."
        ) from None
    return dict(pairs)


def from_query(shape: Shape | None, fields: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a form's fields, such as `Tags.member.1.Key`. Raises Malformed."""
    if shape is None:
        return {}
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        _plant(tree, name.split(".", DEPTH_LIMIT), value)
    return _of_fields(shape, tree, "")


def _plant(tree: dict[str, Any], names: Sequence[str], value: str) -> None:
    for name in names[:-1]:
        branch = tree.setdefault(name, {})
        if not isinstance(branch, dict):
            branch = tree[name] = {}
        tree = branch
    tree.setdefault(names[-1], value)


def _of_fields(shape: Shape, given: Any, path: str) -> Any:
    if shape.kind == "structure":
        return {
            name: _of_fields(member, branch, f"{path}.{name}" if path else name)
            for name, member in shape.members.items()
            if (branch := _branch(given, member.place_name or name)) is not None
        }
    if shape.kind == "list":
        word = shape.element.place_name or "member"
        entries = given if shape.is_flat else _branch(given, word)
        return [_of_fields(shape.element, one, path) for one in _numbered(entries)]
    if shape.kind == "map":
        entries = given if shape.is_flat else _branch(given, "entry")
        key, value = shape.key.place_name or "key", shape.value.place_name or "value"
        return {
            _text(_branch(one, key), path): _of_fields(shape.value, _branch(one, value), path)
            for one in _numbered(entries)
        }
    return _of_text(shape, _text(given, path), path)


def _of_text(shape: Shape, text: str, path: str) -> Any:
    kind = shape.kind
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text) if kind in ("float", "double") else None
        number = int(text) if kind in ("integer", "long") else number
    except ValueError:
        raise Malformed(f"The value at {path} is not {_KINDS[kind]}.") from None
    return _of_json(shape, text if number is None else number, path)


def _branch(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, dict) else None


def _numbered(entries: Any) -> list[Any]:
    """What `1`, `2`, … say, in this order."""
    if not isinstance(entries, dict):
        return []
    known = ((place, one) for place, one in entries.items() if _PLACE.fullmatch(place))
    return [one for _, one in sorted(known, key=lambda found: int(found[0]))]


def _text(given: Any, path: str) -> str:
    if not isinstance(given, str):
        raise Malformed(f"The value at {path} is not one value.")
    return given
