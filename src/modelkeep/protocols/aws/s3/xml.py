"""S3's XML: what we say, and the two bodies that clients send."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.texts import escape

_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def document(name: str, content: Mapping[str, Any]) -> bytes:
    """`content` by element: text, a number, a mapping, or a list of those; None is left out."""
    return f'{_HEAD}<{name} xmlns="{_SPACE}">{_inner(content)}</{name}>'.encode()


def error(code: str, message: str, resource: str, request_id: str) -> bytes:
    told = {"Code": code, "Message": message, "Resource": resource, "RequestId": request_id}
    return f"{_HEAD}<Error>{_inner(told)}</Error>".encode()


def moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def read(body: bytes, name: str) -> ElementTree.Element:
    """The root, with names freed of their namespace. Raises Coded."""
    try:
        text = body.decode()
        # No entities and no comments; and no NUL, by which a parser knows another encoding.
        if "<!" in text or "\x00" in text:
            raise ElementTree.ParseError
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        raise malformed() from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != name:
        raise malformed()
    return root


def malformed() -> Coded:
    return Coded(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def _inner(content: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in content.items())


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        items: Iterable[Any] = value
        return "".join(_element(name, item) for item in items)
    if isinstance(value, Mapping):
        fields: Mapping[str, Any] = value
        return f"<{name}>{_inner(fields)}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"
