"""One ASGI application: the dialects behind one front door."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from modelkeep import __version__
from modelkeep.bootstrap import Running, SystemClock
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import InvalidInput, Unauthenticated, Unavailable
from modelkeep.domain.search import Comparison
from modelkeep.protocols.doors import Authentication
from modelkeep.protocols.http import Asgi, FrontDoor, Receive, Scope, Send
from modelkeep.protocols.joined import JoinedHttp
from modelkeep.protocols.later import Later
from modelkeep.protocols.mlflow import answers, filters, grammars
from modelkeep.protocols.mlflow import errors as mlflow_errors
from modelkeep.protocols.mlflow import routes as mlflow_routes
from modelkeep.protocols.native import paths
from modelkeep.services import accounts, permits
from modelkeep.services.app import App
from modelkeep.services.denials import Denials
from modelkeep.services.passwords import SignIn
from modelkeep.settings import Settings, default_hosts
from modelkeep.workers.checkpoints import CheckpointWorker
from modelkeep.workers.housekeeping import Housekeeping
from modelkeep.workers.intake import IntakeWorker
from modelkeep.workers.loads import LoadsWorker
from modelkeep.workers.webhooks import WebhookWorker

_log = logging.getLogger(__name__)


def build(running: Running, settings: Settings, now_ms: Callable[[], int]) -> tuple[Asgi, Later]:
    """The whole application over a running core; and of it the native API, to be made later."""
    app = permits.gated(running.app) if settings.auth else running.app
    mlflow = mlflow_routes.Dialect(app, settings.max_body_bytes, settings.public_url)
    native = Later(lambda: _native(app, running, settings, now_ms))

    def is_public(path: str) -> bool:
        return path in paths.PUBLIC or mlflow.is_public(path)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            rest = native if paths.is_native(path) else _answer_unknown
            await (mlflow.handle_for(path) or rest)(scope, receive, send)

    inner = by_path
    if settings.auth:
        note = Denials(running.app, now_ms).note
        inner = Authentication(by_path, running.directory, is_public, _unauthenticated, note)

    async def cleaned(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("//"):  # the client's address of us ends with a slash
            scope["path"] = "/" + scope["path"].lstrip("/")
        await inner(scope, receive, send)

    return FrontDoor(cleaned, default_hosts() | set(settings.allowed_hosts)), native


def _native(app: App, running: Running, settings: Settings, now_ms: Callable[[], int]) -> Asgi:
    from modelkeep.protocols.native import accounts, application  # with the framework

    sign_in = SignIn(running.app, running.passwords, now_ms)
    entrance = accounts.Entrance(running.directory, sign_in, now_ms, settings.auth)
    return application.build(app, now_ms, _models_where, entrance, settings.max_body_bytes)


def _models_where(text: str) -> Sequence[Comparison]:
    """One search language for every dialect, although none of them knows another."""
    return filters.parse_filter(text, grammars.MODELS)


def _unauthenticated(scope: Scope, error: Unauthenticated) -> tuple[bytes, bytes]:
    """Told as our own API does or as MLflow's clients expect; alike for paths that are none: who
    is not known does not learn which there are."""
    if paths.is_native(scope["path"]):
        from modelkeep.protocols.native import problems

        return problems.render(error, scope["modelkeep.request_id"])
    return b"application/json", mlflow_errors.render(error)[1]


async def _answer_unknown(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    """A path that no dialect has, told as the pickiest clients expect."""
    await answers.answer(send, 404, mlflow_errors.body("ENDPOINT_NOT_FOUND", "Not Found"))


def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT: then no new connections, what is under way ends, and out."""
    _expect_signals()
    with contextlib.closing(Running(settings)) as running:
        if settings.auth:
            let_first_admin_in(running)
        _serve(running, settings, listen(settings.host, settings.port))


def serve_beside(settings: Settings, listener: socket.socket) -> None:
    """As `serve`, one of several processes that accept from one socket."""
    _expect_signals()
    with contextlib.closing(Running(settings)) as running:
        _serve(running, settings, listener)


def work(settings: Settings) -> None:
    """Does what is done in the background, and serves nobody. Runs until SIGTERM or SIGINT."""
    if not settings.database_url:
        raise InvalidInput("On SQLite the server does this work itself: give a --database-url.")
    _expect_signals()
    with contextlib.closing(Running(settings)) as running, _in_background(running, settings):
        _log.info("modelkeep %s works in the background of %s", __version__, settings.data_dir)
        while True:
            signal.pause()


def _expect_signals() -> None:
    # The HTTP server raises the signal that stopped it once more when it has ended, which by
    # default would end the process before everything was closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)


@contextlib.contextmanager
def _in_background(running: Running, settings: Settings) -> Iterator[None]:
    webhooks = WebhookWorker(running.app, is_alone=running.is_alone)
    checkpoints = CheckpointWorker(running.app, settings.journal_origin, is_alone=running.is_alone)
    for worker in (webhooks, checkpoints):
        running.writer.on_leaves(worker.wake)
    housekeeping = Housekeeping(running.app, settings.upload_days, is_alone=running.is_alone)
    intake = IntakeWorker(running.app)
    running.writer.on_leaves(intake.wake)
    try:
        webhooks.start()
        checkpoints.start()
        housekeeping.start()
        intake.start()
        yield
    finally:
        intake.close()
        housekeeping.close()
        webhooks.close()
        checkpoints.close()


def _serve(running: Running, settings: Settings, listener: socket.socket) -> None:
    in_doubt = threading.Event()
    running.writer.on_doubt(lambda: _stop_in_doubt(in_doubt))
    loads = LoadsWorker(running.app)
    try:
        with listener, _in_background(running, settings), contextlib.closing(loads):
            loads.start()
            if settings.auth:
                running.directory.start(is_alone=running.is_alone)
            _answer(running, settings, listener)
    finally:
        if in_doubt.is_set():  # not as whoever was asked to stop
            sys.exit(1)


def _answer(running: Running, settings: Settings, listener: socket.socket) -> None:
    asgi, native = build(running, settings, SystemClock().now_ms)
    config = uvicorn.Config(
        asgi,
        loop="uvloop",
        http=JoinedHttp,
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
    _log.info("modelkeep %s serves %s on http://%s:%d", __version__, settings.data_dir, shown, port)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve_in_loop(running, _Server(config, native), listener))


async def _serve_in_loop(running: Running, server: uvicorn.Server, listener: socket.socket) -> None:
    running.reader.serve_loop()
    try:
        await server.serve(sockets=[listener])
    finally:
        running.reader.leave_loop()


def _stop_in_doubt(in_doubt: threading.Event) -> None:
    """Ends the process as SIGTERM would: what a restart finds may not be what is shown now."""
    _log.critical("the disk cannot be relied on any more; stopping. Start again once it can.")
    in_doubt.set()
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """The HTTP server, which makes the native API as soon as the rest is being served."""

    def __init__(self, config: uvicorn.Config, native: Later) -> None:
        super().__init__(config)
        self._native = native

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        threading.Thread(target=self._make_native, name="native-api", daemon=True).start()

    def _make_native(self) -> None:
        self._native.made()
        # What there is by now stays: the garbage collector, for which all threads wait, need not
        # look through the fifty thousand objects of the imports each time.
        gc.freeze()


def let_first_admin_in(running: Running) -> None:
    """Prints, once and not into the log, a token for making the first administrator."""
    if running.reader.run(accounts.has_admin):
        return
    token = mint(TokenKind.BOOTSTRAP)
    running.writer.run(accounts.recover, token)
    sys.stderr.write(
        "Nobody can administer this registry yet. On this machine, within an hour:\n"
        f"  MODELKEEP_TOKEN={token.text} modelkeep users first NAME\n"
    )


def _leave(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
    sys.exit(0)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections there. Raises Unavailable."""
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
