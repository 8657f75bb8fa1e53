"""One ASGI application: the dialects behind one front door."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from modelkeep.bootstrap import Running
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, Unauthenticated
from modelkeep.domain.notifications import is_link
from modelkeep.domain.search import Comparison
from modelkeep.protocols import probes
from modelkeep.protocols.aws import sigv4
from modelkeep.protocols.aws.signers import MLFLOW_SERVICES, Signers
from modelkeep.protocols.doors import Authentication
from modelkeep.protocols.entrance import FrontDoor
from modelkeep.protocols.http import Asgi, Receive, Scope, Send, claimed_actor
from modelkeep.protocols.later import Later
from modelkeep.protocols.mlflow import answers, filters, grammars
from modelkeep.protocols.mlflow import errors as mlflow_errors
from modelkeep.protocols.mlflow import routes as mlflow_routes
from modelkeep.protocols.native import paths
from modelkeep.protocols.shortcut import Shortcut
from modelkeep.protocols.traces import Traces
from modelkeep.services import permits
from modelkeep.services.app import App
from modelkeep.services.denials import Denials
from modelkeep.services.passwords import SignIn
from modelkeep.services.readiness import Readiness
from modelkeep.settings import Settings, default_hosts
from modelkeep.telemetry.tallies import ROUTE, Attempts

_APIS = ("/api/", "/ajax-api/")  # MLflow's and our own, for which MLflow's plugin signs


@dataclass(frozen=True, slots=True)
class Site:
    """The whole application; of it the native API, to be made later, if it is there; and what is
    asked for an answer before it, if it may be."""

    door: FrontDoor
    native: Later | None = None
    shortcut: Shortcut | None = None


def build(
    running: Running,
    settings: Settings,
    now_ms: Callable[[], int],
    *,
    traces: Traces | None = None,
    attempts: Attempts | None = None,
    process: str = "",
) -> Site:
    """The application over a running core. `attempts` are those of its webhooks; `process` names
    one of several processes."""
    app = permits.gated(running.app) if settings.auth else running.app
    if traces:
        app = traces.of_work(app)
    mlflow = mlflow_routes.Dialect(app, settings.max_body_bytes, settings.public_url)
    native = Later(lambda: _native(app, running, settings, now_ms))
    signers = Signers(running.directory, now_ms, settings.aws_account)
    aws = Later(lambda: _aws(app, settings, signers))
    s3 = Later(lambda: _s3(app, settings, signers))

    def is_public(path: str) -> bool:
        known = path in paths.PUBLIC or path in probes.PUBLIC or is_link(path)
        return known or mlflow.is_public(path)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            handle = mlflow.handle_for(path)
            service = sigv4.signed_for(scope)
            if service in MLFLOW_SERVICES and not settings.auth:
                _claim(scope)
            if service == sigv4.S3:  # whatever the path: its buckets might be called as ours are
                await s3(scope, receive, send)
            elif _is_elsewhere(path, service):
                await aws(scope, receive, send)
            elif handle is not None:
                scope[ROUTE] = mlflow.route_of(handle)
                await handle(scope, receive, send)
            elif paths.is_native(path):
                await native(scope, receive, send)
            elif _is_aws(scope) or (service == "sagemaker" and not path.startswith(_APIS)):
                await aws(scope, receive, send)
            elif is_link(path) and scope["method"] in ("GET", "POST"):
                await _visit(app, scope, send)
            elif path in probes.ALL:
                scope[ROUTE] = path
                await watched.handle(scope, send)
            else:
                await _answer_unknown(scope, receive, send)

    inner = _asking(by_path, running, settings, signers, now_ms, is_public, _signs)
    if traces:
        inner = traces.of_requests(inner, mlflow.shown)

    async def cleaned(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("//"):  # the client's address of us ends with a slash
            scope["path"] = "/" + scope["path"].lstrip("/")
        await inner(scope, receive, send)

    door = _door(cleaned, settings, mlflow.shown)
    watched = _probes(door, app, running, settings, attempts or Attempts(), process)
    shortcut = None
    if not (settings.auth or settings.access_log or traces):  # who asks is of no account
        recollect = running.reader.recollect
        shortcut = Shortcut(door, mlflow.recollection, recollect, answers.refusal)
    return Site(door, native, shortcut)


def build_probes(
    running: Running, settings: Settings, now_ms: Callable[[], int], attempts: Attempts
) -> Site:
    """What a process answers that serves nobody but who watches it."""
    app = permits.gated(running.app) if settings.auth else running.app

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] in probes.ALL:
            scope[ROUTE] = scope["path"]
            await watched.handle(scope, send)
        else:
            await _answer_unknown(scope, receive, send)

    signers = Signers(running.directory, now_ms, settings.aws_account)
    public = probes.PUBLIC.__contains__
    inner = _asking(by_path, running, settings, signers, now_ms, public, lambda _: False)
    door = _door(inner, settings, str)
    watched = _probes(door, app, running, settings, attempts)
    return Site(door)


def _asking(
    inner: Asgi,
    running: Running,
    settings: Settings,
    signers: Signers,
    now_ms: Callable[[], int],
    is_public: Callable[[str], bool],
    signs: Callable[[Scope], bool],
) -> Asgi:
    """The application behind a question for a token, where there are accounts. `is_public` and
    `signs` as for `Authentication`."""
    if not settings.auth:
        return inner
    note = Denials(running.app, now_ms).note
    verify = partial(signers.verify, settings.max_body_bytes)
    return Authentication(
        inner, running.directory, is_public, signs, verify, _unauthenticated, note
    )


def _door(inner: Asgi, settings: Settings, shown: Callable[[str], str]) -> FrontDoor:
    names = default_hosts() | set(settings.allowed_hosts)
    return FrontDoor(inner, names, shown if settings.access_log else None)


def _probes(
    door: FrontDoor,
    app: App,
    running: Running,
    settings: Settings,
    attempts: Attempts,
    process: str = "",
) -> probes.Probes:
    tallies = running.tallies(door.tally, attempts, process)
    return probes.Probes(
        app,
        Readiness(running.checks()),
        tallies,
        lambda: door.is_closing,
        tells_why=not settings.auth,
    )


def _native(app: App, running: Running, settings: Settings, now_ms: Callable[[], int]) -> Asgi:
    from modelkeep.protocols.native import accounts, application  # with the framework

    sign_in = SignIn(running.app, running.passwords, now_ms)
    entrance = accounts.Entrance(running.directory, sign_in, now_ms, settings.auth)
    return application.build(app, now_ms, _models_where, entrance, settings.max_body_bytes)


def _aws(app: App, settings: Settings, signers: Signers) -> Asgi:
    from modelkeep.protocols.aws import door, operations  # with botocore's models

    return door.Dialect(
        app,
        operations.ALL,
        settings.max_body_bytes,
        settings.aws_account,
        signers if settings.auth else None,
        settings.public_url,
    )


def _s3(app: App, settings: Settings, signers: Signers) -> Asgi:
    from modelkeep.protocols.aws.s3 import door  # with botocore's models

    return door.Store(app, settings.aws_account, signers if settings.auth else None)


def _signs(scope: Scope) -> bool:
    service = sigv4.signed_for(scope)
    return _is_aws(scope) or service == sigv4.S3 or _is_elsewhere(scope["path"], service)


def _is_elsewhere(path: str, service: str) -> bool:
    """Whether a call was signed for a service that has none of the paths that are here."""
    return service not in ("", *MLFLOW_SERVICES) and not path.startswith(_APIS)


def _claim(scope: Scope) -> None:
    """Says who makes a signed call of MLflow's where there are no accounts, if that is a name."""
    claim = sigv4.claimed(scope)
    with suppress(InvalidInput):
        actor = claimed_actor(claim.key_id if claim else "")
        scope["modelkeep.caller"] = Caller(actor, scope["modelkeep.request_id"])


async def _visit(app: App, scope: Scope, send: Send) -> None:
    from modelkeep.protocols.aws import links  # with botocore's models

    await links.visit(app, scope, send)


def _is_aws(scope: Scope) -> bool:
    return scope["path"] == "/" and scope["method"] == "POST"


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
