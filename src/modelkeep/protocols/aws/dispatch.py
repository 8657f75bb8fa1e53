"""Which operation of which service a request asks for.

One port serves them all: JSON services name themselves in `X-Amz-Target`, query services in the
scope of the signature (or, unsigned, by the version of the API) and the form's `Action`. An address
that somebody signed for STS has the form in its query.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelkeep.protocols.aws import models, parsing
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.models import Operation
from modelkeep.protocols.http import Scope, header

JSON, QUERY, REST = "json", "query", "rest-json"
_QUERY_SERVICES = ("sns", "sts", "iam")


@dataclass(frozen=True, slots=True)
class Target:
    """An operation, and how the caller speaks."""

    operation: Operation
    protocol: str


def protocol_of(scope: Scope) -> str:
    """JSON where a target is named; else the form of the query services, at `/`."""
    if header(scope, b"x-amz-target"):
        return JSON
    return QUERY if scope["path"] == "/" else REST


def kind_of(scope: Scope, protocol: str) -> bytes:
    """The media type of an answer: in JSON of the version that was spoken, 1.1 or 1.0."""
    if protocol == QUERY:
        return b"text/xml"
    if protocol == REST:
        return b"application/json"
    version = b"1.0" if "json-1.0" in header(scope, b"content-type") else b"1.1"
    return b"application/x-amz-json-" + version


def unknown(protocol: str, message: str) -> Coded:
    """The refusal of what is not here, by the code that a protocol has for it."""
    status = 404 if protocol == REST else 400
    code = "InvalidAction" if protocol == QUERY else "UnknownOperationException"
    return Coded(code, message, status)


def check_method(scope: Scope, protocol: str, signed_for: str) -> None:
    """Raises Coded for what no operation is asked by: all are by POST, and those of STS, which
    change nothing, by GET as well."""
    method = scope["method"]
    is_read = method == "GET" and protocol == QUERY and signed_for == "sts"
    if method != "POST" and not is_read:
        raise unknown(protocol, f"No operation is asked for by {method} here: use POST.")


def form_of(scope: Scope, body: bytes) -> Mapping[str, str]:
    """The fields of a query service's form. Raises Malformed."""
    return parsing.form(body or scope["query_string"])


def by_target(scope: Scope) -> Target:
    """The operation that `X-Amz-Target` names. Raises Coded for one that is not there."""
    prefix, _, name = header(scope, b"x-amz-target").strip().rpartition(".")
    service = models.BY_TARGET.get(prefix)
    operation = models.service(service).operation(name) if service else None
    if operation is None:
        raise Coded("UnknownOperationException", f"There is no operation {prefix}.{name} here.")
    return Target(operation, JSON)


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
            return Target(operation, QUERY)
    raise Coded("InvalidAction", f"There is no operation {action} of {version or 'this API'} here.")
