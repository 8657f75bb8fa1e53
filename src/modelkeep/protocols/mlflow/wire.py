"""What a call of MLflow's REST API is: a method and a path, a request, an answer.

The wire is proto-JSON with snake_case names: unset fields are left out, and null is unset too;
64-bit integers are numbers (strings are accepted too), NaN is the string "NaN", and an infinity is
the largest double of its sign, as MLflow's SQL store answers it. Unknown fields are ignored. GET
takes the query string, every other method a JSON body. (MLflow 3.18, `mlflow/protos`,
`utils/proto_json_utils`.)
"""

import base64
import json
import math
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.cursors import token_bytes
from modelkeep.protocols.http import Scope, caller_of
from modelkeep.services.app import App

LARGEST = sys.float_info.max  # what an infinity is on the wire, with its sign

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
SHOWN_LIMIT = 200  # characters of a wrong value that its refusal repeats
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_SEE_DOCS = "See the API docs for more information about request parameters."


class Message(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A request or an answer. Absent is the default; defaults are not sent.

    None refers to itself, so there is nothing in them for the garbage collector to look for: a
    page of versions is ten thousand of them.
    """


class Empty(Message):
    """`{}`."""


class KeyValue(Message, omit_defaults=False):
    """A tag or a param; an empty value is sent too."""

    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call. `path` follows `/api/2.0/mlflow/`; `{name}` in it fills the request's field.

    What `{name}` stands for has no slash; `{+name}` may, as in RFC 6570.
    """

    methods: tuple[str, ...]
    path: str
    request: type[Message]
    handle: Callable[[App, Caller, Any], Awaitable[Message | msgspec.Raw]]  # or its JSON
    caller: Callable[[Scope], Caller] = caller_of
    recalls: Callable[[Any], tuple[Any, ...]] | None = None  # for `App.recall`, if that is all


def parse_query(pairs: list[tuple[str, str]], request: type[Message]) -> Any:
    """A request from the pairs of a query string; a repeated key is a list.

    Raises InvalidInput naming the parameter.
    """
    listed = _list_fields(request)
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in listed:
            fields.setdefault(key, []).append(value)
        else:
            fields[key] = value
    try:
        message = msgspec.convert(fields, request, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(_explain(error, fields)) from None
    _refuse_nul(fields)
    return message


def parse_body(body: bytes, request: type[Message], path: Mapping[str, str]) -> Any:
    """A request from a JSON body and the parameters in its path. Raises InvalidInput."""
    try:
        message = _decoded(body or b"{}", request)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The request's body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidInput("The request's body is nested too deeply.") from None
    _refuse_nul(dict(path))
    for name, value in path.items():
        setattr(message, name, value)
    if b"\\u0000" in body:
        _refuse_nul(msgspec.to_builtins(message))
    return message


def _decoded(body: bytes, request: type[Message]) -> Any:
    with suppress(msgspec.ValidationError):
        return msgspec.json.decode(body, type=request, strict=False)
    # Once more, slowly: without the fields that are null, and naming the one that is wrong.
    return parse_fields(msgspec.json.decode(body), request)


def parse_fields(fields: Any, request: type[Message]) -> Any:
    """A request from what was JSON. Raises InvalidInput naming the field that is wrong."""
    given = _without_nulls(fields)
    _refuse_nul(given)
    try:
        return msgspec.convert(given, request, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(_explain(error, given)) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _list_fields(request: type[Message]) -> frozenset[str]:
    found = _LIST_FIELDS.get(request)
    if found is None:
        info = msgspec.inspect.type_info(request)
        assert isinstance(info, msgspec.inspect.StructType)
        lists = (f.name for f in info.fields if isinstance(f.type, msgspec.inspect.ListType))
        found = _LIST_FIELDS[request] = frozenset(lists)
    return found


_LIST_FIELDS: dict[type, frozenset[str]] = {}


def _explain(error: msgspec.ValidationError, given: Any) -> str:
    """msgspec's `Expected `int`, got `str` - at `$.max_results`` in MLflow's words."""
    text, _, where = str(error).partition(" - at `$")
    for name, index in _STEP.findall(where):
        given = given[name] if name else given[int(index)]
    shown = json.dumps(given, separators=(",", ":"))[:SHOWN_LIMIT]
    field = where.strip("`").lstrip(".") or "the request"
    return f"Invalid value {shown} for parameter '{field}' supplied: {text}. {_SEE_DOCS}"


def _refuse_nul(value: Any, field: str = "") -> None:
    if isinstance(value, str) and "\x00" in value:
        raise InvalidInput(f"Parameter '{field}' contains a NUL character.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(inner, field or str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_nul(inner, field)


def require(value: str | None, name: str) -> str:
    """The value, or MLflow's complaint that a required parameter is missing."""
    if not value:
        raise missing(name)
    return value


def missing(name: str) -> InvalidInput:
    """MLflow's complaint that a required parameter is missing."""
    return InvalidInput(f"Missing value for required parameter '{name}'. {_SEE_DOCS}")


def number(value: float) -> float | str:
    """A metric's value on the wire."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return math.copysign(LARGEST, value)
    return value


def parse_number(value: float | str) -> float:
    """A metric's value from the wire: a number, or "NaN", "Infinity", "-Infinity".

    The largest double is how `number` says infinity: clients log again what they have read.
    """
    try:
        parsed = float(value)
    except ValueError:
        raise InvalidInput(
            f"Got invalid value {value!r} for metric. Metric values must be numbers."
        ) from None
    return math.copysign(math.inf, parsed) if abs(parsed) == LARGEST else parsed


# -- pages -------------------------------------------------------------------------------------


def page_token(offset: int) -> str:
    """The token of the page that begins at an offset."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def page_offset(token: str) -> int:
    """The offset that a token stands for, 0 for none. Raises InvalidInput for any other text."""
    if not token:
        return 0
    match = re.fullmatch(rb'\{"offset": ?(\d{1,15})\}', token_bytes(token))
    if match is None:
        raise InvalidInput("Invalid page token, parsed value is not an offset")
    return int(match[1])


def page_size(given: int | None, default: int, limit: int) -> int:
    """How many rows a page has: 1 to `limit`. Raises InvalidInput in MLflow's words."""
    size = default if given is None else given
    if size < 1:
        raise InvalidInput(
            f"Invalid value for max_results. It must be a positive integer, but got {size}"
        )
    if size > limit:
        raise InvalidInput(
            f"Invalid value {size} for parameter 'max_results' supplied. "
            f"It must be at most {limit}."
        )
    return size
