"""From our errors to those of AWS's services: codes that SDKs match on, in each protocol's shape.

"Not found" of SageMaker's registry is a `ValidationException`, as on the real one; only model cards
and a few others have `ResourceNotFound`. A sentence never repeats "An error occurred": botocore
says that itself. Clients retry 5xx, so a client's mistake must never be one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from modelkeep.domain import errors
from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.aws.constraints import Violation
from modelkeep.protocols.aws.parsing import Malformed
from modelkeep.protocols.aws.signers import MissingToken
from modelkeep.protocols.aws.sigv4 import IncompleteSignature, SignatureDoesNotMatch
from modelkeep.protocols.aws.texts import escape, whole
from modelkeep.telemetry import logs


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    message: str


class Coded(ModelkeepError):
    """A refusal with a code of its service's own."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


_JSON: Mapping[type[ModelkeepError], tuple[int, str]] = {
    IncompleteSignature: (400, "IncompleteSignature"),
    SignatureDoesNotMatch: (403, "InvalidSignatureException"),
    Malformed: (400, "SerializationException"),
    Violation: (400, "ValidationException"),
    errors.InvalidInput: (400, "ValidationException"),
    MissingToken: (403, "MissingAuthenticationTokenException"),
    errors.Replayed: (403, "InvalidSignatureException"),
    errors.Unauthenticated: (403, "UnrecognizedClientException"),
    errors.Forbidden: (403, "AccessDeniedException"),
    errors.NotFound: (400, "ValidationException"),
    errors.AlreadyExists: (400, "ValidationException"),
    errors.Conflict: (400, "ConflictException"),
    errors.TooOften: (400, "ThrottlingException"),
    errors.LimitExceeded: (400, "ResourceLimitExceeded"),
    errors.IntegrityFailure: (400, "ConflictException"),
    errors.Unavailable: (503, "ServiceUnavailable"),
}
_QUERY: Mapping[str, str] = {  # where the query services call it otherwise
    "SerializationException": "MalformedQueryString",
    "ValidationException": "ValidationError",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "AccessDeniedException": "AccessDenied",
    "ThrottlingException": "Throttling",
}


def refusal(error: ModelkeepError) -> Refusal:
    """The status, code and sentence of an error."""
    logs.tell_of_damage(error)
    if isinstance(error, Coded):
        return Refusal(error.status, error.code, whole(error.message))
    status, code = next(_JSON[base] for base in type(error).__mro__ if base in _JSON)
    return Refusal(status, code, whole(error.message))


def to_json(told: Refusal) -> bytes:
    return msgspec.json.encode(
        {"__type": told.code, "Message": told.message, "message": told.message}
    )


def to_query(told: Refusal, request_id: str) -> bytes:
    kind = "Receiver" if told.status >= 500 else "Sender"
    code = _QUERY.get(told.code, told.code)
    return (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(told.message)}</Message></Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    ).encode()
