"""One ASGI application: the dialects behind one front door."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import cast

import uvicorn
from litestar import Litestar, MediaType, Response
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from modelkeep import __version__
from modelkeep.bootstrap import Running, SystemClock
from modelkeep.domain.errors import Unavailable
from modelkeep.domain.search import Comparison
from modelkeep.protocols.http import Asgi, FrontDoor, Receive, Scope, Send
from modelkeep.protocols.mlflow import errors as mlflow_errors
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow import routes as mlflow_routes
from modelkeep.protocols.native import routes as native_routes
from modelkeep.services.app import App
from modelkeep.settings import Settings, default_hosts, is_loopback
from modelkeep.workers.checkpoints import CheckpointWorker
from modelkeep.workers.webhooks import WebhookWorker

_log = logging.getLogger(__name__)


def build(app: App, settings: Settings, now_ms: Callable[[], int]) -> Asgi:
    """The whole application over a running core."""

    framework = Litestar(
        [native_routes.router(app, now_ms, _models_where)],
        openapi_config=OpenAPIConfig(
            title="modelkeep",
            version=__version__,
            path="/api/modelkeep/v1/schema",
            render_plugins=[JsonRenderPlugin()],
        ),
        exception_handlers={HTTPException: _unknown},
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
    )
    mlflow = mlflow_routes.Dialect(app, settings.max_body_bytes, settings.public_url)

    rest = cast("Asgi", framework)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("//"):  # the client's address of us ends with a slash
            scope["path"] = "/" + scope["path"].lstrip("/")
        handle = mlflow.handle_for(scope["path"]) if scope["type"] == "http" else None
        await (handle or rest)(scope, receive, send)

    return FrontDoor(by_path, default_hosts() | set(settings.allowed_hosts))


def _models_where(text: str) -> Sequence[Comparison]:
    """One search language for every dialect, although none of them knows another."""
    return filters.parse_filter(text, grammars.MODELS)


def _unknown(request: object, error: HTTPException) -> Response[bytes]:  # noqa: ARG001 - the framework's signature
    """A path that no dialect has, said in the shape that the pickiest clients expect."""
    code = "ENDPOINT_NOT_FOUND" if error.status_code == 404 else "BAD_REQUEST"
    status = error.status_code if error.status_code < 500 else 400
    body = mlflow_errors.body(code, error.detail or "Not found")
    return Response(body, status_code=status, media_type=MediaType.JSON)


def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT: then no new connections, what is under way ends, and out."""
    # The HTTP server raises the signal that stopped it once more when it has ended, which by
    # default would end the process before `running.close()`.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    running = Running(settings)
    listener = _listen(settings.host, settings.port)
    webhooks = WebhookWorker(running.app, is_alone=running.is_alone)
    checkpoints = CheckpointWorker(running.app, settings.journal_origin)
    for worker in (webhooks, checkpoints):
        running.writer.on_leaves(worker.wake)
    try:
        webhooks.start()
        checkpoints.start()
        asgi = build(running.app, settings, SystemClock().now_ms)
        config = uvicorn.Config(
            asgi,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,  # nothing here believes what a proxy says of its client
            lifespan="off",
            timeout_graceful_shutdown=10,
            timeout_keep_alive=75,
        )
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _log.info(
            "modelkeep %s serves %s on http://%s:%d", __version__, settings.data_dir, shown, port
        )
        if not is_loopback(settings.host):
            _log.warning("listening on %s without accounts: every user name is only a claim", host)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(uvicorn.Server(config).serve(sockets=[listener]))
    finally:
        listener.close()
        webhooks.close()
        checkpoints.close()
        running.close()


def _leave(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: without it a kept-alive answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    listener.listen(1024)
    return listener
