"""The one vocabulary of what can go wrong.

An error knows what happened and to which thing, in a sentence a person can act on. It knows no
status and no wire code: each protocol owns a table from these classes to its own wire
(`protocols/*/errors.py`), and an architecture test fails if any leaf of this tree would answer 500.
"""


class ModelkeepError(Exception):
    """The root. `message` is shown to the caller as it stands."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(ModelkeepError):
    """The caller sent something that can't be right; the message names the field and the limit."""


class KeyReused(InvalidInput):
    """The idempotency key was used for another call before."""


class InvalidPattern(InvalidInput):
    """An event pattern that is none, or has a filter that is not known here."""


class Unauthenticated(ModelkeepError):
    """Who is asking must be known first."""


class Replayed(Unauthenticated):
    """The signature was used for a change before: it may be somebody else who sends it again."""


class Forbidden(ModelkeepError):
    """This caller may not do this."""


class Unmet(Forbidden):
    """A use case needs a role with a verb on a model, as only it could tell."""

    def __init__(self, message: str, verb: str, model: str) -> None:
        super().__init__(message)
        self.verb, self.model = verb, model


class Blocked(Forbidden):
    """The version is blocked or retired: it is not to be loaded any more."""


class NotFound(ModelkeepError):
    """No such thing, or none that this caller may know of."""


class NoGroup(NotFound):
    """No such group of packages."""


class NoPackage(NotFound):
    """No such package."""


class AlreadyExists(ModelkeepError):
    """The name is taken."""


class Conflict(ModelkeepError):
    """The request was right once, but the thing has moved on."""


class StaleRevision(Conflict):
    """The caller named an epoch that is no longer current."""


class PreconditionFailed(Conflict):
    """The caller said what must hold of a thing, and it does not."""


class TransitionNotAllowed(Conflict):
    """The lifecycle has no such step from here."""


class AlreadyDecided(Conflict):
    """The request was approved, rejected or voided before."""


class LimitExceeded(ModelkeepError):
    """Too many, too long or too large; the message names the limit."""


class TooOften(LimitExceeded):
    """The same was tried too many times in a short while; the message says when to go on."""


class IntegrityFailure(ModelkeepError):
    """Stored bytes no longer hash to what was recorded. They are not served."""


class Unavailable(ModelkeepError):
    """Not now: the database, or the disk, is not to be had. The message says what remains."""
