"""Where S3's clients come in: whatever was signed for the service `s3`, by its method and path.

The signature covers the head of the request, and says what the body will hash to: so the head is
verified before anything is done, and the body while it comes. What is not understood is refused.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from modelkeep.domain.access import Actor, Caller
from modelkeep.protocols.aws import sigv4
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import (
    buckets,
    completing,
    deletes,
    files,
    multipart,
    tags,
    terms,
    xml,
)
from modelkeep.protocols.aws.s3.asked import Asked
from modelkeep.protocols.aws.s3.bodies import Body
from modelkeep.protocols.aws.s3.refusals import refusal
from modelkeep.protocols.aws.signers import Signers
from modelkeep.protocols.aws.sigv4 import S3, Chain, IncompleteSignature
from modelkeep.protocols.http import Receive, Scope, Send, claimed_actor, header
from modelkeep.services.app import App
from modelkeep.telemetry.tallies import ROUTE

_Handle = Callable[[App, Asked], Awaitable[None]]

# By method and the field of the query that says what of a bucket, or of an object, is meant.
_OF_BUCKET: Mapping[tuple[str, str], tuple[str, _Handle]] = {
    ("PUT", ""): ("CreateBucket", buckets.create),
    ("HEAD", ""): ("HeadBucket", buckets.head),
    ("DELETE", ""): ("DeleteBucket", buckets.delete),
    ("GET", ""): ("ListObjects", buckets.listing),
    ("GET", "list-type"): ("ListObjectsV2", buckets.listing),
    ("GET", "location"): ("GetBucketLocation", buckets.location),
    ("POST", "delete"): ("DeleteObjects", deletes.many),
    ("GET", "uploads"): ("ListMultipartUploads", multipart.every),
}
_OF_OBJECT: Mapping[tuple[str, str], tuple[str, _Handle]] = {
    ("PUT", ""): ("PutObject", files.put),
    ("GET", ""): ("GetObject", files.get),
    ("HEAD", ""): ("HeadObject", files.get),
    ("DELETE", ""): ("DeleteObject", deletes.one),
    ("GET", "attributes"): ("GetObjectAttributes", files.attributes),
    ("GET", "tagging"): ("GetObjectTagging", tags.get),
    ("PUT", "tagging"): ("PutObjectTagging", tags.put),
    ("DELETE", "tagging"): ("DeleteObjectTagging", tags.delete),
    ("POST", "uploads"): ("CreateMultipartUpload", multipart.create),
    ("PUT", "uploadId"): ("UploadPart", multipart.put_part),
    ("POST", "uploadId"): ("CompleteMultipartUpload", completing.complete),
    ("DELETE", "uploadId"): ("AbortMultipartUpload", multipart.abort),
    ("GET", "uploadId"): ("ListParts", multipart.listing),
}
# Fields that say how something is done, and not what; of the others nothing is known here.
_HOWS = (
    "continuation-token delimiter encoding-type fetch-owner key-marker marker max-keys max-parts"
    " max-uploads part-number-marker partNumber prefix response-cache-control"
    " response-content-disposition response-content-encoding response-content-language"
    " response-content-type response-expires start-after upload-id-marker x-id"
)
_HOW = frozenset(_HOWS.split())
_VERSION_2 = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256: "
    'Config(signature_version="s3v4").'
)


class Store:
    """An ASGI application. `account` is the number of the server's own account, whose all buckets
    are. Without `signers` there are no accounts, and nothing is verified."""

    def __init__(self, app: App, account: str, signers: Signers | None) -> None:
        self._app, self._account, self._signers = app, account, signers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def watched(message: Any) -> None:
            nonlocal began
            began = True
            await send(message)

        scope[ROUTE] = S3
        try:
            body = Body(scope, receive, self._enter(scope))
            asked = Asked.of(scope, watched, body)
            terms.check_owner(asked, self._account)
            name, handle = _operation(asked)
            scope[ROUTE] = f"{S3}:{name}"
            await handle(self._app, asked)
        except Exception as error:
            if began:
                raise  # the answer is cut off, so that no client takes it for whole
            await _refuse(scope, watched, error)

    def _enter(self, scope: Scope) -> Chain | None:
        """Finds out who calls; what verifies the chunks of the body, where there are accounts."""
        if sigv4.is_of_version_2(scope):
            raise Coded("InvalidRequest", _VERSION_2)
        if self._signers is None:
            claim = sigv4.claimed(scope)
            actor = claimed_actor(claim.key_id) if claim else Actor()
            scope["modelkeep.caller"] = Caller(actor, scope["modelkeep.request_id"])
            return None
        signature, key = self._signers.find(scope)
        if not signature.payload:
            raise IncompleteSignature("x-amz-content-sha256 must be sent, and signed.")
        self._signers.enter(scope, signature, key, signature.payload, (S3,))
        return Chain(signature, key.secret)


def _operation(asked: Asked) -> tuple[str, _Handle]:
    if not asked.bucket:
        if asked.method == "GET" and not asked.key:
            return "ListBuckets", buckets.every
        raise Coded("MethodNotAllowed", "The specified method is not allowed here.", 405)
    fields = {name for name in asked.query if not name.lower().startswith("x-amz-")} - _HOW
    table = _OF_OBJECT if asked.key else _OF_BUCKET
    found = table.get((asked.method, next(iter(fields), ""))) if len(fields) < 2 else None
    if found is None:
        what = f"{asked.method} with {', '.join(sorted(fields)) or 'no fields'}"
        raise Coded("NotImplemented", f"modelkeep's S3 does not have {what[:200]}.", 501)
    return found


async def _refuse(scope: Scope, send: Send, error: Exception) -> None:
    request_id: str = scope["modelkeep.request_id"]
    told = refusal(error, request_id)
    body = xml.error(told.code, told.message, scope["path"], request_id)
    headers = [
        (b"content-type", b"application/xml"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amz-request-id", request_id.encode()),
    ]
    if header(scope, b"expect"):  # the client may send the body that it announced, or may not
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    shown = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": shown})
