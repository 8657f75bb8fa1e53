"""Holds what a server answers to what botocore's models say of its shape.

botocore reads an answer leniently: what is missing is missing, and any word will do for a choice.
"""

from collections.abc import Iterator
from typing import Any

from botocore.model import OperationModel


def hold(client: Any) -> Any:
    """The client, of which every answer from now on must be of its operation's shape."""
    client.meta.events.register("after-call", _check)
    return client


def complaints(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """What of a parsed answer is not as its shape (None: nothing) says."""
    if shape is None:
        return
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, member in shape.members.items():
            if name in value:
                yield from complaints(member, value[name], f"{path}.{name}")
    elif kind == "list":
        for at, one in enumerate(value):
            yield from complaints(shape.member, one, f"{path}[{at}]")
    elif kind == "map":
        for key, one in value.items():
            yield from complaints(shape.value, one, f"{path}.{key}")
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield f"{path} is {value!r}, which is none of {shape.enum}"


def _check(http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: Any) -> None:
    if http_response.status_code < 300:
        found = list(complaints(model.output_shape, parsed))
        assert not found, (model.name, found)
