"""Where AWS's clients come in: `POST /`, whatever service they mean.

The request is read, its signature verified, its parameters checked against the model, and answered
in one write. A refusal is said in the protocol's own words: an SDK never sees a page of HTML.
"""

import logging
from collections.abc import Mapping
from typing import Any

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.addresses import address_of
from modelkeep.protocols.aws import constraints, errors, parsing, rendering, sigv4
from modelkeep.protocols.aws.calls import ACCOUNT, REGION, Call, Operation
from modelkeep.protocols.aws.dispatch import JSON, Target, by_action, by_target, protocol_of
from modelkeep.protocols.aws.errors import Coded, Refusal
from modelkeep.protocols.http import Receive, Scope, Send, read_body
from modelkeep.services.app import App
from modelkeep.telemetry.tallies import ROUTE

_log = logging.getLogger(__name__)

Operations = Mapping[tuple[str, str], Operation]


class Dialect:
    """An ASGI application. `operations` by service and name."""

    def __init__(
        self, app: App, operations: Operations, max_body_bytes: int, public_url: str = ""
    ) -> None:
        self._app, self._operations, self._limit = app, operations, max_body_bytes
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id: str = scope["modelkeep.request_id"]
        is_json, kind = protocol_of(scope) == JSON, b"application/x-amz-json-1.1"
        try:
            body = await read_body(scope, receive, self._limit)
            signature = sigv4.read(scope)
            if is_json:
                target = by_target(scope)
                params = parsing.from_json(target.operation.input, body)
            else:
                fields = parsing.form(body)
                target = by_action(signature, fields)
                params = parsing.from_query(target.operation.input, fields)
            kind = target.kind
            scope[ROUTE] = f"{target.operation.service.name}:{target.operation.name}"
            result = await self._answer(scope, target, params, signature)
            shape = target.operation.output
            status, told = (
                200,
                (
                    rendering.to_json(shape, result)
                    if is_json
                    else rendering.to_query(target.operation, result, request_id)
                ),
            )
            code = ""
        except Exception as error:  # noqa: BLE001 - the outermost handler of a call
            refused = _refusal(error, request_id)
            status, code = refused.status, refused.code
            told = errors.to_json(refused) if is_json else errors.to_query(refused, request_id)
            kind = kind if is_json else b"text/xml"
        await _send(send, status, kind, told, request_id, code)

    async def _answer(
        self,
        scope: Scope,
        target: Target,
        params: dict[str, Any],
        signature: sigv4.Signature | None,
    ) -> Mapping[str, Any]:
        asked = target.operation
        operation = self._operations.get((asked.service.name, asked.name))
        if operation is None:
            raise Coded(
                "UnknownOperationException" if target.protocol == JSON else "InvalidAction",
                f"modelkeep does not have the operation {asked.name}.",
            )
        constraints.check(asked.input, params)
        region = signature.region if signature else REGION
        base = address_of(scope, self._public_url)
        call = Call(self._caller(scope, signature), params, region, ACCOUNT, base)
        operation.admit(call)
        return await operation.handle(self._app, call)

    def _caller(self, scope: Scope, signature: sigv4.Signature | None) -> Caller:
        """Without accounts the key's id is a claim, as a user name is in the other dialects."""
        name = signature.key_id if signature else ""
        return Caller(Actor(name) if name else Actor(), scope["modelkeep.request_id"])


def _refusal(error: Exception, request_id: str) -> Refusal:
    if isinstance(error, ModelkeepError):
        return errors.refusal(error)
    _log.error("request %s failed", request_id, exc_info=error)
    return Refusal(500, "InternalFailure", f"Internal error; request id {request_id}.")


async def _send(
    send: Send, status: int, kind: bytes, body: bytes, request_id: str, code: str
) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    if code:
        headers.append((b"x-amzn-errortype", code.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
