"""The paths that bytes go through: the artifact proxy, and what MLflow's pages link to.

Under both `/api/2.0` and `/ajax-api/2.0`; what follows a prefix was decoded once, by the HTTP
server, and is checked by `names.check_path` or read as a grant:

    mlflow-artifacts/artifacts[/…]                     GET, HEAD, PUT, DELETE; GET of none lists
    mlflow-artifacts/mpu/{create,complete,abort}[/…]   POST
    mlflow-artifacts/mpu/part/<grant>                  PUT
    mlflow-artifacts/presigned/…                       GET
    mlflow-artifacts/signed/<grant>                    GET, HEAD, PUT
    mlflow/artifacts/presigned-{download,upload}-url   POST
    mlflow/logged-models/<id>/artifacts/files          GET, HEAD
    mlflow/upload-artifact                             POST

and, without those: /get-artifact and /model-versions/get-artifact, GET and HEAD.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from modelkeep.domain.errors import NotFound
from modelkeep.protocols import uploads
from modelkeep.protocols.addresses import address_of
from modelkeep.protocols.http import Receive, Scope, Send, caller_of, loader_in, path_of
from modelkeep.protocols.mlflow import (
    artifacts,
    downloads,
    errors,
    multipart,
    presigned,
    rules,
)
from modelkeep.protocols.mlflow.answers import (
    Handle,
    answer,
    answer_wrong_method,
    guarded,
    read_message,
)
from modelkeep.protocols.mlflow.wire import Message
from modelkeep.protocols.rules import Rule
from modelkeep.services import artifacts as artifact_cases
from modelkeep.services import grants
from modelkeep.services.app import App
from modelkeep.services.artifacts import Found

APIS = ("/api/2.0", "/ajax-api/2.0")
_READS = ("GET", "HEAD")
_BEARERS = ("signed", "mpu/part")
_NOT_STORED = (b"cache-control", b"no-store")

_encode = msgspec.json.Encoder().encode

_Of = Callable[[Scope, Receive, Send, str], Awaitable[None]]  # with the rest of the path


class FileRoutes:
    """Handlers by exact path, by template, and by prefix."""

    def __init__(self, app: App, max_body_bytes: int, public_url: str) -> None:
        self._app, self._max_body_bytes, self._public_url = app, max_body_bytes, public_url
        self.exact: dict[str, Handle] = {}
        self.templates: dict[str, Handle] = {}
        self.prefixes: dict[str, Handle] = {}
        pages = {"/get-artifact": rules.DOWNLOADS}
        pages["/model-versions/get-artifact"] = rules.FILE_OF_VERSION
        for page, rule in pages.items():
            self.exact[page] = _only(_READS, self._page, rule)
        for api in APIS:
            upload = _only(("POST",), self._upload_from_page, rules.WRITES)
            self.exact[f"{api}/mlflow/upload-artifact"] = upload
            for direction, rule in (("download", rules.DOWNLOADS), ("upload", rules.WRITES)):
                path = f"{api}/mlflow/artifacts/presigned-{direction}-url"
                self.exact[path] = _only(("POST",), self._presign_in_run, rule)
            files = f"{api}/mlflow/logged-models/{{model_id}}/artifacts/files"
            self.templates[files] = _only(_READS, self._page_of_model, rules.DOWNLOADS)
            store = f"{api}/mlflow-artifacts"
            self._add_prefix(f"{store}/artifacts", self._file, rules.FILE)
            self._add_prefix(f"{store}/mpu", self._multipart, rules.MULTIPART)
            self._add_prefix(f"{store}/presigned", self._presign, rules.DOWNLOADS)
            self._add_prefix(f"{store}/signed", self._signed, rules.BEARER)
        # Paths that begin so carry their own permission.
        self.bearers = tuple(f"{api}/mlflow-artifacts/{p}/" for api in APIS for p in _BEARERS)

    @property
    def is_direct(self) -> bool:
        """Whether clients may be sent to the store itself."""
        return self._app.direct is not None

    def takes_parts(self, scope: Scope) -> bool:
        """Whether this client can upload in parts."""
        return self._app.direct is not None or self.knows_address(scope)

    def knows_address(self, scope: Scope) -> bool:
        """Whether this client can be given addresses to follow."""
        return address_of(scope, self._public_url) is not None

    def _add_prefix(self, prefix: str, handle: _Of, rule: Rule) -> None:
        async def with_rest(scope: Scope, receive: Receive, send: Send) -> None:
            rule.admit(scope)
            rest = path_of(scope).removeprefix(prefix).removeprefix("/")
            await handle(scope, receive, send, rest)

        self.prefixes[prefix] = guarded(with_rest)

    # -- by path -----------------------------------------------------------------------------

    async def _file(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        method = scope["method"]
        if not path and method == "GET":
            await answer(send, 200, await artifacts.list_folder(self._app, scope))
        elif method in _READS:
            found = await self._app.read(artifact_cases.fetch, path, point=True)
            self._count(scope, found)
            await downloads.answer(self._app, found, scope, send)
        elif method == "PUT":
            await uploads.store(self._app, caller_of(scope), path, uploads.pieces(scope, receive))
            await answer(send, 200, b"{}")
        elif method == "DELETE":
            await self._app.write(artifact_cases.delete, caller_of(scope), path)
            await answer(send, 200, b"{}")
        else:
            await answer_wrong_method(send, method, (*_READS, "PUT", "DELETE"))

    def _count(self, scope: Scope, found: Found) -> None:
        if found.version is not None and scope["method"] == "GET":
            self._app.loads.note(loader_in(scope), found.version, by_file=True)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await artifacts.find_for_page(self._app, scope)
        self._count(scope, found)
        await downloads.answer(self._app, found, scope, send)

    async def _page_of_model(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await artifacts.find_in_model(self._app, scope)
        await downloads.answer(self._app, found, scope, send)

    async def _upload_from_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        await artifacts.upload_from_page(self._app, scope, receive)
        await answer(send, 200, b"")

    # -- by an address that was given --------------------------------------------------------

    async def _presign(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if scope["method"] != "GET":
            await answer_wrong_method(send, scope["method"], ("GET",))
        else:
            address = self._address(scope, "signed")
            found = await presigned.of_file(self._app, loader_in(scope), path, address)
            await _answer_address(send, found, "Presigned download")

    async def _presign_in_run(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_upload = scope["path"].endswith("upload-url")
        message = presigned.ToUpload if is_upload else presigned.ToDownload
        request = await self._message(message, scope, receive)
        use = presigned.to_upload if is_upload else presigned.to_download
        found = await use(self._app, loader_in(scope), request, self._address(scope, "signed"))
        await _answer_address(send, found, f"Presigned {'upload' if is_upload else 'download'}")

    async def _signed(self, scope: Scope, receive: Receive, send: Send, grant: str) -> None:
        if scope["method"] in _READS:
            found = await self._app.read(grants.download, self._app.signer, grant, point=True)
            await downloads.answer(self._app, found, scope, send)
        elif scope["method"] == "PUT":
            given = await self._app.read(grants.upload, self._app.signer, grant)
            body = uploads.pieces(scope, receive)
            await uploads.store(self._app, given.caller, given.path, body)
            await answer(send, 200, b"{}")
        else:
            await answer_wrong_method(send, scope["method"], (*_READS, "PUT"))

    # -- in parts ----------------------------------------------------------------------------

    async def _multipart(self, scope: Scope, receive: Receive, send: Send, rest: str) -> None:
        step, _, rest = rest.partition("/")
        method = "PUT" if step == "part" else "POST"
        if step not in ("create", "part", "complete", "abort"):
            raise NotFound("No such path.")
        if scope["method"] != method:
            await answer_wrong_method(send, scope["method"], (method,))
        elif step == "part":
            etag = await multipart.put_part(self._app, rest, scope, receive)
            await answer(send, 200, b"{}", [(b"etag", etag.encode())])
        elif step == "create":
            await self._create_multipart(scope, receive, send, rest)
        else:
            request = await self._message(multipart.Finish, scope, receive)
            finish = multipart.complete if step == "complete" else multipart.abort
            await finish(self._app, caller_of(scope), rest, request)
            await answer(send, 200, b"{}")

    async def _create_multipart(
        self, scope: Scope, receive: Receive, send: Send, folder: str
    ) -> None:
        app, address = self._app, self._address(scope, "mpu/part")
        request = await self._message(multipart.Create, scope, receive)
        created, caller = None, caller_of(scope)
        if multipart.names_wrong_folders(scope):
            pass
        elif app.direct is not None:
            created = await multipart.create_direct(app, app.direct, caller, folder, request)
        elif address is not None:
            created = await multipart.create(app, caller, folder, request, address)
        await _answer_address(send, created, "Multipart upload")

    def _address(self, scope: Scope, what: str) -> str | None:
        """What the client's addresses begin with, under the API that it calls."""
        base = address_of(scope, self._public_url)
        api = next(api for api in APIS if scope["path"].startswith(api))
        return f"{base}{api}/mlflow-artifacts/{what}" if base else None

    async def _message(self, message: type[Message], scope: Scope, receive: Receive) -> Any:
        return await read_message(message, scope, receive, self._max_body_bytes)


def _only(methods: tuple[str, ...], handle: Handle, rule: Rule) -> Handle:
    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in methods:
            rule.admit(scope)
            await handle(scope, receive, send)
        else:
            await answer_wrong_method(send, scope["method"], methods)

    return guarded(checked)


async def _answer_address(send: Send, found: Message | None, what: str) -> None:
    if found is not None:
        await answer(send, 200, _encode(found), [_NOT_STORED])
        return
    # NOTE: must be 501 with this text: it is on these that clients fall back to a plain call.
    message = f"{what} is not supported for the current artifact repository"
    await answer(send, 501, errors.body("NOT_IMPLEMENTED", message))
