"""From our errors to the native API's: a status and a short code, which `problems` tells."""

from collections.abc import Iterator

from modelkeep.domain import errors
from modelkeep.domain.errors import ModelkeepError

_WIRE: dict[type[ModelkeepError], tuple[int, str]] = {
    errors.InvalidInput: (400, "invalid_input"),
    errors.KeyReused: (422, "key_reused"),
    errors.Unauthenticated: (401, "unauthenticated"),
    errors.Blocked: (403, "blocked"),
    errors.Forbidden: (403, "forbidden"),
    errors.NotFound: (404, "not_found"),
    errors.AlreadyExists: (409, "already_exists"),
    errors.StaleRevision: (409, "stale_revision"),
    errors.Conflict: (409, "conflict"),
    errors.TooOften: (429, "too_often"),
    errors.LimitExceeded: (413, "limit_exceeded"),
    errors.IntegrityFailure: (409, "integrity_failure"),
    errors.Unavailable: (503, "unavailable"),
}


def status_and_code(kind: type[ModelkeepError]) -> tuple[int, str]:
    """The wire of an error class, by its nearest listed ancestor."""
    return next(_WIRE[base] for base in kind.__mro__ if base in _WIRE)


def kinds() -> Iterator[tuple[int, str, str, str]]:
    """(status, code, title, meaning) of every class that has a code of its own."""
    for kind, (status, code) in _WIRE.items():
        meaning = " ".join((kind.__doc__ or "").split())
        yield status, code, code.replace("_", " ").capitalize(), meaning
