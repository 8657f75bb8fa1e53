"""Who may give a verdict on a package: whoever votes where a policy guards production, and whoever
moves it. Which of the two a verdict comes to is told once it is given (`verdicts.cast`)."""

from dataclasses import dataclass, replace

from modelkeep.domain.access import Access, Verb
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.ports.work import Work
from modelkeep.services.permits import Need
from modelkeep.services.policies import lifecycle_of


def verb_of_votes(cycle: Lifecycle) -> Verb:
    """What a verdict takes that moves nothing by itself."""
    return Verb.APPROVE if cycle.is_guarded(cycle.production) else Verb.PROMOTE


@dataclass(frozen=True, slots=True)
class Voting(Need):
    """A role that approves or promotes: `verdicts.cast` asks for the one that it comes to. On a
    model of which no policy guards production nobody votes, and it takes one that promotes."""

    def is_met(self, access: Access) -> bool | None:
        return (access.may(Verb.APPROVE) and access.may(Verb.PROMOTE)) or None

    def check(self, work: Work, access: Access) -> None:
        name = self.find(work) if self.find else self.model
        model = work.models.get(name) if name else None
        if model is None:
            return
        verb = verb_of_votes(lifecycle_of(work, model.name))
        if not any(access.may(v, model.name, model.tags) for v in (verb, Verb.PROMOTE)):
            raise replace(self, verb=verb).refusal(model.name)
