"""From our errors to MLflow's: its status codes, its codes, its shape.

MLflow's clients retry 5xx, so a client's mistake must never be one; and "already exists" is 400
on this wire, not 409 (MLflow 3.18, `exceptions.py`).
"""

import msgspec

from modelkeep.domain import errors
from modelkeep.domain.errors import ModelkeepError
from modelkeep.telemetry import logs

_WIRE: dict[type[ModelkeepError], tuple[int, str]] = {
    errors.InvalidInput: (400, "INVALID_PARAMETER_VALUE"),
    errors.Unauthenticated: (401, "UNAUTHENTICATED"),
    errors.Forbidden: (403, "PERMISSION_DENIED"),
    errors.NotFound: (404, "RESOURCE_DOES_NOT_EXIST"),
    errors.AlreadyExists: (400, "RESOURCE_ALREADY_EXISTS"),
    errors.Conflict: (409, "RESOURCE_CONFLICT"),
    errors.LimitExceeded: (400, "INVALID_PARAMETER_VALUE"),
    errors.IntegrityFailure: (409, "RESOURCE_CONFLICT"),
    errors.Unavailable: (503, "TEMPORARILY_UNAVAILABLE"),
}


def status_and_code(kind: type[ModelkeepError]) -> tuple[int, str]:
    """The wire of an error class, by its nearest listed ancestor."""
    return next(_WIRE[base] for base in kind.__mro__ if base in _WIRE)


def render(error: ModelkeepError) -> tuple[int, bytes]:
    """(status, JSON body) as MLflow's clients read them."""
    logs.tell_of_damage(error)
    status, code = status_and_code(type(error))
    return status, body(code, error.message)


def body(code: str, message: str) -> bytes:
    return msgspec.json.encode({"error_code": code, "message": message})
