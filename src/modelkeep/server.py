"""One ASGI application: the dialects behind one front door."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import uvicorn
from litestar import Litestar, MediaType, Request, Response
from litestar.exceptions import HTTPException

from modelkeep import __version__
from modelkeep.bootstrap import Running, SystemClock
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import Unauthenticated, Unavailable
from modelkeep.domain.search import Comparison
from modelkeep.protocols.doors import Authentication
from modelkeep.protocols.http import Asgi, FrontDoor, Receive, Scope, Send
from modelkeep.protocols.mlflow import errors as mlflow_errors
from modelkeep.protocols.mlflow import filters, grammars
from modelkeep.protocols.mlflow import routes as mlflow_routes
from modelkeep.protocols.native import calls as native
from modelkeep.protocols.native import problems
from modelkeep.protocols.native import routes as native_routes
from modelkeep.protocols.native.accounts import Entrance
from modelkeep.services import accounts, permits
from modelkeep.services.passwords import SignIn
from modelkeep.settings import Settings, default_hosts
from modelkeep.workers.checkpoints import CheckpointWorker
from modelkeep.workers.housekeeping import Housekeeping
from modelkeep.workers.intake import IntakeWorker
from modelkeep.workers.webhooks import WebhookWorker

_log = logging.getLogger(__name__)


def build(running: Running, settings: Settings, now_ms: Callable[[], int]) -> Asgi:
    """The whole application over a running core."""
    app = permits.gated(running.app) if settings.auth else running.app
    sign_in = SignIn(running.app, running.passwords, now_ms)
    entrance = Entrance(running.directory, sign_in, now_ms, settings.auth)
    framework = Litestar(
        [native_routes.router(app, now_ms, _models_where, entrance)],
        openapi_config=None,  # the native API describes itself
        exception_handlers={HTTPException: _unknown},
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
    )
    native_routes.check_rules(framework.routes)
    mlflow = mlflow_routes.Dialect(app, settings.max_body_bytes, settings.public_url)

    def is_public(path: str) -> bool:
        return path in native_routes.PUBLIC_PATHS or mlflow.is_public(path)

    rest = cast("Asgi", framework)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        handle = mlflow.handle_for(scope["path"]) if scope["type"] == "http" else None
        await (handle or rest)(scope, receive, send)

    inner = by_path
    if settings.auth:
        inner = Authentication(by_path, running.directory, is_public, _unauthenticated)

    async def cleaned(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("//"):  # the client's address of us ends with a slash
            scope["path"] = "/" + scope["path"].lstrip("/")
        await inner(scope, receive, send)

    return FrontDoor(cleaned, default_hosts() | set(settings.allowed_hosts))


def _models_where(text: str) -> Sequence[Comparison]:
    """One search language for every dialect, although none of them knows another."""
    return filters.parse_filter(text, grammars.MODELS)


def _unauthenticated(scope: Scope, error: Unauthenticated) -> tuple[bytes, bytes]:
    """Told as our own API does or as MLflow's clients expect; alike for paths that are none: who
    is not known does not learn which there are."""
    if _is_native(scope["path"]):
        return problems.render(error, scope["modelkeep.request_id"])
    return b"application/json", mlflow_errors.render(error)[1]


def _is_native(path: str) -> bool:
    return f"{path}/".startswith(f"{native.PREFIX}/")


def _unknown(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """A path that no dialect has, told as our own API does or as the pickiest clients expect."""
    if _is_native(request.scope["path"]):
        return problems.reject_call(request, error)
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
    housekeeping = Housekeeping(running.app)
    intake = IntakeWorker(running.app)
    running.writer.on_leaves(intake.wake)
    try:
        webhooks.start()
        checkpoints.start()
        housekeeping.start()
        intake.start()
        if settings.auth:
            running.directory.start(is_alone=running.is_alone)
            _let_first_admin_in(running)
        asgi = build(running, settings, SystemClock().now_ms)
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
        # What there is by now stays: the garbage collector, for which all threads wait, need not
        # look through the fifty thousand objects of the imports each time.
        gc.freeze()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(uvicorn.Server(config).serve(sockets=[listener]))
    finally:
        listener.close()
        intake.close()
        housekeeping.close()
        webhooks.close()
        checkpoints.close()
        running.close()


def _let_first_admin_in(running: Running) -> None:
    """Prints, once and not into the log, a token for making the first administrator."""
    if running.reader.run(accounts.has_admin):
        return
    token = mint(TokenKind.BOOTSTRAP)
    running.writer.run(accounts.recover, token)
    running.directory.reload()
    sys.stderr.write(
        "Nobody can administer this registry yet. On this machine, within an hour:\n"
        f"  MODELKEEP_TOKEN={token.text} modelkeep users first NAME\n"
    )


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
