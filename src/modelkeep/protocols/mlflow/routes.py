"""Every path that MLflow's clients call, and how a call becomes an answer.

The dialect is a plain ASGI application with a table of paths: the framework's own handlers cost
more than resolving an alias does, and its router rewrites paths before anyone can refuse them
(docs/decisions/0003). Each path answers under both `/api` and `/ajax-api`, which MLflow's pages
use.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.http import Receive, Scope, Send, pairs_of
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
from modelkeep.protocols.mlflow.wire import Rpc, parse_query
from modelkeep.protocols.shortcut import Recollection
from modelkeep.services.app import App

COMPATIBLE_VERSION = "3.17.2"  # the MLflow release whose dialect this is
_PREFIXES = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
_PREFIX_SEGMENTS = 5  # of `/api/2.0/mlflow-artifacts/artifacts`
# Addresses that are known, about as many as answers are remembered; and how long each may be.
_RECOLLECTIONS, _QUERY_BYTES = 16_384, 1_000
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
        self._routes: dict[Handle, str] = {}
        for path, by_method in _by_path(rpcs).items():
            self._add(path, _rpc_handle(app, by_method, max_body_bytes))
        self._recalling = {
            prefix + rpc.path: rpc for rpc in rpcs if rpc.recalls for prefix in _PREFIXES
        }
        self._recollection = lru_cache(_RECOLLECTIONS)(self._read_recollection)
        files = FileRoutes(app, max_body_bytes, public_url)
        for path, handle in (files.exact | files.templates).items():
            self._add(path, handle)
        self._prefixes = files.prefixes
        for prefix, handle in self._prefixes.items():
            self._routes[handle] = _canonical(f"{prefix}/{{path}}")
        self._add("/graphql", Graphql(app, rpcs, max_body_bytes).handle)
        public = {"/version": _version, "/health": _health} | {
            f"{prefix}/3.0/mlflow/server-info": _server_info(files)
            for prefix in ("/api", "/ajax-api")
        }
        for path, handle in public.items():
            self._add(path, handle)
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

    def route_of(self, handle: Handle) -> str:
        """The template of the path that led to a handle, the same under both prefixes."""
        return self._routes[handle]

    def recollection(self, path: str, query: bytes) -> Recollection | None:
        """What a GET asks to have recalled, if it asks for nothing else and as plainly as can
        be."""
        if path not in self._recalling or len(query) > _QUERY_BYTES:
            return None
        return self._recollection(path, query)

    def _read_recollection(self, path: str, query: bytes) -> Recollection | None:
        rpc = self._recalling[path]
        assert rpc.recalls
        try:
            pairs = pairs_of(query)
            use_case, *args = rpc.recalls(parse_query(pairs, rpc.request))
        except InvalidInput:
            return None
        names = {name for name, _ in pairs}
        if len(names) < len(pairs) or not names.issubset(rpc.request.__struct_fields__):
            return None
        return Recollection(use_case, tuple(args), _canonical(path))

    def shown(self, path: str) -> str:
        """A path as a log may have it: without the permission that some carry."""
        for prefix in self._bearers:
            if path.startswith(prefix):
                return prefix + "[grant]"
        return path

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
            self._routes[handle] = _canonical(path)
            return
        spanning = re.sub(r"\{\+(\w+)\}", r"(?P<\1>.+)", path)
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", spanning))

        async def with_parameters(scope: Scope, receive: Receive, send: Send) -> None:
            match = pattern.fullmatch(scope["path"])
            scope["path_params"] = match.groupdict() if match else {}
            await handle(scope, receive, send)

        self._templates.append((pattern, with_parameters))
        self._routes[with_parameters] = _canonical(path)


def _canonical(path: str) -> str:
    return path.replace("/ajax-api/", "/api/", 1)


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
