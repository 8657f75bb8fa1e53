"""Every path that MLflow's clients call, and how a call becomes an answer.

The dialect is a plain ASGI application with a table of paths: the framework's own handlers cost
more than resolving an alias does, and its router rewrites paths before anyone can refuse them
(docs/decisions/0003). Each path answers under both `/api` and `/ajax-api`, which MLflow's pages
use.
"""

import re
from collections.abc import Iterable

import msgspec

from modelkeep.protocols.http import Receive, Scope, Send
from modelkeep.protocols.mlflow import (
    artifacts,
    experiments,
    logged_models,
    metrics,
    registry,
    rules,
    runs,
    webhooks,
)
from modelkeep.protocols.mlflow.answers import (
    Handle,
    answer,
    answer_wrong_method,
    read_message,
    refusal,
)
from modelkeep.protocols.mlflow.file_routes import FileRoutes
from modelkeep.protocols.mlflow.graphql import Graphql
from modelkeep.protocols.mlflow.wire import Rpc
from modelkeep.services.app import App

COMPATIBLE_VERSION = "3.17.2"  # the MLflow release whose dialect this is
_PREFIXES = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
_PREFIX_SEGMENTS = 5  # of `/api/2.0/mlflow-artifacts/artifacts`
_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "artifact_serving_enabled": True,
    "artifacts_presigned_only": False,
}

_encode = msgspec.json.Encoder().encode


class Dialect:
    """The dialect as an ASGI application; `handle_for` says whether a path is its own.

    Raises KeyError, at the start, for a call that has no rule.
    """

    def __init__(self, app: App, max_body_bytes: int, public_url: str = "") -> None:
        rpcs = (
            *registry.RPCS,
            *experiments.RPCS,
            *runs.RPCS,
            *metrics.RPCS,
            *logged_models.RPCS,
            *artifacts.RPCS,
            *webhooks.RPCS,
        )
        self._exact: dict[str, Handle] = {}
        self._templates: list[tuple[re.Pattern[str], Handle]] = []
        for path, by_method in _by_path(rpcs).items():
            self._add(path, _rpc_handle(app, by_method, max_body_bytes))
        files = FileRoutes(app, max_body_bytes, public_url)
        for path, handle in (files.exact | files.templates).items():
            self._add(path, handle)
        self._prefixes = files.prefixes
        self._exact["/graphql"] = Graphql(app, rpcs, max_body_bytes).handle
        public = {"/version": _version, "/health": _health} | {
            f"{prefix}/3.0/mlflow/server-info": _server_info(files)
            for prefix in ("/api", "/ajax-api")
        }
        self._exact |= public
        self._public, self._bearers = frozenset(public), files.bearers

    def handle_for(self, path: str) -> Handle | None:
        """What answers a path, already decoded; None if the dialect has no such path."""
        handle = self._exact.get(path)
        if handle is not None:
            return handle
        handle = self._prefixes.get("/".join(path.split("/", _PREFIX_SEGMENTS)[:_PREFIX_SEGMENTS]))
        if handle is not None:
            return handle
        return next((handle for known, handle in self._templates if known.fullmatch(path)), None)

    def is_public(self, path: str) -> bool:
        """Whether a path asks nobody who they are."""
        return path in self._public or path.startswith(self._bearers)

    def paths(self) -> list[str]:
        """Every path, for the tests that walk them all."""
        templates = [known.pattern for known, _ in self._templates]
        return [*self._exact, *templates, *self._prefixes]

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
    known = {method: (rpc, rules.of_call(rpc)) for method, rpc in by_method.items()}

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        found = known.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if found is None:
            await answer_wrong_method(send, scope["method"], by_method)
            return
        rpc, rule = found
        try:
            request = await read_message(rpc.request, scope, receive, max_body_bytes)
            rule.admit(request)
            body = _encode(await rpc.handle(app, rpc.caller(scope), request))
            status = 200
        except Exception as error:  # noqa: BLE001 - the outermost handler of a call
            status, body = refusal(error, scope)
        await answer(send, status, body)

    return handle


def _server_info(files: FileRoutes) -> Handle:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        # What a client may be told to do by an address, it may do if its address is known.
        is_known = files.knows_address(scope)
        can = {
            "multipart_uploads_enabled": files.takes_parts(scope),
            "presigned_upload_run_id_supported": is_known,
            "presigned_upload_model_id_supported": is_known,
            # From here it would cost a client one call more for every file, and the bytes come
            # from here either way. One that wants ranges side by side says so itself
            # (MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD).
            "multipart_downloads_enabled": files.is_direct,
        }
        await _answer_fixed(scope, send, b"application/json", _encode(_SERVER_INFO | can))

    return handle


async def _version(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer_fixed(scope, send, b"text/plain; charset=utf-8", COMPATIBLE_VERSION.encode())


async def _health(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer_fixed(scope, send, b"text/plain; charset=utf-8", b"OK")


async def _answer_fixed(scope: Scope, send: Send, kind: bytes, body: bytes) -> None:
    """Load balancers ask with HEAD; the HTTP server leaves the body of that answer out."""
    if scope["method"] not in ("GET", "HEAD"):
        await answer_wrong_method(send, scope["method"], ("GET", "HEAD"))
        return
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
