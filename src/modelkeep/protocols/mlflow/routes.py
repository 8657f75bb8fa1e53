"""Every path that MLflow's clients call, and how a call becomes an answer.

The dialect is a plain ASGI application with a table of paths: the framework's own handlers cost
more than resolving an alias does, and its router rewrites paths before anyone can refuse them
(docs/decisions/0003). Each path answers under both `/api` and `/ajax-api`, which MLflow's pages
use.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from modelkeep.domain.errors import InvalidInput, ModelkeepError
from modelkeep.protocols.http import (
    Receive,
    Scope,
    Send,
    caller_of,
    header,
    path_of,
    query_of,
    read_body,
)
from modelkeep.protocols.mlflow import (
    artifacts,
    errors,
    experiments,
    logged_models,
    metrics,
    registry,
    runs,
)
from modelkeep.protocols.mlflow.wire import Rpc, parse_body, parse_query
from modelkeep.services import artifacts as artifact_cases
from modelkeep.services.app import App

COMPATIBLE_VERSION = "3.17.2"  # the MLflow release whose dialect this is
_PREFIXES = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
_PROXY_PREFIXES = (
    "/api/2.0/mlflow-artifacts/artifacts",
    "/ajax-api/2.0/mlflow-artifacts/artifacts",
)
_MULTIPART_PREFIXES = ("/api/2.0/mlflow-artifacts/mpu", "/ajax-api/2.0/mlflow-artifacts/mpu")
_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "artifact_serving_enabled": True,
    "artifacts_presigned_only": False,
}
_JSON = (b"content-type", b"application/json")

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

Handle = Callable[[Scope, Receive, Send], Awaitable[None]]


class Dialect:
    """The dialect as an ASGI application; `handle_for` says whether a path is its own."""

    def __init__(self, app: App, max_body_bytes: int) -> None:
        rpcs = (
            *registry.RPCS,
            *experiments.RPCS,
            *runs.RPCS,
            *metrics.RPCS,
            *logged_models.RPCS,
            *artifacts.RPCS,
        )
        self._exact: dict[str, Handle] = {}
        self._templates: list[tuple[re.Pattern[str], Handle]] = []
        for path, by_method in _by_path(rpcs).items():
            self._add(path, _rpc_handle(app, by_method, max_body_bytes))
        for path in ("/get-artifact", "/model-versions/get-artifact"):
            self._exact[path] = _guarded(_page_download(app))
        for prefix in ("/api", "/ajax-api"):
            self._exact[f"{prefix}/3.0/mlflow/server-info"] = _server_info
        self._exact["/version"] = _version
        self._proxies = {prefix: _guarded(_proxy(app, prefix)) for prefix in _PROXY_PREFIXES}
        self._proxies |= dict.fromkeys(_MULTIPART_PREFIXES, _no_multipart)

    def handle_for(self, path: str) -> Handle | None:
        """What answers a path, already decoded; None if the dialect has no such path."""
        handle = self._exact.get(path)
        if handle is not None:
            return handle
        for prefix, proxy in self._proxies.items():
            if path == prefix or path.startswith(prefix + "/"):
                return proxy
        return next((handle for known, handle in self._templates if known.fullmatch(path)), None)

    def paths(self) -> list[str]:
        """Every path, for the tests that walk them all."""
        templates = [known.pattern for known, _ in self._templates]
        return [*self._exact, *templates, *self._proxies]

    def _add(self, path: str, handle: Handle) -> None:
        if "{" not in path:
            self._exact[path] = handle
            return
        spanning = re.sub(r"\{\+(\w+)\}", r"(?P<\1>.+)", path)
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", spanning))

        async def with_parameters(scope: Scope, receive: Receive, send: Send) -> None:
            match = pattern.fullmatch(scope["path"])
            scope["path_params"] = match.groupdict() if match else {}
            await handle(scope, receive, send)

        self._templates.append((pattern, with_parameters))


def _by_path(rpcs: Iterable[Rpc]) -> dict[str, dict[str, Rpc]]:
    """Full path -> method -> call."""
    paths: dict[str, dict[str, Rpc]] = {}
    for rpc in rpcs:
        for prefix in _PREFIXES:
            known = paths.setdefault(prefix + rpc.path, {})
            for method in rpc.methods:
                known[method] = rpc
    return paths


# -- calls -------------------------------------------------------------------------------------


def _rpc_handle(app: App, by_method: dict[str, Rpc], max_body_bytes: int) -> Handle:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        rpc = by_method.get(scope["method"])
        if rpc is None:
            await _answer_wrong_method(send, by_method)
            return
        try:
            request = await _request(rpc, scope, receive, max_body_bytes)
            answer = _encode(await rpc.handle(app, caller_of(scope), request))
            status = 200
        except ModelkeepError as error:
            status, answer = errors.render(error)
        except Exception:  # noqa: BLE001 - the outermost handler of a call: our bug, said as such
            status, answer = _our_fault(scope)
        await _answer(send, status, answer)

    return handle


async def _request(rpc: Rpc, scope: Scope, receive: Receive, max_body_bytes: int) -> Any:
    path_of(scope)  # refuses one that is no text
    path = scope.get("path_params") or {}
    if scope["method"] == "GET":
        return parse_query(query_of(scope) + list(path.items()), rpc.request)
    body = await read_body(scope, receive, max_body_bytes)
    kind = header(scope, b"content-type")
    if (body or kind) and kind.partition(";")[0].strip().lower() != "application/json":
        raise InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
    return parse_body(body, rpc.request, path)


def _our_fault(scope: Scope) -> tuple[int, bytes]:
    request_id = scope["modelkeep.request_id"]
    _log.exception("request %s failed", request_id)
    return 500, errors.body("INTERNAL_ERROR", f"Internal error; request id {request_id}.")


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _answer_wrong_method(send: Send, allowed: Iterable[str]) -> None:
    body = errors.body("BAD_REQUEST", f"This path answers {', '.join(sorted(allowed))} only.")
    await _answer(send, 405, body)


# -- artifacts and the rest --------------------------------------------------------------------


def _guarded(handle: Handle) -> Handle:
    """A handler whose refusals are said as MLflow says them, while nothing has been sent yet."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def watched(message: Any) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await handle(scope, receive, watched)
        except Exception as error:
            if began:
                raise  # the answer is cut off, so that no client takes it for whole
            known = isinstance(error, ModelkeepError)
            await _answer(send, *(errors.render(error) if known else _our_fault(scope)))

    return guarded


def _proxy(app: App, prefix: str) -> Handle:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        # The path is decoded once; `check_path` takes it from here.
        path = path_of(scope).removeprefix(prefix).removeprefix("/")
        method = scope["method"]
        if not path and method == "GET":
            await _answer(send, 200, await artifacts.list_folder(app, scope))
        elif method == "GET":
            file = await app.read(artifact_cases.find, path, point=True)
            await artifacts.download(app, file, path.rsplit("/", 1)[-1], send)
        elif method == "PUT":
            await artifacts.upload(app, path, scope, receive)
            await _answer(send, 200, b"{}")
        elif method == "DELETE":
            await app.write(artifact_cases.delete, path)
            await _answer(send, 200, b"{}")
        else:
            await _answer_wrong_method(send, ("GET", "PUT", "DELETE"))

    return handle


def _page_download(app: App) -> Handle:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        file = await artifacts.find_for_page(app, scope)
        await artifacts.download(app, file, file.path.rsplit("/", 1)[-1], send)

    return handle


async def _no_multipart(scope: Scope, receive: Receive, send: Send) -> None:
    # NOTE: must be 501: a client that was told to upload in parts falls back to PUT on that alone.
    message = "Multipart upload is not supported for the current artifact repository"
    await _answer(send, 501, errors.body("NOT_IMPLEMENTED", message))


async def _server_info(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer(send, 200, _encode(_SERVER_INFO))


async def _version(scope: Scope, receive: Receive, send: Send) -> None:
    body = COMPATIBLE_VERSION.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
