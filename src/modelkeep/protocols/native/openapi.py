"""The API's description of itself, in OpenAPI 3.1."""

from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.openapi.config import OpenAPIConfig

from modelkeep import __version__
from modelkeep.protocols.native.calls import PREFIX


def handlers(routes: list[Any]) -> list[Any]:
    """The route that gives the description of the others."""

    @cache
    def described() -> bytes:
        return msgspec.json.encode(describe(routes))

    @get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response[bytes]:
        """This API in OpenAPI 3.1."""
        return Response(described(), media_type="application/json")

    return [openapi]


def describe(routes: list[Any]) -> dict[str, Any]:
    """The routes as an OpenAPI document.

    An application that serves nothing is asked for it: one that serves has pages beside it.
    """
    config = OpenAPIConfig(title="modelkeep", version=__version__)
    router = Router(path=PREFIX, route_handlers=routes)
    return Litestar([router], openapi_config=config).openapi_schema.to_schema()
