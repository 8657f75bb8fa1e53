"""Which operation of which service a request asks for.

One port serves them all: JSON services name themselves in `X-Amz-Target`, query services in the
scope of the signature (or, unsigned, by the version of the API) and the form's `Action`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelkeep.protocols.aws import models
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.models import Operation
from modelkeep.protocols.http import Scope, header

JSON, QUERY, REST = "json", "query", "rest-json"
_QUERY_SERVICES = ("sns", "sts", "iam")


@dataclass(frozen=True, slots=True)
class Target:
    """An operation, and how the caller speaks: `kind` is the answer's media type."""

    operation: Operation
    protocol: str
    kind: bytes


def protocol_of(scope: Scope) -> str:
    """JSON where a target is named; else the form of the query services, at `/`."""
    if header(scope, b"x-amz-target"):
        return JSON
    return QUERY if scope["path"] == "/" else REST


def unknown(protocol: str, message: str) -> Coded:
    """The refusal of what is not here, by the code that a protocol has for it."""
    status = 404 if protocol == REST else 400
    code = "InvalidAction" if protocol == QUERY else "UnknownOperationException"
    return Coded(code, message, status)


def by_target(scope: Scope) -> Target:
    """The operation that `X-Amz-Target` names. Raises Coded for one that is not there."""
    prefix, _, name = header(scope, b"x-amz-target").rpartition(".")
    service = models.BY_TARGET.get(prefix)
    operation = models.service(service).operation(name) if service else None
    if operation is None:
        raise Coded("UnknownOperationException", f"There is no operation {prefix}.{name} here.")
    version = b"1.0" if b"json-1.0" in header(scope, b"content-type").encode() else b"1.1"
    return Target(operation, JSON, b"application/x-amz-json-" + version)


def by_action(signed_for: str, fields: Mapping[str, str]) -> Target:
    """The operation that a form's `Action` names, of the service that the call was signed for (""
    for none). Raises Coded for one that is not there."""
    action, version = fields.get("Action", ""), fields.get("Version", "")
    if not action:
        raise Coded("MissingAction", "The request says no Action.")
    scope = models.BY_SCOPE.get(signed_for)
    for name in [scope] if scope else _QUERY_SERVICES:
        service = models.service(name)
        operation = service.operation(action) if scope or service.version == version else None
        if operation is not None:
            return Target(operation, QUERY, b"text/xml")
    raise Coded("InvalidAction", f"There is no operation {action} of {version or 'this API'} here.")
