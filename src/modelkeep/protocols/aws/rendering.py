"""An operation's result in the words of its protocol, as the model says.

Members that are None are left out. Times are aware datetimes: seconds since 1970 in JSON, ISO 8601
in XML. What the model does not know is our bug, and raises.
Source: Smithy's AWS JSON 1.0/1.1 and AWS query protocols.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape


def to_json(shape: Shape | None, result: Mapping[str, Any]) -> bytes:
    """The body of a JSON answer; of an operation that answers nothing, nothing."""
    return msgspec.json.encode(_json(shape, result)) if shape is not None else b""


def _json(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and not getattr(shape, "is_document_type", False):
        return {
            shape.members[name].serialization.get("name", name): _json(shape.members[name], one)
            for name, one in value.items()
            if one is not None
        }
    if isinstance(shape, ListShape):
        return [_json(shape.member, one) for one in value]
    if isinstance(shape, MapShape):
        return {key: _json(shape.value, one) for key, one in value.items()}
    if shape.type_name == "timestamp":
        return value.timestamp()
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return value


# -- the query protocol --------------------------------------------------------------------------


def to_query(model: OperationModel, result: Mapping[str, Any], request_id: str) -> bytes:
    """The XML of a query service's answer."""
    name, shape = model.name, model.output_shape
    space = model.service_model.metadata.get("xmlNamespace", "")
    within = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        within = _element(wrapper, "".join(_members(shape, result)))
    told = _element("ResponseMetadata", _element("RequestId", escape(request_id)))
    return f'<{name}Response xmlns="{space}">{within}{told}</{name}Response>'.encode()


def _element(name: str, within: str) -> str:
    return f"<{name}>{within}</{name}>"


def _members(shape: Any, value: Mapping[str, Any]) -> list[str]:
    return [
        _xml(shape.members[name], one, shape.members[name].serialization.get("name", name))
        for name, one in value.items()
        if one is not None
    ]


def _xml(shape: Shape, value: Any, name: str) -> str:
    if isinstance(shape, StructureShape):
        return _element(name, "".join(_members(shape, value)))
    is_flat = shape.serialization.get("flattened")
    if isinstance(shape, ListShape):
        word = name if is_flat else shape.member.serialization.get("name", "member")
        within = "".join(_xml(shape.member, one, word) for one in value)
        return within if is_flat else _element(name, within)
    if isinstance(shape, MapShape):
        within = "".join(
            _entry(shape, key, one, name if is_flat else "entry") for key, one in value.items()
        )
        return within if is_flat else _element(name, within)
    return _element(name, escape(_TEXT.get(shape.type_name, str)(value)))


def _entry(shape: MapShape, key: str, value: Any, name: str) -> str:
    left = _xml(shape.key, key, shape.key.serialization.get("name", "key"))
    right = _xml(shape.value, value, shape.value.serialization.get("name", "value"))
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
