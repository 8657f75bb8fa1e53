"""What a version promises to whoever calls it, as its file `MLmodel` says.

The file is written by whoever logged the model and is believed in nothing but its shape: what is
not as MLflow writes it (2.10 to 3.17, `models/signature.py`, `types/schema.py`) is not known, and
an unknown contract is an honest answer. Texts stand for themselves; nothing is loaded or opened.

What MLflow's signature has no place for may be said in the model's `metadata`: `classes` and
`features` (lists), `architecture` (a text).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

DEPTH_LIMIT = 16  # of a type within types
LOADER = "python_function.loader_module"
_ARCHITECTURE = (  # by which flavours say of what kind a model is
    "loader_module",
    "model_class",
    "model_type",
    "model_format",
    "pipeline_model_type",
    "instance_type",
    "keras_module",
    "source_model_name",
    "task",
)


@dataclass(frozen=True, slots=True)
class Field:
    """A column, a tensor, or a part of one. `parts` are an object's properties, an array's
    `items`, a map's `values`."""

    kind: str
    required: bool = True
    parts: Mapping[str, "Field"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Param:
    """`default` is its JSON."""

    kind: str
    default: str


@dataclass(frozen=True, slots=True)
class Contract:
    """None where the file doesn't say. What has no name is called `#0`, `#1` … by its place."""

    inputs: Mapping[str, Field] | None = None
    outputs: Mapping[str, Field] | None = None
    params: Mapping[str, Param] = field(default_factory=dict)
    architecture: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None

    @property
    def answers_in_words(self) -> bool:
        """Whether its answers name classes, so that their places mean nothing."""
        return any(output.kind == "string" for output in (self.outputs or {}).values())


class _Broken(ValueError):
    """Not as MLflow writes it."""


def read(document: object) -> Contract:
    """The contract in a parsed `MLmodel`, whatever it is. Its leaves are texts or None."""
    root = _mapping(document)
    signature, metadata = _mapping(root.get("signature")), _mapping(root.get("metadata"))
    architecture = dict(_facts(_mapping(root.get("flavors"))))
    if isinstance(said := metadata.get("architecture"), str):
        architecture["architecture"] = said
    params = _params(signature.get("params"))
    return Contract(
        inputs=_schema(signature.get("inputs")) if params is not None else None,
        outputs=_schema(signature.get("outputs")),
        params=params or {},
        architecture=architecture,
        classes=_texts(metadata.get("classes")),
        features=_texts(metadata.get("features")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _facts(flavours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, flavour in flavours.items():
        yield name, "a flavour"
        for key in _ARCHITECTURE:
            if isinstance(said := _mapping(flavour).get(key), str):
                yield f"{name}.{key}", said


def _schema(text: object) -> dict[str, Field] | None:
    """The columns or tensors of a schema's JSON; None for one that can't be read."""
    try:
        columns = _list(text)
        fields = {
            _text(column.get("name", f"#{place}")): _field(column)
            for place, column in enumerate(columns)
        }
    except _Broken:
        return None
    return fields if len(fields) == len(columns) else None


def _params(text: object) -> dict[str, Param] | None:
    """No params where none are said; None where they can't be read."""
    if text is None:
        return {}
    try:
        given = _list(text)
        params = {_text(param.get("name")): _param(param) for param in given}
    except _Broken:
        return None
    return params if len(params) == len(given) else None


def _param(spec: Mapping[str, Any]) -> Param:
    parts = [_text(spec.get("type", spec.get("dtype")))]
    parts += [_shown(spec[key]) for key in ("shape", "properties", "items") if spec.get(key)]
    return Param(" ".join(parts), _shown(spec.get("default")))


def _shown(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _list(text: object) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(_text(text), type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        raise _Broken from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Broken
    return value


def _field(spec: object, depth: int = 0) -> Field:
    if not isinstance(spec, dict) or depth > DEPTH_LIMIT:
        raise _Broken
    kind, parts = _text(spec.get("type")), {}
    if kind == "tensor":
        tensor = _mapping(spec.get("tensor-spec"))
        kind = f"tensor {_text(tensor.get('dtype'))} {_shown(tensor.get('shape'))}"
    elif kind == "object":
        properties = _mapping(spec.get("properties"))
        parts = {name: _field(part, depth + 1) for name, part in sorted(properties.items())}
    elif kind in ("array", "map"):
        part = "items" if kind == "array" else "values"
        parts = {part: _field(spec.get(part), depth + 1)}
    is_required = spec.get("required", not spec.get("optional", False)) is not False
    return Field(kind, is_required, parts)
