"""The processes that serve the application, or work in its background."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import uvicorn

from modelkeep import __version__
from modelkeep.bootstrap import Running, SystemClock
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.domain.errors import InvalidInput, Unavailable
from modelkeep.protocols.joined import joined
from modelkeep.protocols.serving import Server
from modelkeep.protocols.traces import begin as begin_traces
from modelkeep.services import accounts
from modelkeep.settings import Settings
from modelkeep.site import Site, build, build_probes
from modelkeep.telemetry.tallies import Attempts
from modelkeep.workers.checkpoints import CheckpointWorker
from modelkeep.workers.housekeeping import Housekeeping
from modelkeep.workers.intake import IntakeWorker
from modelkeep.workers.loads import LoadsWorker
from modelkeep.workers.webhooks import WebhookWorker

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT, and ends as `protocols.serving` says; by a second, at once."""
    _expect_signals(heeds_second=True)
    with contextlib.closing(Running(settings)) as running:
        running.reserve_buckets()
        if settings.auth:
            let_first_admin_in(running)
        _serve(running, settings, listen(settings.host, settings.port))


def serve_beside(settings: Settings, listener: socket.socket, process: str) -> None:
    """As `serve`, one of several processes that accept from one socket.

    Whoever started them ends them at once, if need be: a service manager may well send its signal
    to each of them, besides.
    """
    _expect_signals(heeds_second=False)
    with contextlib.closing(Running(settings)) as running:
        _serve(running, settings, listener, process)


def work(settings: Settings) -> None:
    """Does what is done in the background, and serves nobody but who watches it, if they may.

    Runs until SIGTERM or SIGINT.
    """
    if not settings.database_url:
        raise InvalidInput("On SQLite the server does this work itself: give a --database-url.")
    _expect_signals(heeds_second=True)
    with (
        contextlib.closing(Running(settings)) as running,
        _in_background(running, settings) as attempts,
    ):
        running.reserve_buckets()
        _log.info("modelkeep %s works in the background of %s", __version__, settings.data_dir)
        if settings.metrics_port:
            _be_watched(running, settings, attempts)
        while True:
            signal.pause()


def _be_watched(running: Running, settings: Settings, attempts: Attempts) -> None:
    with listen(settings.host, settings.metrics_port) as listener:
        if settings.auth:
            running.directory.start(is_alone=running.is_alone)
        site = build_probes(running, settings, SystemClock().now_ms, attempts)
        at_once = replace(settings, drain_s=0)  # there is nobody to be moved elsewhere
        _answer(running, at_once, listener, site, threading.Event(), is_alone=True)


def _expect_signals(*, heeds_second: bool) -> None:
    """The first signal ends the process in order, wherever it is; the second at once, or never.

    Nothing that was answered is lost either way.
    """
    is_leaving = False

    def leave(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
        nonlocal is_leaving
        if not is_leaving:
            is_leaving = True
            sys.exit(0)
        if heeds_second:
            os._exit(1)

    for number in STOP_SIGNALS:
        signal.signal(number, leave)


@contextlib.contextmanager
def _in_background(running: Running, settings: Settings) -> Iterator[Attempts]:
    """Everything that works on by itself; gives what it counts of webhooks."""
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
        yield webhooks.tally
    finally:
        intake.close()
        housekeeping.close()
        webhooks.close()
        checkpoints.close()


def _serve(
    running: Running, settings: Settings, listener: socket.socket, process: str = ""
) -> None:
    in_doubt = threading.Event()
    running.writer.on_doubt(lambda: _stop_in_doubt(in_doubt))
    loads = LoadsWorker(running.app)
    traces = begin_traces(os.environ)
    try:
        with (
            listener,
            _in_background(running, settings) as attempts,
            contextlib.closing(loads),
            contextlib.closing(traces) if traces else contextlib.nullcontext(),
        ):
            loads.start()
            if settings.auth:
                running.directory.start(is_alone=running.is_alone)
            now_ms = SystemClock().now_ms
            site = build(
                running, settings, now_ms, traces=traces, attempts=attempts, process=process
            )
            _answer(running, settings, listener, site, in_doubt, is_alone=not process)
    finally:
        if in_doubt.is_set():  # not as whoever was asked to stop
            sys.exit(1)


def _answer(
    running: Running,
    settings: Settings,
    listener: socket.socket,
    site: Site,
    in_doubt: threading.Event,
    *,
    is_alone: bool,
) -> None:
    config = uvicorn.Config(
        site.door,
        loop="uvloop",
        http=joined(site.shortcut),
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # nothing here believes what a proxy says of its client
        lifespan="off",
        timeout_graceful_shutdown=settings.grace_s,
        timeout_keep_alive=75,
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    what = f"serves {settings.data_dir}" if site.native else "tells how it is doing"
    _log.info("modelkeep %s %s on http://%s:%d", __version__, what, shown, port)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        server = Server(
            config, site.door, site.native, settings.drain_s, in_doubt, is_alone=is_alone
        )
        runner.run(_serve_in_loop(running, server, listener))


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
