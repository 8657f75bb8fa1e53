"""Where AWS's clients come in: `POST /`, whatever service they mean, and addresses signed for STS;
and, to be told in their own words that it is not here, those who signed some path for another
service.

The request is read, its signature verified where there are accounts, its parameters checked against
the model, and answered in one write. A refusal is said in the protocol's own words: an SDK never
sees a page of HTML.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.addresses import address_of
from modelkeep.protocols.aws import constraints, errors, models, parsing, rendering, sigv4
from modelkeep.protocols.aws.calls import REGION, Call, Operation
from modelkeep.protocols.aws.dispatch import (
    JSON,
    QUERY,
    REST,
    Target,
    by_action,
    by_target,
    check_method,
    form_of,
    kind_of,
    protocol_of,
    unknown,
)
from modelkeep.protocols.aws.errors import Refusal
from modelkeep.protocols.aws.operations import ABSENT
from modelkeep.protocols.aws.signers import Signers, hashed, wrong_service
from modelkeep.protocols.http import Receive, Scope, Send, caller_of, claimed_actor, read_body
from modelkeep.services.app import App
from modelkeep.telemetry.tallies import ROUTE

_log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 4 << 20  # more than any operation takes

Operations = Mapping[tuple[str, str], Operation]


@dataclass(frozen=True, slots=True)
class Entered:
    """What a call was signed for, a service ("" if it is not signed) and a region; and by which
    account."""

    service: str
    region: str
    account: str


class Dialect:
    """An ASGI application. `operations` by service and name; `account` is the number of
    the server's own account. Without `signers` there are no accounts, and nothing is verified.
    """

    def __init__(
        self,
        app: App,
        operations: Operations,
        max_body_bytes: int,
        account: str,
        signers: Signers | None,
        public_url: str = "",
    ) -> None:
        self._app, self._operations = app, operations
        self._limit = min(max_body_bytes, BODY_LIMIT_BYTES)
        self._account, self._signers = account, signers
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id: str = scope["modelkeep.request_id"]
        protocol = protocol_of(scope)
        is_json = protocol != QUERY
        kind = kind_of(scope, protocol)
        try:
            body, entered = await self._enter(scope, receive)
            _check_here(scope, protocol, entered.service)
            check_method(scope, protocol, entered.service)
            fields = {} if is_json else form_of(scope, body)
            target = by_target(scope) if is_json else by_action(entered.service, fields)
            asked = target.operation
            scope[ROUTE] = f"{asked.service.name}:{asked.name}"
            self._check_service(entered, asked)
            params = (
                parsing.from_json(asked.input, body)
                if is_json
                else parsing.from_query(asked.input, fields)
            )
            told = await self._answer(scope, target, params, entered)
            status, code = 200, ""
        except Exception as error:  # noqa: BLE001 - the outermost handler of a call
            refused = _refusal(error, request_id)
            status, code = refused.status, refused.code
            told = errors.to_json(refused) if is_json else errors.to_query(refused, request_id)
        await _send(send, status, kind, told, request_id, code)

    async def _enter(self, scope: Scope, receive: Receive) -> tuple[bytes, Entered]:
        """The body, and who sends it. Raises Unauthenticated."""
        if self._signers is None:
            body = await read_body(scope, receive, self._limit)
            claim = sigv4.claimed(scope)
            if claim is None:
                return body, Entered("", REGION, self._account)
            # Without accounts the key's id is a claim, as a user name is in the other dialects.
            caller = Caller(claimed_actor(claim.key_id), scope["modelkeep.request_id"])
            scope["modelkeep.caller"] = caller
            return body, Entered(claim.service, claim.region, self._account)
        signature, key = self._signers.find(scope)
        body = await read_body(scope, receive, self._limit)
        self._signers.enter(scope, signature, key, hashed(signature, body))
        number = key.account_number or self._account
        return body, Entered(signature.service, signature.region, number)

    def _check_service(self, entered: Entered, asked: models.Operation) -> None:
        if self._signers and entered.service != asked.service.name:
            raise wrong_service(asked.service.name)

    async def _answer(
        self, scope: Scope, target: Target, params: dict[str, Any], entered: Entered
    ) -> bytes:
        asked, is_json = target.operation, target.protocol == JSON
        name = (asked.service.name, asked.name)
        operation = self._operations.get(name)
        if operation is None:
            said = f"modelkeep does not have the operation {asked.name}. {ABSENT.get(name, '')}"
            raise unknown(target.protocol, said.rstrip())
        constraints.check(asked.input, params)
        base = address_of(scope, self._public_url)
        call = Call(
            entered.region,
            self._account,
            caller_of(scope),
            params,
            base,
            asked.name,
            entered.account,
        )
        operation.admit(call)
        if is_json and operation.known and (body := await operation.known(self._app, call)):
            return body
        result = await operation.handle(self._app, call)
        if is_json:
            return rendering.to_json(asked.output, result)
        return rendering.to_query(asked, result, scope["modelkeep.request_id"])


def _check_here(scope: Scope, protocol: str, service: str) -> None:
    """Raises Coded for a service that is not here, and for a path: none of ours has any."""
    if service and service not in models.BY_SCOPE:
        raise unknown(protocol, f"modelkeep does not have the service {service}.")
    if protocol == REST:
        what = f"{scope['method']} {scope['path'][:200]}"
        raise unknown(protocol, f"modelkeep does not have {what} of {service or 'any service'}.")


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
