"""What each route asks of whoever calls it; a route without a rule cannot be mounted.

A rule reads its call when that has been parsed, so that it judges the very values that the use
case gets, and admits it (`services.permits`) or raises Forbidden. It decorates a handler of the
native API; MLflow's calls and files have theirs in a table (`protocols.mlflow.rules`).

    @post("/promotions")
    @on(Verb.PROMOTE, "data.model")
    async def promote(data: Promote) -> …
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from modelkeep.domain.access import Verb
from modelkeep.ports.work import Work
from modelkeep.services import permits
from modelkeep.services.permits import Need

P = ParamSpec("P")
T = TypeVar("T")
_ATTRIBUTE = "modelkeep_rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """`admit` takes the parsed call; `verb` is what the rule asks for, for those who read of it."""

    admit: Callable[[Any], None]
    verb: Verb | None = None

    def __call__(self, handler: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """The handler, admitting each call by its arguments first."""

        @wraps(handler)
        async def admitted(*args: P.args, **kwargs: P.kwargs) -> T:
            self.admit(SimpleNamespace(**kwargs))
            return await handler(*args, **kwargs)

        setattr(admitted, _ATTRIBUTE, self)
        return admitted


def rule_of(handler: Any) -> Rule | None:
    """The rule that decorates a handler."""
    return getattr(handler, _ATTRIBUTE, None)


def _needing(needs: Callable[[Any], Iterable[Need]], verb: Verb | None = None) -> Rule:
    return Rule(lambda call: permits.admit(*needs(call)), verb)


# Carries its own permission. What asks nobody for a token is for `protocols.doors` to know.
BEARER = Rule(lambda _: permits.admit_bearer())
# Anybody with an account; what they get of models is what they may see.
KNOWN = _needing(lambda _: ())


def somewhere(verb: Verb) -> Rule:
    """Needs a verb on anything at all: for what belongs to no model."""
    return _needing(lambda _: (Need(verb, anywhere=True),), verb)


def everywhere(verb: Verb) -> Rule:
    """Needs a verb on everything."""
    return _needing(lambda _: (Need(verb),), verb)


def on(verb: Verb, field: str = "name") -> Rule:
    """Needs a verb on the model that a field of the call names."""
    name = attrgetter(field)
    return _needing(lambda call: (Need(verb, model=name(call)),), verb)


def of_account(field: str = "name") -> Rule:
    """For the person whose account it is, whoever answers for it, and administrators."""
    name = attrgetter(field)
    return Rule(lambda call: permits.admit_account(name(call)))


def on_request(verb: Verb) -> Rule:
    """Needs a verb on the model of the approval request that `request_id` names."""
    return _needing(lambda call: (Need(verb, find=_model_of_request(call.request_id)),), verb)


def on_emergency(verb: Verb) -> Rule:
    """Needs a verb on the model of the emergency that `emergency_id` names."""
    return _needing(lambda call: (Need(verb, find=_model_of_emergency(call.emergency_id)),), verb)


def _model_of_emergency(emergency_id: int) -> Callable[[Work], str | None]:
    def find(work: Work) -> str | None:
        found = work.emergencies.get(emergency_id)
        version = work.versions.by_id(found.version_id) if found else None
        return version.model_name if version else None

    return find


def _model_of_request(request_id: int) -> Callable[[Work], str | None]:
    def find(work: Work) -> str | None:
        found = work.governance.request(request_id)
        version = work.versions.by_id(found[0].version_id) if found else None
        return version.model_name if version else None

    return find
