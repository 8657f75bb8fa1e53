"""What stands between a call and the use cases: nothing runs that no rule has admitted.

With accounts, the edge says at the beginning of each call who asks (`ask`), and the rule of the
call's route says what they need for it (`admit`). Until then a `Gate` runs nothing, so that a call
whose rule was forgotten does nothing. What it then runs sees only the models that the caller may
see: any other is, in every answer, one that does not exist. Needs that hang on a model's tags are
settled in the transaction of the use case itself.

Without accounts nobody asks, and there are no gates.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from modelkeep.domain.access import EVERYTHING, Access, Caller, Kind, Reach, Scope, Verb, person
from modelkeep.domain.errors import Forbidden, Unmet
from modelkeep.domain.models import Model
from modelkeep.domain.resources import Kind as ResourceKind
from modelkeep.domain.resources import Resource
from modelkeep.domain.sharing import Guest, Lent
from modelkeep.ports.work import About, Work
from modelkeep.services import guests
from modelkeep.services.app import App, Reader, Runner


@dataclass(frozen=True, slots=True)
class Need:
    """A verb: on a model by its name or by what finds it, on anything at all, or on everything."""

    verb: Verb
    model: str | None = None
    find: Callable[[Work], str | None] | None = None
    anywhere: bool = False
    as_name: str | None = None  # the model's name, as it would be

    def is_met(self, access: Access) -> bool | None:
        """Whether the grants allow it; None where a model has to be looked at."""
        if self.anywhere:
            return access.may_somewhere(self.verb)
        if access.may(self.verb, self.as_name or self.model):
            return True
        if self.model is None and self.find is None:
            return False
        # What may not be read is not there for the use case: there is nothing left to settle.
        return True if self.verb is Verb.READ else None

    def check(self, work: Work, access: Access) -> None:
        """Raises Forbidden. A model that is not there, or not to be seen, is not its affair: the
        use case says so, in the same words for both."""
        meant = self.meant(work)
        if meant and not access.may(self.verb, self.as_name or meant.name, meant.tags):
            raise self.refusal(self.as_name or meant.name)

    def meant(self, work: Work) -> Model | Resource | None:
        """What it is on, if that is there."""
        name = self.find(work) if self.find else self.model
        return work.models.get(name) if name else None

    def refusal(self, model: str = "") -> Forbidden:
        of = f" on model {model}" if model else "" if self.anywhere else " on everything"
        return Forbidden(f"Permission denied. This needs a role that may {self.verb}{of}.")


def demand(work: Work, caller: Caller, verb: Verb, model: str) -> None:
    """Within a use case, where what a call takes hangs on what it comes to. Raises Unmet."""
    known = work.models.get(model)
    if known and not caller.access.may(verb, known.name, known.tags):
        raise Unmet(Need(verb).refusal(model).message, verb, model)


@dataclass(frozen=True, slots=True)
class Permit:
    """What one call may do. `needs` are those left to settle; None until a rule has spoken.
    `denied` are those that were not met, of the whole call. `spend` goes before each change, in its
    transaction: the call may not make it if that raises. A `guest` sees what is `lent` them.
    """

    caller: Caller
    needs: tuple[Need, ...] | None = None
    sees_all: bool = field(default=False)
    denied: list[Need] = field(default_factory=list)
    spend: Callable[[Work], None] | None = None
    guest: Guest | None = None
    lent: Lent | None = None

    def change(self, work: Work, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.spend:
            self.spend(work)
        return self.run(work, use_case, *args, **kwargs)

    def run(self, work: Work, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        access = self.caller.access
        seen = self._view(work)
        for need in self.needs or ():
            try:
                need.check(seen, access)
            except Forbidden:
                self.denied.append(need)
                raise
        try:
            return use_case(seen, *args, **kwargs)
        except Unmet as unmet:
            self.denied.append(Need(Verb(unmet.verb), model=unmet.model))
            raise

    def _view(self, work: Work) -> Work:
        if self.sees_all:
            return work
        if self.guest is None or self.lent is None:
            return work.seen_by(self.caller.access)
        try:
            return guests.seen_by(work, self.caller.access, self.guest, self.lent)
        except Forbidden:
            self.denied.extend(self.needs or ())
            raise


_current: ContextVar[Permit | None] = ContextVar("permit", default=None)


def ask(
    caller: Caller, spend: Callable[[Work], None] | None = None, guest: Guest | None = None
) -> None:
    """Says who makes the call that runs in this context, and what each change of it spends; of one
    who speaks for another account, which."""
    _current.set(Permit(caller, spend=spend, guest=guest))


def admit(*needs: Need, lent: Lent | None = None) -> None:
    """Lets the call run its use cases. Raises Forbidden where the grants suffice to say no, and for
    a guest to whom no policy of a group could have it lent."""
    permit = _current.get()
    if permit is None:  # there are no accounts
        return
    if permit.guest and lent is None:
        raise guests.refusal(permit.guest)
    access = permit.caller.access
    met = [need.is_met(access) for need in needs]
    for need, is_met in zip(needs, met, strict=True):
        if is_met is False:
            permit.denied.append(need)
            raise need.refusal()
    left = tuple(need for need, is_met in zip(needs, met, strict=True) if is_met is None)
    if permit.guest:
        _current.set(replace(permit, needs=needs, lent=lent))
    else:
        _current.set(replace(permit, needs=left, sees_all=access.may(Verb.READ)))


def denied() -> list[Need]:
    """What the call that runs in this context was denied so far."""
    permit = _current.get()
    return permit.denied if permit else []


def admit_bearer() -> None:
    """Lets a call run that carries its own permission, whoever makes it."""
    permit = _current.get()
    if permit is not None:
        _current.set(replace(permit, needs=(), sees_all=True))


def admit_new(name: str, tags: Mapping[str, str]) -> None:
    """Admits the making of a model by a name, with these tags.

    Where a tag decides who may do what, it takes a role on that very tag. Raises Forbidden.
    """
    permit = _current.get()
    if permit is None:
        return
    access = permit.caller.access
    if not access.may(Verb.WRITE, name, tags):
        raise Need(Verb.WRITE).refusal(name)
    allowed = access.scopes(Verb.WRITE)
    for key in access.deciding_tags & tags.keys():
        if EVERYTHING not in allowed and Scope(Reach.TAG, tags[key], key) not in allowed:
            raise Forbidden(f"Permission denied. Grants hang on the tag {key}: an admin sets it.")
    admit()


def admit_tag(name: str, key: str, value: str | None) -> None:
    """Admits the setting of a model's tag or, without a value, its taking away. Raises
    Forbidden."""
    on = Need(Verb.WRITE, model=name)
    admit(on, *of_tags(on, {key: value}))


def of_tags(on: Need, changes: Mapping[str, str | None]) -> list[Need]:
    """What setting these tags, or taking away those that are None, needs besides the right to
    change what has them."""
    permit = _current.get()
    decides = permit is not None and permit.caller.access.deciding_tags & changes.keys()
    if not decides:
        return []
    # A denial is told of models alone, by what names one.
    named = {} if isinstance(on, _OnResource) else {"model": on.model, "find": on.find}
    return [_OnBothSides(Verb.ADMIN, on=on, changes=changes, **named)]


@dataclass(frozen=True, slots=True)
class _OnBothSides(Need):
    """That somebody administers what has tags on which grants hang, as it is and as it will be: all
    that has the tag's value or, without one, the thing itself."""

    on: Need | None = None
    changes: Mapping[str, str | None] = field(default_factory=dict)

    def is_met(self, access: Access) -> bool | None:
        if access.may(self.verb):
            return True
        return None if access.may_somewhere(self.verb) else False

    def check(self, work: Work, access: Access) -> None:
        meant = self.on.meant(work) if self.on else None
        if meant is None:
            return
        left = {key: value for key, value in meant.tags.items() if key not in self.changes}
        new = left | {key: value for key, value in self.changes.items() if value is not None}
        for key in access.deciding_tags & self.changes.keys():
            for tags in (meant.tags, new):
                if not _administers(access, meant.name, tags, key):
                    raise self.refusal(meant.name)

    def refusal(self, model: str = "") -> Forbidden:
        keys = ", ".join(sorted(self.changes))
        return Forbidden(
            f"Permission denied. Grants hang on tags among these: {keys}. To change one needs a "
            "role that may admin on both sides: on what it has been, and on what it will be."
        )


def _administers(access: Access, name: str, tags: Mapping[str, str], key: str) -> bool:
    if key not in tags:
        return access.may(Verb.ADMIN, name, tags)
    scopes = access.scopes(Verb.ADMIN)
    return EVERYTHING in scopes or Scope(Reach.TAG, tags[key], key) in scopes


@dataclass(frozen=True, slots=True)
class _OnResource(Need):
    """A verb on a resource: what a model of its name and its tags would be to the caller, it is."""

    kind: ResourceKind = ResourceKind.CARD

    def meant(self, work: Work) -> Resource | None:
        return work.resources.get(self.kind, self.model or "")

    def refusal(self, model: str = "") -> Forbidden:
        return Forbidden(
            f"Permission denied. This needs a role that may {self.verb} on {self.kind} "
            f"{model or self.model}."
        )


def on_resource(verb: Verb, kind: ResourceKind, name: str) -> Need:
    """What a verb on a resource takes."""
    return _OnResource(verb, model=name, kind=kind)


@dataclass(frozen=True, slots=True)
class _Answering(Need):
    """That the caller is who answers for a service account, or an administrator."""

    person: str = ""
    account: str = ""

    def is_met(self, access: Access) -> bool | None:
        return access.may(self.verb) or None

    def check(self, work: Work, access: Access) -> None:
        if self.person not in work.accounts.owners_of([self.account]):
            raise self.refusal()


def admit_account(name: str) -> None:
    """Admits what people may do with their own account, and those of the services they own."""
    permit = _current.get()
    if permit is None:
        return
    actor = permit.caller.actor
    is_own = actor.kind is Kind.USER and person(actor.name) == person(name)
    admit(*(() if is_own else (_Answering(Verb.ADMIN, person=actor.name, account=name),)))


class Gate:
    """Runs use cases for the calls that a rule has admitted."""

    def __init__(self, behind: Runner) -> None:
        self._behind = behind

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        permit = _admitted()
        if permit.sees_all and not permit.needs:
            return await self._behind.submit(use_case, *args, **kwargs)
        return await self._behind.submit(permit.run, use_case, *args, **kwargs)


class WriteGate(Gate):
    """As `Gate`, for those that change something."""

    async def submit(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        permit = _admitted()
        if permit.spend is None:
            return await super().submit(use_case, *args, **kwargs)
        return await self._behind.submit(permit.change, use_case, *args, **kwargs)


class ReadGate(Gate):
    """As `Gate`, for those that only read."""

    def __init__(self, behind: Reader) -> None:
        super().__init__(behind)
        self._reader = behind

    async def recall(self, use_case: Callable[..., About[Any]], *args: str | int) -> Any:
        permit = _admitted()
        if permit.sees_all and not permit.needs:
            return await self._reader.recall(use_case, *args)
        # What is remembered is what is there, not what one may see of it.
        return (await self._reader.submit(permit.run, use_case, *args, point=True)).value

    async def search(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._reader.search(_admitted().run, use_case, *args, **kwargs)


def gated(app: App) -> App:
    """An application of which calls get only what a rule has admitted."""
    return replace(app, reader=ReadGate(app.reader), writer=WriteGate(app.writer))


def _admitted() -> Permit:
    permit = _current.get()
    if permit is None or permit.needs is None:
        raise RuntimeError("no rule has admitted this call")
    return permit
