"""What botocore's service models say of the services that are spoken here.

A model is loaded when one of its operations is first asked for: SageMaker's alone is 2.6 MB of JSON
(40 ms, 10 MB of memory), and who speaks MLflow never pays for it. A shape is made when it is first
looked at, so that the recursive ones (a search within a search) end where the data does.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from botocore.loaders import Loader

# By the prefix of `X-Amz-Target`, and by the name in a signature's scope.
BY_TARGET: Mapping[str, str] = {"SageMaker": "sagemaker", "AWSEvents": "events"}
BY_SCOPE: Mapping[str, str] = {name: name for name in ("sagemaker", "events", "sns", "sts", "iam")}

_NONE: Mapping[str, Any] = {}


class Shape:
    """A shape where it is used: what a value must be, and what its place calls it."""

    def __init__(self, shapes: Mapping[str, Any], place: Mapping[str, Any]) -> None:
        self._shapes = shapes
        self.name: str = place["shape"]
        self.rules: Mapping[str, Any] = shapes[self.name]  # with `min`, `max`, `pattern`
        self.kind: str = self.rules["type"]
        self.choices: tuple[str, ...] = tuple(self.rules.get("enum", ()))
        self.required: tuple[str, ...] = tuple(self.rules.get("required", ()))
        self.place_name: str = place.get("locationName", "")
        self.is_flat: bool = bool(self.rules.get("flattened"))
        self.wrapper: str = place.get("resultWrapper", "")

    @cached_property
    def members(self) -> Mapping[str, "Shape"]:
        """Of a structure."""
        return {
            name: Shape(self._shapes, place)
            for name, place in self.rules.get("members", _NONE).items()
        }

    @cached_property
    def element(self) -> "Shape":
        """Of a list."""
        return Shape(self._shapes, self.rules["member"])

    @cached_property
    def key(self) -> "Shape":
        """Of a map."""
        return Shape(self._shapes, self.rules["key"])

    @cached_property
    def value(self) -> "Shape":
        """Of a map."""
        return Shape(self._shapes, self.rules["value"])


class Operation:
    """An operation of a service; None for the shape of what it does not take, or answer."""

    def __init__(self, service: "Service", description: Mapping[str, Any]) -> None:
        self.service = service
        self.name: str = description["name"]
        self.input, self.output = (
            Shape(service.shapes, description[side]) if side in description else None
            for side in ("input", "output")
        )


class Service:
    """The newest model that botocore has of a service."""

    def __init__(self, name: str) -> None:
        described = Loader().load_service_model(name, "service-2")
        self.name = name
        self.shapes: Mapping[str, Any] = described["shapes"]
        self.version: str = described["metadata"]["apiVersion"]
        self.namespace: str = described["metadata"].get("xmlNamespace", "")
        self._described: Mapping[str, Any] = described["operations"]
        self._operations: dict[str, Operation] = {}

    def operation(self, name: str) -> Operation | None:
        """None where there is no such operation."""
        if name not in self._operations and name in self._described:
            self._operations[name] = Operation(self, self._described[name])
        return self._operations.get(name)


@cache
def service(name: str) -> Service:
    return Service(name)


def output_of(service_name: str, operation: str) -> Shape | None:
    """Of what an operation that there is answers."""
    found = service(service_name).operation(operation)
    assert found is not None
    return found.output
