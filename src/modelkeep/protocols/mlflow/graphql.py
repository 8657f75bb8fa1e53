"""`/graphql`: what MLflow's pages ask of runs and experiments, answered by the calls of the API.

Every field at the root is a call of the REST API under another name, and every query is read-only.
A query runs in a thread of its own: to check one, and to shape what was found, is slow work. The
library is loaded by the first query (docs/protocols/mlflow-divergences.md, GraphQL).
"""

import asyncio
import contextvars
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.http import Receive, Scope, Send, caller_of, header
from modelkeep.protocols.mlflow import rules
from modelkeep.protocols.mlflow.answers import answer, answer_wrong_method, read_message, refusal
from modelkeep.protocols.mlflow.run_messages import WireMetric, WireRun
from modelkeep.protocols.mlflow.wire import Message, Rpc, parse_fields, require
from modelkeep.services.app import App

if TYPE_CHECKING:
    from graphql import GraphQLResolveInfo

BODY_LIMIT_BYTES = 1 << 20
CALLS_LIMIT = 100  # of one query: runs with the experiment and the versions of each
FIELDS_LIMIT = 500_000  # of one answer
_THREADS = 2
_CALLS = {
    "mlflowGetExperiment": "experiments/get",
    "mlflowGetMetricHistoryBulkInterval": "metrics/get-history-bulk-interval",
    "mlflowGetRun": "runs/get",
    "mlflowListArtifacts": "artifacts/list",
    "mlflowSearchDatasets": "experiments/search-datasets",
    "mlflowSearchModelVersions": "model-versions/search",
    "mlflowSearchRuns": "runs/search",
}
_UNSET = {"String": "", "LongString": 0, "Boolean": False}  # as the protocol has them


class Query(Message):
    query: str = ""
    variables: dict[str, Any] = {}
    operationName: str = ""  # noqa: N815 - its name on the wire


class Echo(Message):
    output: str


class _Overrun(BaseException):
    """Ends a whole query: the library takes an Exception for the failure of one field."""


class Graphql:
    """The route. `rpcs` are the calls of the API."""

    def __init__(self, app: App, rpcs: Iterable[Rpc], max_body_bytes: int) -> None:
        self._app = app
        self._rpcs = {rpc.path: rpc for rpc in rpcs if rpc.path in set(_CALLS.values())}
        self._max_body_bytes = min(max_body_bytes, BODY_LIMIT_BYTES)
        self._threads = ThreadPoolExecutor(_THREADS, "graphql")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "POST"):
            await answer_wrong_method(send, scope["method"], ("GET", "POST"))
            return
        try:
            status, body = 200, await self._answer(scope, receive)
        except Exception as error:  # noqa: BLE001 - the outermost handler of a query
            status, body = refusal(error, scope)
        await answer(send, status, body)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if not header(scope, b"content-type"):  # a query string alone is none
            raise InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
        query = await read_message(Query, scope, receive, self._max_body_bytes)
        require(query.query, "query")
        loop = asyncio.get_running_loop()
        execution = _Execution(self._app, self._rpcs, caller_of(scope), loop)
        # The context says who asks; the calls of the query are admitted one by one.
        context = contextvars.copy_context()
        run = partial(context.run, partial(execution.run, query))
        return await loop.run_in_executor(self._threads, run)


class _Execution:
    """One query, in its thread; its calls run in the event loop, as all calls do."""

    def __init__(
        self,
        app: App,
        rpcs: dict[str, Rpc],
        caller: Caller,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._app, self._rpcs, self._caller, self._loop = app, rpcs, caller, loop
        self._fields = self._made = 0
        self._calls: dict[tuple[str, bytes], Message] = {}

    def run(self, query: Query) -> bytes:
        """The answer's JSON: `data`, and `errors` as a list of texts, as MLflow has it."""
        from modelkeep.protocols.mlflow import graphql_schema

        try:
            result = graphql_schema.execute(
                query.query, query.variables, query.operationName or None, self._resolve
            )
        except _Overrun as overrun:
            return _encoded(None, [str(overrun)])
        for error in result.errors or ():
            cause = error.original_error
            if cause is not None and not isinstance(cause, graphql_schema.EXPECTED):
                raise cause
        return _encoded(result.data, [error.message for error in result.errors or ()])

    def _resolve(self, source: Any, info: "GraphQLResolveInfo", **given: Any) -> Any:
        self._fields += 1
        if self._fields > FIELDS_LIMIT:
            raise _Overrun(f"The answer has over {FIELDS_LIMIT} fields. Ask for less at a time.")
        name = info.field_name
        if source is None:
            if name == "test":
                return Echo(output=given.get("inputString") or "")
            return self._call(_CALLS[name], _snake_keys(given.get("input") or {}))
        if isinstance(source, WireRun) and name == "experiment":
            wanted = {"experiment_id": source.info.experiment_id}
            return self._call("experiments/get", wanted).experiment
        if isinstance(source, WireRun) and name == "modelVersions":
            where = {"filter": f"run_id='{source.info.run_id}'"}
            return self._call("model-versions/search", where).model_versions
        return _value(source, _snake(name), str(info.return_type))

    def _call(self, path: str, fields: dict[str, Any]) -> Any:
        """A call's answer; the same call is made once."""
        key = (path, msgspec.json.encode(fields, order="sorted"))
        found = self._calls.get(key)
        if found is None:
            self._made += 1  # those that fail cost as much
            if self._made > CALLS_LIMIT:
                raise _Overrun(f"A query makes at most {CALLS_LIMIT} calls. Ask for fewer runs.")
            rpc = self._rpcs[path]
            request = parse_fields(fields, rpc.request)
            call = _admitted(rpc, self._app, self._caller, request)
            found = asyncio.run_coroutine_threadsafe(call, self._loop).result()
            self._calls[key] = found
        return found


async def _admitted(rpc: Rpc, app: App, caller: Caller, request: Any) -> Any:
    rules.of_call(rpc).admit(request)
    return await rpc.handle(app, caller, request)


def _encoded(data: Any, errors: list[str]) -> bytes:
    return msgspec.json.encode({"data": data, "errors": errors or None})


def _value(source: Any, name: str, kind: str) -> Any:
    """A field of an answer. One that is not set has its type's default, as in MLflow's protocol."""
    value = getattr(source, name, None)
    if isinstance(source, WireMetric) and name == "value":
        return None if isinstance(value, str) else value  # "NaN", which is no number of GraphQL
    if value is None:
        return [] if kind.startswith("[") else _UNSET.get(kind)
    return value


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def _snake_keys(fields: dict[str, Any]) -> dict[str, Any]:
    return {_snake(key): value for key, value in fields.items()}
