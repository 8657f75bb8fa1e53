"""An operation's result in the words of its protocol, as the model says.

Members that are None are left out. Times are aware datetimes: seconds since 1970 in JSON, ISO 8601
in XML. What the model does not know is our bug, and raises.
Source: Smithy's AWS JSON 1.0/1.1 and AWS query protocols.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from modelkeep.protocols.aws.models import Operation, Shape
from modelkeep.protocols.aws.texts import escape


def to_json(shape: Shape | None, result: Mapping[str, Any]) -> bytes:
    """The body of a JSON answer; of an operation that answers nothing, nothing."""
    return msgspec.json.encode(_json(shape, result)) if shape is not None else b""


def _json(shape: Shape, value: Any) -> Any:
    if shape.kind == "structure":
        members = shape.members
        return {
            members[name].place_name or name: _json(members[name], one)
            for name, one in value.items()
            if one is not None
        }
    if shape.kind == "list":
        return [_json(shape.element, one) for one in value]
    if shape.kind == "map":
        return {key: _json(shape.value, one) for key, one in value.items()}
    if shape.kind == "timestamp":
        return value.timestamp()
    if shape.kind == "blob":
        return base64.b64encode(value).decode()
    return value


# -- the query protocol --------------------------------------------------------------------------


def to_query(operation: Operation, result: Mapping[str, Any], request_id: str) -> bytes:
    """The XML of a query service's answer."""
    name, shape, within = operation.name, operation.output, ""
    if shape is not None:
        wrapper = shape.wrapper or f"{name}Result"
        within = _element(wrapper, "".join(_members(shape, result)))
    told = _element("ResponseMetadata", _element("RequestId", escape(request_id)))
    space = operation.service.namespace
    return f'<{name}Response xmlns="{space}">{within}{told}</{name}Response>'.encode()


def _element(name: str, within: str) -> str:
    return f"<{name}>{within}</{name}>"


def _members(shape: Shape, value: Mapping[str, Any]) -> list[str]:
    return [
        _xml(shape.members[name], one, shape.members[name].place_name or name)
        for name, one in value.items()
        if one is not None
    ]


def _xml(shape: Shape, value: Any, name: str) -> str:
    if shape.kind == "structure":
        return _element(name, "".join(_members(shape, value)))
    if shape.kind == "list":
        word = name if shape.is_flat else shape.element.place_name or "member"
        within = "".join(_xml(shape.element, one, word) for one in value)
        return within if shape.is_flat else _element(name, within)
    if shape.kind == "map":
        word = name if shape.is_flat else "entry"
        within = "".join(_entry(shape, key, one, word) for key, one in value.items())
        return within if shape.is_flat else _element(name, within)
    return _element(name, escape(_TEXT.get(shape.kind, str)(value)))


def _entry(shape: Shape, key: str, value: Any, name: str) -> str:
    left = _xml(shape.key, key, shape.key.place_name or "key")
    right = _xml(shape.value, value, shape.value.place_name or "value")
    return _element(name, left + right)


def _instant(value: datetime) -> str:
    return (
        value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    )


_TEXT: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "timestamp": _instant,
    "blob": lambda value: base64.b64encode(value).decode(),
}
