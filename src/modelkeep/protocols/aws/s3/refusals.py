"""From our errors to those of S3."""

import logging
from collections.abc import Mapping

from modelkeep.domain import errors
from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.aws.errors import Coded, Refusal
from modelkeep.protocols.aws.signers import MissingToken
from modelkeep.protocols.aws.sigv4 import (
    Expired,
    IncompleteSignature,
    SignatureDoesNotMatch,
    Skewed,
)
from modelkeep.telemetry import logs

_log = logging.getLogger(__name__)

_CODES: Mapping[type[ModelkeepError], tuple[int, str]] = {
    MissingToken: (403, "AccessDenied"),
    IncompleteSignature: (400, "AuthorizationHeaderMalformed"),
    Expired: (403, "AccessDenied"),
    Skewed: (403, "RequestTimeTooSkewed"),
    SignatureDoesNotMatch: (403, "SignatureDoesNotMatch"),
    errors.Replayed: (403, "RequestTimeTooSkewed"),
    errors.Unauthenticated: (403, "InvalidAccessKeyId"),
    errors.InvalidInput: (400, "InvalidArgument"),
    errors.Forbidden: (403, "AccessDenied"),
    errors.NotFound: (404, "NoSuchKey"),
    errors.AlreadyExists: (409, "OperationAborted"),
    errors.PreconditionFailed: (412, "PreconditionFailed"),
    errors.Conflict: (409, "OperationAborted"),
    errors.LimitExceeded: (400, "InvalidRequest"),
    errors.IntegrityFailure: (409, "IntegrityFailure"),
    errors.Unavailable: (503, "SlowDown"),
}
_WORDS: Mapping[type[ModelkeepError], str] = {  # S3's own, where SDKs and people look for them
    Expired: "Request has expired",
    Skewed: "The difference between the request time and the current time is too large.",
}


def refusal(error: BaseException, request_id: str) -> Refusal:
    """What a client is told; what we did not expect is logged, and told by its request's id."""
    if not isinstance(error, ModelkeepError):
        _log.error("request %s failed", request_id, exc_info=error)
        return Refusal(500, "InternalError", f"Internal error; request id {request_id}.")
    logs.tell_of_damage(error)
    if isinstance(error, Coded):
        return Refusal(error.status, error.code, error.message)
    status, code = next(_CODES[base] for base in type(error).__mro__ if base in _CODES)
    return Refusal(status, code, _WORDS.get(type(error), error.message))
