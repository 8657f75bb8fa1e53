"""The API's description of itself, in OpenAPI 3.1.

Paths and parameters come from the routes, schemas from the types that they take and give, the
words from their docstrings, who may from their rules. What holds for every operation is added
here: the problems, the idempotency key of what changes something, examples.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.typing import FieldDefinition

from modelkeep import __version__
from modelkeep.protocols.native.examples import TEXTS, example_of
from modelkeep.protocols.native.idempotency import KEY_LIMIT
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.protocols.native.problems import MEDIA_TYPE, Problem, meanings
from modelkeep.protocols.rules import BEARER, KNOWN, Rule, rule_of

_INFO = """\
Everything that modelkeep can do, in its own words. What goes wrong is told in problem documents
(RFC 9457). Every call that changes something takes an `Idempotency-Key`; made again with the same
key within a day, it is not done again, and answered as it was the first time.

A server with `--auth on` wants a token, as a bearer's or as the password of HTTP basic; the word
beside the scheme (`read`, `write`, `promote`, `approve`, `admin` …) is what one's roles must allow.
One with `--auth off` asks nobody, and takes the name of HTTP basic for a claim."""
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token."},
    "basic": {"type": "http", "scheme": "basic", "description": "The token as the password."},
}
_CHANGES = frozenset(("post", "put", "patch", "delete"))
_ALWAYS = (400, 401, 403, 404, 409, 500, 503)
_OF_CHANGES = (413, 422, 429)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A name for this call, to make it again without having its effect twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LIMIT, "pattern": "^[ -~]+$"},
    "example": "4b7f0c1e-9d3a-4e52-8a16-0c2f5d7e9b31",
}

Json = dict[str, Any]


def handlers(routes: list[Any]) -> list[Any]:
    """The route that gives the description of the others."""

    @cache
    def described() -> bytes:
        return msgspec.json.encode(describe(routes))

    @get("/openapi.json", include_in_schema=False)
    @KNOWN
    async def openapi() -> Response[bytes]:
        """This API in OpenAPI 3.1."""
        return Response(described(), media_type="application/json")

    return [openapi]


def describe(routes: list[HTTPRouteHandler]) -> Json:
    """The routes as an OpenAPI document."""
    config = OpenAPIConfig(
        title="modelkeep",
        version=__version__,
        description=_INFO,
        use_handler_docstrings=True,
        operation_id_creator=_name,
    )
    # An application that serves nothing is asked: one that serves adds pages of its own.
    silent = Litestar([Router(path=PREFIX, route_handlers=routes)], openapi_config=config)
    document = silent.openapi_schema.to_schema()
    schemas = {**document["components"]["schemas"], **_schemas(silent)}
    document["components"] = {
        "schemas": schemas, "responses": _problems(schemas), "securitySchemes": _SCHEMES,
    }  # fmt: skip
    by_name = {handler.handler_name: handler for handler in routes}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, by_name[operation["operationId"]], method, path, schemas)
    document["tags"] = _nouns(routes)
    return document


def _name(handler: HTTPRouteHandler, *_: object) -> str:
    return handler.handler_name


def _schemas(app: Litestar) -> Json:
    """The schemas of all bodies, as the code that reads and writes them has it."""
    bodies = [body for route in app.routes for body in _bodies(route)]
    _, found = msgspec.json.schema_components(
        [*bodies, Problem], ref_template="#/components/schemas/{name}"
    )
    return found


def _bodies(route: Any) -> Iterator[Any]:
    for handler in route.route_handlers:
        if handler.parsed_data_field is not None:
            yield handler.parsed_data_field.annotation
        given: FieldDefinition = handler.parsed_return_field
        if given.is_subclass_of(Response):
            given = given.inner_types[0] if given.inner_types else given
        if not given.is_subclass_of(Response) and given.annotation is not None:
            yield given.annotation


def _problems(schemas: Mapping[str, Any]) -> Json:
    """A response for each status that a problem can have."""
    by_status: dict[int, list[tuple[str, str, str]]] = {}
    for code, (status, title, meaning) in sorted(meanings().items()):
        by_status.setdefault(status, []).append((code, title, meaning))
    return {
        f"Problem{status}": {
            "description": " ".join(f"`{code}`: {meaning}" for code, _, meaning in kinds),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        code: {"value": _problem(status, code, title, meaning, schemas)}
                        for code, title, meaning in kinds
                    },
                }
            },
        }
        for status, kinds in by_status.items()
    }


def _problem(status: int, code: str, title: str, meaning: str, schemas: Mapping[str, Any]) -> Json:
    told = {"type": f"{PREFIX}/problems/{code}", "title": title, "status": status, "code": code}
    example = example_of(schemas["Problem"], schemas)
    return example | told | ({} if code == "refused" else {"detail": meaning})


def _noun(handler: HTTPRouteHandler) -> str:
    """What an operation is about: the module that it is in, unless it says another."""
    return next(iter(handler.tags or ()), handler.fn.__module__.rpartition(".")[2])


def _nouns(routes: list[HTTPRouteHandler]) -> list[Json]:
    """Every noun with the first sentences of the module that is named so."""
    package = __name__.rpartition(".")[0]
    return [
        {"name": noun, "description": _opening(sys.modules[f"{package}.{noun}"].__doc__ or "")}
        for noun in sorted({_noun(handler) for handler in routes})
    ]


def _opening(text: str) -> str:
    return text.split("\n\n", maxsplit=1)[0].replace("\n", " ").strip()


def _security(rule: Rule | None) -> list[Json]:
    """Nothing for what asks nobody for a token; else either scheme, with what it takes to be."""
    if rule is None or rule is BEARER:
        return []
    wanted = [rule.verb.value] if rule.verb else []
    return [{scheme: wanted} for scheme in _SCHEMES]


def _complete(
    operation: Json,
    handler: HTTPRouteHandler,
    method: str,
    path: str,
    schemas: Mapping[str, Any],
) -> None:
    operation["summary"] = _opening(operation.get("description", "")).rstrip(".")
    operation["tags"] = [_noun(handler)]
    operation["security"] = _security(rule_of(handler.fn))
    is_change = method in _CHANGES
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        name = parameter["name"]
        example = example_of({"properties": {name: parameter["schema"]}}, schemas)
        if example.get(name) is not None:
            parameter["example"] = example[name]
    if method == "put" and "requestBody" not in operation:  # a file, streamed
        operation["requestBody"] = {"content": {"application/octet-stream": {}}, "required": True}
    elif is_change and "keyless" not in handler.opt:
        parameters.append(_KEY)
    statuses = {*_ALWAYS, *(_OF_CHANGES if is_change or "{" in path else ())}
    answers = {k: v for k, v in operation["responses"].items() if k.startswith("2")}
    operation["responses"] = answers | {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted(statuses)
    }
    answers.get("204", {}).pop("content", None)  # none is sent
    for body in (operation.get("requestBody", {}), *answers.values()):
        for kind, content in body.get("content", {}).items():
            if kind == "application/json":
                content["example"] = example_of(content["schema"], schemas)
            elif kind in TEXTS:
                content["example"] = TEXTS[kind]
