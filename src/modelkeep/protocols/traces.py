"""Traces by OpenTelemetry, where its own variables ask for them (`OTEL_EXPORTER_OTLP_ENDPOINT` …).

A span for each request, which goes on with the caller's trace (W3C `traceparent`), and in it one
for each change, from being handed in until it is durable, and for each search. Attributes are
those of OpenTelemetry's conventions for HTTP, without the query and what carries a permission.
The library is imported only where traces are asked for; elsewhere nothing here is in a call's way.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelkeep import __version__
from modelkeep.protocols.http import Asgi, Receive, Scope, Send
from modelkeep.services.app import App, Reader, Runner
from modelkeep.telemetry.tallies import METHODS, route_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

FLUSH_S = 2.0  # for what was not sent yet when the server stops
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MISSING = (
    "OTEL_… asks for traces, and the library is not installed: pip install 'modelkeep[otel]' "
    "brings it. There are no traces."
)

_log = logging.getLogger(__name__)


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables of OpenTelemetry ask for traces by OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter == "otlp"
    return any(environment.get(name) for name in _ENDPOINTS)


def begin(environment: Mapping[str, str]) -> "Traces | None":
    """What makes spans, if the environment asks for them and the library is there."""
    if not wanted(environment):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning(_MISSING)
        return None
    own = {"service.name": "modelkeep", "service.version": __version__}
    named = environment.get("OTEL_SERVICE_NAME")
    if named or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        own.pop("service.name")
    # What the variables say of the exporter, the sampler and the batches, the library reads.
    provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


class Traces:
    """Wraps what is to be seen in spans."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("modelkeep", __version__)

    def of_requests(self, app: Asgi, shown: Callable[[str], str]) -> Asgi:
        """An ASGI application, each of its requests in a span. `shown` is a path without what may
        not be seen."""
        return _Requests(app, self._tracer, shown)

    def of_work(self, app: App) -> App:
        """An application, each change and each search in a span."""
        tracer = self._tracer
        return replace(app, reader=_Reads(app.reader, tracer), writer=_Writes(app.writer, tracer))

    def close(self) -> None:
        """Sends what is left, for as long as `FLUSH_S`: the library itself would wait longer for a
        collector that is away."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(FLUSH_S)


class _Requests:
    def __init__(self, app: Asgi, tracer: "Tracer", shown: Callable[[str], str]) -> None:
        from opentelemetry import propagate, trace

        self._app, self._tracer, self._shown = app, tracer, shown
        self._api, self._propagate = trace, propagate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        carrier = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with self._tracer.start_as_current_span(
            method,
            context=self._propagate.extract(carrier),
            kind=self._api.SpanKind.SERVER,
            attributes=_asked(scope, method, self._shown(scope["path"]), carrier),
        ) as span:
            scope["modelkeep.trace_id"] = f"{span.get_span_context().trace_id:032x}"

            async def send_seen(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        span.set_attribute("error.type", str(status))
                        span.set_status(self._api.StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_seen)
            finally:
                if route := route_of(scope):
                    span.set_attribute("http.route", route)
                    span.update_name(f"{method} {route}")


def _asked(scope: Scope, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "http.request.method": method,
        "url.path": path,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
        "modelkeep.request_id": scope["modelkeep.request_id"],
    }
    if client := scope.get("client"):
        found["client.address"] = client[0]
    if server := scope.get("server"):
        found["server.address"], found["server.port"] = server
    if agent := headers.get("user-agent"):
        found["user_agent.original"] = agent
    return found


class _Writes:
    def __init__(self, behind: Runner, tracer: "Tracer") -> None:
        self._behind, self._tracer = behind, tracer

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with _span(self._tracer, "commit", use_case):
            return await self._behind.submit(use_case, *args, **kwargs)


class _Reads:
    def __init__(self, behind: Reader, tracer: "Tracer") -> None:
        self._behind, self._tracer = behind, tracer
        self.submit, self.recall = behind.submit, behind.recall

    async def search(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with _span(self._tracer, "search", use_case):
            return await self._behind.search(use_case, *args, **kwargs)


@contextmanager
def _span(tracer: "Tracer", name: str, use_case: Callable[..., Any]) -> Iterator[None]:
    """A span within the request's. What an error says may name what only its caller may know of."""
    with tracer.start_as_current_span(
        name,
        attributes={"modelkeep.use_case": getattr(use_case, "__name__", "")},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            raise
